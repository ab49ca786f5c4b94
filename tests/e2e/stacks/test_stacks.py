"""Every stack file and example on the real engine, into the real cluster, and out of it again."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from platform_secrets import __version__
from platform_secrets.manifests import naming
from platform_secrets.manifests.rotation.names import MEMORY
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import Deployment, deployment
from tests.e2e.kubernetes_api import Manifest
from tests.e2e.live_objects import (
    POLICIES,
    contents,
    owned_otherwise,
    projected,
    with_pulumi_annotations,
)
from tests.e2e.lives import FOREIGN, RELEASE, End, Life, declared, life_of, waits
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.e2e.pulumi_provider import FIELD_MANAGER
from tests.e2e.stores import Stores, decoded
from tests.platform import STACK_FILES

# On one cluster at the same time; the first owns the operator.
TOGETHER = ("shared-cluster-production", "shared-cluster-staging")
# Syncs only with a database behind its Vault: test_vault_database.py.
ELSEWHERE = ("vault-database",)
ALONE = [(name,) for name in STACK_FILES if name not in TOGETHER + ELSEWHERE]

# What the operator puts on an ExternalSecret that lives.
FINALIZERS = {"ExternalSecret": ["externalsecrets.external-secrets.io/externalsecret-cleanup"]}

Stacks = list[Life]


@pytest.fixture(scope="module", params=[*ALONE, TOGETHER], ids=lambda names: "+".join(names))
def stacks(
    request: pytest.FixtureRequest,
    run: Run,
    cluster: Cluster,
    stores: Stores,
    operator: OperatorRelease,
) -> Iterator[Stacks]:
    """Stacks that were brought up, one after the other."""
    with ExitStack() as parts:
        lives = []
        for name in request.param:
            path = STACK_FILES[name]
            made = parts.enter_context(deployment(run, cluster, operator, path, name=name))
            life = life_of(made, cluster, stores, path)
            life.begin()
            life.disturb()
            lives.append(life)
        yield lives


@pytest.fixture(scope="module")
def ended(stacks: Stacks) -> list[tuple[Life, End]]:
    """The same, destroyed one after the other, the last first."""
    for life in reversed(stacks):
        life.finish(others=[each for each in stacks if each is not life and each.end is None])
    return [(life, life.end) for life in stacks if life.end]


def test_each_rendered_object_is_created_once_as_the_preview_says(stacks: Stacks) -> None:
    for life in stacks:
        env = life.made.settings.environment
        created = declared(life.up, "create")
        assert life.preview.counts == life.up.counts
        assert declared(life.preview, "create") == created
        assert sorted(life.made.provider.urns("create")) == sorted(created.values())
        basic_secrets = len(life.secrets) if env.secrets == "basic" else 0
        releases = [urn for urn in created.values() if RELEASE in urn]
        assert len(releases) == (env.operator == "install")
        assert len(created) == len(life.rendered) + len(releases) + basic_secrets


def test_what_is_declared_breaks_no_rule_of_the_policy_pack(stacks: Stacks) -> None:
    for life in stacks:
        assert f"✅ platform-secrets@v{__version__} (local: " in life.preview.text


def test_a_preview_after_the_update_finds_nothing_to_do(stacks: Stacks) -> None:
    assert [life.preview_again.changes for life in stacks] == [{}] * len(stacks)


def test_a_refresh_after_the_update_finds_no_drift(stacks: Stacks) -> None:
    assert [life.refresh.changes for life in stacks] == [{}] * len(stacks)


def test_what_was_applied_is_what_secretsctl_renders_field_by_field(stacks: Stacks) -> None:
    for life in stacks:
        assert differing(life) == []
        for manifest in life.rendered:
            live = life.live(manifest)
            expected = with_pulumi_annotations(manifest, live)
            assert owned_otherwise(live, expected, FIELD_MANAGER) == []


def test_the_namespace_holds_that_and_the_secrets_and_no_more(stacks: Stacks) -> None:
    for life in stacks:
        namespace = life.made.settings.namespace
        kinds = {obj["kind"] for obj in life.rendered}
        expected = {name for name in life.names(*kinds) if namespace in name}
        expected |= {("Secret", namespace, secret) for secret in life.secrets}
        expected |= {one for one in life.names(*POLICIES) if one[2].startswith(f"{namespace}-")}
        assert set(contents(life.cluster, [namespace])) == expected


def test_every_secret_holds_its_values(stacks: Stacks) -> None:
    for life in stacks:
        for name, keys in life.secrets.items():
            held = decoded(
                life.cluster.api.read("v1", "Secret", name, life.made.settings.namespace)
            )
            assert held.keys() == keys
            assert [key for key in keys if held[key] != life.values[key]] == []


def test_what_an_object_needs_is_created_before_it(stacks: Stacks) -> None:
    for life in stacks:
        for later, earlier in needs(life.made):
            assert waits(life.up, later, earlier, "create"), f"{later} waits for {earlier}"


def test_what_others_add_stays_and_is_no_difference(stacks: Stacks) -> None:
    name, _, value = FOREIGN.partition("=")
    for life in stacks:
        assert life.refresh_of_drift.changes == {"update": len(life.drifted)}
        for manifest in life.rendered:
            metadata = life.live(manifest)["metadata"]
            if metadata.get("namespace") == life.made.settings.namespace:
                assert metadata["labels"][name] == metadata["annotations"][name] == value


def test_what_others_change_is_found_by_a_refresh_and_mended_by_an_update(stacks: Stacks) -> None:
    for life in stacks:
        kinds = sorted(obj["kind"] for obj in life.drifted)
        mended = declared(life.up_mending, "update")
        assert sorted(urn.split("::")[2].rpartition(":")[2] for urn in mended.values()) == kinds
        assert life.up_mending.changes == {"update": len(kinds)}
        assert differing(life) == []


def test_a_protected_stack_refuses_to_be_destroyed_and_changes_nothing(
    ended: list[tuple[Life, End]],
) -> None:
    for life, end in ended:
        if life.made.settings.environment.protect:
            assert "protected" in end.refusal
            assert end.changed_by_refusal == set()
        else:
            assert end.refusal == ""


def test_only_what_may_be_deleted_is_and_nothing_is_stuck(ended: list[tuple[Life, End]]) -> None:
    for life, end in ended:
        env, namespace = life.made.settings.environment, life.made.settings.namespace
        stays = {("Namespace", "", namespace)}
        if env.secrets == "basic":
            stays |= {("Secret", namespace, secret) for secret in life.secrets}
        if env.protect:
            stays |= {("Namespace", "", each) for each in life.made.namespaces}
            stays |= life.names("ExternalSecret")
            stays |= {name for name in life.names("ConfigMap") if name[2] == MEMORY}
            stays |= {("Secret", namespace, secret) for secret in life.secrets}
            stays |= {name for name, obj in end.before.items() if is_of_the_chart(obj)}
            bound = f"{env.operator_namespace}-account-tokens"
            stays |= {name for name in end.before if name[0] in POLICIES and name[2] == bound}
        assert set(end.left) == stays
        for name, obj in end.left.items():
            metadata = obj["metadata"]
            assert metadata["uid"] == end.before[name]["metadata"]["uid"]
            assert "deletionTimestamp" not in metadata
            assert metadata.get("finalizers", []) == FINALIZERS.get(obj["kind"], [])
            if obj["kind"] == "Secret":
                assert set(decoded(obj).values()) == set(decoded(end.before[name]).values())


def test_what_an_object_needs_is_destroyed_after_it(ended: list[tuple[Life, End]]) -> None:
    for life, end in ended:
        for later, earlier in needs(life.made):
            assert waits(end.destroy, earlier, later, "delete"), f"{earlier} waits for {later}"


def test_other_environments_are_not_touched_by_a_destroy(ended: list[tuple[Life, End]]) -> None:
    for _, end in ended:
        assert end.others_untouched
        assert end.others_sync


def test_with_gitops_delivery_the_program_declares_nothing_in_the_cluster(
    run: Run, cluster: Cluster, operator: OperatorRelease
) -> None:
    path = STACK_FILES["staging"]
    changes: dict[str, Any] = {"delivery": "gitops"}
    with deployment(run, cluster, operator, path, name="gitops", **changes) as made:
        before = contents(cluster, made.namespaces).keys()
        assert declared(made.stack.preview(), "create") == {}
        up = made.stack.up()
        assert declared(up, "create") == {}
        assert made.provider.history == []
        assert contents(cluster, made.namespaces).keys() == before
        assert made.stack.preview().changes == {}


def is_of_the_chart(obj: Manifest) -> bool:
    return obj["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "Helm"


def differing(life: Life) -> list[tuple[Manifest, Manifest]]:
    """Each object that the cluster has in another way than it is rendered: (live, expected)."""
    pairs = []
    for manifest in life.rendered:
        live = life.live(manifest)
        expected = with_pulumi_annotations(manifest, live)
        pairs.append((projected(live, expected), expected))
    return [(live, expected) for live, expected in pairs if live != expected]


def needs(made: Deployment) -> Iterator[tuple[str, str]]:
    """Logical names: (what needs something, what it needs)."""
    settings = made.settings
    for store in settings.environment.stores:
        for identity in settings.identities(store):
            name = naming.secret_store(store, identity)
            yield f"{name}-secret-store", f"{name}-role-binding"
            yield f"{name}-secret-store", f"{name}-service-account"
            if settings.environment.operator == "install":
                yield f"{name}-secret-store", "operator-release"
    if settings.environment.secrets == "basic":
        for bundle in settings.catalogue.bundles.values():
            yield f"{bundle.secret}-secret", "namespace-namespace"
        return
    for name, bundle in settings.catalogue.bundles.items():
        store = naming.secret_store(settings.store_name(name), "read")
        yield f"{bundle.secret}-external-secret", f"{store}-secret-store"
