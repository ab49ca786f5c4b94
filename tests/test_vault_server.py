"""Vault or OpenBao as a stack installs it: its configuration and its chart's values."""

import json

import pytest

from platform_secrets.manifests.vault_server import (
    chart_values,
    configuration,
    server_manifests,
    server_release,
)
from platform_secrets.settings import VaultServer

AWS = {
    "provider": "aws",
    "region": "eu-central-1",
    "key": "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d",
    "role": "arn:aws:iam::123456789012:role/vault-unseal",
}
GCP = {
    "provider": "gcp",
    "project": "shop-test",
    "location": "europe-west3",
    "key-ring": "vault",
    "key": "unseal",
}
AZURE = {
    "provider": "azure",
    "tenant-id": "11111111-2222-4333-8444-555555555555",
    "client-id": "aaaaaaaa-0000-4000-8000-000000000001",
    "vault-name": "shop-unseal",
    "key": "unseal",
}


def server(**settings):
    """The servers by these settings (`_` for `-`)."""
    return VaultServer.model_validate({k.replace("_", "-"): v for k, v in settings.items()})


def other(number):
    return {
        "leader_api_addr": f"https://vault-{number}.vault-internal:8200",
        "leader_ca_cert_file": "/vault/tls/ca.crt",
        "leader_tls_servername": "vault.vault-system.svc",
    }


SHARED = {
    "ui": False,
    "listener": [
        {
            "tcp": {
                "address": "[::]:8200",
                "cluster_address": "[::]:8201",
                "tls_cert_file": "/vault/tls/tls.crt",
                "tls_key_file": "/vault/tls/tls.key",
            }
        }
    ],
    "storage": {"raft": {"path": "/vault/data", "retry_join": [other(n) for n in range(3)]}},
}


def test_vault_s_configuration_is_this():
    own = {"disable_mlock": True, "disable_performance_standby": True}
    assert configuration(server()) == {**SHARED, **own}


def test_openbao_has_its_audit_device_in_the_configuration():
    device = {"type": "file", "path": "platform-secrets"}
    options = {"file_path": "/vault/audit/audit.log"}
    assert configuration(server(product="openbao")) == {
        **SHARED,
        "disable_standby_reads": True,
        "audit": [{**device, "options": options}],
    }


@pytest.mark.parametrize(
    ("seal", "stanza", "annotations", "labels"),
    [
        (
            AWS,
            {"awskms": {"region": "eu-central-1", "kms_key_id": AWS["key"]}},
            {"eks.amazonaws.com/role-arn": AWS["role"]},
            {},
        ),
        (
            GCP,
            {
                "gcpckms": {
                    "project": "shop-test",
                    "region": "europe-west3",
                    "key_ring": "vault",
                    "crypto_key": "unseal",
                }
            },
            {},
            {},
        ),
        (
            AZURE,
            {
                "azurekeyvault": {
                    "tenant_id": AZURE["tenant-id"],
                    "vault_name": "shop-unseal",
                    "key_name": "unseal",
                }
            },
            {"azure.workload.identity/client-id": AZURE["client-id"]},
            {"azure.workload.identity/use": "true"},
        ),
    ],
    ids=["aws", "gcp", "azure"],
)
@pytest.mark.parametrize("product", ["vault", "openbao"])
def test_a_seal_has_no_credentials_but_the_servers_own_identity(
    product, seal, stanza, annotations, labels
):
    sealed = server(product=product, seal=seal)
    assert configuration(sealed) == {**configuration(server(product=product)), "seal": stanza}
    values = chart_values(sealed)["server"]
    assert values["serviceAccount"]["annotations"] == annotations
    assert values["extraLabels"] == labels


def test_on_gke_the_servers_may_act_as_a_service_account_of_google_s():
    email = "vault@shop-test.iam.gserviceaccount.com"
    values = chart_values(server(seal={**GCP, "service-account": email}))["server"]
    assert values["serviceAccount"]["annotations"] == {"iam.gke.io/gcp-service-account": email}


def test_the_chart_s_values_are_these():
    values = chart_values(server(storage_class="encrypted", data_size="50Gi"))
    config = values["server"]["ha"]["raft"].pop("config")
    assert json.loads(config) == configuration(server())
    disk = {"enabled": True, "storageClass": "encrypted"}
    assert values == {
        "fullnameOverride": "vault",
        "global": {"tlsDisable": False},
        "injector": {"enabled": False},
        "csi": {"enabled": False},
        "server": {
            "ha": {
                "enabled": True,
                "replicas": 3,
                "apiAddr": "https://vault.vault-system.svc:8200",
                "raft": {"enabled": True, "setNodeId": True},
                "disruptionBudget": {"enabled": True, "maxUnavailable": 1},
            },
            "serviceAccount": {"annotations": {}, "serviceDiscovery": {"enabled": False}},
            "authDelegator": {"enabled": True},
            "service": {
                "publishNotReadyAddresses": False,
                "active": {"enabled": False},
                "standby": {"enabled": False},
            },
            "extraLabels": {},
            "resources": {
                "requests": {"cpu": "250m", "memory": "512Mi"},
                "limits": {"memory": "1Gi"},
            },
            "extraEnvironmentVars": {
                "VAULT_CACERT": "/vault/tls/ca.crt",
                "VAULT_TLS_SERVER_NAME": "vault.vault-system.svc",
            },
            "volumes": [
                {"name": "tls", "secret": {"secretName": "vault-tls", "defaultMode": 0o440}},
                {"name": "tmp", "emptyDir": {}},
            ],
            "volumeMounts": [
                {"name": "tls", "mountPath": "/vault/tls", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the servers' pod
            ],
            "statefulSet": {
                "securityContext": {
                    "pod": {
                        "runAsNonRoot": True,
                        "runAsUser": 100,
                        "runAsGroup": 1000,
                        "fsGroup": 1000,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "container": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            },
            "dataStorage": {**disk, "size": "50Gi", "mountPath": "/vault/data"},
            "auditStorage": {**disk, "size": "10Gi", "mountPath": "/vault/audit"},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain",
                "whenScaled": "Retain",
            },
        },
    }


def test_without_a_storage_class_the_cluster_s_default_is_used():
    values = chart_values(server())["server"]
    assert "storageClass" not in {**values["dataStorage"], **values["auditStorage"]}


def test_openbao_s_servers_start_at_once_as_vault_s_always_do():
    """Otherwise each waits for the one before, which is ready only once it is initialised."""
    vault, openbao = (chart_values(server(product=each)) for each in ("vault", "openbao"))
    assert openbao["server"].pop("podManagementPolicy") == "Parallel"
    for values in (vault, openbao):
        del values["server"]["ha"]["raft"]["config"]
    assert openbao == vault


@pytest.mark.parametrize(
    ("product", "repository", "version"),
    [
        ("vault", "https://helm.releases.hashicorp.com", "0.34.1"),
        ("openbao", "https://openbao.github.io/openbao-helm", "0.29.2"),
    ],
)
def test_each_product_has_its_own_chart_which_may_come_from_elsewhere(product, repository, version):
    release = server_release(server(product=product))
    assert (release.chart, release.repository, release.version) == (product, repository, version)
    mirror = {"repository": "oci://ghcr.example.com/charts", "version": "0.35.0"}
    release = server_release(server(product=product, chart=mirror))
    assert (release.chart, release.repository, release.version) == (product, *mirror.values())


def test_the_settings_values_are_laid_over_the_program_s():
    image = {"repository": "registry.example.com/vault"}
    values = chart_values(server(chart={"values": {"server": {"image": image}}}))
    assert values["server"].pop("image") == image
    assert values == chart_values(server())


def test_the_namespace_admits_only_restricted_pods_and_is_never_pruned(settings_with):
    [namespace] = server_manifests(settings_with(), server(namespace="vaults"))
    metadata = namespace["metadata"]
    assert metadata["name"] == "vaults"
    levels = {k: v for k, v in metadata["labels"].items() if k.startswith("pod-security.")}
    modes = ("enforce", "audit", "warn")
    assert levels == {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in modes}
    assert metadata["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "disabled"
