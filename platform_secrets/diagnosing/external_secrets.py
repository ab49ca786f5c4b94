"""The layers of the stores' entries and of the ExternalSecrets that read them."""

from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding, at, differences, ready
from platform_secrets.diagnosing.causes import Cause, cause
from platform_secrets.diagnosing.stores import OF_STORES, store_finding
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.rotator import proof

_RETAINED = "secret retained"
_LACKS = {
    "entry-missing": "does not exist",
    "key-missing": "has no value of the key",
    "entry-not-json": "is no JSON object of keys",
    "entry-disabled": "is disabled, or marked for deletion",
}
_OF_ENTRIES = frozenset(_LACKS)
_PATIENCE_SECONDS = 60
_SAID = {
    "quota": (
        "its Secret is refused: the namespace's quota is full",
        "raise the quota, or delete what is not needed: `kubectl describe resourcequota -n {ns}`",
    ),
    "secret-two-owners": (
        "another ExternalSecret owns its Secret",
        "see which, `kubectl get externalsecret -n {ns}`, and have it let go of it: "
        "docs/migrating.md",
    ),
    "secret-refused": (
        "its Secret is refused by admission, or can't be changed",
        "see what refuses it: `kubectl describe externalsecret {name} -n {ns}`",
    ),
    "operator-rights": (
        "the operator lacks a right in the cluster",
        "install the operator's chart again; its events name the right: "
        "`kubectl describe externalsecret {name} -n {ns}`",
    ),
}


def told_by_external_secrets(case: Case) -> Iterator[Finding]:
    """What is wrong with a store, as only those tell that read from it: once for each store and
    cause, with all the entries."""
    seen: set[tuple[At, str]] = set()
    for place, found in failures(case).items():
        if found.check not in OF_STORES:
            continue
        view = case.view(place.namespace)
        name = view.store_name(case.bundle_of[place])
        store = store_of(case, place)
        if (store, found.check) not in seen:
            seen.add((store, found.check))
            yield store_finding(case, view, name, store, found)


def entry_findings(case: Case) -> Iterator[Finding]:
    """Which entries and keys are not in their store."""
    failed = failures(case)
    if _is_new(case, failed):
        yield from _first_values(case, failed)
        return
    for place, bundle in case.bundle_of.items():
        live = case.live(place)
        state = ready(live) or {}
        if state.get("status") == "True" and str(state.get("message")).startswith(_RETAINED):
            store = case.settings.store_name(bundle)
            what = f"its entry in store {store} holds no key; the Secret keeps its values"
            yield Finding("entry-emptied", place, what, _put(case, *case.keys_of(bundle)))
    empty = _empty_stores(case, failed)
    for place, found in failed.items():
        if found.check not in _OF_ENTRIES:
            continue
        bundle = case.bundle_of[place]
        store = case.settings.store_name(bundle)
        where = f"entry {found.entry} of store {store}" if found.entry else f"store {store}"
        what = f"{where} {_LACKS[found.check]}"
        step = _put(case, *([found.key] if found.key else case.keys_of(bundle)))
        if found.check == "entry-disabled":
            step = "enable or restore it there: docs/troubleshooting.md#entry-disabled"
        elif store in empty:
            what += ", nor does any other that is read"
            file = case.settings.stack_file
            step = f"see that {file} leads store {store} to where its entries are; else {step}"
        yield Finding(found.check, place, what, step, found.key)


def _empty_stores(case: Case, failed: dict[At, Cause]) -> set[str]:
    """The stores of which several ExternalSecrets read, and none finds an entry."""
    found: dict[str, list[bool]] = {}
    for place, bundle in case.bundle_of.items():
        lacks_entry = place in failed and failed[place].check == "entry-missing"
        found.setdefault(case.settings.store_name(bundle), []).append(lacks_entry)
    return {store for store, lacking in found.items() if len(lacking) > 1 and all(lacking)}


def external_secret_findings(case: Case) -> Iterator[Finding]:
    """Which ExternalSecrets are not there, not as declared, or not synced for another reason."""
    failed = failures(case)
    for place in case.bundle_of:
        live, declared = case.live(place), case.declared[place]
        look = f"`kubectl describe externalsecret {place.name} -n {place.namespace}`"
        state = ready(live)
        if live is None:
            if case.is_missing(place):
                what = "does not exist; where it was deleted, its Secret went with it"
                yield Finding("external-secret-missing", place, what, case.apply)
            continue
        bundle = case.bundle_of[place]
        if place in failed and bundle in case.settings.environment.migrating:
            step = f"`secretsctl migrate {bundle} {case.env}`: docs/migrating.md"
            what = "waits for the migration of its Secret"
            yield Finding("migration-not-done", place, what, step, is_fault=False)
        elif place in failed:
            yield _failure(case, place, failed[place], look)
        elif state is None:
            if not case.is_younger(live, _PATIENCE_SECONDS):
                what = "the operator has not looked at it yet"
                yield Finding("external-secret-not-looked-at", place, what, look)
        elif (
            not case.is_rotating
            and not str(state.get("message")).startswith(_RETAINED)
            and (fault := proof.fault(live))
        ):
            step = f"`secretsctl sync {place.name} --wait {case.env}`"
            yield Finding("external-secret-not-current", place, fault, step)
        if changed := [*differences(declared["spec"], live.get("spec", {}), "spec")]:
            what = f"is not as the settings say: {', '.join(changed)}"
            yield Finding("external-secret-changed", place, what, case.apply)
    yield from _second_owners(case)


def _second_owners(case: Case) -> Iterator[Finding]:
    """ExternalSecrets of others that write a Secret of the environment's."""
    for view in case.settings.by_namespace:
        for one in case.snapshot.of("ExternalSecret", view.namespace):
            other = at(one)
            target = (one.get("spec", {}).get("target") or {}).get("name") or other.name
            place = At("ExternalSecret", view.namespace, target)
            if place in case.bundle_of and other != place and not _is_merged(one):
                what = f"{other} writes the same Secret"
                command = letting_go(other.name, other.namespace)
                step = (
                    f"have the one that is not declared let go of it, `{command}`; then delete it"
                )
                yield Finding("secret-two-owners", place, what, step)


def letting_go(name: str, namespace: str) -> str:
    """The command after which an ExternalSecret may be deleted, and its Secret stays: otherwise it
    goes too, and also with `--cascade=orphan` where its own policy is to delete."""
    target = '{"spec":{"target":{"creationPolicy":"Orphan","deletionPolicy":"Retain"}}}'
    what = f"externalsecret {name} -n {namespace}"
    return f"kubectl patch {what} --type=merge --patch='{target}'"


def _is_merged(external_secret: Manifest) -> bool:
    """Whether it only adds to a Secret that is there."""
    policy = (external_secret["spec"].get("target") or {}).get("creationPolicy")
    return policy in ("Merge", "None", "Orphan")


def _failure(case: Case, place: At, found: Cause, look: str) -> Finding:
    if found.check in OF_STORES or found.check in _OF_ENTRIES:
        step = "what is wrong with its store or entry is above"
        return Finding("external-secret-not-synced", place, "is not synced", step, found.key)
    if found.check in _SAID:
        what, step = _SAID[found.check]
        step = step.format(ns=place.namespace, name=place.name)
        return Finding(found.check, place, what, step)
    message = (ready(case.live(place)) or {}).get("message", "")
    step = f"its events say why: {look}"
    return Finding("external-secret-not-synced", place, f"is not synced: {message}", step)


def failures(case: Case) -> dict[At, Cause]:
    """Every ExternalSecret that is not synced, with the cause as far as its events tell."""
    return {
        place: cause(case, place, bundle)
        for place, bundle in case.bundle_of.items()
        if (ready(case.live(place)) or {}).get("status") == "False"
    }


def _is_new(case: Case, failed: dict[At, Cause]) -> bool:
    """Whether the stores have never had their values: nothing was ever synced."""
    live = [one for place in case.bundle_of if (one := case.live(place))]
    was_synced = any(one.get("status", {}).get("syncedResourceVersion") for one in live)
    return not was_synced and any(one.check in _OF_ENTRIES for one in failed.values())


def _first_values(case: Case, failed: dict[At, Cause]) -> Iterator[Finding]:
    for place, found in failed.items():
        if found.check in _OF_ENTRIES:
            what = "its values are not in the store yet; nothing of the environment was ever synced"
            step = (
                f"put them in: `secretsctl seed {case.env} --from-env-file FILE`, or {_put(case)}"
            )
            yield Finding("values-not-put-in", place, what, step, is_fault=False)


def _put(case: Case, *keys: str) -> str:
    words = " ".join(("secretsctl put-commands", *keys, case.env))
    return f"put it in: `bash <({words})`; then `secretsctl sync {case.env}`"


def store_of(case: Case, place: At) -> At:
    """The SecretStore, or a token's generator, from which it reads."""
    view = case.view(place.namespace)
    name = view.store_name(case.bundle_of[place])
    reference = provider_of(view.environment.stores[name]).reference(name)
    kind = str(reference["kind"])
    return At(kind, "" if kind.startswith("Cluster") else place.namespace, str(reference["name"]))
