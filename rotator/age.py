"""How old every key is, against its limit."""

import json
from datetime import datetime, timedelta

from rotator import log
from rotator.api import Api, Manifest
from rotator.memory import LockLostError, moment, remembered, timestamp
from rotator.plan import Plan


def faults(plan: Plan, api: Api, now: datetime) -> list[str]:
    """Lists every key with its age, and says which are beyond their limit and grace, and whether a
    run is missing. A key that was never seen is as old as the memory."""
    memory = api.get("ConfigMap", plan.memory)
    if memory is None:
        raise LockLostError(f"ConfigMap/{plan.memory} does not exist: apply the environment first")
    found = [name for name in plan.keys if _is_overdue(plan, memory, name, now)]
    last = _last_run(memory)
    is_missing = now - last > timedelta(seconds=plan.longest_pause_seconds)
    overdue = [f"overdue: {', '.join(found)}"] if found else []
    return overdue + ([f"no rotation has run since {timestamp(last)}"] if is_missing else [])


def _last_run(memory: Manifest) -> datetime:
    """When the last run began, or the memory did."""
    try:
        return moment(json.loads(memory["data"]["run"])["started"])
    except (KeyError, ValueError, TypeError):
        return moment(memory["metadata"]["creationTimestamp"])


def _is_overdue(plan: Plan, memory: Manifest, name: str, now: datetime) -> bool:
    key = plan.keys[name]
    known = remembered((memory.get("data") or {}).get(name))
    since = known.known_since if known else moment(memory["metadata"]["creationTimestamp"])
    age = now - since
    is_overdue = age > key.every + timedelta(seconds=key.grace_seconds)
    state = "overdue" if is_overdue else "in its grace" if age > key.every else "in time"
    log_as = log.error if is_overdue else log.info
    log_as(
        f"{name} is {state}",
        key=name,
        # "At most": what was changed elsewhere is younger than the memory knows.
        age_days_at_most=max(0, age.days),
        limit_days=key.every.total_seconds() / 86400,
        grace_days=key.grace_seconds / 86400,
        owner=key.owner,
        failed=known.failed if known else None,
    )
    return is_overdue
