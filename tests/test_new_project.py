"""`secretsctl init` writes a repository that renders, and whose program declares, at once."""

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml

from platform_secrets import __version__
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import stack_document
from tests.declaring import CLUSTER_UID, PROJECT, declare

PROVIDERS = ["vault", "aws", "gcp", "azure"]
DELIVERIES = ["pulumi", "gitops"]
OURS: dict[str, set[str]] = {}
for workflow in PROJECT.glob(".github/*/**/*.yaml"):
    for name, commit in re.findall(r"uses: (\S+)@(\S+)", workflow.read_text()):
        OURS.setdefault(name, set()).add(commit)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts():
    return {str(path): path.read_text() for path in Path().rglob("*") if path.is_file()}


def names(objects):
    return {
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects
    }


def rendered(environment, folders):
    found = [
        yaml.safe_load(path.read_text())
        for path in Path("rendered", environment).glob(f"{folders}/*.yaml")
    ]
    return names([one for one in found if one.get("kind", "Kustomization") != "Kustomization"])


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_it_renders_at_once(provider, delivery, capsys):
    assert main(["init", "--name", "shop", "--provider", provider, "--delivery", delivery]) == 0
    assert main(["render", "--all"]) == 0
    assert main(["render", "--all", "--check"]) == 0
    assert {kind for kind, *_ in rendered("production", "*")} >= {"SecretStore", "ExternalSecret"}
    content = stack_document(Path("Pulumi.production.yaml")).content
    assert isinstance(content, dict)
    assert content["stores"].keys() == {provider}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_its_program_declares_what_is_rendered(provider):
    main(["init", "--name", "shop", "--provider", provider])
    main(["render", "--all"])
    content = stack_document(Path("Pulumi.production.yaml")).content
    assert isinstance(content, dict)
    found = declare(
        lambda: runpy.run_path("__main__.py"),
        stack="production",
        project="shop",
        config={"shop:environment": json.dumps({**content, "cluster": {"uid": CLUSTER_UID}})},
    )
    assert names([one.inputs for one in found.objects()]) == rendered("production", "[1-5]-*")


def test_with_gitops_its_program_leaves_the_cluster_alone():
    main(["init", "--name", "shop", "--delivery", "gitops"])
    content = stack_document(Path("Pulumi.production.yaml")).content
    config = {"shop:environment": json.dumps(content)}
    program = lambda: runpy.run_path("__main__.py")  # noqa: E731
    found = declare(program, stack="production", project="shop", config=config)
    assert [one.type for one in found.declared] == ["platform-secrets:layer:SecretsLayer"]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_longest_name_renders_and_a_longer_one_is_refused(provider, delivery, capsys):
    how = ["--provider", provider, "--delivery", delivery]
    longest = 10 if provider == "gcp" else 24
    assert main(["init", *how, "--name", "a" * (longest + 1)]) == 2
    assert f"with {provider} of up to {longest} characters" in capsys.readouterr().err
    assert main(["init", *how, "--name", "a" * longest]) == 0
    assert main(["render", "--all"]) == 0


@pytest.mark.parametrize("name", ["Shop", "shop_1", "1shop", "shop-", "a" * 25])
def test_a_name_that_no_platform_can_have_is_refused(name, capsys):
    assert main(["init", "--name", name]) == 2
    assert "--name: must be a name of lower-case letters" in capsys.readouterr().err
    assert texts() == {}


def test_the_folder_is_made_and_its_name_is_the_project_s():
    assert main(["init", "deep/orchard"]) == 0
    assert yaml.safe_load(Path("deep/orchard/Pulumi.yaml").read_text())["name"] == "orchard"
    assert yaml.safe_load(Path("deep/orchard/catalogue.yaml").read_text())["platform"] == "orchard"


def test_it_is_pinned_to_this_version_with_the_provider_s_extra():
    main(["init", "--name", "shop", "--provider", "gcp"])
    assert Path("requirements.txt").read_text() == f"platform-secrets[gcp]=={__version__}\n"


@pytest.mark.parametrize(
    ("delivery", "tool", "said"),
    [
        ("gitops", "argo-cd", "kubectl apply -k rendered/production/gitops/argocd\n"),
        ("gitops", "flux", "kubectl apply -k rendered/production/gitops/flux\n"),
        ("pulumi", "argo-cd", "pulumi up --policy-pack policy\n"),
    ],
)
def test_its_readme_tells_how_it_is_applied(delivery, tool, said):
    main(["init", "--name", "shop", "--delivery", delivery, "--gitops-tool", tool])
    readme = Path("README.md").read_text()
    assert readme.count("## Apply") == readme.count(said) == 1
    assert "@" not in readme


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_its_workflows_run_only_actions_of_one_commit_with_the_rights_that_they_name(delivery):
    main(["init", "--name", "shop", "--delivery", delivery])
    checks = Path(".github/workflows/check.yaml").read_text()
    assert "secretsctl render --all --check" in checks
    assert "- run: secretsctl check" in checks
    for file in Path(".github").rglob("*.yaml"):
        text = file.read_text()
        assert "pull_request_target" not in text
        said = yaml.safe_load(text)
        if "jobs" in said:
            assert said["permissions"] in ({}, {"contents": "read"})
        for name, commit in re.findall(r"uses: ([^.\s]\S+)@(\S+)", text):
            assert len(commit) == 40
            assert {commit} >= OURS.get(name, set()), "the same as in our own workflows"


def test_the_delivery_is_the_same_as_our_own():
    main(["init", "--name", "shop"])
    own = "[development, staging, production]"
    for file in (
        "workflows/update",
        "workflows/preview",
        "workflows/drift",
        "actions/login/action",
    ):
        text = Path(f".github/{file}.yaml").read_text()
        ours = (PROJECT / f".github/{file}.yaml").read_text()
        assert text.replace("stack: [production]", f"stack: {own}") == ours
    parts = [
        f"platform_secrets/secretsctl/new_project/{name}.mk" for name in ("review", "delivery")
    ]
    assert Path("Makefile").read_text() == "".join((PROJECT / one).read_text() for one in parts)
    assert "".join(f"include {one}\n" for one in parts) in (PROJECT / "Makefile").read_text()


def test_the_policy_pack_is_the_same_as_our_own():
    main(["init", "--name", "shop"])
    for file in ("policy/PulumiPolicy.yaml", "policy/__main__.py"):
        assert Path(file).read_text() == (PROJECT / file).read_text()


def test_by_gitops_the_steps_are_the_review_s_alone():
    main(["init", "--name", "shop", "--delivery", "gitops"])
    assert re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.M) == ["review"]


def test_each_stack_is_deployed_after_the_one_before():
    main(["init", "--name", "shop"])
    deploy = yaml.safe_load(Path(".github/workflows/deploy.yaml").read_text())
    ours = yaml.safe_load((PROJECT / ".github/workflows/deploy.yaml").read_text())
    assert ours["jobs"]["production"] == {**deploy["jobs"]["production"], "needs": "staging"}
    before = {name: job.get("needs") for name, job in ours["jobs"].items()}
    assert before == {"development": None, "staging": "development", "production": "staging"}
    assert all(job["with"] == {"stack": name} for name, job in ours["jobs"].items())


def test_what_is_there_already_stays_and_nothing_else_is_written(capsys):
    Path("README.md").write_text("mine")
    Path(".github").write_text("a file")
    assert main(["init", "--name", "shop"]) == 2
    said = capsys.readouterr().err
    assert "README.md: is there already" in said
    assert ".github: is there already" in said
    assert "2 problems, nothing done" in said
    assert texts() == {"README.md": "mine", ".github": "a file"}
