"""How large an object may be that the API server keeps in etcd."""

import json
from collections.abc import Iterator
from typing import Any

from platform_secrets.manifests.naming import Manifest

# etcd's `--max-request-bytes`, unless somebody sets it: https://etcd.io/docs/latest/dev-guide/limit/
_ETCD_BYTES = 1_572_864
# Around a field's name in `metadata.managedFields`, and of its manager and the object's status.
_AROUND_A_FIELD, _AROUND_THE_FIELDS = 7, 2_000
_WHAT_TO_DO = {
    "ExternalSecret": "split its bundle in the catalogue",
    "Role": "put bundles into more namespaces, or give their Secrets shorter names",
}


def size_faults(manifest: Manifest, text_length: int) -> Iterator[str]:
    """What is wrong with an object that etcd would not take; `text_length` is that of its YAML."""
    if (
        3 * text_length < _ETCD_BYTES
    ):  # JSON and the fields' names are shorter than three times that
        return
    size = len(json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode())
    size += _noted(manifest) + _AROUND_THE_FIELDS
    if size <= _ETCD_BYTES:
        return
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    most = _names_in(manifest) * _ETCD_BYTES // size
    yield (
        f"{kind} {name} would have {size:,} bytes with what Kubernetes notes of its fields; etcd "
        f"takes {_ETCD_BYTES:,}, some {most:,} of its {_names_in(manifest):,} names: "
        f"{_WHAT_TO_DO.get(kind, 'use fewer or shorter names')}"
    )


def _noted(content: Any) -> int:
    """How long the names of all fields are that an applier owns; of a list, only its own."""
    if not isinstance(content, dict):
        return 0
    return sum(len(name) + _AROUND_A_FIELD + _noted(one) for name, one in content.items())


def _names_in(manifest: Manifest) -> int:
    """The fields of an ExternalSecret's Secret, or the names of a Role."""
    template = manifest.get("spec", {}).get("target", {}).get("template", {})
    rules = manifest.get("rules", [])
    return len(template.get("data", ())) or sum(len(one.get("resourceNames", ())) for one in rules)
