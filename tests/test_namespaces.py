"""Several namespaces of one environment: each with its own identities, and their exact rights."""

import base64
import json
import re
import secrets
import uuid
from typing import Any

import pytest
from pulumi import Output

from platform_secrets.components.backends.aws import AwsBackend
from platform_secrets.components.backends.azure import AzureBackend
from platform_secrets.components.backends.gcp import GcpBackend
from platform_secrets.components.backends.vault import VaultBackend, policies
from platform_secrets.components.layer import Layer
from platform_secrets.manifests.basic_secret import kustomization
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.rotation.plan import plan_config_maps, rotation_plan
from platform_secrets.rotator.keys import Database
from platform_secrets.rotator.plan import parse
from platform_secrets.secretsctl.basic_files import write_env_files
from platform_secrets.secretsctl.projects import rotator_source
from platform_secrets.settings import SettingsError, basic_values
from platform_secrets.settings.any_store import SECRET_STORE_SUFFIXES
from tests.conftest import VAULT
from tests.declaring import CLUSTER_UID, declare, run
from tests.settings_files import BASIC, CATALOGUE, STACK, changed, lines, stack
from tests.test_azure_backend import DECLARED, SECRETS_USER
from tests.test_azure_backend import VAULT as KEY_VAULT
from tests.test_gcp_backend import GCP
from tests.test_vault_database import DATABASE

OWN, BILLING = "shop-test", "billing"
SHOP: dict[str, Any] = {
    "platform": "shop",
    "bundles": {
        "web": {"secret": "web", "keys": {"token": {"description": "a token"}}},
        "ledger": {
            "secret": "ledger",
            "keys": {
                "password": {"description": "a password"},
                "token": {"description": "the web's", "same-as": "web/token"},
            },
        },
        "mail": {
            "secret": "mail",
            "keys": {
                "login": {"description": "a login", "rotate": {"by": "generate", "every": "90d"}}
            },
        },
    },
    "services": {
        "web": {"workload": "Deployment/web", "reads": ["web", "mail"]},
        "ledger": {"workload": "Deployment/ledger", "reads": ["ledger"]},
    },
}
NAMESPACES = {BILLING: {"bundles": ["ledger"]}}
AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
AWS |= {"oidc-issuer": "https://oidc.example.com/id", "backend": "declare"}
# Azure chooses the client IDs: here the n-th of all.
CLIENT_IDS = {
    namespace: {
        identity: f"aaaaaaaa-0000-4000-8000-0000000000{n}{place}"
        for place, identity in enumerate(("read", "rotation", "seed"))
    }
    for n, namespace in enumerate((OWN, BILLING))
}
AZURE = DECLARED | {
    "client-ids": CLIENT_IDS[OWN],
    "namespace-client-ids": {BILLING: CLIENT_IDS[BILLING]},
}
STORES = {
    "vault": VAULT | {"backend": "declare", "layout": "per-key"},
    "aws": AWS,
    "gcp": GCP | {"backend": "declare"},
    "azure": AZURE,
}
BACKENDS = {
    "vault": VaultBackend,
    "aws": AwsBackend,
    "gcp": GcpBackend,
    "azure": AzureBackend,
}


@pytest.fixture
def settings(settings_with):
    def made(provider="vault", **changes):
        stores = {provider: STORES[provider]}
        usual = {"catalogue": SHOP, "stores": stores, "namespaces": NAMESPACES}
        return settings_with(**usual | changes)

    return made


def objects(settings):
    return [one for wave in waves(settings, rotator_source()) for one in wave.objects]


def made_by_azure(settings):
    """The IDs of identities: the client's as the settings name it."""
    return {
        view.declared_name(f"azure-{identity}-identity"): {
            "clientId": CLIENT_IDS[view.namespace][identity],
            "principalId": f"{view.namespace}/azure-{SECRET_STORE_SUFFIXES[identity]}",
        }
        for view, identity in settings.all_identities("azure")
    }


def named(settings, kind):
    """The namespaces and names of all objects of a kind, without the rotator's."""
    found = [one["metadata"] for one in objects(settings) if one["kind"] == kind]
    return {
        (one["namespace"], one["name"])
        for one in found
        if one["labels"]["app.kubernetes.io/component"] != "rotation"
    }


def test_each_namespace_has_its_own_stores_identities_secrets_and_services(settings):
    found = settings()
    assert named(found, "SecretStore") == {
        (OWN, "vault-store"),
        (OWN, "vault-rotation-store"),
        (BILLING, "vault-store"),
    }
    assert named(found, "ServiceAccount") == {
        (OWN, "web"),
        (OWN, "vault-store"),
        (OWN, "vault-rotation-store"),
        (BILLING, "ledger"),
        (BILLING, "vault-store"),
    }
    assert named(found, "ExternalSecret") == {(OWN, "web"), (OWN, "mail"), (BILLING, "ledger")}
    assert [one["metadata"]["name"] for one in objects(found) if one["kind"] == "Namespace"] == [
        "external-secrets-system",
        OWN,
        BILLING,
    ]


def test_a_namespace_that_exists_is_not_made(settings):
    there = {BILLING: {"bundles": ["ledger"], "namespace": "existing"}}
    found = [one for one in objects(settings(namespaces=there)) if one["kind"] == "Namespace"]
    assert BILLING not in [one["metadata"]["name"] for one in found]


def test_every_role_and_binding_is_about_its_own_namespace(settings):
    readers = {"groups": ["shop-people"]}
    found = objects(settings(readers=readers))
    for one in found:
        metadata = one["metadata"]
        if one["kind"] == "RoleBinding" and metadata["name"].endswith("-secrets"):
            assert [subject["namespace"] for subject in one["subjects"]] == [metadata["namespace"]]
    rules = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["rules"][0]["resourceNames"]
        for one in found
        if one["kind"] == "Role" and one["rules"][0]["resources"] == ["secrets"]
    }
    assert rules == {
        (OWN, "secrets-reader"): ["web", "mail"],
        (OWN, "web-secrets"): ["web", "mail"],
        (BILLING, "secrets-reader"): ["ledger"],
        (BILLING, "ledger-secrets"): ["ledger"],
    }


def test_a_namespace_without_bundles_has_no_role_of_all_secrets(settings_with):
    plain = changed(SHOP, "bundles.mail.keys.login", {"description": "a login"})
    every = {BILLING: {"bundles": ["ledger", "web", "mail"]}}
    found = objects(settings_with(catalogue=plain, namespaces=every))
    assert not [
        one for one in found if one["kind"] == "Role" and not one["rules"][0]["resourceNames"]
    ]
    assert {one["metadata"]["namespace"] for one in found if one["kind"] == "SecretStore"} == {
        BILLING
    }


@pytest.mark.parametrize("provider", STORES)
def test_the_update_declares_the_objects_of_the_tree(settings, provider):
    found = settings(provider, cluster={"uid": CLUSTER_UID})
    outputs = made_by_azure(found) if provider == "azure" else {}
    made = declare(
        lambda: Layer("secrets", settings=found, values={}, rotator=rotator_source()),
        outputs=outputs,
    )

    def key(one):
        return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]

    assert sorted(map(key, (one.manifest for one in made.objects()))) == sorted(
        map(key, objects(found))
    )
    urns = [(one.type, one.name) for one in made.declared]
    assert len(urns) == len({*urns})


def rights_in_vault(declared):
    policies = {
        one.inputs["name"]: one.inputs["policy"] for one in declared if "policy" in one.inputs
    }
    return {
        (
            role.inputs["boundServiceAccountNamespaces"][0],
            role.inputs["boundServiceAccountNames"][0],
        ): {
            path.rpartition("/")[2]
            for path in re.findall(r'path "([^"]+)"', policies[role.inputs["tokenPolicies"][0]])
        }
        for role in declared
        if "boundServiceAccountNames" in role.inputs
    }


def rights_in_aws(declared):
    policies = {
        one.inputs["role"]: json.loads(one.inputs["policy"])["Statement"][0]["Resource"]
        for one in declared
        if one.type.endswith(":RolePolicy")
    }
    found = {}
    for role in declared:
        if role.type.endswith(":Role"):
            [statement] = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
            subject = statement["Condition"]["StringEquals"]["oidc.example.com/id:sub"]
            entries = policies[role.inputs["name"]]
            found[(*subject.split(":")[2:],)] = {
                one.rpartition("/")[2].removesuffix("-??????") for one in entries
            }
    return found


def rights_in_gcp(declared):
    found: dict[Any, set[str]] = {}
    emails = {}
    for one in declared:
        if one.type.endswith("iAMMember:IAMMember"):
            email = one.inputs["serviceAccountId"].rpartition("/")[2]
            place = re.search(r"\[(.*)/(.*)\]$", one.inputs["member"])
            assert place
            emails[email] = place.groups()
    for one in declared:
        if "SecretIamMember" in one.type:
            account = emails[one.inputs["member"].removeprefix("serviceAccount:")]
            found.setdefault(account, set()).add(one.inputs["secretId"].removeprefix("shop-test-"))
    return found


def rights_in_azure(declared):
    found: dict[Any, set[str]] = {}
    for one in declared:
        if one.type.endswith("RoleAssignment"):
            scope = one.inputs["scope"].removeprefix(f"{KEY_VAULT}/secrets/shop-test-")
            found.setdefault((*one.inputs["principalId"].split("/"),), set()).add(scope)
    return found


RIGHTS = {
    "vault": rights_in_vault,
    "aws": rights_in_aws,
    "gcp": rights_in_gcp,
    "azure": rights_in_azure,
}


@pytest.mark.parametrize("provider", STORES)
def test_each_identity_has_rights_on_its_namespace_s_entries_and_no_other(settings, provider):
    found = settings(provider, seeding={"groups": ["wren-operators"]})
    outputs = made_by_azure(found) if provider == "azure" else {}
    made = declare(
        lambda: BACKENDS[provider](provider, settings=found, store=provider), outputs=outputs
    )
    assert RIGHTS[provider]([one for one in made.declared if one.is_custom]) == {
        (OWN, f"{provider}-store"): {"token", "login"},
        (OWN, f"{provider}-rotation-store"): {"login"},
        (OWN, f"{provider}-seed-store"): {"token", "login"},
        (BILLING, f"{provider}-store"): {"password", "token"},
        (BILLING, f"{provider}-seed-store"): {"password"},
    }


@pytest.mark.parametrize(
    ("provider", "most"), [("vault", 999), ("gcp", 30), ("aws", 64), ("azure", 128)]
)
def test_identities_have_names_of_their_own_that_the_provider_takes(settings, provider, most):
    long = "a-namespace-with-a-name-that-is-long-for-a-role-and-an-account"
    there = {"a--b": {"bundles": ["web"]}, long: {"bundles": ["ledger"]}}
    store = STORES[provider]
    if provider == "azure":
        ids = {"a--b": CLIENT_IDS[BILLING], long: {"read": str(uuid.uuid4())}}
        store = store | {"namespace-client-ids": ids}
    changes = {"stores": {provider: store}, "namespaces": there}
    found = settings(provider, catalogue=SHOP | {"services": {}}, **changes)
    names = [view.identity_name(provider, one) for view, one in found.all_identities(provider)]
    assert len(names) == len({*names}) == 4
    assert max(map(len, names)) <= most


REFUSED = {
    "a service of two namespaces": (
        {"billing": {"bundles": ["mail"]}},
        "service web reads shared in shop-test, mail in billing; a pod reads Secrets of its own "
        "namespace: give it one bundle there, whose keys may have others' values (`same-as`)",
    ),
    "an unknown bundle": (
        {"billing": {"bundles": ["male"]}},
        "no such bundle in the catalogue (did you mean mail?); it has: mail, shared",
    ),
    "two namespaces": (
        {"billing": {"bundles": ["mail"]}, "other": {"bundles": ["mail"]}},
        "mail is in billing already; a bundle is in one namespace",
    ),
    "the environment's own": ({OWN: {"bundles": ["mail"]}}, "is the environment's own"),
    "the operator's": ({"external-secrets-system": {"bundles": ["mail"]}}, "is the operator's"),
    "no bundle": ({"billing": {"bundles": []}}, "bundles"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_can_t_be_is_refused_with_what_would_be_right(case, tmp_path):
    namespaces, message = REFUSED[case]
    found = lines(tmp_path, CATALOGUE, changed(STACK, "namespaces", namespaces))
    assert [line for line in found if message in line], found


ELSEWHERE: dict[str, Any] = {BILLING: {"bundles": ["ledger", "mail"]}}
NO_SERVICES = SHOP | {"services": {}}


def roles_for(settings, account):
    """By namespace, what the Roles of a ServiceAccount of the own namespace allow."""
    found = objects(settings)
    rules = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["rules"]
        for one in found
        if one["kind"] == "Role"
    }
    return {
        one["metadata"]["namespace"]: rules[one["metadata"]["namespace"], one["roleRef"]["name"]]
        for one in found
        if one["kind"] == "RoleBinding"
        for subject in one["subjects"]
        if (subject["kind"], subject.get("name")) == ("ServiceAccount", account)
    }


def test_a_key_rotates_in_its_own_namespace_with_rights_on_nothing_else_there(settings):
    found = settings(catalogue=NO_SERVICES, namespaces=ELSEWHERE)
    places = {
        (one["kind"], one["metadata"]["namespace"])
        for one in objects(found)
        if one["kind"] in ("Password", "CronJob", "ConfigMap")
    }
    assert places == {("Password", BILLING), ("CronJob", OWN), ("ConfigMap", OWN)}
    roles = roles_for(found, "secrets-rotation")
    own = {name for rule in roles[OWN] for name in rule.get("resourceNames", [])}
    assert own == {"secrets-rotation-memory"}
    there = {name for rule in roles[BILLING] for name in rule.get("resourceNames", [])}
    assert {"mail", "rotation-staged-login", "rotation-promote-login"} <= there
    assert not [name for name in there if "ledger" in name or "token" in name]
    assert next(iter(rotation_plan(found).rotated)).external_secret == f"{BILLING}/mail"


def test_a_rotated_value_elsewhere_is_compared_by_an_account_that_gets_its_one_shots_alone(
    settings,
):
    rotated = {"description": "a token", "rotate": {"by": "generate", "every": "90d"}}
    catalogue = changed(NO_SERVICES, "bundles.web.keys.token", rotated)
    found = settings(catalogue=catalogue)
    account = f"secrets-rotation-from-{OWN}"
    assert roles_for(found, account)[OWN] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["rotation-before-token", "rotation-staged-token"],
            "verbs": ["get"],
        }
    ]
    [store] = [
        one
        for one in objects(found)
        if one["kind"] == "SecretStore" and one["metadata"]["name"] == account
    ]
    assert store["metadata"]["namespace"] == BILLING
    provider = store["spec"]["provider"]["kubernetes"]
    assert (provider["remoteNamespace"], provider["auth"]) == (
        OWN,
        {"serviceAccount": {"name": account}},
    )
    plan = rotation_plan(found)
    [key] = [key for key in plan.rotated if key.shown == "token"]
    assert key.synced == ["web", f"{BILLING}/ledger"]
    texts = [text for one in plan_config_maps(found, plan) for text in one["data"].values()]
    assert parse(*texts) == plan


def test_nobody_reads_across_namespaces_where_no_value_rotates_in_two(settings):
    names = [one["metadata"]["name"] for one in objects(settings())]
    assert not [name for name in names if "-from-" in name or name.startswith("rotation-to-")]


def test_in_azure_each_namespace_has_an_identity_that_trusts_its_own_account(settings):
    found = settings("azure")
    made = declare(
        lambda: AzureBackend("azure", settings=found, store="azure"), outputs=made_by_azure(found)
    )
    inputs = {one.name: one.inputs for one in made.declared}
    trust = inputs["billing/azure-read-trust"]
    assert trust["resourceName"] == "shop-test-billing--read"
    assert trust["resourceName"] == inputs["billing/azure-read-identity"]["resourceName"]
    assert trust["subject"] == "system:serviceaccount:billing:azure-store"
    assert {one["roleDefinitionId"] for one in inputs.values() if "principalType" in one} == {
        SECRETS_USER,
        *[one["roleDefinitionId"] for name, one in inputs.items() if "rotation-role" in name],
    }
    accounts = {
        one["metadata"]["namespace"]: one["metadata"]["annotations"]
        for one in objects(found)
        if (one["kind"], one["metadata"]["name"]) == ("ServiceAccount", "azure-store")
    }
    assert accounts == {
        namespace: {"azure.workload.identity/client-id": CLIENT_IDS[namespace]["read"]}
        for namespace in (OWN, BILLING)
    }


def test_a_key_vault_of_one_namespace_has_one_right_for_each_reader_also_elsewhere(settings_with):
    plain = changed(SHOP, "bundles.mail.keys.login", {"description": "a login"})
    store = {key: value for key, value in AZURE.items() if key != "client-ids"}
    found = settings_with(
        catalogue=plain,
        stores={"azure": store},
        namespaces={BILLING: {"bundles": ["ledger", "web", "mail"]}},
    )
    made = declare(
        lambda: AzureBackend("azure", settings=found, store="azure"), outputs=made_by_azure(found)
    )
    assert rights_in_azure(made.declared) == {(BILLING, "azure-store"): {KEY_VAULT}}


def test_a_client_id_that_azure_did_not_give_is_told_with_its_namespace(settings):
    found = settings("azure")
    given = made_by_azure(found)
    given["billing/azure-read-identity"]["clientId"] = other = CLIENT_IDS[OWN]["seed"]
    error = run(lambda: AzureBackend("azure", settings=found, store="azure"), outputs=given).error
    assert str(error).splitlines()[0] == (
        "Pulumi.test.yaml: stores.azure.namespace-client-ids.billing.read: is "
        f"{CLIENT_IDS[BILLING]['read']}, but the client ID of shop-test-billing--read is {other}"
    )


WRONG_IDS = {
    "none": (
        {},
        "stores.azure.namespace-client-ids.x.read: is missing: the read identity of namespace x",
    ),
    "one too few": (
        {"x": {"read": CLIENT_IDS[BILLING]["read"]}},
        "namespace-client-ids.x.rotation: is missing: the rotation identity of namespace x needs",
    ),
    "another namespace's": (
        {"x": {**CLIENT_IDS[BILLING], "read": CLIENT_IDS[OWN]["read"]}},
        "namespace-client-ids.x.read: is that of an identity of namespace shop-test too; each",
    ),
    "of no namespace": (
        {"x": CLIENT_IDS[BILLING], "y": CLIENT_IDS[BILLING]},
        "namespace-client-ids.y: is none of the environment's other namespaces: x",
    ),
}


@pytest.mark.parametrize("case", WRONG_IDS)
def test_a_namespace_without_client_ids_of_its_own_is_told(tmp_path, case):
    given, message = WRONG_IDS[case]
    catalogue = changed(CATALOGUE, "services", {})
    wanted = changed(stack("azure"), "namespaces", {"x": {"bundles": ["shared"]}})
    wanted = changed(wanted, "stores.azure.client-ids", CLIENT_IDS[OWN])
    wanted = changed(wanted, "stores.azure.namespace-client-ids", given)
    line, *_ = lines(tmp_path, catalogue, wanted)
    assert message in line


def test_basic_secrets_are_in_the_namespaces_of_their_bundles_in_both_ways(settings_with, tmp_path):
    """Also two of one name: their files have the namespace in their names."""
    catalogue = changed(NO_SERVICES, "bundles.ledger.secret", "web")
    found = settings_with(
        catalogue=catalogue,
        secrets="basic",
        stores=None,
        operator=None,
        namespaces=NAMESPACES,
        cluster={"uid": CLUSTER_UID},
    )
    env_file = tmp_path / "secrets.env"
    env_file.write_text("".join(f"{k}={secrets.token_hex()}\n" for k in found.catalogue.spellings))
    values = basic_values(found, env_file, lambda _: None)

    def program():
        given = {id: Output.secret(value) for id, value in values.items()}
        Layer("secrets", settings=found, values=given, rotator={})

    made = declare(program)
    declared = {
        (one.inputs["metadata"]["namespace"], one.inputs["metadata"]["name"]): {
            key: base64.b64decode(kept.value).decode() for key, kept in one.inputs["data"].items()
        }
        for one in made.of_kind("Secret")
    }
    token, password, login = (values[id] for id in ("token", "password", "login"))
    assert declared == {
        (OWN, "web"): {"token": token},
        (BILLING, "web"): {"password": password, "token": token},
        (OWN, "mail"): {"login": login},
    }
    (tmp_path / "kustomization.yaml").touch()
    write_env_files(tmp_path, found, values)
    rendered = {}
    for one in kustomization(found)["secretGenerator"]:
        [file] = one["envs"]
        pairs = [line.split("=") for line in (tmp_path / file).read_text().splitlines()]
        rendered[one["namespace"], one["name"]] = dict(pairs)
    assert rendered == declared
    assert {one["metadata"]["name"] for one in objects(found) if one["kind"] == "Namespace"} == {
        OWN,
        BILLING,
    }


def test_basic_secrets_in_namespaces_have_the_same_faults_as_others(tmp_path):
    namespaces = {"x": {"bundles": ["male"]}}
    [line] = lines(tmp_path, CATALOGUE, changed(BASIC, "namespaces", namespaces))
    assert "no such bundle in the catalogue (did you mean mail?)" in line


def test_a_namespace_of_kubernetes_is_there_already(settings_with):
    found = {"kube-system": {"namespace": "existing", "bundles": ["ledger"]}}
    assert settings_with(SHOP, namespaces=found).namespace_of("ledger") == "kube-system"
    del found["kube-system"]["namespace"]
    with pytest.raises(SettingsError, match="is Kubernetes' own, and there already"):
        settings_with(SHOP, namespaces=found)


def test_two_namespaces_may_have_secrets_of_one_name(settings_with):
    catalogue = changed(SHOP, "bundles.ledger.secret", "web")
    with pytest.raises(SettingsError, match="two bundles make a Secret of this name"):
        settings_with(catalogue)
    found = settings_with(catalogue, namespaces=NAMESPACES, cluster={"uid": CLUSTER_UID})
    made = declare(lambda: Layer("secrets", settings=found, values={}, rotator={}))
    declared = [one.inputs for one in made.objects() if one.inputs["kind"] == "ExternalSecret"]
    places = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in declared}
    assert places == {(OWN, "web"), (BILLING, "web"), (OWN, "mail")}


def test_two_namespaces_may_have_workloads_and_accounts_of_one_name(settings_with):
    catalogue = changed(SHOP, "services.ledger.workload", "Deployment/web")
    with pytest.raises(SettingsError, match="Deployment/web is named twice"):
        settings_with(catalogue)
    found = settings_with(catalogue, namespaces=NAMESPACES, cluster={"uid": CLUSTER_UID})
    assert found.readers["web"] == ["Deployment/web"]
    assert found.readers["ledger"] == [f"Deployment/{BILLING}/web"]
    made = declare(lambda: Layer("secrets", settings=found, values={}, rotator={}))
    declared = [one.inputs for one in made.objects() if one.inputs["kind"] == "ServiceAccount"]
    places = {one["metadata"]["namespace"] for one in declared if one["metadata"]["name"] == "web"}
    assert places == {OWN, BILLING}


def test_what_is_left_out_of_a_namespace_leaves_its_service_there(settings_with):
    """Its account is in no other namespace meanwhile."""
    catalogue = changed(SHOP, "services.ledger.workload", "Deployment/web")
    left = {"bundles": ["ledger"]}
    found = settings_with(catalogue, namespaces=NAMESPACES, without=left)
    views = {view.namespace: [*view.services] for view in found.by_namespace}
    assert views == {OWN: ["web"], BILLING: ["ledger"]}


def test_a_database_s_key_elsewhere_has_its_pointer_and_both_rights_there(settings_with):
    """Its rotation there may have the engine change passwords, the own namespace's may not."""
    catalogue = changed(
        NO_SERVICES,
        "bundles.ledger.keys.url",
        {"description": "its database", "format": "postgres-url"}
        | {"rotate": {"by": "database", "every": "90d"}},
    )
    store = VAULT | {"layout": "per-key", "database": DATABASE}
    found = settings_with(catalogue=catalogue, stores={"vault": store}, namespaces=NAMESPACES)
    [key] = [key for key in rotation_plan(found).rotated if isinstance(key, Database)]
    assert key.pointer == f"{BILLING}/{key.name}-active"
    pointer, account = f"{key.name}-active", "secrets-rotation"
    places = {
        (one["kind"], one["metadata"]["namespace"])
        for one in objects(found)
        if one["kind"] == "VaultDynamicSecret" or one["metadata"]["name"] == pointer
    }
    assert places == {("VaultDynamicSecret", BILLING), ("ConfigMap", BILLING)}
    there = {
        name
        for rule in roles_for(found, account)[BILLING]
        for name in rule.get("resourceNames", [])
    }
    assert pointer in there
    own, billing = ("".join(policies(view, "vault", "rotation")) for view in found.by_namespace)
    assert "rotate-role" in billing
    assert "rotate-role" not in own
