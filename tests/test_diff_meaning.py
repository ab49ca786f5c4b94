"""What a change of settings means: nobody's gain or loss is missed, and none is made up."""

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from platform_secrets.describing.compared import Difference, compared
from platform_secrets.describing.described import Described, described
from platform_secrets.secretsctl.rendering import rendered_files
from platform_secrets.settings import Document, Settings, load
from tests.aws_shop import store_with
from tests.conftest import OF_ANY_PLATFORM
from tests.settings_files import REMOVED, STORES, changed
from tests.test_generated_settings import catalogues, generated, stacks

CATALOGUE: dict[str, Any] = {
    "platform": "shop",
    "bundles": {
        "shared": {
            "secret": "shop-shared",
            "keys": {
                "token": {"description": "a token", "rotate": {"by": "generate", "every": "90d"}},
                "url": {"description": "a database"},
            },
        },
        "mail": {"secret": "shop-mail", "keys": {"password": {"description": "of the relay"}}},
        "mirror": {
            "secret": "shop-mirror",
            "keys": {"token": {"description": "the same", "same-as": "shared/token"}},
        },
        "archive": {"secret": "shop-archive", "keys": {"key": {"description": "opens it"}}},
    },
    "services": {
        "web": {"workload": "Deployment/web", "reads": ["shared", "mail"]},
        "worker": {"workload": "StatefulSet/worker", "reads": ["shared"]},
        "mirror": {"workload": "Deployment/mirror", "reads": ["mirror"]},
    },
}
STACK: dict[str, Any] = {
    "environment": "test",
    "protect": False,
    "operator": "install",
    "stores": {"vault": STORES["vault"], "aws": STORES["aws"]},
    "default-store": "vault",
    "bundles": {"archive": {"store": "aws"}},
    "readers": {"groups": ["people"]},
}
ALL = {"shared/token", "shared/url", "mail/password", "mirror/token", "archive/key"}
SHARED = {"shared/token", "shared/url", "mirror/token"}
NOTHING: set[tuple[str, str]] = set()


def settings_of(catalogue: dict[str, Any], stack: dict[str, Any]) -> Settings:
    documents = Document("Pulumi.test.yaml", stack), Document("catalogue.yaml", catalogue)
    [found] = load([documents[0]], documents[1])
    return found


def shop(*changes: tuple[str, object], protect: bool = False) -> Described:
    """The shop after changes of its catalogue and, where they begin with `stack.`, of its stack."""
    catalogue, stack = CATALOGUE, {**STACK, "protect": protect}
    for path, value in changes:
        if path.startswith("stack."):
            stack = changed(stack, path.removeprefix("stack."), value)
        else:
            catalogue = changed(catalogue, path, value)
    return described(settings_of(catalogue, stack))


def difference(*changes: tuple[str, object]) -> Difference:
    return compared(shop(), shop(*changes))


def of(who: str, *keys: str) -> set[tuple[str, str]]:
    return {(who, key) for key in keys}


def whole(secret: str) -> dict[str, Any]:
    return {"secret": secret, "whole-entry": True, "keys": {}}


WEB, WORKER, MIRROR = "Deployment/web", "StatefulSet/worker", "Deployment/mirror"
PEOPLE = "Group people"
NEW_READER = {"workload": "Deployment/new", "reads": ["mirror"]}
TEXT = {
    "secret": "shop-mail",
    "keys": {"password": {"description": "of the relay", "hidden": True}},
    "texts": {"MAIL_URL": "smtp://shop:${password|url}@mail.internal"},
}
ACCESS_CHANGES = {
    "a service reads another bundle": (
        [("services.worker.reads", ["shared", "mail"])],
        of(WORKER, "mail/password"),
        NOTHING,
        NOTHING,
    ),
    "a service no longer reads one": (
        [("services.web.reads", ["shared"])],
        NOTHING,
        of(WEB, "mail/password"),
        NOTHING,
    ),
    "a service is new, and reads a value under another name": (
        [("services.new", NEW_READER)],
        of("Deployment/new", "shared/token", "mirror/token"),
        NOTHING,
        NOTHING,
    ),
    "a service goes": ([("services.worker", REMOVED)], NOTHING, of(WORKER, *SHARED), NOTHING),
    "a group joins": (
        [("stack.readers.groups", ["people", "auditors"])],
        of("Group auditors", *ALL),
        NOTHING,
        NOTHING,
    ),
    "a user comes in a group's place": (
        [("stack.readers", {"users": ["one@example.com"]})],
        of("User one@example.com", *ALL),
        of(PEOPLE, *ALL),
        NOTHING,
    ),
    "a key is new": (
        [("bundles.mail.keys.user", {"description": "of the relay"})],
        of(WEB, "mail/user") | of(PEOPLE, "mail/user"),
        NOTHING,
        NOTHING,
    ),
    "an environment leaves a key out": (
        [("stack.without.keys", ["shared/url"])],
        NOTHING,
        of(WEB, "shared/url") | of(WORKER, "shared/url") | of(PEOPLE, "shared/url"),
        NOTHING,
    ),
    "a Secret is called otherwise": (
        [("bundles.mail.secret", "relay")],
        NOTHING,
        NOTHING,
        of(WEB, "mail/password") | of(PEOPLE, "mail/password"),
    ),
    "a service runs as another account": (
        [("services.worker.service-account-name", "worker-2")],
        NOTHING,
        NOTHING,
        of(WORKER, *SHARED),
    ),
    "two services share an account, so that each reads what either does": (
        [
            ("services.worker.service-account-name", "both"),
            ("services.web.service-account-name", "both"),
        ],
        of(WORKER, "mail/password"),
        NOTHING,
        of(WORKER, *SHARED) | of(WEB, "mail/password", *SHARED),
    ),
    "others read for a service": (
        [("services.worker.service-account", "none")],
        NOTHING,
        NOTHING,
        of(WORKER, *SHARED),
    ),
    "a workload becomes another kind, and so another one": (
        [("services.worker.workload", "Deployment/worker")],
        of("Deployment/worker", *SHARED),
        of(WORKER, *SHARED),
        NOTHING,
    ),
    "a service goes to the bundle that has the same value": (
        [("services.mirror.reads", ["shared"])],
        of(MIRROR, "shared/url"),
        NOTHING,
        of(MIRROR, "shared/token", "mirror/token"),
    ),
    "a value gets one more name": (
        [("bundles.mail.keys.token", {"description": "the same", "same-as": "shared/token"})],
        NOTHING,
        NOTHING,
        of(WEB, "shared/token", "mirror/token") | of(PEOPLE, "shared/token", "mirror/token"),
    ),
    "a key is given another one's value": (
        [
            (
                "bundles.mail.keys.password",
                {"description": "the database too", "same-as": "shared/url"},
            )
        ],
        of(WORKER, "mail/password"),
        NOTHING,
        of(WEB, "mail/password", "shared/url") | of(PEOPLE, "mail/password", "shared/url"),
    ),
    "a key gets a value of its own": (
        [("bundles.mirror.keys.token", {"description": "its own"})],
        NOTHING,
        of(MIRROR, "shared/token") | of(WEB, "mirror/token") | of(WORKER, "mirror/token"),
        of(PEOPLE, "shared/token", "mirror/token"),
    ),
    "the stack file has two keys read one property": (
        [
            (
                "stack.bundles.mail.keys.password",
                {"entry": "shop/test", "property": "url"},
            )
        ],
        of(WORKER, "mail/password"),
        NOTHING,
        of(WEB, "mail/password", "shared/url") | of(PEOPLE, "mail/password", "shared/url"),
    ),
    "a Secret gets all that another bundle's entry holds": (
        [
            ("bundles.mirror", whole("shop-mirror")),
            ("stack.bundles.mirror.entry", "shop/test"),
        ],
        of(MIRROR, "shared/url", "mirror/*") | of(PEOPLE, "mirror/*"),
        NOTHING,
        of(PEOPLE, "shared/url"),
    ),
    "a value is only a part of a text": ([("bundles.mail", TEXT)], NOTHING, NOTHING, NOTHING),
    "a bundle is in another namespace, and so is its reader": (
        [("stack.namespaces.apart.bundles", ["mirror"])],
        of("Deployment/apart/mirror", "shared/token", "mirror/token")
        | of(
            "ServiceAccount apart/secrets-rotation-from-shop-test", "shared/token", "mirror/token"
        ),
        of(MIRROR, "shared/token", "mirror/token"),
        of(PEOPLE, "shared/token", "mirror/token"),
    ),
    "a bundle is in another store": (
        [("stack.bundles.mail", {"store": "aws"})],
        NOTHING,
        NOTHING,
        NOTHING,
    ),
    "another identity may write": (
        [("stack.seeding", {"groups": ["wren-operators"]})],
        NOTHING,
        NOTHING,
        NOTHING,
    ),
    "a key is described in other words": (
        [("bundles.mail.keys.password.description", "of the mail relay")],
        NOTHING,
        NOTHING,
        NOTHING,
    ),
    "a key rotates more often": (
        [("bundles.shared.keys.token.rotate.every", "30d")],
        NOTHING,
        NOTHING,
        NOTHING,
    ),
}


def pairs(changes: list[Any]) -> set[tuple[str, str]]:
    return {(one.who, one.key) for one in changes}


@pytest.mark.parametrize("name", ACCESS_CHANGES)
def test_exactly_those_gain_lose_or_move_who_do(name):
    changes, gained, lost, moved = ACCESS_CHANGES[name]
    found = difference(*changes)
    assert pairs(found.gained) == gained
    assert pairs(found.lost) == lost
    assert pairs(found.moved) == moved


@pytest.mark.parametrize("name", ACCESS_CHANGES)
def test_the_way_back_means_the_opposite(name):
    changes, gained, lost, moved = ACCESS_CHANGES[name]
    found = compared(shop(*changes), shop())
    assert (pairs(found.gained), pairs(found.lost), pairs(found.moved)) == (lost, gained, moved)


NO_MEANING = {
    "a description": [("bundles.mail.keys.password.description", "of the mail relay")],
    "an owner of what nobody watches": [("bundles.mail.keys.password.owner", "mail")],
    "a form that values are checked for": [("bundles.mail.keys.password.pattern", "[a-z]+")],
    "the order of reads": [("services.web.reads", ["mail", "shared"])],
    "the order of bundles": [("bundles", dict(reversed(CATALOGUE["bundles"].items())))],
    "what is the default anyway": [("stack.refresh-interval", "1h"), ("bundles.mail.texts", {})],
}


@pytest.mark.parametrize("name", NO_MEANING)
def test_what_means_nothing_is_no_difference(name):
    assert difference(*NO_MEANING[name]).is_empty


@pytest.mark.parametrize("name", OF_ANY_PLATFORM)
def test_nothing_differs_from_itself_on_any_platform(name):
    found = described(OF_ANY_PLATFORM[name].settings)
    assert compared(found, found).is_empty


@pytest.mark.parametrize("name", OF_ANY_PLATFORM)
def test_an_environment_that_is_new_has_all_that_it_declares(name):
    found = described(OF_ANY_PLATFORM[name].settings)
    new, gone = compared(Described(), found), compared(found, Described())
    assert {one.secret for one in new.secrets} == {*found.secrets}
    assert {one.object for one in new.objects} == {*found.objects}
    assert {one.change for one in new.objects} == {"appears"}
    assert {one.change for one in gone.objects} == {"vanishes"}
    assert pairs(new.gained) == pairs(gone.lost)
    assert not new.lost_data + new.kept_data + new.lost + new.restarts


def rights(found: Difference) -> tuple[set[str], set[str]]:
    gained = {f"{one.identity} {each}" for one in found.identities for each in one.gained}
    return gained, {f"{one.identity} {each}" for one in found.identities for each in one.lost}


IDENTITY_CHANGES = {
    "a bundle is in another store": (
        [("stack.bundles.mail", {"store": "aws"})],
        {"shop-test-read reads shop/test/password"},
        {"shop-test-read reads shop/test/mail"},
    ),
    "a key of an entry that is read anyway is new": (
        [("bundles.mail.keys.user", {"description": "of the relay"})],
        set(),
        set(),
    ),
    "a key with an entry of its own is new": (
        [("bundles.archive.keys.second", {"description": "opens it too"})],
        {"shop-test-read reads shop/test/second"},
        set(),
    ),
    "an identity may write all": (
        [("stack.seeding", {"groups": ["wren-operators"]})],
        {
            "shop-test-seed reads and writes shop/test",
            "shop-test-seed reads and writes shop/test/mail",
            "shop-test-seed reads and writes shop/test/key",
        },
        set(),
    ),
    "another stack rotates": (
        [("stack.rotation", "follower")],
        set(),
        {"shop-test-rotation reads and writes shop/test"},
    ),
    "a borrowed value is in another namespace": (
        [("stack.namespaces.apart.bundles", ["mirror"])],
        {"shop-test-apart--read reads shop/test"},
        set(),
    ),
}


@pytest.mark.parametrize("name", IDENTITY_CHANGES)
def test_a_provider_s_rights_change_by_exactly_these_entries(name):
    changes, gained, lost = IDENTITY_CHANGES[name]
    assert rights(difference(*changes)) == (gained, lost)


def test_a_text_or_a_login_that_is_made_otherwise_is_other_content():
    first, second = ("bundles.mail.texts", {"POOL": "20"}), ("bundles.mail.texts", {"POOL": "30"})
    [found] = compared(shop(first), shop(second)).secrets
    assert found.altered == ["POOL"]
    logins = [
        (
            "bundles.mail.registries",
            {host: {"username-text": "robot", "password": "password"}},
        )
        for host in ("one.example.com", "two.example.com")
    ]
    [found] = compared(shop(logins[0]), shop(logins[1])).secrets
    assert found.altered == [".dockerconfigjson"]


RESTARTS = {
    "a field is new": ([("bundles.mail.keys.user", {"description": "an account"})], {WEB}),
    "a value comes from elsewhere": (
        [("stack.bundles.mail.entry", "elsewhere/mail")],
        {WEB},
    ),
    "another version is read": (
        [("stack.bundles.archive.keys.key", {"entry": "archive", "version": "v2"})],
        set(),
    ),
    "a text is another": ([("bundles.shared.texts", {"POOL": "20"})], {WEB, WORKER}),
    "bytes are stored otherwise": ([("bundles.mail.keys.password.stored-as", "base64")], {WEB}),
    "a label is new": ([("bundles.mail.labels", {"example.org/team": "mail"})], set()),
    "a Secret is read by one more": ([("services.worker.reads", ["shared", "mail"])], set()),
    "it is read more often": ([("stack.refresh-interval", "5m")], set()),
}


@pytest.mark.parametrize("name", RESTARTS)
def test_whoever_reads_a_secret_of_other_content_is_to_restart(name):
    changes, workloads = RESTARTS[name]
    found = difference(*changes)
    assert {one.workload for one in found.restarts} == workloads
    assert not found.is_empty


def test_a_job_is_told_apart_from_what_is_restarted():
    job = ("services.web.workload", "CronJob/web")
    [found] = compared(shop(job), shop(job, ("bundles.mail.texts", {"PORT": "25"}))).restarts
    assert found.how == "its next run reads the new value"


GONE = [("services.web.reads", ["shared"]), ("bundles.mail", REMOVED)]
LOSSES = {
    "a Secret": (GONE, {"Secret shop-test/shop-mail"}, set()),
    "a Secret that is called otherwise": (
        [("bundles.mail.secret", "relay")],
        {"Secret shop-test/shop-mail"},
        set(),
    ),
    "a key alone": ([("bundles.shared.keys.url", REMOVED)], set(), set()),
    "the rotation's memory": (
        [("stack.rotation", "follower")],
        {"ConfigMap shop-test/secrets-rotation-memory"},
        set(),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_what_holds_data_and_is_deleted_is_told(name):
    changes, deleted, staying = LOSSES[name]
    found = difference(*changes)
    assert ({*found.lost_data}, {*found.kept_data}) == (deleted, staying)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_protected_stays_and_is_told_too(name):
    changes, deleted, _ = LOSSES[name]
    found = compared(shop(protect=True), shop(*changes, protect=True))
    assert (found.lost_data, {*found.kept_data}) == ([], deleted)


def test_a_secret_that_outlives_its_external_secret_is_not_lost():
    found = compared(shop(("bundles.mail.creation", "orphan")), shop(*GONE))
    assert (found.lost_data, found.kept_data) == ([], ["Secret shop-test/shop-mail"])


def test_an_entry_that_a_stack_made_and_no_longer_declares_is_lost():
    declared = ("stack.stores.aws", store_with({"shared": "own"}))
    elsewhere = ("stack.bundles.archive.entry", "elsewhere")
    found = compared(shop(declared), shop(declared, elsewhere))
    assert found.lost_data == ["entry of aws: shop/test/key"]


def test_reads_and_their_price_follow_the_interval():
    [found] = [
        one for one in difference(("stack.refresh-interval", "1m")).reads if one.dollars_after
    ]
    month = 30 * 24
    assert (found.before, found.after) == (month, month * 60)
    assert (found.dollars_before, found.dollars_after) == (0.0, 0.22)


def test_each_entry_that_a_refresh_reads_is_counted():
    second = {"description": "opens it too"}
    [found] = difference(("bundles.archive.keys.second", second)).reads
    assert (found.before, found.after) == (30 * 24, 2 * 30 * 24)


def test_a_provider_that_does_not_charge_for_reads_has_no_price():
    found = {one.provider: one for one in difference(("stack.refresh-interval", "1m")).reads}
    assert found["vault"].after == 3 * 30 * 24 * 60
    assert found["vault"].dollars_after is None


PUT = {
    "a key is new": (
        [("bundles.mail.keys.user", {"description": "an account"})],
        ["vault: shop/test/mail: user"],
    ),
    "a key has two more values, which rotations write": (
        [("bundles.shared.keys.token.rotate.overlap", "1d")],
        [],
    ),
    "a bundle is in another store": (
        [("stack.bundles.mail", {"store": "aws"})],
        ["aws: shop/test/password: password"],
    ),
    "an entry is there already": (
        [("stack.bundles.mail", {"entry": "apps/mail"})],
        ["vault: apps/mail: password"],
    ),
    "a value gets one more name": (
        [("bundles.mail.keys.token", {"description": "the same", "same-as": "shared/token"})],
        [],
    ),
}


@pytest.mark.parametrize("name", PUT)
def test_what_must_be_in_a_store_first_is_told(name):
    changes, values = PUT[name]
    assert difference(*changes).to_put == values


OBJECTS = {
    "when the rotator runs": (
        ("stack.rotator.schedule", "18 3 * * *"),
        {"CronJob shop-test/secrets-rotation": ["spec.schedule"]},
    ),
    "the operator's chart": (
        ("stack.chart.values", {"replicaCount": 3}),
        {"chart external-secrets-system/external-secrets": ["values.replicaCount"]},
    ),
    "the namespace": (
        ("stack.pod-security.enforce", "restricted"),
        {"Namespace shop-test": ["metadata.labels.pod-security.kubernetes.io/enforce"]},
    ),
    "when a key rotates": (
        ("bundles.shared.keys.token.rotate.every", "30d"),
        {
            "ConfigMap shop-test/secrets-rotation-plan": [
                "data.plan.json.keys.token.every_seconds",
            ]
        },
    ),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_that_differs_is_named_with_its_fields(name):
    change, objects = OBJECTS[name]
    found = {one.object: one.fields for one in difference(change).objects}
    assert objects.items() <= found.items()


def test_a_type_that_a_living_secret_can_t_take_is_told():
    [found] = difference(("bundles.mail.type", "example.org/mail")).secrets
    assert found.types == ("Opaque", "example.org/mail")


def test_what_rotates_a_key_is_told_before_it_overwrites_one():
    rule = {"by": "generate", "every": "30d", "overlap": "1d"}
    [found] = difference(("bundles.mail.keys.password.rotate", rule)).rotations
    assert (found.name, found.before) == ("mail/password", "")
    assert found.after == "changed every 30d, overlapping 1d, by generate"


UNORDERED = {"resourceNames", "subjects", "resources", "rules", "secretGenerator"}


def meaning(content: Any, place: str = "") -> Any:
    """A rendered object, without the order of what has none."""
    if isinstance(content, dict):
        return {name: meaning(one, name) for name, one in content.items()}
    if isinstance(content, list):
        found = [meaning(one) for one in content]
        return sorted(found, key=repr) if place in UNORDERED else found
    return json.loads(content) if place.startswith("plan") and place.endswith(".json") else content


def rendered_meaning(settings: Settings, folder: Any) -> dict[str, Any]:
    """What a rendered tree says, file by file; kustomizations list its files, in an order."""
    files = rendered_files(settings, folder / "catalogue.yaml")
    return {
        name: meaning(yaml.load(text, yaml.CSafeLoader))
        for name, text in files.items()
        if not name.endswith("kustomization.yaml") or name.startswith("basic-secrets/")
    }


def described_otherwise(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    for bundle in catalogue["bundles"].values():
        for key in bundle["keys"].values():
            key["description"] = draw(st.sampled_from(["one", "another"]))


def in_another_order(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    for name in ("bundles", "services"):
        catalogue[name] = dict(draw(st.permutations([*catalogue[name].items()])))
    for service in catalogue["services"].values():
        service["reads"] = draw(st.permutations(service["reads"]))


def read_by_others(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    for service in catalogue["services"].values():
        bundles = st.sampled_from([*catalogue["bundles"]])
        service["reads"] = draw(st.lists(bundles, unique=True))


def called_otherwise(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    for bundle in catalogue["bundles"].values():
        bundle["secret"] += draw(st.sampled_from(["", "-2"]))


def set_otherwise(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    stack["readers"] = draw(st.sampled_from([{}, {"groups": ["people"]}]))
    stack["refresh-interval"] = draw(st.sampled_from(["1h", "2h"]))
    stack["rotation"] = draw(st.sampled_from(["leader", "follower"]))


def run_otherwise(draw: st.DrawFn, catalogue: dict[str, Any], stack: dict[str, Any]) -> None:
    minute = draw(st.sampled_from([17, 18]))
    stack["rotator"] = {**stack.get("rotator", {}), "schedule": f"{minute} 3 * * *"}
    stack["chart"] = draw(st.sampled_from([{}, {"values": {"replicaCount": 3}}]))
    stack["pod-security"] = {"enforce": draw(st.sampled_from(["baseline", "restricted"]))}


@st.composite
def pairs_of_settings(draw: st.DrawFn) -> tuple[Settings, Settings]:
    catalogue, stack = draw(catalogues()), draw(stacks())
    other_catalogue, other_stack = copy.deepcopy(catalogue), copy.deepcopy(stack)
    ways = [
        described_otherwise,
        in_another_order,
        read_by_others,
        called_otherwise,
        set_otherwise,
        run_otherwise,
    ]
    for change in draw(st.lists(st.sampled_from(ways), max_size=2)):
        change(draw, other_catalogue, other_stack)
    return settings_of(catalogue, stack), settings_of(other_catalogue, other_stack)


@generated(80)
@given(both=pairs_of_settings())
def test_nothing_differs_exactly_where_the_rendered_trees_mean_the_same(tmp_path, both):
    before, after = both
    found = compared(described(before), described(after))
    is_same = rendered_meaning(before, tmp_path) == rendered_meaning(after, tmp_path)
    assert found.is_empty == is_same
