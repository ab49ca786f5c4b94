"""Development on the real engine: plain Secrets with the values of a secrets.env, in two
namespaces."""

import base64
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from platform_secrets.manifests.layer import BASIC_SECRETS
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.live_objects import Name, contents, versions
from tests.e2e.lives import declared, write_secrets_env
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run
from tests.e2e.stores import decoded, made_values
from tests.platform import STACK_FILES

STACK_FILE = STACK_FILES["development"]
WITHOUT_VALUES = re.compile(r"secrets\.env: no such file")
CANARY = "canary"
ANNEX = {
    "secret": "annex-env",
    "keys": {
        "ANNEX_TOKEN": {"description": "a token"},
        "redis-url": {"description": "the platform's", "same-as": "shared/redis-url"},
    },
    "texts": {"config.json": '{"token": ${ANNEX_TOKEN|json}}\n'},
}

Values = dict[str, str]


@pytest.fixture(scope="module")
def basic(run: Run, cluster: Cluster, operator: OperatorRelease) -> Iterator[Deployment]:
    """The stack, before its first update and without secrets.env."""
    namespaces = {"wren-annex": {"bundles": ["annex"]}}
    with deployment(
        run, cluster, operator, STACK_FILE, name="basic", namespaces=namespaces
    ) as made:
        made.add_bundle("annex", ANNEX)
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
    for name, bundle in basic.settings.catalogue.bundles.items():
        held = decoded(secret_of(cluster, basic, name))
        assert held.keys() == bundle.keys.keys() | bundle.texts.keys()
        assert [key for key in bundle.keys if held[key] != values[key]] == []
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
    assert changed == basic.settings.catalogue.bundles["shared"].secret
    assert decoded(secret_of(cluster, basic, "shared"))["jwt-secret"] == values["jwt-secret"]
    text = basic.stack.state_text + up.text
    assert [key for key in values if is_in(text, values[key])] == []


def test_a_value_that_somebody_changed_is_put_back(
    cluster: Cluster, basic: Deployment, values: Values
) -> None:
    secret = basic.settings.catalogue.bundles["shared"].secret
    change = {"data": {"jwt-secret": base64.b64encode(b"theirs").decode()}}
    cluster.api.patch("v1", "Secret", secret, basic.settings.namespace, change)
    assert basic.stack.refresh().changes == {"update": 1}
    assert basic.stack.up().changes == {"update": 1}
    assert decoded(secret_of(cluster, basic, "shared"))["jwt-secret"] == values["jwt-secret"]


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


def test_a_rendered_tree_makes_the_same_secrets_in_the_same_namespaces(
    run: Run, cluster: Cluster, basic: Deployment, values: Values
) -> None:
    out = run.folder / "basic-tree"
    files = [f"--stack={basic.stack_file}", f"--catalogue={basic.folder / 'catalogue.yaml'}"]
    from_env = f"--secrets-file={basic.folder / 'secrets.env'}"
    for command in (["render"], ["basic-secrets", from_env]):
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "platform_secrets.secretsctl", *command, *files, f"--out={out}"],
            cwd=PROJECT,
            check=True,
        )
    folder = str(out / "development" / BASIC_SECRETS)
    bundles = basic.settings.catalogue.bundles
    before = {bundle: secret_of(cluster, basic, bundle) for bundle in bundles}
    for bundle in bundles:
        one = before[bundle]["metadata"]
        cluster.api.delete("v1", "Secret", one["name"], one["namespace"])
    cluster.kubectl("apply", "--server-side", "-k", folder)
    for bundle in bundles:
        after = secret_of(cluster, basic, bundle)
        assert (after["data"], after["type"]) == (before[bundle]["data"], before[bundle]["type"])
        assert after["metadata"]["labels"] == before[bundle]["metadata"]["labels"]


def secret_of(cluster: Cluster, made: Deployment, bundle: str) -> dict[str, Any]:
    settings = made.settings
    name = settings.catalogue.bundles[bundle].secret
    return cluster.api.get("v1", "Secret", name, settings.namespace_of(bundle)) or {}


def uids(objects: dict[Name, dict[str, dict[str, str]]]) -> dict[Name, str]:
    return {name: obj["metadata"]["uid"] for name, obj in objects.items()}


def is_in(text: str, value: str) -> bool:
    """Whether the text holds the value, plain or in base64 as a Secret's data have it."""
    return value in text or base64.b64encode(value.encode()).decode() in text
