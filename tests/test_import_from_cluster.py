"""`secretsctl import --from-cluster`, by a kubectl that answers as it is told."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from platform_secrets.secretsctl.commands import main

FORBIDDEN = "Error from server (Forbidden): no\n"
KUBECTL = """#!{python}
import json, sys
answers = json.load(open({answers!r}))
kind = next(one for one in sys.argv if one.startswith("get") or one == "api-resources")
kind = sys.argv[sys.argv.index("get") + 1] if kind == "get" else kind
code, output, errors = answers.get(kind, (0, '{{"items": []}}', ""))
sys.stdout.write(output)
sys.stderr.write(errors)
sys.exit(code)
"""
KINDS = "externalsecrets.external-secrets.io clusterexternalsecrets.external-secrets.io secrets"
SPEC = {
    "refreshInterval": "1h",
    "secretStoreRef": {"name": "team", "kind": "ClusterSecretStore"},
    "data": [{"secretKey": "a", "remoteRef": {"key": "apps/a"}}],
}


def external_secret(name, version="v1", **metadata):
    return {
        "apiVersion": f"external-secrets.io/{version}",
        "kind": "ExternalSecret",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "spec": SPEC,
    }


def items(*objects):
    return (0, json.dumps({"items": objects}), "")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program, answers = tmp_path / "bin" / "kubectl", tmp_path / "answers.json"
    program.parent.mkdir()
    program.write_text(KUBECTL.format(python=sys.executable, answers=str(answers)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def run(given, *arguments):
        answers.write_text(json.dumps({"api-resources": (0, KINDS, "")} | given))
        code = main(["import", "--from-cluster", "--name", "shop", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


def bundles():
    return [*yaml.safe_load(Path("catalogue.yaml").read_text())["bundles"]]


def test_a_cluster_that_serves_an_older_version_alone_is_read(run):
    given = {"externalsecrets.external-secrets.io": items(external_secret("old", "v1beta1"))}
    code, output, _ = run(given)
    assert (code, bundles()) == (0, ["old"])
    assert output.startswith("taken exactly: 1\n")


def test_what_another_object_makes_is_taken_once(run):
    made = external_secret("made", ownerReferences=[{"kind": "ClusterExternalSecret"}])
    given = {"externalsecrets.external-secrets.io": items(made, external_secret("by-hand"))}
    everywhere = {"kind": "ClusterExternalSecret", "metadata": {"name": "made"}}
    everywhere |= {"spec": {"externalSecretSpec": SPEC, "namespaces": ["shop"]}}
    code, _, _ = run(
        given | {"clusterexternalsecrets.external-secrets.io": items(everywhere)},
        "--all-namespaces",
    )
    assert (code, sorted(bundles())) == (0, ["by-hand", "made"])


def test_where_what_makes_them_is_not_read_they_are_taken_themselves(run):
    made = external_secret("made", ownerReferences=[{"kind": "ClusterExternalSecret"}])
    assert run({"externalsecrets.external-secrets.io": items(made)}, "--namespace", "shop")[0] == 0
    assert bundles() == ["made"]


def test_the_names_that_kubectl_prints_are_a_secret_s(run):
    printed = "secret shop a+b%2Fc kubernetes.io%2Ftls\nlabel team ops\nannotation note x+y\n"
    printed += (
        "key tls.crt\nkey tls.key\nsecret shop made Opaque\nowner ExternalSecret made\nkey A\n"
    )
    code, _, _ = run({"secrets": (0, printed.replace("a+b%2Fc", "edge"), "")}, "--secrets")
    found = yaml.safe_load(Path("catalogue.yaml").read_text())["bundles"]
    assert (code, [*found]) == (0, ["edge"])
    assert found["edge"]["annotations"] == {"note": "x y"}
    assert [*found["edge"]["keys"]] == ["tls.crt", "tls.key"]


TEXTS = {"kind": "ConfigMap", "metadata": {"name": "texts", "namespace": "shop"}}


@pytest.mark.parametrize(
    ("answer", "code", "taken"),
    [
        ((0, json.dumps({**TEXTS, "data": {"app.ini": "a={{ .a }}"}}), ""), 0, ["made"]),
        ((1, "", FORBIDDEN), 1, ["other"]),
    ],
)
def test_of_config_maps_those_with_templates_are_read(answer, code, taken, run):
    source = {"configMap": {"name": "texts", "items": [{"key": "app.ini"}]}}
    target = {"template": {"templateFrom": [source]}}
    made = external_secret("made") | {"spec": {**SPEC, "target": target}}
    there = [made] if code == 0 else [made, external_secret("other")]
    given = {"externalsecrets.external-secrets.io": items(*there), "configmaps": answer}
    assert run(given, "--namespace", "shop")[0] == code
    assert bundles() == taken


def test_an_api_that_does_not_answer_hides_no_other_one(run):
    given = {"externalsecrets.external-secrets.io": items(external_secret("a"))}
    errors = "error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1\n"
    assert run(given | {"api-resources": (1, KINDS, errors)})[0] == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"api-resources": (0, "secrets deployments.apps", "")}, "kinds are not in this cluster"),
        ({"api-resources": (1, "", "error: no such host")}, "error: no such host"),
        (dict.fromkeys(KINDS.split(), (1, "", FORBIDDEN)), "Forbidden"),
    ],
)
def test_a_cluster_that_gives_nothing_is_told_and_nothing_is_written(given, said, run):
    code, output, errors = run(given)
    assert (code, output) == (2, "")
    assert said in errors
    assert not Path("catalogue.yaml").exists()


def test_without_a_cluster_its_options_are_refused(tmp_path, capsys):
    code = main(["import", "--from", str(tmp_path), "--namespace", "shop", "--secrets"])
    errors = capsys.readouterr().err
    assert code == 2
    assert "--namespace: goes with --from-cluster; manifests in files" in errors
    assert "--secrets: goes with --from-cluster" in errors
