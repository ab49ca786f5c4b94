"""How old each key is, when it is due, and what its rotator is at: as its memory says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from platform_secrets.diagnosing.runs import Runs
from platform_secrets.diagnosing.snapshot import Snapshot, condition
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator import contract
from platform_secrets.rotator.due import due_at
from platform_secrets.rotator.keys import ByHand, Key
from platform_secrets.rotator.memory import Remembered, last_run, moment, remembered, timestamp
from platform_secrets.rotator.plan import Plan
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import ROTATION

# Of a run that is dead another one takes the lock after half a minute.
_DEAD = timedelta(minutes=2)


@dataclass(frozen=True)
class Fault:
    """What is wrong; `check` is a heading of docs/troubleshooting.md, `kind` and `name` are of the
    object that says it."""

    check: str
    kind: str
    name: str
    what: str


@dataclass(frozen=True)
class Age:
    """A key's age; `key` is its name, or bundle/key where another one is called so. `due` is when
    its rotator, or its owner, changes it at the latest."""

    id: str
    key: str
    bundle: str
    at_most: timedelta
    limit: timedelta
    grace: timedelta
    rotated: datetime | None
    due: datetime | None
    is_by_hand: bool
    owner: str | None
    faults: list[Fault]


@dataclass(frozen=True)
class Rotations:
    """What is known of an environment's rotation. `step` is what a run is at, or where it stopped;
    `in_flight` are the ids of the keys of which something is left."""

    ages: list[Age]
    in_flight: list[str]
    step: str | None
    is_running: bool
    last_run: datetime | None
    next_run: datetime | None
    faults: list[Fault]
    unknown: str | None = None


def rotations(settings: Settings, snapshot: Snapshot) -> Rotations | None:
    """None for an environment that rotates nothing itself."""
    if not settings.has_rotation:
        return None
    plan, now = rotation_plan(settings), snapshot.taken_at
    runs = Runs(settings, plan, now)
    memory = snapshot.get("ConfigMap", settings.own_namespace, names.MEMORY)
    if memory is None:
        why = snapshot.why_unread("ConfigMap", settings.own_namespace)
        faults = [one for name in names.ACCOUNTS for one in _job_faults(settings, snapshot, name)]
        if snapshot.is_missing("ConfigMap", settings.own_namespace, names.MEMORY):
            what = "does not exist: nothing is rotated, and ages are not known"
            faults.append(_of_memory("rotation-no-memory", what))
        return Rotations([], [], None, False, None, runs.following(now), faults, why)
    data: dict[str, str] = memory.get("data") or {}
    run = _json(data.get("run"))
    in_flight = sorted(_in_flight(settings, snapshot, plan))
    is_running = has_live_lock(settings, snapshot)
    known_since = moment(memory["metadata"]["creationTimestamp"])
    ages = [
        _age(plan, key, remembered(data.get(id)) or Remembered(known_since), now, runs)
        for id, key in plan.keys.items()
    ]
    is_told = is_running or in_flight
    holder = str(_json(data.get("lock")).get("holder", ""))
    step = f"{holder} has its lock" if holder.startswith("secretsctl ") else run.get("step")
    return Rotations(
        ages=ages,
        in_flight=in_flight,
        step=step if is_told else None,
        is_running=is_running,
        last_run=last_run(data.get("run")).started,
        next_run=runs.following(now),
        faults=[*_faults(settings, snapshot, plan, memory, is_running=is_running)],
        unknown=_why_in_flight_unknown(settings, snapshot, plan),
    )


def is_rotating(settings: Settings, snapshot: Snapshot) -> bool:
    """Whether values and pods are being changed: somebody has the rotator's lock, a run or
    `secretsctl set`, or one-shot objects of a rotation are there."""
    return has_live_lock(settings, snapshot) or any(_one_shots(snapshot))


def has_live_lock(settings: Settings, snapshot: Snapshot) -> bool:
    """Whether a run of the rotator or `secretsctl set` goes on."""
    memory = snapshot.get("ConfigMap", settings.own_namespace, names.MEMORY) or {}
    lock = (memory.get("data") or {}).get("lock")
    return lock is not None and _is_alive(settings, snapshot, lock)


def _age(plan: Plan, key: Key, known: Remembered, now: datetime, runs: Runs) -> Age:
    grace = timedelta(seconds=key.grace_seconds)
    age = max(timedelta(), now - known.known_since)
    is_by_hand = isinstance(key, ByHand)
    due = known.known_since + key.every
    if not is_by_hand:
        due = runs.following(due_at(plan.environment, key, known))
    faults: list[Fault] = []
    if known.failed:
        what = f"its last rotation was taken back: {known.failed}"
        faults.append(_of_memory("rotation-taken-back", what))
    if age > key.every + grace:
        what = f"is {age.days} days old; its limit is {key.every.days}, its grace {grace.days}"
        faults.append(_of_memory("key-overdue", what))
    return Age(
        id=key.name,
        key=key.shown,
        bundle=key.bundle,
        at_most=age,
        limit=key.every,
        grace=grace,
        rotated=known.rotated,
        due=due,
        is_by_hand=is_by_hand,
        owner=key.owner,
        faults=faults,
    )


def _is_alive(settings: Settings, snapshot: Snapshot, lock: str) -> bool:
    """Whether the run that has the lock goes on: it renews that, and its CronJob knows its Job."""
    cron_job = snapshot.get("CronJob", settings.own_namespace, ROTATION) or {}
    if cron_job.get("status", {}).get("active"):
        return True
    try:
        return snapshot.taken_at - moment(_json(lock)["renewed"]) < _DEAD
    except (KeyError, TypeError, ValueError):
        return False


def _in_flight(settings: Settings, snapshot: Snapshot, plan: Plan) -> set[str]:
    """The keys of whose rotation there are objects."""
    there = {
        name for view in settings.by_namespace for name in _one_shots(snapshot, view.namespace)
    }
    return {
        key.name
        for key in (plan.rotated if there else ())
        if any(contract.one_shot(step, key.name) in there for step in contract.KINDS)
    }


def _why_in_flight_unknown(settings: Settings, snapshot: Snapshot, plan: Plan) -> str | None:
    """Why a rotation's PushSecrets may be there unseen; None where they would be seen."""
    for view in settings.by_namespace if plan.rotated else ():
        if why := snapshot.why_unread("PushSecret", view.namespace):
            return f"what is in flight: PushSecret: {why}"
    return None


def _one_shots(snapshot: Snapshot, namespace: str | None = None) -> Iterator[str]:
    """The names of a rotation's own objects."""
    for kind in ("ExternalSecret", "PushSecret"):
        for one in snapshot.of(kind, namespace):
            if contract.ROTATION_ID in (one["metadata"].get("annotations") or {}):
                yield one["metadata"]["name"]


def _faults(
    settings: Settings, snapshot: Snapshot, plan: Plan, memory: Manifest, *, is_running: bool
) -> Iterator[Fault]:
    of_jobs = [one for name in names.ACCOUNTS for one in _job_faults(settings, snapshot, name)]
    yield from of_jobs
    text = (memory.get("data") or {}).get("run")
    run, said = last_run(text), _json(text)
    began = run.started or moment(memory["metadata"]["creationTimestamp"])
    if snapshot.taken_at - began > timedelta(seconds=plan.longest_pause_seconds):
        yield _of_memory("rotation-not-run", f"no rotation has run since {timestamp(began)}")
    elif run.refused:
        yield _of_memory("rotation-refused", f"the last run says: {run.refused}")
    elif not is_running and not any(one.check == "rotation-failed" for one in of_jobs):
        if said.get("verdict") and not run.is_done:
            yield _of_memory("rotation-failed", f"the last run says: {said['verdict']}")
        elif said.get("step") and not said.get("verdict"):
            what = f"the last run was killed at `{said['step']}`; the next one goes on"
            yield _of_memory("rotation-failed", what)


def _of_memory(check: str, what: str) -> Fault:
    return Fault(check, "ConfigMap", names.MEMORY, what)


def _job_faults(settings: Settings, snapshot: Snapshot, name: str) -> Iterator[Fault]:
    """What keeps a CronJob from working, and whether its last Job failed."""
    namespace = settings.own_namespace
    live = snapshot.get("CronJob", namespace, name)
    if live is None:
        if snapshot.is_missing("CronJob", namespace, name):
            yield Fault("rotation-no-job", "CronJob", name, "does not exist")
        return
    if live.get("spec", {}).get("suspend"):
        yield Fault("rotation-suspended", "CronJob", name, "is suspended")
    jobs = [one for one in snapshot.of("Job", namespace) if _is_of(one, name)]
    ended = [one for one in jobs if _is_true(one, "Complete") or _is_true(one, "Failed")]
    last = max(ended, key=lambda one: one["metadata"].get("creationTimestamp", ""), default=None)
    if last and _is_true(last, "Failed"):
        reason = (condition(last, "Failed") or {}).get("reason", "")
        what = f"the last Job of CronJob {name} failed: {reason}"
        yield Fault("rotation-failed", "Job", last["metadata"]["name"], what)


def _is_of(job: Manifest, cron_job: str) -> bool:
    owners = job["metadata"].get("ownerReferences") or []
    return any((one["kind"], one["name"]) == ("CronJob", cron_job) for one in owners)


def _is_true(live: Manifest, type: str) -> bool:
    return (condition(live, type) or {}).get("status") == "True"


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
