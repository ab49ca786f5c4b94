"""What people rename, in an environment that is not protected: no Secret is lost on the way."""

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.cluster import Cluster
from tests.e2e.deployment import STACK_KEY, Deployment, deployment
from tests.e2e.engine import EngineError
from tests.e2e.environments import ESO, PATIENCE_SECONDS, is_synced
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.lives import declared
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import PROJECT, Run, wait_until
from tests.e2e.stores import Stores, decoded, made_values
from tests.platform import STACK_FILES

# How the release before called what now follows the objects' own names.
NAMES_BEFORE = {
    "components/layer.py": [(r"view\.declared_name\(content\.secret\)", "bundle")],
    "components/access.py": [(r"names=\{.*\},\n", "")],
}
PACKAGES = ("platform_secrets", "components")
Catalogue = dict[str, Any]


@pytest.fixture(scope="module")
def staging(
    run: Run, cluster: Cluster, operator: OperatorRelease, stores: Stores
) -> Iterator[Deployment]:
    """Brought up by the release before, and synced."""
    path = STACK_FILES["staging"]
    with deployment(run, cluster, operator, path, name="renames", rotation="follower") as made:
        for package in PACKAGES:
            shutil.copytree(PROJECT / package, made.folder / package, symlinks=True)
        for name, changes in NAMES_BEFORE.items():
            text = (made.folder / name).read_text()
            for pattern, replacement in changes:
                text, count = re.subn(pattern, replacement, text)
                assert count, pattern
            (made.folder / name).write_text(text)
        stores.prepare(made.settings)
        stores.put(made.settings, made_values(made.settings))
        made.stack.up()
        synced(cluster, made)
        for package in PACKAGES:
            shutil.rmtree(made.folder / package)
        yield made


def synced(cluster: Cluster, made: Deployment) -> dict[str, Manifest]:
    """The Secrets by name, once each ExternalSecret is synced as it is now."""
    names = [bundle.secret for bundle in made.settings.catalogue.bundles.values()]
    namespace = made.settings.namespace
    for name in names:
        wait_until(
            lambda n=name: is_synced(cluster.api.get(ESO, "ExternalSecret", n, namespace) or {}),
            f"{name} is synced",
            timeout_seconds=PATIENCE_SECONDS,
        )
    return {name: cluster.api.get("v1", "Secret", name, namespace) or {} for name in names}


def change_catalogue(made: Deployment, change: Callable[[Catalogue], None]) -> None:
    path = made.folder / "catalogue.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def change_stack(made: Deployment, change: Callable[[dict[str, Any]], None]) -> None:
    for path in (made.stack_file, made.stack.folder / "work" / made.stack_file.name):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content["config"][STACK_KEY])
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def renamed(mapping: dict[str, Any], old: str, new: str) -> None:
    """Gives an entry another name, in its place."""
    items = [(new if name == old else name, value) for name, value in mapping.items()]
    mapping.clear()
    mapping.update(items)


def rename_bundle(catalogue: Catalogue) -> None:
    renamed(catalogue["bundles"], "backend-api", "backend")
    catalogue["services"]["backend-api"]["reads"] = ["shared", "backend"]


def rename_service(catalogue: Catalogue) -> None:
    renamed(catalogue["services"], "chat-server", "chat")


def rename_key(catalogue: Catalogue) -> None:
    renamed(catalogue["bundles"]["chat-server"]["keys"], "chat-server-secret", "chat-secret")


def rename_workload(catalogue: Catalogue) -> None:
    catalogue["services"]["frontend"]["workload"] = "Deployment/wren-web"


def rename_secret(catalogue: Catalogue) -> None:
    catalogue["bundles"]["stream-server"]["secret"] = "wren-stream-secrets"  # noqa: S105


def rename_secret_again(catalogue: Catalogue) -> None:
    catalogue["bundles"]["shared"]["secret"] = "wren-renamed"  # noqa: S105


def swap_secrets(catalogue: Catalogue) -> None:
    one, other = (catalogue["bundles"][name] for name in ("chat-server", "stream-server"))
    one["secret"], other["secret"] = other["secret"], one["secret"]


# What is created and deleted in the cluster; everything else stays the object that it is.
RENAMES: dict[str, tuple[Callable[[Catalogue], None], set[str], set[str]]] = {
    "bundle": (rename_bundle, set(), set()),
    "service": (
        rename_service,
        {"chat-role", "chat-role-binding"},
        {"chat-server-role", "chat-server-role-binding"},
    ),
    "key": (rename_key, set(), set()),
    "workload": (
        rename_workload,
        {"wren-web-service-account"},
        {"wren-frontend-service-account"},
    ),
    "secret": (
        rename_secret,
        {"wren-stream-secrets-external-secret"},
        {"wren-stream-server-secrets-external-secret"},
    ),
    "secrets-swapped": (swap_secrets, set(), set()),
}


def test_an_update_from_the_release_before_changes_nothing(staging: Deployment) -> None:
    assert declared(staging.stack.preview(), "same")
    assert staging.stack.preview().changes == {}
    staging.stack.up()


@pytest.mark.parametrize("what", RENAMES)
def test_what_keeps_its_name_in_the_cluster_stays_and_what_is_new_comes_first(
    cluster: Cluster, stores: Stores, staging: Deployment, what: str
) -> None:
    change, created, deleted = RENAMES[what]
    before = synced(cluster, staging)
    change_catalogue(staging, change)
    known = {key: value for one in before.values() for key, value in decoded(one).items()}
    values = {key: known.get(key, new) for key, new in made_values(staging.settings).items()}
    stores.prepare(staging.settings)
    stores.put(staging.settings, values)
    preview = staging.stack.preview()
    up = staging.stack.up()
    for outcome in (preview, up):
        assert set(declared(outcome, "create")) == created
        assert set(declared(outcome, "delete")) == deleted
        assert declared(outcome, "replace") == {}
    order = [operation for operation, _ in up.steps if operation in ("create", "delete")]
    assert order == sorted(order), "nothing is deleted before its successor is there"
    for name, secret in synced(cluster, staging).items():
        if name in before:
            assert secret["metadata"]["uid"] == before[name]["metadata"]["uid"]
    for bundle in staging.settings.catalogue.bundles.values():
        held = decoded(synced(cluster, staging)[bundle.secret])
        assert {key: held[key] for key in bundle.keys} == {key: values[key] for key in bundle.keys}


def test_a_store_s_new_name_is_there_before_the_old_one_goes(
    cluster: Cluster, stores: Stores, staging: Deployment
) -> None:
    before = synced(cluster, staging)
    change_stack(staging, lambda env: renamed(env["stores"], "vault", "main"))
    stores.prepare(staging.settings)
    up = staging.stack.up()
    assert "main-store-secret-store" in declared(up, "create")
    assert "vault-store-secret-store" in declared(up, "delete")
    uids = {name: secret["metadata"]["uid"] for name, secret in before.items()}
    after = synced(cluster, staging)
    assert {name: secret["metadata"]["uid"] for name, secret in after.items()} == uids


def test_where_it_is_protected_a_secret_s_new_name_is_refused_by_the_preview(
    staging: Deployment,
) -> None:
    change_stack(staging, lambda env: env.update(protect=True))
    staging.stack.up()
    text = (staging.folder / "catalogue.yaml").read_text()
    done = list(staging.provider.history)
    try:
        change_catalogue(staging, rename_secret_again)
        with pytest.raises(EngineError, match="protect"):
            staging.stack.preview()
        assert staging.provider.history == done
    finally:
        (staging.folder / "catalogue.yaml").write_text(text)


def test_a_namespace_s_new_name_has_its_secrets_before_the_old_one_s_go(
    cluster: Cluster, stores: Stores, staging: Deployment
) -> None:
    before = synced(cluster, staging)
    change_stack(staging, lambda env: env.update(protect=False))
    staging.stack.up()
    new = f"{staging.settings.namespace}-new"
    change_stack(staging, lambda env: env.update({"namespace-name": new}))
    stores.prepare(staging.settings)
    up = staging.stack.up()
    order = [operation for operation, _ in up.steps]
    created = [place for place, one in enumerate(order) if one.startswith("create")]
    deleted = [place for place, one in enumerate(order) if one.startswith("delete")]
    assert created
    assert deleted
    assert max(created) < min(deleted)
    after = synced(cluster, staging)
    assert {name: decoded(one) for name, one in after.items()} == {
        name: decoded(one) for name, one in before.items()
    }
