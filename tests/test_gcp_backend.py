"""The provider half of a GCP store: every right granted, and nothing beside it."""

import pytest

from platform_secrets.components.backends.gcp import GcpBackend
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.settings import SettingsError
from tests.declaring import declare

GCP = {
    "provider": "gcp",
    "project": "shop-secrets",
    "cluster": {"project": "shop-clusters", "location": "europe-west3", "name": "main"},
}
DECLARED = {**GCP, "backend": "declare"}
OWNED = {**DECLARED, "shared": "own"}
DIRECT = {
    **DECLARED,
    "access": "direct",
    "cluster": {**GCP["cluster"], "project-number": "123456789012"},
}
KEYS = ["api-token", "bank-password", "signing-key", "signing-key-next", "signing-key-previous"]
GENERATED = [key for key in KEYS if key.startswith("signing-key")]
READ_ROLE = "roles/secretmanager.secretAccessor"
PUSH_ROLE = "projects/shop-secrets/roles/shop_secrets_push"
AGENT = "serviceAccount:service-1@gcp-sa-secretmanager.iam.gserviceaccount.com"
KMS = "projects/shop-keys/locations/{location}/keyRings/secrets/cryptoKeys/secrets"


@pytest.fixture
def backend(settings_with):
    """All that the provider half declares, by logical name."""

    def declared(store=DECLARED, **changes):
        settings = settings_with(stores={"gcp": store}, **changes)
        found = declare(
            lambda: GcpBackend("gcp", settings=settings, store="gcp"),
            outputs={"gcp-agent": {"member": AGENT}},
        )
        return {one.name: one for one in found.declared if one.is_custom}

    return declared


@pytest.fixture
def rights(backend):
    """Every right on an entry as (entry, role, member)."""

    def granted(store=DECLARED, **changes):
        found = [one for one in backend(store, **changes).values() if "IamMember" in one.type]
        assert all(one.inputs["project"] == "shop-secrets" for one in found)
        assert all(one.inputs.keys() == {"project", "secretId", "role", "member"} for one in found)
        return {tuple(one.inputs[x] for x in ("secretId", "role", "member")) for one in found}

    return granted


def by_hand(max_age):
    return {"by": "hand", "max-age": max_age, "source": "our policy"}


@pytest.fixture
def hand(shop):
    """The shop's catalogue with ages: one key that people change, and one for a database."""
    shop["bundles"]["shared"]["keys"]["api-token"]["rotate"] = by_hand("365d")
    database = {"by": "database", "every": "180d"}
    shop["bundles"]["billing"]["keys"]["bank-password"]["rotate"] = database
    return shop


def of_kind(found, kind):
    return {name: one for name, one in found.items() if one.type.endswith(f":{kind}")}


def email(identity):
    return f"serviceAccount:shop-test-{identity}@shop-secrets.iam.gserviceaccount.com"


def test_these_are_all_rights_of_an_environment(rights):
    assert rights() == {
        *((f"shop-test-{key}", READ_ROLE, email("read")) for key in KEYS),
        *((f"shop-test-{key}", PUSH_ROLE, email("rotation")) for key in GENERATED),
    }


def test_the_seeder_may_write_every_entry_and_exists_only_where_the_stack_says_so(rights):
    more = {(f"shop-test-{key}", PUSH_ROLE, email("seed")) for key in KEYS}
    assert rights(seeding={"groups": ["wren-operators"]}) - rights() == more


def test_a_follower_has_no_identity_that_writes(rights, backend):
    assert {role for _, role, _ in rights(rotation="follower")} == {READ_ROLE}
    assert list(of_kind(backend(rotation="follower"), "Account")) == ["gcp-read-account"]


def test_in_layout_bundle_the_rotator_may_write_the_bundle_with_a_generated_key(rights):
    entries = {"shop-test-shared", "shop-test-billing"}
    assert rights(DECLARED | {"layout": "bundle"}) == {
        *((entry, READ_ROLE, email("read")) for entry in entries),
        ("shop-test-shared", PUSH_ROLE, email("rotation")),
    }


def test_the_role_for_pushes_can_neither_make_change_list_nor_delete_a_secret(backend):
    assert backend(OWNED)["gcp-push-role"].inputs == {
        "project": "shop-secrets",
        "roleId": "shop_secrets_push",
        "title": "Push of shop's secrets",
        "permissions": [
            "secretmanager.secrets.get",
            "secretmanager.versions.access",
            "secretmanager.versions.add",
        ],
    }


@pytest.mark.parametrize("store", [DECLARED, OWNED, OWNED | DIRECT])
def test_no_right_is_on_more_than_one_entry_or_for_more_than_one_account(backend, store):
    allowed = {"Secret", "SecretIamMember", "Account", "IAMMember", "gcp"}
    if store["backend"] == "declare" and store.get("shared") == "own":
        allowed |= {"IAMCustomRole", "IAMAuditConfig"}
    for one in backend(store, seeding={"groups": ["wren-operators"]}).values():
        assert one.type.rpartition(":")[2] in allowed
        assert "*" not in str(one.inputs)
        kind, _, _ = one.inputs.get("member", "serviceAccount:").partition(":")
        assert kind in ("serviceAccount", "principal")
        assert one.inputs.get("secretId", "shop-test-").startswith("shop-test-")


def test_one_account_of_one_namespace_may_act_as_a_service_account(backend):
    bound = of_kind(backend(seeding={"groups": ["wren-operators"]}), "IAMMember").values()
    host = "shop-secrets.iam.gserviceaccount.com"
    accounts = {
        "read": "gcp-store",
        "rotation": "gcp-rotation-store",
        "seed": "gcp-seed-store",
    }
    assert {one.inputs["serviceAccountId"]: one.inputs["member"] for one in bound} == {
        f"projects/shop-secrets/serviceAccounts/shop-test-{identity}@{host}": (
            f"serviceAccount:shop-clusters.svc.id.goog[shop-test/{account}]"
        )
        for identity, account in accounts.items()
    }
    assert {one.inputs["role"] for one in bound} == {"roles/iam.workloadIdentityUser"}


def test_both_halves_name_the_same_service_account(backend, settings_with):
    settings = settings_with(stores={"gcp": DECLARED})
    for identity in ("read", "rotation"):
        account = store_manifests(settings, "gcp", identity)[0]
        [annotated] = account["metadata"]["annotations"].values()
        declared = backend()[f"gcp-{identity}-account"].inputs
        assert annotated == f"{declared['accountId']}@{declared['project']}.iam.gserviceaccount.com"


def test_with_direct_access_the_cluster_s_accounts_hold_the_rights_themselves(
    rights, backend, settings_with
):
    direct = DIRECT
    account = (
        "principal://iam.googleapis.com/projects/123456789012/locations/global"
        "/workloadIdentityPools/shop-clusters.svc.id.goog/subject/ns/shop-test/sa/{}"
    ).format
    assert rights(direct) == {
        *((f"shop-test-{key}", READ_ROLE, account("gcp-store")) for key in KEYS),
        *((f"shop-test-{key}", PUSH_ROLE, account("gcp-rotation-store")) for key in GENERATED),
    }
    assert not {*of_kind(backend(direct), "Account"), *of_kind(backend(direct), "IAMMember")}
    manifests = store_manifests(settings_with(stores={"gcp": direct}), "gcp", "read")
    assert "annotations" not in manifests[0]["metadata"]


def test_an_entry_is_a_secret_without_a_version_and_marked_if_the_operator_writes_it(backend):
    found = of_kind(backend(), "Secret")
    plain = {"project": "shop-secrets", "replication": {"auto": {}}}
    marked = {"labels": {"managed-by": "external-secrets"}}
    assert {name: one.inputs for name, one in found.items()} == {
        f"gcp-entry-{key}": plain
        | {"secretId": f"shop-test-{key}"}
        | (marked if key in GENERATED else {})
        for key in KEYS
    }


def test_pulumi_adds_no_label_of_its_own_which_a_push_would_have_to_remove(backend):
    found = backend()
    provider = found.pop("gcp-provider")
    assert provider.inputs == {"project": "shop-secrets", "addPulumiAttributionLabel": "false"}
    assert {one.provider.rpartition("::")[0] for one in found.values()} == {provider.urn}


def test_values_stay_in_the_named_regions_under_the_platform_s_own_keys(backend):
    def kept(**store):
        return backend(DECLARED | store)["gcp-entry-api-token"].inputs["replication"]

    def key(location):
        return {"customerManagedEncryption": {"kmsKeyName": KMS.format(location=location)}}

    assert kept(**{"kms-key": KMS}) == {"auto": key("global")}
    regions = ["europe-west1", "europe-west3"]
    assert kept(locations=regions, **{"kms-key": KMS}) == {
        "userManaged": {"replicas": [{"location": each, **key(each)} for each in regions]}
    }


def test_a_destroyed_version_can_be_had_back_for_a_while(backend):
    entry = backend(DECLARED | {"version-destroy-delay": "7d"})["gcp-entry-api-token"]
    assert entry.inputs["versionDestroyTtl"] == "604800s"


def test_people_are_reminded_of_each_key_that_they_change_as_often_as_it_is_due(backend, hand):
    found = backend(DECLARED | {"reminders": {"next": "2027-01-31"}}, catalogue=hand)
    topic = "projects/shop-secrets/topics/shop-test-reminders"
    assert {
        name: one.inputs
        for name, one in of_kind(found, "Secret").items()
        if {"topics", "rotation"} & one.inputs.keys()
    } == {
        f"gcp-entry-{key}": {
            "project": "shop-secrets",
            "secretId": f"shop-test-{key}",
            "replication": {"auto": {}},
            "topics": [{"name": topic}],
            "rotation": {"nextRotationTime": "2027-01-31T00:00:00Z", "rotationPeriod": period},
        }
        for key, period in (("api-token", "31536000s"), ("bank-password", "15552000s"))
    }


def test_once_there_the_next_reminder_is_google_s_to_move(backend, hand):
    def entry(**reminders):
        return backend(DECLARED | {"reminders": reminders}, catalogue=hand)["gcp-entry-api-token"]

    assert entry(next="2027-01-31").ignore_changes == ()
    assert entry().inputs["rotation"] == {"rotationPeriod": "31536000s"}
    assert entry().ignore_changes == ("rotation.nextRotationTime",)


def test_in_layout_bundle_an_entry_s_reminder_is_that_of_its_soonest_key(backend, hand):
    keys = hand["bundles"]["billing"]["keys"]
    keys["bank-user"] = {"description": "a user", "rotate": by_hand("30d")}
    store = DECLARED | {"layout": "bundle", "reminders": {"next": "2027-01-31"}}
    found = of_kind(backend(store, catalogue=hand), "Secret")
    periods = {name: one.inputs["rotation"]["rotationPeriod"] for name, one in found.items()}
    assert periods == {"gcp-entry-billing": "2592000s", "gcp-entry-shared": "31536000s"}


def test_secret_manager_itself_may_publish_to_the_stack_s_topic_and_nobody_else(backend, hand):
    found = backend(DECLARED | {"reminders": {"next": "2027-01-31"}}, catalogue=hand)
    own = {"gcp-reminders", "gcp-agent", "gcp-reminders-publisher"}
    assert {name: found[name].inputs for name in own} == {
        "gcp-reminders": {"project": "shop-secrets", "name": "shop-test-reminders"},
        "gcp-agent": {"project": "shop-secrets", "service": "secretmanager.googleapis.com"},
        "gcp-reminders-publisher": {
            "project": "shop-secrets",
            "topic": "shop-test-reminders",
            "role": "roles/pubsub.publisher",
            "member": AGENT,
        },
    }
    for one in of_kind(found, "Secret").values():
        assert {found[name].urn for name in own} <= one.depends_on


def test_a_topic_of_others_is_theirs_to_make_and_to_grant(backend, hand):
    topic = "projects/shop-people/topics/due"
    found = backend(
        DECLARED | {"reminders": {"next": "2027-01-31", "topic": topic}}, catalogue=hand
    )
    assert found["gcp-entry-bank-password"].inputs["topics"] == [{"name": topic}]
    assert not [name for name in found if "reminders" in name or "agent" in name]


def test_without_reminders_no_entry_has_a_topic(backend, hand):
    found = of_kind(backend(catalogue=hand), "Secret").values()
    assert not [one for one in found if {"topics", "rotation"} & one.inputs.keys()]


def test_entries_are_protected_where_the_environment_is(backend):
    for protect in (True, False):
        found = of_kind(backend(protect=protect), "Secret").values()
        assert {(one.protect, one.retain_on_delete) for one in found} == {(protect, protect)}


def test_only_the_owner_declares_what_is_the_project_s_and_it_is_protected_always(backend):
    guest = backend(protect=False)
    own = {name: one for name, one in backend(OWNED, protect=False).items() if name not in guest}
    assert sorted(own) == ["gcp-audit", "gcp-push-role"]
    assert all(one.protect and one.retain_on_delete for one in own.values())


def test_every_read_of_a_value_is_logged(backend):
    assert backend(OWNED)["gcp-audit"].inputs == {
        "project": "shop-secrets",
        "service": "secretmanager.googleapis.com",
        "auditLogConfigs": [{"logType": "ADMIN_READ"}, {"logType": "DATA_READ"}],
    }


def test_no_logical_name_holds_the_environment(backend):
    assert not [
        name for name in backend(OWNED, seeding={"groups": ["wren-operators"]}) if "test" in name
    ]


def test_no_value_is_given_to_pulumi(backend):
    assert not {
        one.type
        for one in backend(OWNED, seeding={"groups": ["wren-operators"]}).values()
        if "Version" in one.type
    }


@pytest.mark.parametrize(
    ("store", "place"),
    [
        (GCP | {"shared": "own"}, "stores.gcp.shared"),
        (DECLARED | {"kms-key": KMS.format(location="global")}, "kms-key"),
        (DECLARED | {"locations": ["Frankfurt"]}, "locations"),
        (DECLARED | {"access": "direct"}, "stores.gcp.cluster.project-number: is missing"),
        (DECLARED | {"version-destroy-delay": "1h"}, "version-destroy-delay"),
        (DECLARED | {"reminders": {"next": "2027-02-30"}}, "reminders.next: must be a day"),
        (
            DECLARED | {"reminders": {"next": "2027-01-31", "topic": "due"}},
            "reminders.topic: must be projects/",
        ),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(settings_with, store, place):
    with pytest.raises(SettingsError, match=place):
        settings_with(stores={"gcp": store})
