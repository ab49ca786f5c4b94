"""The layer of the rotation: its jobs, its memory, and keys that are older than they may be."""

from collections.abc import Iterator
from datetime import timedelta

from platform_secrets.diagnosing.case import At, Case, Finding, condition, differences, moment
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.memory import LastRun, last_run, remembered
from platform_secrets.rotator.plan import Plan

_KINDS = ("ServiceAccount", "Role", "RoleBinding", "Password", "UUID", "VaultDynamicSecret")
_BOUNDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
_DONE = ("Complete", "Failed")


def rotation_findings(case: Case) -> Iterator[Finding]:
    """What keeps keys from being rotated, and which of them are overdue."""
    if not case.settings.has_rotation:
        return
    for place, declared in case.declared_of(*_KINDS, *_BOUNDS, component=names.COMPONENT):
        yield from _of_part(case, place, declared)
    for account in names.ACCOUNTS:
        place = At("CronJob", case.settings.own_namespace, account)
        yield from _of_cron_job(case, place)
    place = At("ConfigMap", case.settings.own_namespace, names.MEMORY)
    memory = case.live(place)
    if memory:
        yield from _of_memory(case, place, memory)
    elif case.is_missing(place):
        what = "does not exist: nothing is rotated, and ages are not known"
        yield Finding("rotation-no-memory", place, what, case.apply)


def _of_part(case: Case, place: At, declared: Manifest) -> Iterator[Finding]:
    live = case.live(place)
    if live is None:
        if case.is_missing(place):
            yield Finding("rotation-part-missing", place, "does not exist", case.apply)
        return
    for part in ("rules", "roleRef", "subjects"):
        if changed := [*differences(declared.get(part), live.get(part), part)]:
            what = f"is not as the settings say: {', '.join(changed)}"
            yield Finding("rotation-part-missing", place, what, case.apply)


def _of_cron_job(case: Case, place: At) -> Iterator[Finding]:
    live = case.live(place)
    if live is None:
        if case.is_missing(place):
            yield Finding("rotation-no-job", place, "does not exist", case.apply)
        return
    if live["spec"].get("suspend"):
        command = f"kubectl patch cronjob {place.name} -n {place.namespace} "
        command += """--type=merge -p '{"spec":{"suspend":false}}'"""
        yield Finding("rotation-suspended", place, "is suspended", f"`{command}`")
    jobs = [one for one in case.snapshot.of("Job", place.namespace) if _is_of(one, place)]
    ended = [one for one in jobs if any(_is_true(one, type) for type in _DONE)]
    last = max(ended, key=lambda one: one["metadata"].get("creationTimestamp", ""), default=None)
    if last and _is_true(last, "Failed"):
        name = last["metadata"]["name"]
        reason = (condition(last, "Failed") or {}).get("reason", "")
        command = f"kubectl logs job/{name} -n {place.namespace}"
        what = f"its last Job {name} failed: {reason}"
        step = f"`{command}`, then docs/rotation.md"
        yield Finding("rotation-failed", place, what, step)


def _is_of(job: Manifest, cron_job: At) -> bool:
    owners = job["metadata"].get("ownerReferences") or []
    return any((one["kind"], one["name"]) == (cron_job.kind, cron_job.name) for one in owners)


def _is_true(obj: Manifest, type: str) -> bool:
    return (condition(obj, type) or {}).get("status") == "True"


def _of_memory(case: Case, place: At, memory: Manifest) -> Iterator[Finding]:
    plan, data = rotation_plan(case.settings), memory.get("data") or {}
    now, made = case.snapshot.taken_at, moment(memory["metadata"].get("creationTimestamp"))
    run = last_run(data.get("run"))
    yield from _of_run(case, place, plan, run)
    for name, key in plan.keys.items():
        known = remembered(data.get(name))
        if known and known.failed:
            step = f"docs/rotation.md; then `secretsctl rotate {name} --wait {case.env}`"
            what = f"the last rotation of {key.shown} was taken back"
            yield Finding("rotation-taken-back", place, what, step, key.shown)
        since = known.known_since if known else made
        limit = key.every + timedelta(seconds=key.grace_seconds)
        if since and now - since > limit:
            days = (now - since).days
            is_rotated = any(key is one for one in plan.rotated)
            command = f"secretsctl rotate {key.shown}" + (" --wait" if is_rotated else "")
            what = f"{key.shown} is overdue: at most {days} days old, and {limit.days} are allowed"
            step = f"`{command} {case.env}`" + ("" if is_rotated else ", which says how")
            yield Finding("key-overdue", place, what, step, key.shown)


def _of_run(case: Case, place: At, plan: Plan, run: LastRun) -> Iterator[Finding]:
    made = (case.live(place) or {})["metadata"].get("creationTimestamp")
    began = run.started or moment(made)
    pause = timedelta(seconds=plan.longest_pause_seconds)
    if began and case.snapshot.taken_at - began > pause:
        what = f"no rotation has run since {began:%Y-%m-%d %H:%M} UTC"
        command = f"kubectl describe cronjob {names.ACCOUNTS[0]} -n {place.namespace}"
        yield Finding("rotation-not-run", place, what, f"`{command}`")
    if run.refused:
        step = f"`kubectl get configmap {place.name} -n {place.namespace} -o yaml`: `run` says why"
        what = "its last run found that a rotation would be refused"
        yield Finding("rotation-refused", place, what, step)
