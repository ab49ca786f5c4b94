"""Vault or OpenBao as this program installs it: its namespace, its configuration, and its chart's
values in every delivery.

Three servers that replicate by Raft, each with a disk for data and one for its audit log. The
charts' values are those of hashicorp/vault 0.34.1 and openbao/openbao 0.29.2, which both know.
"""

import json
from typing import Any

from platform_secrets.manifests import naming
from platform_secrets.manifests.chart import ChartRelease, laid_over
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings, VaultServer
from platform_secrets.settings.vault_server import AwsKmsSeal, AzureKeyVaultSeal, GcpKmsSeal

_COMPONENT = "vault-server"
_CHARTS = {
    "vault": ("https://helm.releases.hashicorp.com", "0.34.1"),
    "openbao": ("https://openbao.github.io/openbao-helm", "0.29.2"),
}
_REPLICAS = 3
_TLS, _DATA, _AUDIT = "/vault/tls", "/vault/data", "/vault/audit"
_USER, _GROUP = 100, 1000


def server_manifests(settings: Settings, server: VaultServer) -> list[Manifest]:
    """The servers' namespace; nothing else runs there."""
    levels = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": server.namespace,
                "labels": {**naming.labels(settings, _COMPONENT), **levels},
                "annotations": dict(naming.NEVER_PRUNED),
            },
        }
    ]


def server_release(server: VaultServer) -> ChartRelease:
    """The chart as it is installed. No delivery waits for it, since the servers are ready only once
    people have initialised them; and none takes it away: every environment's values are there."""
    repository, version = _CHARTS[server.product]
    return ChartRelease(
        name=naming.VAULT_RELEASE,
        namespace=server.namespace,
        chart=server.product,
        version=server.chart.version or version,
        repository=server.chart.repository or repository,
        path=server.chart.path,
        values=chart_values(server),
        is_awaited=False,
        is_kept=True,
    )


def configuration(server: VaultServer) -> dict[str, Any]:
    """The servers' own configuration; both products read JSON as well as HCL."""
    tls = {"tls_cert_file": f"{_TLS}/tls.crt", "tls_key_file": f"{_TLS}/tls.key"}
    listener = {"address": "[::]:8200", "cluster_address": "[::]:8201", **tls}
    others = [
        {
            "leader_api_addr": f"https://vault-{number}.vault-internal:8200",
            "leader_ca_cert_file": f"{_TLS}/ca.crt",
            # One name for all, so that the certificate needs no name per server.
            "leader_tls_servername": server.host,
        }
        for number in range(_REPLICAS)
    ]
    found: dict[str, Any] = {
        "ui": False,
        "listener": [{"tcp": listener}],
        "storage": {"raft": {"path": _DATA, "retry_join": others}},
    }
    if server.seal:
        found["seal"] = _seal(server.seal)
    # A standby asks the leader. What it holds itself is a moment old: of two changes of one entry,
    # each of which the operator reads and writes as a whole, the first would be lost.
    if server.product == "vault":
        found["disable_performance_standby"] = True
        # Integrated storage is mapped into memory, all of which would be locked.
        found["disable_mlock"] = True
    else:
        found["disable_standby_reads"] = True
        # OpenBao takes no audit device over its API.
        device = {"type": "file", "path": naming.PROJECT}
        found["audit"] = [{**device, "options": {"file_path": f"{_AUDIT}/audit.log"}}]
    return found


def _seal(seal: AwsKmsSeal | GcpKmsSeal | AzureKeyVaultSeal) -> dict[str, Any]:
    """No credentials: the servers' ServiceAccount is the identity."""
    match seal:
        case AwsKmsSeal():
            return {"awskms": {"region": seal.region, "kms_key_id": seal.key}}
        case GcpKmsSeal():
            ring = {"key_ring": seal.key_ring, "crypto_key": seal.key}
            place = {"project": seal.project, "region": seal.location}
            return {"gcpckms": {**place, **ring}}
        case AzureKeyVaultSeal():
            names = {"vault_name": seal.vault_name, "key_name": seal.key}
            return {"azurekeyvault": {"tenant_id": seal.tenant_id, **names}}


def _identity(server: VaultServer) -> tuple[dict[str, str], dict[str, str]]:
    """Annotations of the servers' ServiceAccount and labels of their pods, for their cloud."""
    match server.seal:
        case AwsKmsSeal(role=role):
            return {"eks.amazonaws.com/role-arn": role}, {}
        case GcpKmsSeal(service_account=str(email)):
            return {"iam.gke.io/gcp-service-account": email}, {}
        case AzureKeyVaultSeal(client_id=client_id):
            annotations = {"azure.workload.identity/client-id": client_id}
            return annotations, {"azure.workload.identity/use": "true"}
        case _:
            return {}, {}


def chart_values(server: VaultServer) -> Manifest:
    """Values of either chart: highly available, as pods of the level `restricted`."""
    annotations, labels = _identity(server)
    raft = {
        "enabled": True,
        "setNodeId": True,
        "config": json.dumps(configuration(server), indent=2, sort_keys=True),
    }
    values: Manifest = {
        # Names and addresses that do not depend on the product.
        "fullnameOverride": naming.VAULT_RELEASE,
        "global": {"tlsDisable": False},
        "injector": {"enabled": False},
        "csi": {"enabled": False},
        "server": {
            "ha": {
                "enabled": True,
                "replicas": _REPLICAS,
                # Where a standby that can't forward a request sends its client.
                "apiAddr": f"https://{server.host}:8200",
                "raft": raft,
                "disruptionBudget": {"enabled": True, "maxUnavailable": 1},
            },
            "serviceAccount": {
                "annotations": annotations,
                "serviceDiscovery": {"enabled": False},
            },
            # Vault has the ServiceAccounts' tokens reviewed as itself.
            "authDelegator": {"enabled": True},
            "service": {
                # Standbys forward requests: every unsealed server answers.
                "publishNotReadyAddresses": False,
                "active": {"enabled": False},
                "standby": {"enabled": False},
            },
            "extraLabels": labels,
            **_pod(server),
            **_storage(server),
        },
    }
    if server.product == "openbao":
        # A server that is not initialised is not ready, and the others need not wait for it.
        values["server"]["podManagementPolicy"] = "Parallel"
    return laid_over(values, server.chart.values)


def _pod(server: VaultServer) -> Manifest:
    secret = {"secretName": server.certificate, "defaultMode": 0o440}
    return {
        "resources": {
            "requests": {"cpu": "250m", "memory": "512Mi"},
            "limits": {"memory": "1Gi"},
        },
        # For people's commands in the pod, which reach it by its address. OpenBao knows these too.
        "extraEnvironmentVars": {
            "VAULT_CACERT": f"{_TLS}/ca.crt",
            "VAULT_TLS_SERVER_NAME": server.host,
        },
        "volumes": [
            {"name": "tls", "secret": secret},
            {"name": "tmp", "emptyDir": {}},
        ],
        "volumeMounts": [
            {"name": "tls", "mountPath": _TLS, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the chart writes its file there
        ],
        "statefulSet": {
            "securityContext": {
                "pod": {
                    "runAsNonRoot": True,
                    "runAsUser": _USER,
                    "runAsGroup": _GROUP,
                    "fsGroup": _GROUP,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "container": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        },
    }


def _storage(server: VaultServer) -> Manifest:
    """The disks stay when the servers or their chart go."""
    kind = {"storageClass": server.storage_class} if server.storage_class else {}
    return {
        "dataStorage": {"enabled": True, "size": server.data_size, "mountPath": _DATA, **kind},
        "auditStorage": {"enabled": True, "size": server.audit_size, "mountPath": _AUDIT, **kind},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    }
