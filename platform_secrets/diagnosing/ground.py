"""The layers below the operator: what the caller may see, the cluster, and the operator's kinds."""

import json
import re
from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding
from platform_secrets.diagnosing.clocks import clock_findings
from platform_secrets.diagnosing.snapshot import condition
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings.operator_releases import EXTERNAL_SECRETS_API, PUSH_SECRETS_API

_GROUP = "external-secrets.io"
_NEEDED = {
    f"{resource}.{_GROUP}": api.partition("/")[2]
    for resource, api in (
        ("externalsecrets", EXTERNAL_SECRETS_API),
        ("secretstores", EXTERNAL_SECRETS_API),
        ("pushsecrets", PUSH_SECRETS_API),
    )
}
"""The operator's kinds that are always used, with the version that is used."""
_COUNTED = ("secrets", "count/secrets", "pods", "count/pods", "count/externalsecrets." + _GROUP)
_REFUSED = re.compile(r"forbidden|cannot (list|get)", re.IGNORECASE)
NOT_INSTALLED = "not installed"


def rights_findings(case: Case) -> Iterator[Finding]:
    """What the caller may not look at: nothing is known of it."""
    for what, why in sorted(case.snapshot.unread.items()):
        kind, _, namespace = what.partition("/")
        if _REFUSED.search(why):
            verb = f"kubectl auth can-i list {kind.lower()}s" + f" -n {namespace}" * bool(namespace)
            step = f"have somebody look who may: `{verb}` says yes"
            place = At(kind, namespace, "*")
            yield Finding(
                "not-looked-at", place, "you have no right to list it", step, is_fault=False
            )


def cluster_findings(case: Case) -> Iterator[Finding]:
    """What is wrong with the namespaces themselves, and with the clocks."""
    env = case.settings.environment
    own = [view.namespace for view in case.settings.by_namespace]
    for name in [*own, *([env.operator_namespace] if env.stores else [])]:
        place = At("Namespace", "", name)
        live = case.live(place)
        if live is None and case.is_missing(place):
            step = f"correct `namespace-name` in {case.settings.stack_file}, or {case.apply}"
            yield Finding("namespace-missing", place, "does not exist", step)
        elif live and live["metadata"].get("deletionTimestamp"):
            step = f"see what holds it: `kubectl get namespace {name} -o yaml`"
            yield Finding("namespace-ends", place, "is being deleted", step)
    for name in own:
        yield from _full_quotas(case, name)
    yield from clock_findings(case)


def _full_quotas(case: Case, namespace: str) -> Iterator[Finding]:
    for one in case.snapshot.of("ResourceQuota", namespace):
        status = one.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        full = [name for name in _COUNTED if name in hard and _is_full(hard[name], used.get(name))]
        if full:
            name = one["metadata"]["name"]
            what = f"is full: {', '.join(f'{each} {used[each]} of {hard[each]}' for each in full)}"
            command = f"kubectl describe resourcequota {name} -n {namespace}"
            step = f"raise it, or delete what is not needed: `{command}`"
            yield Finding("quota-full", At("ResourceQuota", namespace, name), what, step)


def _is_full(hard: object, used: object) -> bool:
    texts = str(hard), str(used)
    return all(text.isdecimal() for text in texts) and int(texts[1]) >= int(texts[0])


def crd_findings(case: Case) -> Iterator[Finding]:
    """Which of the operator's kinds are not served in the version that is used."""
    if not case.settings.environment.stores:
        return
    for name, version in _NEEDED.items():
        place = At("CustomResourceDefinition", "", name)
        live = case.live(place)
        if live is None:
            if case.is_missing(place):
                step = "install the operator's CRDs: docs/troubleshooting.md"
                yield Finding("crd-missing", place, "does not exist", step)
            continue
        served = [one["name"] for one in live["spec"].get("versions", []) if one.get("served")]
        established = condition(live, "Established") or {}
        if version not in served or established.get("status") == "False":
            what = f"does not serve {version}; it serves {', '.join(served) or 'nothing'}"
            step = "install the CRDs of the operator's version: docs/troubleshooting.md"
            yield Finding("crd-not-served", place, what, step)
    for live in case.snapshot.of("CustomResourceDefinition"):
        yield from _old_versions(live)


def _old_versions(live: Manifest) -> Iterator[Finding]:
    """A newer chart brings kinds that are not used here too, and its upgrade stops at any."""
    stored = (live.get("status") or {}).get("storedVersions") or []
    kept = [one["name"] for one in live["spec"].get("versions", []) if one.get("storage")]
    old = [one for one in stored if one not in kept]
    if not old or not kept:
        return
    place = At("CustomResourceDefinition", "", live["metadata"]["name"])
    what = f"may hold objects of {', '.join(old)}, which newer operators do not have"
    rewrite = f"kubectl get {place.name} -A -o yaml | kubectl replace -f -"
    left = json.dumps({"status": {"storedVersions": kept}})
    patch = f"kubectl patch crd {place.name} --subresource=status --type=merge -p '{left}'"
    step = f"before the next upgrade write each again (`{rewrite}`), then take it out (`{patch}`)"
    yield Finding("crd-old-version", place, what, step, is_fault=False)
