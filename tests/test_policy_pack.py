"""The policy pack, asked as Pulumi's engine asks it; the engine itself: tests/e2e/stacks."""

from pathlib import Path
from secrets import token_hex
from typing import Any
from unittest.mock import Mock

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi.runtime.proto import analyzer_pb2

from platform_secrets import __version__
from platform_secrets.policy import RESOURCE_RULES, RULES
from platform_secrets.policy_pack import PolicyPack
from tests.conftest import OF_ANY_PLATFORM
from tests.declaring import PROJECT, Declared, Secret
from tests.platform import CATALOGUE_FILE, STACK_FILES

ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
EXTERNAL = "kubernetes:external-secrets.io/v1:ExternalSecret"
PLAIN = "kubernetes:core/v1:Secret"
UNKNOWN = rpc.UNKNOWN
WILD = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["*"]}


class RefusedError(Exception):
    """What the engine is told in place of an answer."""


def configured(stack_file: Path, folder: Path, **replaced: str) -> PolicyPack:
    """For the stack file, put into the folder; in its text each word is replaced by another."""
    text = stack_file.read_text()
    for old, new in replaced.items():
        text = text.replace(old, new)
    (folder / "Pulumi.mine.yaml").write_text(text)
    catalogue = stack_file.with_name("catalogue.yaml")
    catalogue = catalogue if catalogue.exists() else CATALOGUE_FILE
    (folder / "catalogue.yaml").write_text(catalogue.read_text())
    pack = PolicyPack(folder)
    context = Mock(abort=Mock(side_effect=lambda code, text: _refuse(code, text)))
    pack.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="mine"), context)
    return pack


def _refuse(code: grpc.StatusCode, text: str) -> None:
    raise RefusedError(code, text)


def told(
    pack: PolicyPack, token: str, properties: dict[str, Any], *, protect: bool = True
) -> list[tuple[str, str]]:
    """The rules that it breaks, each with what is said."""
    struct = Struct()
    struct.update(_sent(properties))
    options = analyzer_pb2.AnalyzerResourceOptions(protect=protect)
    request = analyzer_pb2.AnalyzeRequest(type=token, properties=struct, options=options)
    return [(one.policyName, one.message) for one in pack.Analyze(request, Mock()).diagnostics]


def _sent(value: Any) -> Any:
    """As the engine sends it: secrets marked."""
    if isinstance(value, Secret):
        return _secret(value.value)
    if isinstance(value, dict):
        return {name: _sent(one) for name, one in value.items()}
    return [_sent(one) for one in value] if isinstance(value, list) else value


def _secret(value: Any) -> dict[str, Any]:
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


@pytest.mark.parametrize("name", OF_ANY_PLATFORM)
def test_what_a_stack_declares_breaks_no_rule(name: str, tmp_path: Path) -> None:
    stack = OF_ANY_PLATFORM[name]
    pack = configured(stack.path, tmp_path)
    declared: list[Declared] = stack.declared.declared
    assert declared
    found = {one.name: told(pack, one.type, one.inputs, protect=one.protect) for one in declared}
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_the_stack_file_decides_as_it_does_for_secretsctl_check(tmp_path: Path) -> None:
    secret = {"stringData": {"key": token_hex(8)}}
    found = {
        name: told(configured(STACK_FILES[name], tmp_path), PLAIN, secret)
        for name in ("development", "production")
    }
    assert [rule for rule, _ in found["production"]] == ["no-value"]
    assert found["development"] == []


def test_a_mistake_in_the_stack_file_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"Pulumi\.mine\.yaml:\d+: stors: unknown key"):
        configured(STACK_FILES["production"], tmp_path, stores="stors")


def test_a_value_is_found_in_a_secret_and_not_told(tmp_path: Path) -> None:
    value = token_hex(16)
    pack = configured(STACK_FILES["production"], tmp_path)
    found = told(pack, PLAIN, {"data": _secret({"key": value})})
    assert [rule for rule, _ in found] == ["no-value"]
    assert value not in str(found)
    assert [rule for rule, _ in told(pack, PLAIN, {"data": {"key": _secret(value)}})] == [
        "no-value"
    ]


def test_a_secret_field_is_judged_as_any_other(tmp_path: Path) -> None:
    pack = configured(STACK_FILES["production"], tmp_path)
    assert [rule for rule, _ in told(pack, ROLE, {"rules": _secret([WILD])})] == ["no-wildcard"]


def test_what_pulumi_may_delete_is_told_where_it_holds_data(tmp_path: Path) -> None:
    entry = "aws:secretsmanager/secret:Secret"
    pack = configured(STACK_FILES["production"], tmp_path)
    assert told(pack, entry, {}, protect=True) == []
    assert [rule for rule, _ in told(pack, entry, {}, protect=False)] == ["protected"]


@pytest.mark.parametrize("known", [{"kind": "Role"}, {}])
def test_what_an_object_is_its_type_says_where_it_does_not(known, tmp_path: Path) -> None:
    pack = configured(STACK_FILES["production"], tmp_path)
    said = ("no-wildcard", "rules[0].verbs has a `*`; right: name each one")
    assert told(pack, ROLE, {**known, "rules": [WILD]}) == [said]
    assert told(pack, "aws:iam/role:Role", {"rules": [WILD]}) == []


def test_what_is_not_known_before_the_update_is_judged_then(tmp_path: Path) -> None:
    pack = configured(STACK_FILES["production"], tmp_path)
    target = {"deletionPolicy": UNKNOWN, "template": UNKNOWN}
    found = told(pack, EXTERNAL, {"spec": {"target": target, "refreshInterval": "1s"}})
    assert {rule for rule, _ in found} == {"refreshed", "protected"}
    pod = {"containers": [{"securityContext": UNKNOWN}], "hostNetwork": True}
    said = [text for rule, text in told(pack, "kubernetes:core/v1:Pod", {"spec": pod})]
    assert [text for text in said if "securityContext" in text] == []
    assert [text for text in said if "hostNetwork" in text]


def test_each_rule_is_one_of_the_pack_s_and_stops_an_update() -> None:
    info = PolicyPack(PROJECT).GetAnalyzerInfo(None, Mock())
    assert (info.name, info.version) == ("platform-secrets", __version__)
    assert [one.name for one in info.policies] == [rule.id for rule in (*RULES, *RESOURCE_RULES)]
    assert {one.enforcementLevel for one in info.policies} == {analyzer_pb2.MANDATORY}
