"""The layers of what the operator acts as, and of the network between."""

from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding, at, changed_rights, differences
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.settings.rotator import ROTATION

_STORE, _NETWORK = "store", "network"


def account_findings(case: Case) -> Iterator[Finding]:
    """Which ServiceAccounts of stores are not there, and which the operator gets no token of."""
    for place, declared in case.declared_of("ServiceAccount", component=_STORE):
        live = case.live(place)
        if live is None:
            if case.is_missing(place):
                yield Finding("account-missing", place, "does not exist", case.apply)
            continue
        wanted = declared["metadata"].get("annotations") or {}
        found = live["metadata"].get("annotations") or {}
        if changed := [name for name, text in wanted.items() if found.get(name) != text]:
            what = f"is not annotated as the settings say: {', '.join(changed)}"
            yield Finding("account-changed", place, what, case.apply)
    for place, declared in case.declared_of("Role", "RoleBinding", component=_STORE):
        live = case.live(place)
        if live is None:
            if case.is_missing(place):
                what = "does not exist: the operator gets no token of the store's account"
                yield Finding("token-right-missing", place, what, case.apply)
        elif changed := [*changed_rights(declared, live)]:
            what = f"is not as the settings say: {', '.join(changed)}"
            yield Finding("token-right-missing", place, what, case.apply)


def network_findings(case: Case) -> Iterator[Finding]:
    """Which NetworkPolicies are not as declared, and what those that are there do not let out."""
    for place, declared in case.declared_of("NetworkPolicy", component=_NETWORK):
        live = case.live(place)
        if live is None:
            if case.is_missing(place):
                yield Finding("network-policy-missing", place, "does not exist", case.apply)
        elif changed := [*differences(declared["spec"], live.get("spec"), "spec")]:
            what = f"is not as the settings say: {', '.join(changed)}"
            yield Finding("network-policy-changed", place, what, case.apply)
    env = case.settings.environment
    if env.stores:
        for one in case.snapshot.of("Deployment", env.operator_namespace):
            pod = one["spec"]["template"]
            if pod["spec"].get("serviceAccountName") == env.operator_service_account:
                labels = pod["metadata"].get("labels") or {}
                yield from _blocked(case, at(one), labels, _operators_ways(case))
    for place, declared in case.declared_of("CronJob"):
        if place.name == ROTATION:
            template = declared["spec"]["jobTemplate"]["spec"]["template"]
            ways = {f"the API server (port {port})": port for port in _api_ports(case)}
            yield from _blocked(case, place, template["metadata"]["labels"], ways)


def _api_ports(case: Case) -> list[int]:
    return [*case.settings.environment.network.api_server.ports]


def _operators_ways(case: Case) -> dict[str, int]:
    """Where the operator's pods must get to, each with a port of which one must be open."""
    network = case.settings.environment.network
    ways = {f"DNS (port {port})": port for port in network.dns.ports}
    ways |= {f"the API server (port {port})": port for port in _api_ports(case)}
    for name, store in case.settings.environment.stores.items():
        if not store.is_others:
            port = provider_of(store).port
            ways[f"store {name} (port {port})"] = port
    return ways


def _blocked(
    case: Case, place: At, labels: dict[str, str], ways: dict[str, int]
) -> Iterator[Finding]:
    """To which ports no NetworkPolicy lets pods out, where one bounds them at all."""
    bounding = [
        one
        for one in case.snapshot.of("NetworkPolicy", place.namespace)
        if _selects(one["spec"].get("podSelector") or {}, labels) and _bounds_egress(one["spec"])
    ]
    rules = [rule for one in bounding for rule in one["spec"].get("egress") or []]
    closed = [way for way, port in ways.items() if not any(_opens(rule, port) for rule in rules)]
    # Of several ports, as of DNS, one is enough.
    parts = {way.partition(" (")[0] for way in ways.keys() - {*closed}}
    closed = [way for way in closed if way.partition(" (")[0] not in parts]
    if bounding and closed:
        names = ", ".join(sorted(one["metadata"]["name"] for one in bounding))
        what = f"its pods don't get to {', '.join(closed)}: NetworkPolicies {names} let nothing out"
        command = f"kubectl get networkpolicy -n {place.namespace} -o yaml"
        step = f"allow it beside them, or delete the one that is not declared: `{command}`"
        yield Finding("network-blocked", place, f"{what} there", step)


def _selects(selector: Manifest, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != text for name, text in wanted.items()):
        return False
    for one in selector.get("matchExpressions") or []:
        has, values = one["key"] in labels, one.get("values") or []
        is_met = {
            "Exists": has,
            "DoesNotExist": not has,
            "In": has and labels.get(one["key"]) in values,
            "NotIn": not has or labels.get(one["key"]) not in values,
        }[one["operator"]]
        if not is_met:
            return False
    return True


def _bounds_egress(spec: Manifest) -> bool:
    return "Egress" in (spec.get("policyTypes") or []) or bool(spec.get("egress"))


def _opens(rule: Manifest, port: int) -> bool:
    ports = rule.get("ports") or []
    return not ports or any(
        "port" not in one
        or (one["port"] == port and not one.get("endPort"))
        or (isinstance(one["port"], int) and one["port"] <= port <= (one.get("endPort") or 0))
        or isinstance(one["port"], str)
        for one in ports
    )
