"""Proof, without a clock, that the operator has done what an object asks for.

`Ready` alone proves nothing: it stays as it was while the operator is down.
"""

import hashlib
import re
from typing import Any

# Ready is also true where nothing useful was written; the reason and the message tell.
_REASONS = {"ExternalSecret": "SecretSynced", "PushSecret": "Synced"}
_NOT_OURS = re.compile(r"not managed by external.secrets")
_REMEDY = (
    "the operator may write only entries that it manages: give the entry, once, the custom metadata"
    " (Vault), tag or label managed-by=external-secrets; write others that it has down and take"
    " them off before: a push takes them away, or fails (docs/adopting.md)"
)


def synced_resource_version(obj: dict[str, Any]) -> str:
    """What the operator writes into `status.syncedResourceVersion` once it has synced just this
    state: the generation, and the SHA3-224 of annotations and labels as Go prints them."""
    metadata = obj["metadata"]
    annotations, labels = (_go_map(metadata.get(one)) for one in ("annotations", "labels"))
    text = f"{{annotations:{annotations} labels:{labels}}}"
    return f"{metadata['generation']}-{hashlib.sha3_224(text.encode()).hexdigest()}"


def _go_map(texts: dict[str, str] | None) -> str:
    return f"map[{' '.join(f'{key}:{value}' for key, value in sorted((texts or {}).items()))}]"


def fault(obj: dict[str, Any] | None) -> str | None:
    """Why an ExternalSecret or PushSecret is not yet synced; None once it is."""
    if obj is None:
        return "it does not exist"
    status = obj.get("status", {})
    ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    if ready is None:
        return "the operator has not looked at it yet: is it running?"
    said = f"Ready={ready['status']} {ready.get('reason', '')}: {ready.get('message', '')}"
    if ready["status"] != "True" or ready.get("reason") != _REASONS[obj["kind"]]:
        return said
    spec = obj.get("spec", {})
    # Synced once is all that such an object can be; later changes of its labels mean nothing.
    if spec.get("refreshPolicy") == "CreatedOnce":
        is_synced = bool(status.get("syncedResourceVersion"))
    else:
        is_synced = status.get("syncedResourceVersion") == synced_resource_version(obj)
    if not is_synced:
        return f"the operator has not synced its last change yet (still {said})"
    # What is created once and an Orphan may have no Secret: it is a trigger.
    is_orphan = spec.get("target", {}).get("creationPolicy") == "Orphan"
    is_trigger = is_orphan and spec.get("refreshPolicy") == "CreatedOnce"
    if obj["kind"] == "ExternalSecret" and not is_trigger and ready["message"] != "secret synced":
        return said
    return None


def remedy(fault: str) -> str | None:
    """What people have to do about a fault that no waiting mends; None of one that may pass."""
    return _REMEDY if _NOT_OURS.search(fault) else None
