.DEFAULT_GOAL := help
PYTHON ?= python3
# Each has its own cluster and stores. They mostly wait for those, so more than the cores at hand.
# In the order of their names: else files of one long test come last, while the other sessions rest.
E2E_SESSIONS ?= 3
DIST ?= dist
VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' platform_secrets/__init__.py)

help: ## What can be done here
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

render: .venv-render/installed ## Render rendered/<environment>, and secrets.env.example
	.venv-render/bin/secretsctl render --all
	.venv-render/bin/secretsctl example > .secrets.env.example.new
	mv .secrets.env.example.new secrets.env.example

review: .venv-render/installed
review: SECRETSCTL = .venv-render/bin/secretsctl

test: .venv/installed ## Everything that runs with packages from PyPI alone
	.venv/bin/pytest --ignore=tests/e2e
	@echo "not run: tests/e2e, which need programs that PyPI does not have (make e2e)"

generated: .venv/installed ## Over 20,000 catalogues, stack files and trees that nobody wrote, other ones each time
	GENERATED_TIMES=30 .venv/bin/pytest --ignore=tests/e2e -m generated

# Of requirements-dev.txt the packages alone that tests import: the rest is pinned to newer ones.
lowest: ## The same tests with the oldest packages that may be installed
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check -r requirements-lowest.txt \
	  $$(grep -hE '^(cryptography|hypothesis|jsonschema|kubernetes-validate|pytest|ryaml)' requirements.txt requirements-dev.txt)
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	.venv-lowest/bin/python -m pytest --ignore=tests/e2e

e2e: .venv/e2e-installed ## On a real engine, API server, operator and stores; needs Go
	.venv/bin/python tools/build.py
	.venv/bin/pytest -n $(E2E_SESSIONS) --dist loadfile --no-loadscope-reorder -m "not e2e_long" tests/e2e

e2e-long: .venv/e2e-installed ## The full product of faults
	.venv/bin/python tools/build.py
	.venv/bin/pytest -m e2e_long tests/e2e

check: .venv/e2e-installed ## Formatting, lint, types, whether the rendered tree is current, and its policy
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/pyright
	.venv/bin/secretsctl render --all --check
	.venv/bin/secretsctl check
	$(MAKE) --silent workflows leaks scan

# Ours, those that `secretsctl init` writes, and GitLab's example.
workflows: .venv/e2e-installed ## Lint of the workflows; needs Go
	@rm -rf .cache/workflows
	@for delivery in pulumi gitops; do \
	  .venv/bin/secretsctl init .cache/workflows/$$delivery --name shop --delivery $$delivery > /dev/null \
	  && git init --quiet .cache/workflows/$$delivery || exit 1; done
	.venv/bin/zizmor --offline --quiet --config .github/zizmor.yml .github .cache/workflows/*/.github
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci \
	  examples/delivery/gitlab-ci.yml
	@actionlint=$$(.venv/bin/python tools/build.py actionlint 2>&1 | tee /dev/stderr | sed -n 's/^actionlint: //p') \
	  && for folder in . .cache/workflows/*; do (cd $$folder && "$$actionlint" -shellcheck= -pyflakes=) || exit 1; done

# .gitleaks.toml says what is no secret though it looks like one. What it finds is not printed.
leaks: .venv/installed ## Whether a file holds a secret; needs Go
	@gitleaks=$$(.venv/bin/python tools/build.py gitleaks 2>&1 | tee /dev/stderr | sed -n 's/^gitleaks: //p') \
	  && "$$gitleaks" dir . --no-banner --redact --verbose --log-level=warn

# What it is not asked for, and why: .checkov.yaml.
scan: .venv-scan/installed ## Checkov's rules on what is rendered
	.venv-scan/bin/checkov --config-file .checkov.yaml

audit: .venv/installed ## Whether known vulnerabilities are in what is installed; asks PyPI
	for lock in requirements*.lock; do .venv/bin/pip-audit --strict --disable-pip --require-hashes -r $$lock || exit 1; done

bench: .venv/e2e-installed .venv-render/installed ## Speed, side by side with peers; needs Go
	.venv/bin/python tools/build.py
	.venv/bin/python -m benchmarks.rendering
	.venv/bin/python -m benchmarks.diagnosing
	.venv/bin/python -m benchmarks.syncing
	.venv/bin/python -m benchmarks.admitting
	.venv/bin/python -m benchmarks.previewing
	.venv/bin/python -m benchmarks.rotating

include platform_secrets/secretsctl/new_project/review.mk
include platform_secrets/secretsctl/new_project/delivery.mk

schema: .venv-render/installed ## The editors' JSON Schemas
	.venv-render/bin/secretsctl schema

dist: .venv-build/installed ## The wheel and the sdist, in dist/
	.venv-build/bin/hatchling build --clean --directory $(DIST)

# What `pulumi up` installs with every provider; the extras of the distribution take less of it.
sbom: .venv-sbom/installed .venv/installed ## CycloneDX list of what is installed with it, with licences, in dist/
	mkdir -p $(DIST)
	sed 's/^dynamic = .*/version = "$(VERSION)"/' pyproject.toml > .venv-sbom/pyproject.toml
	.venv/bin/cyclonedx-py environment --pyproject .venv-sbom/pyproject.toml --output-reproducible \
	  --output-file $(DIST)/platform_secrets-$(VERSION).cdx.json .venv-sbom/bin/python

licences: .venv-sbom/installed .venv/installed ## The licences of what is installed with it
	@.venv/bin/pip-licenses --python=.venv-sbom/bin/python --from=mixed --format=markdown

dist-check: .venv-publish/installed ## Whether PyPI would take them
	.venv-publish/bin/twine check --strict $(DIST)/*.whl $(DIST)/*.tar.gz

release-check: ## Whether TAG may be released: the version's own, and in CHANGELOG.md
	@[ "$(TAG)" = "v$(VERSION)" ] || { echo "TAG is $(TAG), and the version's is v$(VERSION)" >&2; exit 1; }
	@$(MAKE) --silent release-notes > /dev/null

release-notes: ## What CHANGELOG.md says of this version
	@awk '/^## / {on = $$2 == "$(VERSION)"; next} on {print; some = 1} END {exit !some}' CHANGELOG.md \
	  || { echo "CHANGELOG.md has no section $(VERSION)" >&2; exit 1; }

publish: .venv-publish/installed ## Sign dist/ and upload it to PyPI: by the release workflow alone
	.venv-publish/bin/pypi-attestations sign $(DIST)/*.whl $(DIST)/*.tar.gz
	.venv-publish/bin/twine upload --non-interactive --attestations $(DIST)/*

.venv-publish/installed: requirements-publish.txt
	$(PYTHON) -m venv .venv-publish
	.venv-publish/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-publish.txt
	@touch $@

.venv-build/installed: requirements-build.txt
	$(PYTHON) -m venv .venv-build
	.venv-build/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt
	@touch $@

# The versions and hashes of all that the environments get, of the few that requirements*.txt name. What is locked
# stays unless a pin moves: Renovate reads the command in each lock's head.
LOCK = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-package platform-secrets
lock: .venv/installed ## requirements*.lock, after a change of a requirements*.txt
	$(LOCK) --output-file requirements.lock requirements.txt
	$(LOCK) --output-file requirements-scan.lock requirements-scan.txt
	$(LOCK) --output-file requirements-render.lock requirements-render.txt requirements-build.txt
	$(LOCK) --output-file requirements-e2e.lock requirements-e2e.txt requirements-build.txt
	$(LOCK) --output-file requirements-dev.lock --constraints requirements-e2e.lock requirements-dev.txt requirements-build.txt

PIP = bin/pip install --quiet --disable-pip-version-check
# Hatchling is in the lock: nothing is fetched without a hash.
EDITABLE = --no-deps --no-build-isolation -e .

.venv-render/installed: requirements-render.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv-render
	.venv-render/$(PIP) --require-hashes -r requirements-render.lock
	.venv-render/$(PIP) $(EDITABLE)
	@touch $@

.venv/installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	.venv/$(PIP) --require-hashes -r requirements-dev.lock
	.venv/$(PIP) $(EDITABLE)
	@touch $@

.venv/e2e-installed: .venv/installed requirements-e2e.lock
	.venv/$(PIP) --require-hashes -r requirements-e2e.lock
	@touch $@

.venv-sbom/installed: requirements.lock
	$(PYTHON) -m venv --without-pip .venv-sbom
	$(PYTHON) -m pip --python .venv-sbom/bin/python install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv-scan/installed: requirements-scan.lock
	$(PYTHON) -m venv .venv-scan
	.venv-scan/$(PIP) --require-hashes -r requirements-scan.lock
	@touch $@

.PHONY: help render test generated e2e e2e-long check workflows leaks scan audit lock sbom licences bench schema dist lowest dist-check release-check release-notes publish
