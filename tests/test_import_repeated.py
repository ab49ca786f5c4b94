"""`secretsctl import` where both files are there: it adds what is new, and changes nothing."""

import json
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main

CATALOGUE = """\
# Ours.
platform: shop   # short
bundles:
  'web':   # the shop
    secret: "web-env"
    keys:
      user: {description: 'who "it" is',   entry-of: x}
"""
CATALOGUE = CATALOGUE.replace(",   entry-of: x", ",   owner: ops")
STACK = """\
config:
  platform-secrets:environment:
    environment: production
    namespace: existing
    namespace-name: shop
    operator: existing
    stores:
      team: {provider: existing, kind: ClusterSecretStore, name: team}   # theirs
    bundles:
      web:
        keys:
          user: {entry: apps/web, property: user}
  # Pulumi's own
  aws:region: eu-west-1
"""


def external_secret(name="web-env", keys=("user",), namespace="shop", store="team", **spec):
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "refreshInterval": "1h",
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": store},
            "data": [
                {"secretKey": key, "remoteRef": {"key": "apps/web", "property": key}}
                for key in keys
            ],
            **spec,
        },
    }


def deployment(name, *secrets, namespace="shop"):
    container = {"envFrom": [{"secretRef": {"name": one}} for one in secrets]}
    metadata = {"name": name, "namespace": namespace}
    pod = {"spec": {"containers": [container]}}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": pod}}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("catalogue.yaml").write_text(CATALOGUE)
    Path("Pulumi.production.yaml").write_text(STACK)

    def run(*manifests, arguments=()):
        Path("manifests").mkdir(exist_ok=True)
        Path("manifests", "all.yaml").write_text(yaml.safe_dump_all(manifests))
        code = main(["import", "--from", "manifests", "--json", *arguments])
        output = capsys.readouterr()
        return code, json.loads(output.out) if output.out else output.err

    return run


def texts():
    return Path("catalogue.yaml").read_text(), Path("Pulumi.production.yaml").read_text()


def lines_of(before, after):
    """What was added; nothing else may have changed."""
    there, added = before.splitlines(), []
    for line in after.splitlines():
        if there and line == there[0]:
            there.pop(0)
        else:
            added.append(line)
    assert there == []
    return added


def test_what_is_known_changes_nothing(run):
    code, report = run(external_secret())
    assert (code, report["wrote"]) == (0, [])
    assert [one["outcome"] for one in report["manifests"]] == ["exact"]
    assert texts() == (CATALOGUE, STACK)


def test_a_second_run_right_after_the_first_changes_nothing(run):
    Path("catalogue.yaml").unlink()
    Path("Pulumi.production.yaml").unlink()
    there = [
        external_secret(),
        external_secret("ledger-env", ("a", "b"), "billing", "other"),
        external_secret("whole", data=[], dataFrom=[{"extract": {"key": "apps/x"}}]),
        {"kind": "Secret", "metadata": {"name": "old", "namespace": "shop"}, "data": {"A": ""}},
        deployment("shop", "web-env", "old"),
        deployment("ledger", "ledger-env", namespace="billing"),
    ]
    first = run(*there)[1]
    before = texts()
    code, report = run(*there)
    assert (code, report["wrote"], texts()) == (0, [], before)
    assert report["manifests"] == first["manifests"]


def test_new_ones_are_added_and_every_other_character_stays(run):
    new = external_secret("ledger-env", ("a",), "billing", "other")
    plain = {"kind": "Secret", "metadata": {"name": "old", "namespace": "shop"}, "data": {"A": ""}}
    code, report = run(
        external_secret(keys=("user", "password")), new, plain, deployment("shop", "web-env")
    )
    assert [*map(Path, report["wrote"])] == [Path("catalogue.yaml"), Path("Pulumi.production.yaml")]
    catalogue, stack = texts()
    assert lines_of(CATALOGUE, catalogue) == [
        *("      password:", "        description: password of apps/web"),
        *("  ledger-env:", "    secret: ledger-env", "    keys:", "      a:"),
        "        description: a of apps/web",
        *("  old:", "    secret: old", "    keys:", "      A:"),
        "        description: A of the Secret that is there",
        *("services:", "  shop:", "    workload: Deployment/shop", "    service-account: none"),
        *("    reads:", "    - web"),
    ]
    assert lines_of(STACK, stack) == [
        *("      other:", "        provider: existing"),
        *("        kind: ClusterSecretStore", "        name: other"),
        *("          password:", "            entry: apps/web", "            property: password"),
        *("      ledger-env:", "        store: other", "        keys:", "          a:"),
        *("            entry: apps/web", "            property: a"),
        *("    namespaces:", "      billing:", "        namespace: existing"),
        *("        bundles:", "        - ledger-env"),
        *("    without:", "      bundles:", "      - old"),
        "    default-store: team",
    ]
    assert {one["outcome"] for one in report["manifests"]} == {"exact", "different"}
    assert code == 0
    assert run(external_secret(keys=("user", "password")), new, plain)[1]["wrote"] == []
    assert main(["render"]) == 0


def test_what_names_let_suppose_of_a_new_bundle_s_keys_is_a_comment(run):
    names = ("DATABASE_URL", "user", "API_KEY")
    run(external_secret(keys=("password",)), external_secret("late", names, "shop", "other"))
    added = lines_of(CATALOGUE, texts()[0])
    rotation = "        # rotate: {by: hand, max-age: 180d}"
    assert added[added.index("      DATABASE_URL:") + 1] == "        # format: postgres-url"
    assert added[added.index("      API_KEY:") + 1] == rotation
    assert len([one for one in added if "#" in one]) == 2


def test_what_people_changed_is_told_and_stays(run):
    changed = external_secret(keys=(), refreshInterval="2h")
    changed["spec"]["data"] = [{"secretKey": "user", "remoteRef": {"key": "apps/moved"}}]
    code, report = run(changed)
    [one] = report["manifests"]
    assert [each["field"] for each in one["details"]] == ["refreshInterval", "data.user"]
    assert (code, one["outcome"], texts()) == (0, "different", (CATALOGUE, STACK))
    assert run(changed, arguments=["--check"])[0] == 1


def test_what_a_known_service_reads_too_is_told(run):
    service = "services:\n  shop: {workload: Deployment/shop, reads: []}\n"
    Path("catalogue.yaml").write_text(CATALOGUE + service.replace("[]", "[web]"))
    before = texts()
    workload = deployment("shop", "web-env", "new")
    run(external_secret(), workload)
    assert texts() == before
    _, report = run(external_secret(), external_secret("new"), workload)
    [told] = [one for one in report["manifests"] if one["kind"] == "Deployment"]
    assert "reads new too" in told["details"][0]["why"]
    assert "[web]" in texts()[0]


@pytest.mark.parametrize("change", [lambda text: text.replace("\n", "\r\n"), str.rstrip])
def test_line_ends_stay(change, run):
    Path("catalogue.yaml").write_bytes(change(CATALOGUE).encode())
    run(external_secret(keys=("user", "password")))
    after = Path("catalogue.yaml").read_bytes().decode()
    assert after.startswith(change(CATALOGUE))
    assert ("\r\n" in after, after.count("\r\n")) in ((False, 0), (True, after.count("\n")))


def test_braces_and_anchors_stay(run):
    flow = (
        'platform: shop\nbundles: {web: {secret: web-env, keys: {user: {description: "ö", }, }}}\n'
    )
    Path("catalogue.yaml").write_text(flow, encoding="utf-8")
    anchored = STACK.replace("keys:\n          user: {", "keys:\n          user: &one {")
    anchored = anchored.replace("  # Pulumi's", "      spare: {keys: {user: *one}}\n  # Pulumi's")
    run(external_secret(keys=("user", "a:b")))
    assert '{user: {description: "ö", }, ' in texts()[0]


def test_what_an_alias_would_change_elsewhere_is_refused(run):
    text = "platform: shop\nbundles:\n  web:\n    secret: web-env\n    keys: &shared\n"
    text += "      user: {description: a}\n  again:\n    secret: again\n    keys: *shared\n"
    Path("catalogue.yaml").write_text(text)
    stack = STACK.replace(
        "      web:\n", "      again: {keys: {user: {entry: b, property: c}}}\n      web:\n"
    )
    Path("Pulumi.production.yaml").write_text(stack)
    code, message = run(external_secret(keys=("user", "password")))
    assert code == 2
    assert "write yourself:" in message
    assert "password:" in message
    assert texts() == (text, stack)


def test_files_that_are_wrong_are_told_and_stay(run):
    Path("catalogue.yaml").write_text("platform: shop\nbundels: {}\n")
    code, message = run(external_secret())
    assert code == 2
    assert "did you mean bundles?" in message
    assert texts() == ("platform: shop\nbundels: {}\n", STACK)


def test_a_write_that_fails_leaves_both_files(run, monkeypatch):
    replace = Path.replace

    def fails(self, target):
        if "Pulumi" in str(target):
            raise OSError(28, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    code, message = run(external_secret(), external_secret("new"))
    assert (code, texts()) == (2, (CATALOGUE, STACK))
    assert "No space left" in message
    assert [path for path in Path().iterdir() if path.name.startswith(".")] == []
