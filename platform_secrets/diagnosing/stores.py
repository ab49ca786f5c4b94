"""The layer of the stores: each SecretStore, what it acts as, and what its provider answers."""

from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding, differences, ready
from platform_secrets.diagnosing.causes import Cause, cause
from platform_secrets.manifests import naming
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings import Settings

_PATIENCE_SECONDS = 60
_STATES = {
    "store-unreachable": "the operator can't reach {address}",
    "store-certificate": "the operator does not trust the certificate of {address}",
    "store-sealed": "{address} is sealed",
    "store-throttled": "{address} refuses reads because there are too many",
    "store-role": "{address} knows no role {role}",
    "store-login": "{address} refuses the login as {role}",
    "store-path": "{address} has nothing where the store is to read",
    "store-rights": "{address} does not let {role} read {entry}",
    "store-kms-key": "{address} can't decrypt {entry}: its KMS key is closed to {role}, or to all",
    "store-network-refused": "{address} refuses the network from which the operator asks",
    "clock": "{address} takes the operator's token for one of another time: a clock is wrong",
}
_STEPS = {
    "store-unreachable": "see that it runs, and that {network} lets the operator out to it; "
    "then `{sync}`",
    "store-certificate": "see who signed it and until when it is valid; renew it, or correct "
    "`ca-certificate` of the store and apply the environment",
    "store-sealed": "unseal it (`vault operator unseal`); the rest comes back by itself",
    "store-throttled": "raise the provider's quota, or `refresh-interval`: docs/performance.md",
    "store-role": "make the role (`backend: declare` does it: `pulumi up`): {page}",
    "store-login": "bind that identity to ServiceAccount {account} "
    "(`backend: declare` does it: `pulumi up`): {page}",
    "store-path": "correct the store's mount, or make it: {page}",
    "store-rights": "give it that right (`backend: declare` does it: `pulumi up`): {page}",
    "store-kms-key": "let that identity decrypt with the key, and see that it is enabled: {page}",
    "store-network-refused": "allow the cluster's egress there, or have a private endpoint: {page}",
    "clock": "compare `date -u` on the nodes and on the provider's side; have both follow NTP",
}
OF_STORES = frozenset(_STATES)
"""The causes that are a store's, whichever object tells them."""


def store_findings(case: Case) -> Iterator[Finding]:
    """What is wrong with the SecretStores, and with those of others that the environment reads."""
    for view in case.settings.by_namespace:
        for name, store in view.environment.stores.items():
            for identity in view.identities(name):
                place = At("SecretStore", view.namespace, naming.secret_store(name, identity))
                if place in case.declared:
                    yield from _of_store(case, view, name, place)
            if store.is_others:
                yield from _of_others(case, view, name)


def _of_store(case: Case, view: Settings, name: str, place: At) -> Iterator[Finding]:
    live = case.live(place)
    if live is None:
        if case.is_missing(place):
            yield Finding("store-missing", place, "does not exist", case.apply)
        return
    changed = [*differences(case.declared[place]["spec"], live.get("spec", {}), "spec")]
    state = ready(live)
    if state is None:
        step = "see that the operator runs: `kubectl get pods -n {}`"
        where = case.settings.environment.operator_namespace
        what = "the operator has not looked at it yet"
        if not case.is_younger(live, _PATIENCE_SECONDS):
            yield Finding("store-not-looked-at", place, what, step.format(where))
    elif state.get("status") != "True":
        found = cause(case, place)
        if found.check in OF_STORES:
            yield store_finding(case, view, name, place, found, changed)
        elif found.check in ("account-missing", "token-refused"):
            yield Finding(
                "store-no-token", place, "the operator gets no token of its account", case.apply
            )
        else:
            look = f"kubectl describe secretstore {place.name} -n {place.namespace}"
            step = f"its events say why: `{look}`"
            yield Finding("store-not-ready", place, f"is not ready: {state.get('reason')}", step)
    if changed and (state or {}).get("status") == "True":
        what = f"is not as the settings say: {', '.join(changed)}"
        yield Finding("store-changed", place, what, case.apply)


def store_finding(
    case: Case, view: Settings, name: str, place: At, found: Cause, changed: list[str] | None = None
) -> Finding:
    """What a cause of `OF_STORES` means for a store, seen at one of its SecretStores."""
    config = view.environment.stores[name]
    roles = [
        view.identity_name(name, one)
        for one in view.identities(name)
        if naming.secret_store(name, one) == place.name
    ]
    texts = {
        "address": getattr(config, "server", None) or f"{config.provider} (store {name})",
        "role": roles[0] if roles else "its identity",
        "entry": found.entry or "its entries",
        "account": f"{place.namespace}/{place.name}",
        "network": "a NetworkPolicy (docs/network.md)",
        "page": f"docs/providers/{config.provider}.md",
        "sync": f"secretsctl sync {case.env}",
    }
    what, step = (table[found.check].format(**texts) for table in (_STATES, _STEPS))
    if changed:
        step = f"{', '.join(changed)} is not as declared: {case.apply}; else {step}"
    return Finding(found.check, place, what, step, found.key)


def _of_others(case: Case, view: Settings, name: str) -> Iterator[Finding]:
    """A store that others declare: whether it is there, and ready."""
    reference = provider_of(view.environment.stores[name]).reference(name)
    kind = str(reference["kind"])
    namespace = "" if kind.startswith("Cluster") else view.namespace
    place = At(kind, namespace, str(reference["name"]))
    live = case.live(place)
    if live is None:
        if case.is_missing(place):
            step = "ask its owner, or correct `name` of the store in the stack file"
            yield Finding("store-missing", place, "does not exist; others declare it", step)
    elif (ready(live) or {"status": "True"}).get("status") != "True":
        found = cause(case, place)
        if found.check in OF_STORES:
            yield store_finding(case, view, name, place, found)
        else:
            step = f"its owner sees why: `kubectl describe {kind.lower()} {place.name}`"
            yield Finding("store-not-ready", place, "is not ready; others declare it", step)
