"""SecretStores of the providers that this program declares itself: the settings of each, and which
are the very ones that it would declare."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from platform_secrets.importing.documents import Documents
from platform_secrets.importing.found import Manifest, mapping
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.settings import Document, Settings, SettingsError, load

_ROLE = re.compile(r"arn:([a-z-]+):iam::([0-9]{12}):role/.+")
_VAULT_URL = re.compile(r"https://([A-Za-z0-9-]+)\.vault\.[a-z.]+/?")
_EMAIL = re.compile(r".+@([a-z0-9-]+)\.iam\.gserviceaccount\.com")
_SUFFIX = "-store"
Reference = tuple[str, str]


def store_settings(store: Manifest, manifests: Iterable[Manifest]) -> dict[str, Any] | None:
    """What a stack file says of a store of Vault, AWS, GCP or Azure with a ServiceAccount of its
    own; None of any other one."""
    provider = mapping(store.spec.get("provider"))
    if len(provider) != 1:
        return None
    [(name, given)] = provider.items()
    content = mapping(given)
    reference = _account(content)
    accounts = {(one.namespace, one.name): one for one in manifests if one.kind == "ServiceAccount"}
    place = reference.get("namespace") or store.namespace, str(reference.get("name"))
    annotations = mapping(accounts[place].metadata.get("annotations")) if place in accounts else {}
    found = {"vault": _vault, "aws": _aws, "gcpsm": _gcp, "azurekv": _azure}.get(
        name, lambda *_: None
    )(content, annotations)
    known = found and {setting: value for setting, value in found.items() if value is not None}
    return known or None


def _account(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ServiceAccount that a provider's part names, wherever it does."""
    for name, value in content.items():
        if name == "serviceAccountRef":
            return mapping(value)
        if isinstance(value, Mapping) and (found := _account(value)):
            return found
    return {}


def _vault(content: Mapping[str, Any], _: Mapping[str, Any]) -> dict[str, Any] | None:
    auth = mapping(content.get("auth"))
    method = next(iter(auth), "")
    by = mapping(auth.get(method))
    if len(auth) != 1 or method not in ("kubernetes", "jwt") or content.get("version") == "v1":
        return None
    audiences = _account(by).get("audiences")
    return {
        "provider": "vault",
        "server": content.get("server"),
        "mount": content.get("path"),
        "namespace": content.get("namespace"),
        "auth-method": method,
        "auth-mount": by.get("mountPath") or by.get("path"),
        "audience": audiences[0] if isinstance(audiences, list) and audiences else None,
        "ca-certificate": _decoded(content.get("caBundle")),
    }


def _aws(content: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any] | None:
    is_irsa = bool(_account(content))
    given = annotations.get("eks.amazonaws.com/role-arn") if is_irsa else content.get("role")
    role = _ROLE.fullmatch(str(given))
    if content.get("service") != "SecretsManager" or role is None:
        return None
    return {
        "provider": "aws",
        "region": content.get("region"),
        "account-id": role[2],
        "partition": role[1],
        "identity": "irsa" if is_irsa else "pod-identity",
    }


def _gcp(content: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any] | None:
    by = mapping(mapping(content.get("auth")).get("workloadIdentity"))
    if not by:
        return None
    email = annotations.get("iam.gke.io/gcp-service-account")
    of_email = _EMAIL.fullmatch(str(email))
    if of_email and of_email[1] != content.get("projectID"):
        return None  # ours is in the project of the entries
    cluster = {
        "project": by.get("clusterProjectID") or content.get("projectID"),
        "location": by.get("clusterLocation"),
        "name": by.get("clusterName"),
    }
    access = "service-account" if email else "direct"
    return {
        "provider": "gcp",
        "project": content.get("projectID"),
        "cluster": {name: value for name, value in cluster.items() if value},
        "access": access,
    }


def _azure(content: Mapping[str, Any], annotations: Mapping[str, Any]) -> dict[str, Any] | None:
    url = _VAULT_URL.fullmatch(str(content.get("vaultUrl")))
    if content.get("authType") != "WorkloadIdentity" or url is None:
        return None
    client_id = annotations.get("azure.workload.identity/client-id")
    tenant_id = content.get("tenantId") or annotations.get("azure.workload.identity/tenant-id")
    return {
        "provider": "azure",
        "vault-name": url[1],
        "tenant-id": tenant_id,
        "client-ids": {"read": client_id} if client_id else None,
        "cloud": content.get("environmentType"),
    }


def _decoded(certificate: object) -> str | None:
    try:
        return base64.b64decode(str(certificate or ""), validate=True).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def with_native_stores(
    found: Documents, manifests: Sequence[Manifest]
) -> tuple[Documents, Settings] | None:
    """The same, where the new stack file has each store's own settings that is the very one which
    they have declared; None where none is."""
    stack = found.stack
    candidates: dict[str, tuple[str, dict[str, Any]]] = {}
    by_name = {one.name: one for one in manifests if one.kind == "SecretStore"}
    for name, store in mapping(stack.get("stores")).items():
        one = by_name.get(str(store.get("name")))
        is_called_so = store.get("kind") == "SecretStore" and one and one.name.endswith(_SUFFIX)
        given = store_settings(one, manifests) if one and is_called_so else None
        if one and given:
            candidates[name] = one.name.removesuffix(_SUFFIX), given
    spaces = [one.namespace for one in found.bundles.values()]
    # An identity is called after its namespace where that is not the environment's own.
    for own in dict.fromkeys([stack["namespace-name"], *spaces]):
        if settled := _settled(_with_own(stack, own, found), dict(candidates), found, manifests):
            return settled
    return None


def _settled(
    stack: dict[str, Any],
    candidates: dict[str, tuple[str, dict[str, Any]]],
    found: Documents,
    manifests: Sequence[Manifest],
) -> tuple[Documents, Settings] | None:
    while candidates:
        trial = _renamed(stack, candidates)
        try:
            [settings] = load([Document("", trial)], Document("", found.catalogue))
        except SettingsError:
            return None
        others = [
            name
            for name, (called, _) in candidates.items()
            if not _are(settings, called, manifests)
        ]
        if not others:
            return replace(found, stack=trial, new_in_stack=trial), settings
        for name in others:
            del candidates[name]
    return None


def _with_own(stack: dict[str, Any], own: str, found: Documents) -> dict[str, Any]:
    """The same environment, whose own namespace is this one."""
    if own == stack["namespace-name"]:
        return stack
    bundles: dict[str, list[str]] = {}
    for name, one in found.bundles.items():
        if one.namespace != own:
            bundles.setdefault(one.namespace, []).append(name)
    namespaces = {
        name: {"namespace": "existing", "bundles": names} for name, names in sorted(bundles.items())
    }
    return {**stack, "namespace-name": own, "namespaces": namespaces}


def _renamed(
    stack: dict[str, Any], candidates: Mapping[str, tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    def called(name: str) -> str:
        return candidates[name][0] if name in candidates else name

    stores = {
        called(name): candidates[name][1] if name in candidates else store
        for name, store in stack["stores"].items()
    }
    places = {
        bundle: {**place, **({"store": called(place["store"])} if "store" in place else {})}
        for bundle, place in mapping(stack.get("bundles")).items()
    }
    default = stack.get("default-store")
    return {
        **stack,
        "stores": stores,
        **({"default-store": called(default)} if default else {}),
        **({"bundles": places} if places else {}),
    }


def _are(settings: Settings, store: str, manifests: Sequence[Manifest]) -> bool:
    """Whether what would be declared of a store, where it is read, is what is there."""
    there = {(one.kind, one.namespace, one.name): one for one in manifests}
    for view in settings.by_namespace:
        if not any(view.store_name(bundle) == store for bundle in view.bundles):
            continue
        for wanted in store_manifests(view, store, "read"):
            if wanted["kind"] not in ("SecretStore", "ServiceAccount"):
                continue
            metadata = wanted["metadata"]
            found = there.get((wanted["kind"], metadata["namespace"], metadata["name"]))
            if found is None or not _is_same(wanted.get("spec", {}), found.spec):
                return False
            annotations = mapping(found.metadata.get("annotations"))
            if {**annotations, **metadata.get("annotations", {})} != annotations:
                return False
    return True


def _is_same(wanted: Any, found: Any) -> bool:
    """Whether the two are equal, apart from what an API server adds that is off."""
    if not isinstance(wanted, Mapping) or not isinstance(found, Mapping):
        return wanted == found
    names = {*wanted, *(name for name, value in found.items() if value)}
    return all(_is_same(wanted.get(name), found.get(name)) for name in names)
