"""How old every key is, against its limit, and whether its rotation would be refused."""

from datetime import datetime, timedelta

from . import log
from .api import Api, Manifest
from .memory import LockLostError, last_run, moment, remembered, timestamp
from .plan import Plan


def faults(plan: Plan, api: Api, now: datetime) -> list[str]:
    """Lists every key with its age, and says which are beyond their limit and grace, whether a run
    is missing, and what the last one found that would be refused. A key that was never seen is as
    old as the memory."""
    memory = api.get("ConfigMap", plan.memory)
    if memory is None:
        raise LockLostError(f"ConfigMap/{plan.memory} does not exist: apply the environment first")
    overdue = [key.shown for name, key in plan.keys.items() if _is_overdue(plan, memory, name, now)]
    found = [f"overdue: {', '.join(overdue)}"] if overdue else []
    run = last_run((memory.get("data") or {}).get("run"))
    began = run.started or moment(memory["metadata"]["creationTimestamp"])
    if now - began > timedelta(seconds=plan.longest_pause_seconds):
        found.append(f"no rotation has run since {timestamp(began)}")
    return [*found, f"the last run says: {run.refused}"] if run.refused else found


def _is_overdue(plan: Plan, memory: Manifest, name: str, now: datetime) -> bool:
    key = plan.keys[name]
    known = remembered((memory.get("data") or {}).get(name))
    since = known.known_since if known else moment(memory["metadata"]["creationTimestamp"])
    age = now - since
    is_overdue = age > key.every + timedelta(seconds=key.grace_seconds)
    state = "overdue" if is_overdue else "in its grace" if age > key.every else "in time"
    log_as = log.error if is_overdue else log.info
    log_as(
        f"{key.shown} is {state}",
        key=key.shown,
        # "At most": what was changed elsewhere is younger than the memory knows.
        age_days_at_most=max(0, age.days),
        limit_days=key.every.total_seconds() / 86400,
        grace_days=key.grace_seconds / 86400,
        owner=key.owner,
        failed=known.failed if known else None,
    )
    return is_overdue
