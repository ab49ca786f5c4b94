"""Files of the API server, by its own flags: no object of a cluster, and nothing applies them."""

from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings

_OPERATORS_GROUPS = ("external-secrets.io", "generators.external-secrets.io")


def control_plane_files(settings: Settings) -> dict[str, Manifest]:
    """What the stack file asks for, by file name."""
    asked = settings.environment.control_plane
    return {"audit-policy.yaml": audit_policy()} if asked.audit else {}


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
