"""The layers of the Secrets themselves and of the workloads that read them."""

from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding
from platform_secrets.diagnosing.readers import Readers
from platform_secrets.diagnosing.references import Reference, pod_spec, references
from platform_secrets.manifests.naming import Manifest
from platform_secrets.rotator.rollout import progress
from platform_secrets.settings.layout import overlap_secret
from platform_secrets.settings.services import RESTARTABLE_KINDS

_WITH_PODS = (*RESTARTABLE_KINDS, "CronJob", "Job")
_NOT_STARTED = ("CreateContainerConfigError", "ContainerCreating")
_WORDS_OF_SECRETS = ("secret", "couldn't find key")


def secret_findings(case: Case) -> Iterator[Finding]:
    """Which Secrets are not there, and which lack a key."""
    for place, held in case.secrets.items():
        name, live = place.name, case.live(place)
        if live is None:
            if case.is_missing(place):
                step = f"`secretsctl sync {name} --wait {case.env}`"
                yield Finding("secret-missing", place, "does not exist", step)
            continue
        there = {*(live.get("data") or {}), *(live.get("stringData") or {})}
        lacking = [field for field in held.fields if field != "*" and field not in there]
        if lacking:
            step = f"`secretsctl sync {name} --wait {case.env}`"
            yield Finding("secret-lacks-keys", place, f"lacks {', '.join(lacking)}", step)
        if live.get("type", "Opaque") != held.type:
            what = f"is of type {live.get('type')}, and the catalogue says {held.type}"
            command = f"kubectl delete secret {name} -n {place.namespace}"
            step = f"no Secret changes its type: `{command}`, the operator makes it anew"
            yield Finding("secret-type", place, what, step)


def workload_findings(case: Case) -> Iterator[Finding]:
    """Which workloads do not have what they read: not there, without a reference, not started, or
    with a value before."""
    readers, pods = case.readers, Readers(case.snapshot)
    nobody = not any(case.live(place) for place in readers)
    for place, bundles in readers.items():
        live = case.live(place)
        if live is None:
            if place.kind in _WITH_PODS and case.is_missing(place):
                yield _missing(case, place, is_fault=not nobody and place.kind in RESTARTABLE_KINDS)
            continue
        if not (spec := pod_spec(live)):
            continue  # its template is another object's
        found = [*references(spec), *_of_account(case, place, spec)]
        for bundle in bundles:
            yield from _of_bundle(case, place, live, bundle, found)
        yield from _pods(case, place, live, found, pods)


def _of_account(case: Case, place: At, spec: Manifest) -> Iterator[Reference]:
    """What its pods are given with their ServiceAccount, to pull images."""
    name = str(spec.get("serviceAccountName") or "default")
    account = case.live(At("ServiceAccount", place.namespace, name)) or {}
    for one in account.get("imagePullSecrets") or []:
        yield Reference(one["name"], follows_changes=True)


def _missing(case: Case, place: At, *, is_fault: bool) -> Finding:
    resource = place.kind.lower()
    command = f"kubectl get {resource} -A --field-selector metadata.name={place.name}"
    step = f"deploy it, or find where it is: `{command}`; a pod reads Secrets of its own namespace"
    what = "does not exist in this namespace, and the catalogue has it read a Secret here"
    return Finding("workload-missing", place, what, step, is_fault=is_fault)


def _of_bundle(
    case: Case, place: At, live: Manifest, bundle: str, found: list[Reference]
) -> Iterator[Finding]:
    content = case.settings.catalogue.bundles[bundle]
    own = [one for one in found if one.secret == content.secret]
    spec = pod_spec(live)
    others = {overlap_secret(content.secret)}
    if not own and not others & {one.secret for one in found} and not _asks_the_api(spec):
        what = f"reads bundle {bundle}, and its pods have no reference to Secret {content.secret}"
        step = "add it to the pod template: `envFrom`, `secretKeyRef` or a volume"
        yield Finding("workload-no-reference", place, what, step)
    secret = case.live(At("Secret", place.namespace, content.secret))
    if secret is None:
        return
    there = {*(secret.get("data") or {})}
    lacking = sorted({one.key for one in own if one.key and not one.is_optional} - there)
    if lacking:
        what = f"asks Secret {content.secret} for {', '.join(lacking)}, which it does not have"
        step = f"correct the name in the pod template; there are: {', '.join(sorted(there))}"
        yield Finding("workload-wrong-key", place, what, step)


def _asks_the_api(spec: Manifest) -> bool:
    """Whether its pods may read by the API, with a token that they ask for."""
    volumes = spec.get("volumes") or []
    sources = [
        source for one in volumes for source in (one.get("projected") or {}).get("sources", ())
    ]
    return spec.get("automountServiceAccountToken") is True or any(
        "serviceAccountToken" in one for one in sources
    )


def _pods(
    case: Case, place: At, live: Manifest, found: list[Reference], readers: Readers
) -> Iterator[Finding]:
    for pod in case.snapshot.pods_of(*place):
        if why := _not_started(pod):
            name = pod["metadata"]["name"]
            step = f"`kubectl describe pod {name} -n {place.namespace}`"
            what = f"pod {name} does not start: {why}"
            yield Finding("pod-not-started", place, what, step)
    is_rolling = place.kind in RESTARTABLE_KINDS and progress(live)[0] == "waiting"
    if is_rolling or case.is_rotating:
        return
    resource = f"{place.kind}/{place.name}"
    for secret in sorted({one.secret for one in found}):
        if At("Secret", place.namespace, secret) not in case.secrets:
            continue
        [reader] = readers.of(place.namespace, secret, [resource])
        if reader.state == "stale":
            what = f"has an old value of Secret {secret}: {reader.why}"
            bundle = case.secrets[At("Secret", place.namespace, secret)].bundle
            key = next(iter(case.settings.catalogue.bundles[bundle].keys), None)
            command = f"kubectl rollout restart {resource.lower()} -n {place.namespace}"
            if key:
                # kubectl restarts no Rollout, and Flux takes back the mark that it leaves.
                command = f"secretsctl restart {bundle}/{key} {case.env}"
            step = f"restart it: `{command}`"
            yield Finding("pod-stale", place, what, step)


def _not_started(pod: Manifest) -> str | None:
    """Why a pod waits for a Secret; its message names Secrets and keys alone."""
    status = pod.get("status") or {}
    states = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for one in states:
        waiting = (one.get("state") or {}).get("waiting") or {}
        message = str(waiting.get("message") or "")
        is_of_secrets = any(word in message for word in _WORDS_OF_SECRETS)
        if waiting.get("reason") in _NOT_STARTED and is_of_secrets:
            return message
    return None
