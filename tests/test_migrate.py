"""The migration of a Secret that others made: what is made for it, and what forbids it."""

from contextlib import nullcontext
from unittest.mock import Mock

import pytest

from platform_secrets.components.layer import Layer
from platform_secrets.manifests import migration
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.secret_template import comparison
from platform_secrets.manifests.seeding import seeding_manifests
from platform_secrets.secretsctl.inventory import (
    FoundSecret,
    found_secret,
    left_fields,
    refusals,
    replaced_metadata,
)
from platform_secrets.secretsctl.kubectl import ClusterError
from platform_secrets.secretsctl.migrating import Migration
from tests.declaring import CLUSTER_UID, declare
from tests.settings_files import CATALOGUE, STACK, STORES, changed, lines, stack

SECRET, RECORD = "shop-billing", "migration-shop-billing"
HELD = ["bank-password"]
SEALED = [("SealedSecret", SECRET)]
HELM = "meta.helm.sh/release-name"
ARGO = "argocd.argoproj.io/tracking-id"
FLUX = "kustomize.toolkit.fluxcd.io/name"
MANAGED, PATCHED = (f"sealedsecrets.bitnami.com/{one}" for one in ("managed", "patch"))


@pytest.fixture
def migrating(settings_with):
    """The shop, whose bundle `billing` is migrated."""

    def made(**changes):
        return settings_with(
            seeding={"groups": ["wren-operators"]}, migrating=["billing"], **changes
        )

    return made


def plain(**changes):
    """The Secret as it is before, with what a test changes."""
    found = {"uid": "u", "version": "1", "keys": {"bank-password": 16}}
    return FoundSecret(**{**found, **changes})


def template_of(external_secret):
    return external_secret["spec"]["target"]["template"]


def gate_of(external_secret):
    [record] = template_of(external_secret)["templateFrom"]
    [item] = record["configMap"]["items"]
    return item["key"]


def copy_of(settings, bundle, held=(), held_apart=()):
    [push] = migration.copies(settings, bundle, held, held_apart)
    return push["spec"]


def pushed(push):
    """By the entry and property that is written, the key of the source."""
    places = [one["match"] for one in push["spec"]["data"]]
    return {
        ":".join(one["remoteRef"].values()).rpartition("/")[2]: one["secretKey"] for one in places
    }


def test_the_external_secret_waits_for_the_record_until_the_migration_is_over(
    migrating, settings_with
):
    [waiting] = external_secret_manifests(migrating(), "billing")
    [usual] = external_secret_manifests(settings_with(), "billing")
    gate = gate_of(waiting)
    items = [{"key": gate, "templateAs": "KeysAndValues"}]
    held = [{"configMap": {"name": RECORD, "items": items}}]
    assert template_of(waiting) == {**template_of(usual), "templateFrom": held}
    assert gate.startswith("adopt-")
    assert "templateFrom" not in template_of(usual)


def test_what_was_compared_in_other_entries_opens_nothing(migrating):
    places = [("vault", "bundle"), ("vault", "per-key"), ("aws", "bundle")]
    gates = set()
    for provider, layout in places:
        settings = migrating(stores={"it": {**STORES[provider], "layout": layout}})
        [external_secret] = external_secret_manifests(settings, "billing")
        gates.add(gate_of(external_secret))
    assert len(gates) == len(places)


def test_the_record_is_declared_and_rendered_without_data(migrating):
    settings = migrating(cluster={"uid": CLUSTER_UID})
    rendered = [obj for wave in waves(settings, {}) for obj in wave.objects]
    [record] = [obj for obj in rendered if obj["metadata"]["name"] == RECORD]
    assert record.keys() == {"apiVersion", "kind", "metadata"}
    declared = declare(lambda: Layer("secrets", settings=settings, values={}, rotator={}))
    assert record in [one.manifest for one in declared.objects()]


def test_who_writes_the_record_is_bounded_while_there_is_one(migrating, settings_with):
    names = {one["metadata"]["name"] for one in seeding_manifests(migrating())}
    without = settings_with(seeding={"groups": ["wren-operators"]})
    usual = {one["metadata"]["name"] for one in seeding_manifests(without)}
    assert names - usual == {"shop-test-seeding-migrations"}


def test_what_is_in_the_store_stays_when_the_secret_is_copied(migrating):
    push = copy_of(migrating(), "billing")
    assert (push["updatePolicy"], push["deletionPolicy"]) == ("IfNotExists", "None")
    assert push["selector"] == {"secret": {"name": SECRET}}
    assert push["secretStoreRefs"] == [{"kind": "SecretStore", "name": "vault-seed-store"}]
    [data] = push["data"]
    assert data["match"] == {
        "secretKey": "bank-password",
        "remoteRef": {"remoteKey": "shop/test/billing", "property": "bank-password"},
    }


@pytest.mark.parametrize(
    ("provider", "layout", "policy"),
    [
        ("vault", "bundle", "IfNotExists"),
        ("vault", "per-key", "IfNotExists"),
        ("aws", "per-key", "IfNotExists"),
        ("aws", "bundle", "Replace"),
        ("gcp", "per-key", "Replace"),
        ("gcp", "bundle", "Replace"),
    ],
)
def test_where_the_operator_takes_an_entry_for_a_value_it_is_told_to_write(
    migrating, provider, layout, policy
):
    settings = migrating(stores={"it": {**STORES[provider], "layout": layout}})
    assert copy_of(settings, "billing")["updatePolicy"] == policy


def test_an_undo_writes_the_copy_over_what_is_in_the_store(migrating):
    push = migration.restore(migrating(), "billing", ["bank-password"])["spec"]
    assert push["updatePolicy"] == "Replace"
    assert push["selector"] == {"secret": {"name": RECORD}}


def test_a_value_that_is_stored_as_base64_is_encoded_on_its_way(migrating):
    key = {"description": "a keystore", "stored-as": "base64"}
    catalogue = changed(SHOP_OF_ONE, "bundles.billing.keys", {"keystore.p12": key})
    push = copy_of(migrating(catalogue=catalogue), "billing")
    assert push["template"]["data"] == {"keystore.p12": '{{ index . "keystore.p12" | b64enc }}'}


def test_only_what_is_in_the_secret_itself_and_may_be_written_is_copied(migrating):
    keys = {
        "user": {"description": "user", "hidden": True},
        "token": {"description": "a token"},
        "password": {"description": "a token", "same-as": "shared/api-token"},
    }
    catalogue = changed(SHOP_OF_ONE, "bundles.billing.keys", keys)
    catalogue = changed(catalogue, "bundles.billing.texts", {"LOGIN": "${user}:${token}"})
    settings = migrating(catalogue=catalogue)
    push = copy_of(settings, "billing")
    assert [one["match"]["secretKey"] for one in push["data"]] == ["token"]
    [external_secret] = external_secret_manifests(settings, "billing")
    fields = ["token", "password", "LOGIN"]
    compared = migration.checks(settings, "billing", external_secret, fields)
    assert [*compared] == fields
    assert [*migration.text_checks(settings, "billing")] == ["token"]


SHOP_OF_ONE = {
    "platform": "shop",
    "bundles": {
        "shared": {"secret": "shop-secrets", "keys": {"api-token": {"description": "a token"}}},
        "billing": {"secret": SECRET, "keys": {}},
    },
    "services": {"web": {"workload": "Deployment/web", "reads": ["shared", "billing"]}},
}


@pytest.fixture
def moved(settings_with):
    """The shop, whose bundle `shared` is moved to a store of Vault's with this layout."""

    def made(layout):
        vault = {**STORES["vault"], "layout": layout}
        seeding = {"groups": ["wren-operators"]}
        return settings_with(stores={"vault": vault}, seeding=seeding, migrating=["shared"])

    return made


DERIVED = ["signing-key-next", "signing-key-previous"]


def test_in_entries_of_their_own_derived_values_begin_with_the_current_one(moved):
    [push] = migration.copies(moved("per-key"), "shared", ["api-token", "signing-key"], [])
    found = {place: key for place, key in pushed(push).items() if "signing" in place}
    assert found == {f"{one}:value": "signing-key" for one in ("signing-key", *DERIVED)}


def test_derived_values_that_a_secret_of_their_own_has_are_copied_from_that(moved):
    held = ["api-token", "signing-key"]
    own, apart = migration.copies(moved("per-key"), "shared", held, DERIVED)
    assert apart["spec"]["selector"] == {"secret": {"name": "shop-secrets-overlap"}}
    assert pushed(apart) == {f"{one}:value": one for one in DERIVED}
    assert not {*pushed(own)} & {*pushed(apart)}


def test_derived_values_that_the_secret_itself_has_are_copied_and_compared(moved):
    settings, held = moved("bundle"), ["api-token", "signing-key", *DERIVED]
    [push] = migration.copies(settings, "shared", held, [])
    assert pushed(push) == {f"test:{one}": one for one in held}
    [external_secret, *_] = external_secret_manifests(settings, "shared")
    assert [*migration.checks(settings, "shared", external_secret, held)] == held


def test_a_key_that_the_secret_gets_later_moves_no_comparison(moved):
    settings = moved("bundle")
    [external_secret, *_] = external_secret_manifests(settings, "shared")
    some, all_ = (
        migration.checks(settings, "shared", external_secret, held)
        for held in (["api-token", "signing-key"], ["api-token", *DERIVED, "signing-key"])
    )
    assert some.items() <= all_.items()


def test_the_copy_reads_what_the_external_secret_reads_and_compares_each_field(migrating):
    settings = migrating()
    [external_secret] = external_secret_manifests(settings, "billing")
    copy = migration.backup(settings, "billing", external_secret, HELD)["spec"]
    assert copy["dataFrom"] == external_secret["spec"]["dataFrom"]
    assert copy["refreshPolicy"] == "CreatedOnce"
    line = template_of(external_secret)["data"]["bank-password"]
    assert copy["target"]["template"]["data"] == {
        "bank-password": line,
        "migration-compares-0": comparison("bank-password", line),
    }
    check = migration.checks(settings, "billing", external_secret, HELD)["bank-password"]["spec"]
    assert "data" not in check
    assert check["selector"] == {"secret": {"name": SECRET}}
    [text] = check["template"]["templateFrom"]
    items = [{"key": "migration-compares-0", "templateAs": "Values"}]
    assert text["secret"] == {"name": RECORD, "items": items}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{{ $v := index . "A" }}{{ $v }}', 'printf "%s" ($v)'),
        ("20 %", 'printf "20 %%"'),
        ('a"{{ "{{" }}{{ $p0 | toRawJson }}', 'printf "a\\"%s%s" ("{{") ($p0 | toRawJson)'),
        ('{{ printf "%s:%s" $p0 $p1 | b64enc }}', 'printf "%s" (printf "%s:%s" $p0 $p1 | b64enc)'),
    ],
)
def test_a_comparison_hashes_what_the_line_writes(line, expected):
    assert f"{{{{ {expected} | sha256sum }}}}" in comparison("A", line)


def test_what_kubectl_says_of_a_secret_is_understood():
    text = (
        "uid 11\nversion 7\ntype Opaque\nimmutable\nkey a 4\nkey b 0\n"
        "owner SealedSecret mine\nowner A b\n"
        'label team "payments"\nannotation note "two\\nlines \\x00"\n'
    )
    assert found_secret(text) == FoundSecret(
        uid="11",
        version="7",
        type="Opaque",
        is_immutable=True,
        keys={"a": 4, "b": 0},
        owners=[("SealedSecret", "mine"), ("A", "b")],
        labels={"team": "payments"},
        annotations={"note": "two\nlines \0"},
    )


def test_a_secret_with_the_catalogue_s_keys_may_be_migrated(migrating):
    assert refusals(migrating(), "billing", plain()) == []


def test_also_one_that_an_external_secret_of_ours_makes_already(migrating):
    assert refusals(migrating(), "billing", plain(owners=[("ExternalSecret", SECRET)])) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keys": {"bank-password": 16, "MODE": 8}}, "has MODE, which would be lost: add it"),
        ({"keys": {}}, "has no bank-password, which the catalogue has"),
        ({"keys": {"bank-password": 0}}, "has bank-password without a value"),
        ({"keys": {"bank-password": 1_390_000}}, "is too large: a copy with its comparisons would"),
        ({"is_immutable": True}, "is immutable"),
        ({"type": "kubernetes.io/tls"}, "is of type kubernetes.io/tls, and bundle billing says"),
        ({"owners": SEALED}, "kubectl patch secret shop-billing -n shop-test --type=merge -p"),
        ({"annotations": {MANAGED: "true"}}, f'"{MANAGED}":null,"{PATCHED}":null}}}}}}\'`'),
        ({"annotations": {PATCHED: "true"}}, "belongs to SealedSecret/shop-billing"),
        ({"owners": [("ExternalSecret", "old")]}, "kubectl patch externalsecret old -n shop-test"),
        ({"owners": [("Database", "main")]}, "belongs to Database/main, which would write it"),
        ({"annotations": {HELM: "web"}}, "annotate secret shop-billing -n shop-test helm.sh/reso"),
        ({"annotations": {ARGO: "web:/Secret:a/b"}}, "belongs to Argo CD's web: `kubectl annotate"),
        ({"labels": {FLUX: "apps"}}, "kustomize.toolkit.fluxcd.io/reconcile=disabled`, then take"),
    ],
)
def test_what_would_change_lose_or_fight_over_a_value_is_refused(migrating, change, sentence):
    [found] = refusals(migrating(), "billing", plain(**change))
    assert sentence in found


@pytest.mark.parametrize(
    "marks",
    [
        {HELM: "web", "helm.sh/resource-policy": "keep"},
        {ARGO: "web:/Secret:a/b", "argocd.argoproj.io/sync-options": "Prune=false,Delete=false"},
        {FLUX: "apps", "kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        {FLUX: "apps", "kustomize.toolkit.fluxcd.io/ssa": "Ignore"},
    ],
)
def test_once_its_owner_lets_it_stay_it_may_be_migrated(migrating, marks):
    assert refusals(migrating(), "billing", plain(annotations=marks)) == []


def test_what_flux_undoes_again_is_no_release(migrating):
    marks = {FLUX: "apps", "kustomize.toolkit.fluxcd.io/prune": "disabled"}
    [found] = refusals(migrating(), "billing", plain(annotations=marks))
    assert "belongs to Flux' Kustomization apps" in found


def test_what_is_too_large_for_an_entry_of_the_provider_s_is_refused(migrating):
    settings = migrating(stores={"it": {**STORES["aws"], "layout": "per-key"}})
    [found] = refusals(settings, "billing", plain(keys={"bank-password": 100_000}))
    assert "shop/test/bank-password would hold 74,998 bytes at least; aws takes 65,536" in found


def test_a_derived_value_may_stay_where_it_is_and_may_not_go_to_another_secret(moved):
    keys = {"api-token": 8, "signing-key": 8, "signing-key-next": 8}
    assert refusals(moved("bundle"), "shared", plain(keys=keys)) == []
    [found] = refusals(moved("per-key"), "shared", plain(keys=keys))
    assert "has signing-key-next, which Secret/shop-secrets-overlap has in this layout" in found


def test_what_another_external_secret_of_the_name_has_left_is_told_with_its_command(migrating):
    settings = migrating()
    [ours] = external_secret_manifests(settings, "billing")
    assert [*left_fields(settings, ours, ours)] == []
    template = {**template_of(ours), "metadata": {"labels": {}, "annotations": {"a/b": "c"}}}
    target = {**ours["spec"]["target"], "immutable": True, "template": template}
    live = {**ours, "spec": {**ours["spec"], "data": [], "target": target}}
    [line] = left_fields(settings, ours, live)
    paths = ["/spec/target/template/metadata/annotations", "/spec/target/immutable", "/spec/data"]
    assert all(f'{{"op": "remove", "path": "{path}"}}' in line for path in paths)
    assert f"`kubectl patch externalsecret {SECRET} -n shop-test --type=json" in line


def test_all_is_told_at_once(migrating):
    assert len(refusals(migrating(), "billing", plain(keys={"A": 4}, is_immutable=True))) == 3


@pytest.mark.parametrize(
    ("versions", "comparisons", "is_opened"),
    [("111", 1, True), ("11222", 2, True), ("1123456", 3, False)],
    ids=["nobody writes", "a label comes once", "somebody goes on writing"],
)
def test_what_is_written_while_it_is_compared_is_compared_again(
    migrating, monkeypatch, versions, comparisons, is_opened
):
    """The gate opens only after a comparison during which nobody wrote."""
    moving, noted = Migration(migrating(), "billing", Mock()), {"keys": "[]"}
    moving.objects = Mock(**{"is_all_there.return_value": True, "differing.return_value": []})
    seen = iter(versions)
    stand_ins = {
        "found": lambda self: plain(version=next(seen)),
        "_migratable": lambda self: self.found(),
        "gate": "adopt-it",
        "noted": noted,
        "_note": lambda self, **content: noted.update(content),
        "_derived_apart": lambda self: [],
        "_own_metadata": {"labels": {}, "annotations": {}},
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(Migration, name, stand_in)
    with nullcontext() if is_opened else pytest.raises(ClusterError, match="changed meanwhile"):
        moving._copy()
    assert moving.objects.differing.call_count == comparisons
    assert ("adopt-it" in noted) is is_opened


def test_an_undo_knows_the_labels_and_annotations_of_before():
    own = {"labels": {"team": "a", "tier": "b"}, "annotations": {"note": "c"}}
    found = plain(labels={"team": "before"})
    before = replaced_metadata(found, own)
    assert before["labels"].items() >= {"team": "before", "tier": None}.items()
    assert before["labels"]["reconcile.external-secrets.io/created-by"] is None
    assert before["annotations"]["note"] is None


SEEDED = {**STACK, "seeding": {"groups": ["wren-operators"]}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({**STACK, "migrating": ["mail"]}, "migrating: needs `seeding`"),
        ({**SEEDED, "migrating": ["mial"]}, "no such bundle in the catalogue (did you mean mail?)"),
        ({**SEEDED, "migrating": ["mail", "mail"]}, "migrating.1: is there already"),
        (
            {**SEEDED, "migrating": ["mail"], "bundles": {"mail": {"entry": "apps/mail"}}},
            "migrating.0: none of its keys is both in the Secret and in an entry that may be",
        ),
    ],
)
def test_a_bundle_that_can_not_be_migrated_is_told_with_its_place(tmp_path, content, sentence):
    [line] = lines(tmp_path, CATALOGUE, content)
    assert sentence in line


def test_one_in_a_store_of_others_is_told_too(tmp_path):
    others = {"provider": "existing", "kind": "ClusterSecretStore", "name": "theirs"}
    content = changed(stack("vault"), "stores.theirs", others)
    content |= {"default-store": "vault", "bundles": {"mail": {"store": "theirs", "entry": "m"}}}
    content |= {"seeding": {"groups": ["wren-operators"]}, "migrating": ["mail"]}
    [line] = lines(tmp_path, CATALOGUE, content)
    assert line.endswith("migrating.0: its store is never written from here")
