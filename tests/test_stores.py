"""A store: its provider's document, who acts on it, and the operator's right to act as them."""

import base64

import pytest

from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.manifests.seeding import seeding_manifests
from platform_secrets.settings import Identity
from tests.declaring import PROJECT
from tests.settings_files import STACK, lines

CERTIFICATE = (PROJECT / "tests/authority.pem").read_text()
LABELS = {
    "app.kubernetes.io/component": "store",
    "app.kubernetes.io/managed-by": "platform-secrets",
    "app.kubernetes.io/part-of": "shop",
    "platform-secrets/environment": "test",
}
AWS = {"provider": "aws", "region": "eu-central-1", "account-id": "123456789012"}
GCP = {
    "provider": "gcp",
    "project": "shop-secrets",
    "cluster": {"project": "shop-clusters", "location": "europe-west3", "name": "main"},
}
AZURE = {
    "provider": "azure",
    "vault-name": "shop-test",
    "tenant-id": "11111111-2222-4333-8444-555555555555",
    "client-ids": {
        "read": "aaaaaaaa-0000-4000-8000-000000000001",
        "rotation": "aaaaaaaa-0000-4000-8000-000000000002",
        "seed": "aaaaaaaa-0000-4000-8000-000000000003",
    },
}


@pytest.fixture
def store_of(settings_with):
    """The four objects of an identity of the shop's only store."""

    def manifests(store, identity: Identity = "read", name=None, **changes):
        name = name or store["provider"]
        return store_manifests(settings_with(stores={name: store}, **changes), name, identity)

    return manifests


def provider_of(manifests):
    return manifests[-1]["spec"]["provider"]


def annotations_of(manifests):
    return manifests[0]["metadata"].get("annotations", {})


def test_a_store_is_four_objects_and_these(store_of, vault):
    metadata = {"namespace": "shop-test", "labels": LABELS}
    rbac = "rbac.authorization.k8s.io"
    operator = {"name": "external-secrets", "namespace": "external-secrets-system"}
    assert store_of(vault) == [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "vault-store", **metadata},
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "Role",
            "metadata": {"name": "vault-store-token", **metadata},
            "rules": [
                {
                    "apiGroups": [""],
                    "resources": ["serviceaccounts/token"],
                    "resourceNames": ["vault-store"],
                    "verbs": ["create"],
                }
            ],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "vault-store-token", **metadata},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "vault-store-token"},
            "subjects": [{"kind": "ServiceAccount", **operator}],
        },
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "SecretStore",
            "metadata": {"name": "vault-store", **metadata},
            "spec": {
                "provider": {
                    "vault": {
                        "server": "https://vault.example.com:8200",
                        "path": "secret",
                        "version": "v2",
                        "auth": {
                            "kubernetes": {
                                "mountPath": "kubernetes",
                                "role": "shop-test-read",
                                "serviceAccountRef": {
                                    "name": "vault-store",
                                    "audiences": ["vault"],
                                },
                            }
                        },
                    }
                }
            },
        },
    ]


def test_a_vault_that_cannot_reach_the_cluster_takes_the_token_itself(store_of, vault):
    changes = {
        "auth-method": "jwt",
        "auth-mount": "jwt-test",
        "audience": "https://vault.example.com",
        "mount": "kv/shop",
        "namespace": "teams/shop",
        "ca-certificate": CERTIFICATE,
    }
    assert provider_of(store_of(vault | changes)) == {
        "vault": {
            "server": "https://vault.example.com:8200",
            "path": "kv/shop",
            "version": "v2",
            "namespace": "teams/shop",
            "caBundle": base64.b64encode(CERTIFICATE.encode()).decode(),
            "auth": {
                "jwt": {
                    "path": "jwt-test",
                    "role": "shop-test-read",
                    "kubernetesServiceAccountToken": {
                        "serviceAccountRef": {
                            "name": "vault-store",
                            "audiences": ["https://vault.example.com"],
                        }
                    },
                }
            },
        }
    }


def test_aws_exchanges_the_accounts_token_for_the_role_in_its_annotation(store_of):
    store = store_of(AWS | {"partition": "aws-cn"}, "rotation")
    assert provider_of(store) == {
        "aws": {
            "service": "SecretsManager",
            "region": "eu-central-1",
            "auth": {"jwt": {"serviceAccountRef": {"name": "aws-rotation-store"}}},
        }
    }
    assert annotations_of(store) == {
        "eks.amazonaws.com/role-arn": "arn:aws-cn:iam::123456789012:role/shop-test-rotation"
    }


def test_gcp_exchanges_the_accounts_token_for_the_account_in_its_annotation(store_of):
    store = store_of(GCP)
    assert provider_of(store) == {
        "gcpsm": {
            "projectID": "shop-secrets",
            "auth": {
                "workloadIdentity": {
                    "clusterProjectID": "shop-clusters",
                    "clusterLocation": "europe-west3",
                    "clusterName": "main",
                    "serviceAccountRef": {"name": "gcp-store"},
                }
            },
        }
    }
    assert annotations_of(store) == {
        "iam.gke.io/gcp-service-account": "shop-test-read@shop-secrets.iam.gserviceaccount.com"
    }


@pytest.mark.parametrize(
    ("cloud", "suffix"),
    [
        ("PublicCloud", "vault.azure.net"),
        ("USGovernmentCloud", "vault.usgovcloudapi.net"),
        ("ChinaCloud", "vault.azure.cn"),
    ],
)
def test_azure_names_the_tenant_once_and_the_client_in_the_annotation(cloud, suffix, store_of):
    store = store_of(AZURE | {"cloud": cloud}, "seed", seeding={"groups": ["wren-operators"]})
    assert provider_of(store) == {
        "azurekv": {
            "authType": "WorkloadIdentity",
            "environmentType": cloud,
            "tenantId": AZURE["tenant-id"],
            "vaultUrl": f"https://shop-test.{suffix}",
            "serviceAccountRef": {"name": "azure-seed-store"},
        }
    }
    assert annotations_of(store) == {
        "azure.workload.identity/client-id": AZURE["client-ids"]["seed"]
    }


def test_only_readers_and_the_rotator_act_on_a_store(settings_with):
    assert settings_with().identities("vault") == ["read", "rotation"]


def test_the_rotator_is_absent_where_nothing_is_generated(settings_with, vault):
    two = {"vault": vault, "other": vault | {"auth-mount": "other"}}
    places = {"default_store": "vault", "bundles": {"billing": {"store": "other"}}}
    settings = settings_with(stores=two, **places)
    assert settings.identities("vault") == ["read", "rotation"]
    assert settings.identities("other") == ["read"], "a bank's password is changed at the bank"


def test_the_rotator_is_absent_where_another_stack_leads(settings_with):
    assert settings_with(rotation="follower").identities("vault") == ["read"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("enabled", "seeding: names the people who may: `seeding: {groups: [...]}`"),
        ("disabled", "seeding: is off without it: leave it out"),
    ],
)
def test_the_words_of_the_release_before_are_told_what_seeding_is_now(tmp_path, word, message):
    [line] = lines(tmp_path, stack=STACK | {"seeding": word})
    assert message in line


def test_what_bounds_seeding_is_in_each_namespace_that_has_a_store_to_write_to(settings_with):
    found = seeding_manifests(settings_with(seeding={"groups": ["wren-operators"]}))
    assert {one["kind"] for one in found} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    assert all(one["metadata"]["name"].startswith("shop-test-seeding-") for one in found)
    assert seeding_manifests(settings_with()) == []


def test_an_identity_that_may_write_everything_exists_only_while_seeding(settings_with):
    assert settings_with(seeding={"groups": ["wren-operators"]}).identities("vault") == [
        "read",
        "rotation",
        "seed",
    ]
    assert settings_with(seeding=None).identities("vault") == ["read", "rotation"]


def test_each_identity_is_another_account_in_the_cluster_and_at_the_provider(store_of, vault):
    stores = [
        store_of(vault, identity, seeding={"groups": ["wren-operators"]})
        for identity in ("read", "rotation", "seed")
    ]
    assert [store[0]["metadata"]["name"] for store in stores] == [
        "vault-store",
        "vault-rotation-store",
        "vault-seed-store",
    ]
    roles = [provider_of(store)["vault"]["auth"]["kubernetes"]["role"] for store in stores]
    assert roles == ["shop-test-read", "shop-test-rotation", "shop-test-seed"]


def test_identities_of_several_stores_of_one_provider_have_names_of_their_own(store_of, vault):
    [*_, store] = store_of(vault, name="eu-vault")
    role = store["spec"]["provider"]["vault"]["auth"]["kubernetes"]["role"]
    assert role == "shop-test--eu-vault-read"


def test_stores_are_of_one_namespace_only(any_stack):
    kinds = {one["kind"] for one in any_stack.rendered_objects}
    assert "ClusterSecretStore" not in kinds
