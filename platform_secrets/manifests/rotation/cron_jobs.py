"""The rotator: what makes new values, its program and memory, and its two CronJobs.

It runs in a stock Python image from an immutable ConfigMap, so that nothing has to be built; it has
no right on any Secret, and never sees a value.
"""

import hashlib
import json
from collections.abc import Mapping

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import SIDES, Manifest, Side
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.copies import copies_manifests
from platform_secrets.manifests.rotation.plan import (
    LATEST_START_SECONDS,
    form_of,
    plan_config_maps,
    rotation_plan,
)
from platform_secrets.manifests.rotation.pod import pod_template
from platform_secrets.manifests.rotation.rights import rotation_rights
from platform_secrets.rotator.contract import FINAL_CODES, GENERATORS, generator
from platform_secrets.settings import Key, Settings
from platform_secrets.settings.layout import Kind
from platform_secrets.settings.operator_releases import GENERATORS_API
from platform_secrets.settings.rotations import Generated
from platform_secrets.settings.rotator import ROTATION

# Far above the operator's longest pause of seven minutes: one run may rotate every key.
_ROTATION_SECONDS = 6 * 3600
_AGE_CHECK_SECONDS = 600


def generator_manifests(settings: Settings, key: str) -> list[Manifest]:
    """What makes the next value of a key: a password, or one of the database's two accounts'."""
    planned = settings.keys_by_id[key]
    settings = next(one for one in settings.by_namespace if planned.bundle in one.bundles)
    if planned.kind is Kind.GENERATED:
        kind, _ = GENERATORS[form_of(planned.key)]
        return [_generator(settings, kind, generator(key), _drawn(planned.key))]
    return [_account_generator(settings, planned.bundle, key, side) for side in SIDES]


def _drawn(key: Key) -> Manifest:
    """What a value is drawn from. The operator takes a fixed number of digits and of symbols, the
    rest are letters: of hex and base64 as many as there are on average, in which there is most to
    guess. Without symbols unless they are asked for: URLs and shells read them differently."""
    rule, length = key.rotate, key.generated_length
    if not isinstance(rule, Generated) or rule.alphabet == "uuid":
        return {}
    drawn: Manifest = {"symbols": 0}
    if rule.alphabet == "hex":
        digits = length * 10 // 16
        drawn = {"digits": digits, "symbols": length - digits, "symbolCharacters": "abcdef"}
    elif rule.alphabet == "base64":
        length = -(-8 * rule.byte_count // 6)
        drawn = {"digits": round(length * 10 / 64), "symbols": round(length * 2 / 64)}
        drawn["symbolCharacters"] = "+/"
    elif rule.symbols:
        drawn = {"symbols": length // 8, "symbolCharacters": rule.symbols}
    return {"length": length, **drawn, "allowRepeat": True, "noUpper": False}


def _account_generator(settings: Settings, bundle: str, key: str, side: Side) -> Manifest:
    """Has Vault change one account's password; the answer is empty."""
    name = settings.store_name(bundle)
    database = settings.environment.stores[name].engine
    if database is None:
        raise LookupError("no engine provides this key")
    account = naming.secret_store(name, "rotation")
    role = settings.identity_name(name, "rotation")
    provider = provider_of(settings.environment.stores[name]).spec(account, role)["vault"]
    del provider["path"]
    spec = {
        "method": "POST",
        "path": f"{database.mount}/rotate-role/{settings.name_at_provider(name, side)}",
        "allowEmptyResponse": True,
        "resultType": "Raw",
        "provider": provider,
    }
    return _generator(settings, "VaultDynamicSecret", generator(key, side), spec)


def _generator(settings: Settings, kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = naming.metadata(settings, name, names.COMPONENT)
    return {"apiVersion": GENERATORS_API, "kind": kind, "metadata": metadata, "spec": spec}


def memory_config_map(settings: Settings) -> Manifest:
    """What the rotator writes down: dates and names. Declared without data, which is its own; Flux
    also leaves what people write into it by kubectl."""
    annotations = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    if settings.environment.protect:
        annotations |= naming.NEVER_PRUNED
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(settings, names.MEMORY, names.COMPONENT, annotations),
    }


def rotation_manifests(settings: Settings, program: Mapping[str, str]) -> list[Manifest]:
    """ServiceAccounts and their rights, the program (texts by file name), its plan, and the
    CronJobs that run it."""
    held = _program_config_map(settings, program)
    name = held["metadata"]["name"]
    plan = rotation_plan(settings)
    parts = plan_config_maps(settings, plan)
    plans = [one["metadata"]["name"] for one in parts]
    cron_jobs = [_cron_job(settings, name, plans, account) for account in names.ACCOUNTS]
    accounts = [_account(settings, account) for account in names.ACCOUNTS]
    rights = [*rotation_rights(settings, plan), *copies_manifests(settings, plan)]
    return [*accounts, *rights, held, *parts, *cron_jobs]


def _account(settings: Settings, name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": naming.metadata(settings, name, names.COMPONENT),
        "automountServiceAccountToken": False,
    }


def _program_config_map(settings: Settings, program: Mapping[str, str]) -> Manifest:
    files = dict(sorted(program.items()))
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": naming.metadata(settings, names.program(digest), names.COMPONENT),
        "immutable": True,
        "data": files,
    }


def _cron_job(settings: Settings, program: str, plans: list[str], account: str) -> Manifest:
    rotator, is_rotation = settings.environment.rotator, account == ROTATION
    container = "rotation" if is_rotation else "age-check"
    seconds = _ROTATION_SECONDS if is_rotation else _AGE_CHECK_SECONDS
    labels = naming.labels(settings, names.COMPONENT)
    job = {
        "activeDeadlineSeconds": seconds,
        "backoffLimit": 3,
        "podFailurePolicy": {"rules": _failure_rules(container)},
        "template": pod_template(settings, program, plans, account, container),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": naming.metadata(settings, account, names.COMPONENT),
        "spec": {
            "schedule": rotator.schedule if is_rotation else rotator.age_check_schedule,
            "timeZone": rotator.time_zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATEST_START_SECONDS,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"metadata": {"labels": labels}, "spec": job},
        },
    }


def _failure_rules(container: str) -> list[Manifest]:
    """A pod that a drained node ends is no failure; one that tells people what to do is final."""
    codes = {"containerName": container, "operator": "In", "values": [*FINAL_CODES]}
    return [
        {"action": "FailJob", "onExitCodes": codes},
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
    ]
