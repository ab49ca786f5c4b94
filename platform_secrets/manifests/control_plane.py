"""Files of the API server, by its own flags: no object of a cluster, and nothing applies them."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.control_plane import EncryptionProvider, KmsPlugin, Secretbox

_OPERATORS_GROUPS = ("external-secrets.io", "generators.external-secrets.io")


def control_plane_files(settings: Settings) -> dict[str, Manifest]:
    """What the stack file asks for, by file name."""
    asked = settings.environment.control_plane
    found = {"audit-policy.yaml": audit_policy()} if asked.audit else {}
    if asked.encryption:
        found["encryption.yaml"] = encryption_configuration(asked.encryption)
    return found


def audit_policy() -> Manifest:
    """Who did what with Secrets, with tokens and with the operator's kinds, also who was refused.
    `Metadata` has no content of a request or an answer, so no value. Of all else it says nothing.
    """
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "rules": [
            {
                "level": "Metadata",
                # Of a watch, which may last for hours, its beginning counts; of all else the end.
                "omitStages": ["RequestReceived"],
                "resources": [
                    {"group": "", "resources": ["secrets", "serviceaccounts/token"]},
                    *({"group": group} for group in _OPERATORS_GROUPS),
                ],
            }
        ],
    }


def encryption_configuration(providers: list[EncryptionProvider]) -> Manifest:
    """The providers in their order. A key's place has its name between two @, which no API server
    takes for a key: on the host it is filled from a file of that name."""
    found: list[Manifest] = []
    for one in providers:
        if isinstance(one, KmsPlugin):
            found.append(_kms(one))
        elif isinstance(one, Secretbox):
            if not found or "secretbox" not in found[-1]:
                found.append({"secretbox": {"keys": []}})
            found[-1]["secretbox"]["keys"].append({"name": one.name, "secret": f"@{one.name}@"})
        else:
            found.append({"identity": {}})
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": found}],
    }


def _kms(plugin: KmsPlugin) -> Manifest:
    where = {"endpoint": f"unix://{plugin.socket}", "timeout": "3s"}
    return {"kms": {"apiVersion": "v2", "name": plugin.name, **where}}
