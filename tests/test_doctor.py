"""`secretsctl doctor`: what it says, and by which exit code."""

import json
import re
import sys
from base64 import b64encode

import pytest
import yaml

from platform_secrets.secretsctl import doctor_command
from platform_secrets.secretsctl.commands import main
from platform_secrets.settings import catalogue_document
from tests.conftest import PROJECT
from tests.healthy_environment import Environment, production
from tests.platform import CATALOGUE_FILE

CANARY = "canary-71b2aa90"
HEALTHY, FAULT, WRONG_INPUT = 0, 1, 2


@pytest.fixture
def environment():
    return Environment(production())


@pytest.fixture
def doctor(monkeypatch, tmp_path, capsys):
    """Runs the command on a folder with these objects; its exit code and what it prints."""
    monkeypatch.chdir(CATALOGUE_FILE.parent)

    def run(environment, *options):
        for number, one in enumerate(environment.objects.values()):
            (tmp_path / f"{number}.yaml").write_text(json.dumps(one))
        code = main(["doctor", "--env", "production", "--from", str(tmp_path), *options])
        return code, capsys.readouterr().out

    return run


def test_a_healthy_environment_is_called_so(doctor, environment):
    for kind in ("ResourceQuota", "Event", "ClusterRole", "ClusterRoleBinding", "Job"):
        metadata = {"name": "any", "namespace": environment.namespace}
        environment.add({"kind": kind, "metadata": metadata, "spec": {}, "subjects": []})
    for one in environment.of("ClusterRoleBinding"):
        one["roleRef"] = {"kind": "ClusterRole", "name": "any"}
    code, text = doctor(environment)
    assert code == HEALTHY
    assert "fault" not in text.replace("at fault", "")
    assert re.search(r"^healthy +workload$", text, re.MULTILINE)


def test_the_first_layer_at_fault_is_named_with_the_next_step(doctor, environment):
    environment.drop("ServiceAccount", "vault-store")
    environment.drop("RoleBinding", "backend-api-secrets")
    code, text = doctor(environment)
    assert code == FAULT
    assert text.splitlines()[-1] == (
        "first at fault: account (account-missing: docs/troubleshooting.md#account-missing)"
    )
    assert "account-missing: ServiceAccount wren-production/vault-store: does not exist" in text
    assert "next: apply the environment again: `pulumi up --stack production`" in text
    assert "\x1b" not in text


def test_scripts_get_the_same_as_json(doctor, environment):
    environment.drop("ServiceAccount", "vault-store")
    environment.fail("SecretStore", "vault-store", 'ServiceAccount "vault-store" not found')
    code, text = doctor(environment, "--json")
    told = json.loads(text)
    assert (code, told["healthy"], told["first"]) == (FAULT, False, "account-missing")
    assert told["layers"]["account"] == "fault"
    assert told["layers"]["store"] == "follows"
    assert told["layers"]["network"] == "healthy"
    assert told["layers"]["cluster"] == "unknown"
    [unread] = told["unread"]["cluster"]
    assert unread.startswith("ResourceQuota: none is in ")
    assert told["findings"][0]["following"][0]["check"] == "store-no-token"


def test_no_value_of_what_somebody_sent_is_shown(doctor, environment):
    """Neither of a Secret, nor of what else may have one."""
    for one in environment.of("Secret"):
        one["data"] = dict.fromkeys(one["data"], b64encode(CANARY.encode()).decode())
        one["metadata"]["annotations"] = {"note": CANARY}
    pod = environment.get("Deployment", "wren-backend-api")["spec"]["template"]["spec"]
    pod["containers"][0]["env"] = [{"name": "TOKEN", "value": CANARY}]
    environment.get("Secret", "wren-secrets")["data"].pop("redis-url")
    environment.fail("SecretStore", "vault-store", f"login: {CANARY} permission denied")
    for options in ((), ("--json",)):
        code, text = doctor(environment, *options)
        assert code == FAULT
        assert "store-login" in text
        assert CANARY not in text
        assert b64encode(CANARY.encode()).decode() not in text


def test_what_nobody_has_sent_of_a_namespace_is_not_missing(doctor, environment):
    """The operator's NetworkPolicies are there, the environment's were not asked for."""
    environment.drop("NetworkPolicy", "secrets-rotation")
    code, text = doctor(environment)
    assert code == HEALTHY, text


def test_a_folder_with_an_object_that_somebody_cut_is_wrong_input(doctor, environment):
    del environment.of("RoleBinding")[0]["roleRef"]
    code, text = doctor(environment)
    assert (code, text) == (WRONG_INPUT, "")


def test_a_folder_that_is_not_there_is_wrong_input(monkeypatch, capsys):
    monkeypatch.chdir(CATALOGUE_FILE.parent)
    assert main(["doctor", "--env", "production", "--from", "nowhere"]) == WRONG_INPUT
    assert "nowhere: no such file or folder" in capsys.readouterr().err


def test_a_cluster_that_is_not_reached_is_the_fault(monkeypatch, capsys):
    monkeypatch.chdir(CATALOGUE_FILE.parent)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["doctor", "--env", "production"]) == FAULT
    text = capsys.readouterr().out
    assert "cluster-not-reached" in text.splitlines()[-1]
    assert main(["doctor", "--env", "production", "--json"]) == FAULT
    told = json.loads(capsys.readouterr().out)
    assert (told["first"], told["layers"]["store"]) == ("cluster-not-reached", "unknown")


def test_what_has_just_changed_is_looked_at_twice(monkeypatch, capsys, environment):
    """The operator needs a moment for it; what it then has done is no fault."""
    live = environment.get("ExternalSecret", "wren-secrets")
    live["metadata"]["annotations"] = {"force-sync": "1"}
    before = environment.snapshot()
    environment.sync(live)
    looks = [before, environment.snapshot(), environment.snapshot()]
    monkeypatch.chdir(CATALOGUE_FILE.parent)
    monkeypatch.setattr(doctor_command, "environment_snapshot", lambda *_, **__: looks.pop(0))
    monkeypatch.setattr(doctor_command, "_log", lambda _: ())
    monkeypatch.setattr(doctor_command, "_refusal", lambda *_: "")
    monkeypatch.setattr(doctor_command.time, "sleep", lambda _: None)
    assert main(["doctor", "--env", "production"]) == HEALTHY
    assert len(looks) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "healthy"


@pytest.mark.parametrize(("no_color", "is_colored"), [("", True), ("1", False)])
def test_a_terminal_gets_colors_unless_it_says_no(
    monkeypatch, capsys, environment, no_color, is_colored
):
    monkeypatch.chdir(CATALOGUE_FILE.parent)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    snapshot = environment.snapshot()
    monkeypatch.setattr(doctor_command, "environment_snapshot", lambda *_, **__: snapshot)
    monkeypatch.setattr(doctor_command, "_log", lambda _: ())
    monkeypatch.setattr(doctor_command, "_refusal", lambda *_: "")
    main(["doctor", "--env", "production"])
    assert ("\x1b[32mhealthy" in capsys.readouterr().out) is is_colored


def test_each_of_five_hundred_missing_entries_is_named():
    content = yaml.safe_load(CATALOGUE_FILE.read_text(encoding="utf-8"))
    readers = content["services"]["backend-api"]["reads"]
    for number in range(1000):
        key = {"description": "a key", "owner": "backend"}
        bundle = {"secret": f"wren-{number}", "keys": {f"key-{number}": key}}
        content["bundles"][f"bundle-{number}"] = bundle
        readers.append(f"bundle-{number}")
    document = catalogue_document(CATALOGUE_FILE)
    settings = production(type(document)(document.file, content))
    environment = Environment(settings)
    for number in range(0, 1000, 2):
        environment.fail("ExternalSecret", f"wren-{number}", "Secret does not exist")
    found = environment.diagnosed()
    assert [one.check for one in found.faults] == ["entry-missing"] * 500


def test_every_link_of_the_page_leads_to_a_heading():
    text = (PROJECT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    headings = {*re.findall(r"^### (.+)$", text, re.MULTILINE)}
    assert {*re.findall(r"\]\(#([^)]+)\)", text)} <= headings
