"""Development on the real engine: plain Secrets with the values of a secrets.env."""

import base64
import re
import secrets
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.live_objects import Name, contents, versions
from tests.e2e.lives import declared, write_secrets_env
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.stores import decoded, made_values
from tests.platform import STACK_FILES

STACK_FILE = STACK_FILES["development"]
WITHOUT_VALUES = re.compile(r"secrets\.env: no such file")
CANARY = "canary"

Values = dict[str, str]


@pytest.fixture(scope="module")
def basic(run: Run, cluster: Cluster, operator: OperatorRelease) -> Iterator[Deployment]:
    """The stack, before its first update and without secrets.env."""
    with deployment(run, cluster, operator, STACK_FILE, name="basic") as made:
        yield made


@pytest.fixture
def values(basic: Deployment) -> Values:
    """New values in secrets.env, and what the stack's Secrets hold."""
    made = made_values(basic.settings, prefix=CANARY)
    write_secrets_env(basic.folder, made)
    basic.stack.up()
    return made


def test_without_values_a_preview_warns_and_the_first_update_declares_nothing(
    cluster: Cluster, basic: Deployment
) -> None:
    before = versions(contents(cluster, basic.namespaces))
    preview = basic.stack.preview()
    assert WITHOUT_VALUES.search(preview.text)
    assert set(preview.changes) == {"create"}
    with pytest.raises(EngineError, match=WITHOUT_VALUES):
        basic.stack.up()
    assert basic.provider.history == []
    assert versions(contents(cluster, basic.namespaces)) == before


def test_the_secrets_hold_the_values_and_the_state_does_not(
    cluster: Cluster, basic: Deployment, values: Values
) -> None:
    for bundle in basic.settings.catalogue.bundles.values():
        held = decoded(secret_of(cluster, basic, bundle.secret))
        assert held.keys() == bundle.keys.keys()
        assert [key for key in held if held[key] != values[key]] == []
    preview, refresh = basic.stack.preview(), basic.stack.refresh()
    assert preview.changes == refresh.changes == {}
    text = basic.stack.state_text + preview.text + refresh.text
    assert [key for key in values if is_in(text, values[key])] == []
    assert basic.stack.state_text.count('"ciphertext"') >= len(values)


def test_a_changed_value_is_changed_in_place(
    cluster: Cluster, basic: Deployment, values: Values
) -> None:
    before = contents(cluster, basic.namespaces)
    values["jwt-secret"] = CANARY + secrets.token_hex(24)
    write_secrets_env(basic.folder, values)
    up = basic.stack.up()
    assert declared(up, "update").keys() == {"wren-secrets-secret"}
    assert up.changes == {"update": 1}
    after = contents(cluster, basic.namespaces)
    assert uids(after) == uids(before)
    [(_, _, changed)] = {name for name, _ in versions(after).items() ^ versions(before).items()}
    assert decoded(secret_of(cluster, basic, changed))["jwt-secret"] == values["jwt-secret"]
    text = basic.stack.state_text + up.text
    assert [key for key in values if is_in(text, values[key])] == []


def test_a_value_that_somebody_changed_is_put_back(
    cluster: Cluster, basic: Deployment, values: Values
) -> None:
    [secret, *_] = [bundle.secret for bundle in basic.settings.catalogue.bundles.values()]
    change = {"data": {"jwt-secret": base64.b64encode(b"theirs").decode()}}
    cluster.api.patch("v1", "Secret", secret, basic.settings.namespace, change)
    assert basic.stack.refresh().changes == {"update": 1}
    assert basic.stack.up().changes == {"update": 1}
    assert decoded(secret_of(cluster, basic, secret))["jwt-secret"] == values["jwt-secret"]


def test_without_values_nothing_is_deleted_emptied_or_changed(
    cluster: Cluster, basic: Deployment, values: Values
) -> None:
    before, done = contents(cluster, basic.namespaces), list(basic.provider.history)
    (basic.folder / "secrets.env").unlink()
    preview = basic.stack.preview()
    assert WITHOUT_VALUES.search(preview.text)
    assert preview.changes == {}
    with pytest.raises(EngineError, match=WITHOUT_VALUES):
        basic.stack.up()
    assert basic.provider.history == done
    assert versions(contents(cluster, basic.namespaces)) == versions(before)
    write_secrets_env(basic.folder, values)
    assert basic.stack.preview().changes == {}


def secret_of(cluster: Cluster, made: Deployment, name: str) -> dict[str, dict[str, str]]:
    return cluster.api.get("v1", "Secret", name, made.settings.namespace) or {}


def uids(objects: dict[Name, dict[str, dict[str, str]]]) -> dict[Name, str]:
    return {name: obj["metadata"]["uid"] for name, obj in objects.items()}


def is_in(text: str, value: str) -> bool:
    """Whether the text holds the value, plain or in base64 as a Secret's data have it."""
    return value in text or base64.b64encode(value.encode()).decode() in text
