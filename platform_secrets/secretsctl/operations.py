"""What people do to a running environment: have it synced, restarted, rotated."""

import argparse
import json
from collections.abc import Collection
from datetime import UTC, datetime

from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.rotation.plan import rotation_plan
from platform_secrets.rotator.keys import SecretsManager
from platform_secrets.rotator.memory import Remembered, moment, remembered
from platform_secrets.rotator.plan import Plan
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.dry_run import described
from platform_secrets.secretsctl.kubectl import ClusterError, right_cluster
from platform_secrets.secretsctl.migrating import Migration
from platform_secrets.secretsctl.put_commands import others_place, stack_options, steps_afterwards
from platform_secrets.secretsctl.put_commands import put_commands as commands_for
from platform_secrets.secretsctl.seeding import seed as seed_values
from platform_secrets.secretsctl.set_command import set_key
from platform_secrets.settings import Settings, SettingsError
from platform_secrets.settings.problems import Problem, did_you_mean
from platform_secrets.settings.rotator import ROTATION

_KEPT_SECONDS = 7 * 86400
"""How long a Job is there after its end, to be looked at."""


def sync(settings: Settings, options: argparse.Namespace) -> str:
    """Has the operator read the store now, for one ExternalSecret or all; --wait for the proof."""
    _with_stores(settings)
    found = {
        one["metadata"]["name"]: view.namespace
        for view in settings.by_namespace
        for bundle in view.bundles
        for one in external_secret_manifests(view, bundle)
    }
    if options.name is not None:
        _known("NAME", options.name, found)
    kubectl = right_cluster(settings)
    asked = [*found] if options.name is None else [options.name]
    for name in asked:
        kubectl.within(found[name]).patch("externalsecret", name, waiting.annotated("force-sync"))
    if not options.wait:
        return "".join(f"{name}: asked for\n" for name in asked)
    return "".join(f"{waiting.synced(kubectl.within(found[name]), name)}\n" for name in asked)


def restart(settings: Settings, options: argparse.Namespace) -> str:
    """Restarts the workloads that read a key, one after the other, each to a complete rollout."""
    id = _key_id(settings, options.key)
    bundles = settings.catalogue.bundles_of[id]
    kubectl = right_cluster(settings)
    seconds = settings.environment.rotator.rollout_deadline.total_seconds()
    workloads = [one for bundle in bundles for one in settings.readers[bundle]]
    lines = [waiting.restarted(kubectl, one, seconds) for one in names.restarted(workloads)]
    others = names.not_restarted(workloads)
    lines += [f"{reader}: not restarted: {how}" for reader, how in others.items()]
    return "".join(f"{line}\n" for line in lines)


def rotated(settings: Settings, options: argparse.Namespace) -> str:
    """Remembers that a key was rotated elsewhere, today or on a day: its age begins there."""
    plan = _plan(settings)
    id = _key_id(settings, options.key)
    if id not in plan.keys:
        raise _wrong("KEY", f"{options.key} has no `rotate`: its age is not watched")
    at = _day(options.on) if options.on else datetime.now(UTC)
    kubectl = right_cluster(settings)
    memory = waiting.memory(kubectl)
    known = remembered(memory.get("data", {}).get(id)) or Remembered(at)
    entry = Remembered(known.first_seen, at, known.id)
    kubectl.patch(
        "configmap",
        names.MEMORY,
        {
            "metadata": {"resourceVersion": memory["metadata"]["resourceVersion"]},
            "data": {id: entry.text()},
        },
    )
    return f"{options.key}: rotated on {at:%Y-%m-%d}\n"


def set_value(settings: Settings, options: argparse.Namespace) -> str:
    """Puts a person's value in the place of a key's, up to its readers."""
    _with_stores(settings)
    return set_key(settings, _key_id(settings, options.key), options)


def rotate(settings: Settings, options: argparse.Namespace) -> str:
    """Rotates a key now, whatever its age, window and freezes, as a Job made from the CronJob.

    --wait follows its steps, and ends with the rotator's verdict. --dry-run changes nothing.
    """
    plan = _plan(settings)
    id = _key_id(settings, options.key)
    if id not in [key.name for key in plan.rotated]:
        raise _by_hand(settings, options)
    kubectl = right_cluster(settings)
    if options.dry_run:
        return described(kubectl, plan, id)
    cron_job = kubectl.get("cronjob", ROTATION)
    if cron_job is None:
        raise ClusterError(f"CronJob/{ROTATION}: does not exist; apply the environment first")
    known = remembered(waiting.memory(kubectl).get("data", {}).get(id))
    job = rotation_job(cron_job, id, (known and known.id) or "none")
    if isinstance(plan.keys[id], SecretsManager):
        # AWS may have rotated it by itself, before: the cluster's clock tells.
        container = job["spec"]["template"]["spec"]["containers"][0]
        made = kubectl.would_create(job)["metadata"]["creationTimestamp"]
        container["args"] = ["--key", id, "--asked-at", made]
    kubectl.create(job)
    name = job["metadata"]["name"]
    return waiting.verdict(kubectl, name, cron_job) if options.wait else f"Job/{name}: created\n"


def _day(text: str) -> datetime:
    try:
        day = moment(text)
    except ValueError:
        raise _wrong("--on", "must be a date such as 2026-01-31") from None
    if day > datetime.now(UTC):
        raise _wrong("--on", "is in the future")
    return day


def put_commands(settings: Settings, options: argparse.Namespace) -> str:
    """Prints the commands that put values into the stores."""
    _with_stores(settings)
    for key in options.keys:
        _key_id(settings, key)
    return commands_for(settings, options)


def migrate(settings: Settings, options: argparse.Namespace) -> str:
    """Takes a Secret that others made into its store and under the operator, as it is."""
    _with_stores(settings)
    _known("BUNDLE", options.bundle, settings.catalogue.bundles)
    if options.bundle not in settings.environment.migrating:
        message = f"needs {options.bundle}, and the environment applied with it (docs/migrating.md)"
        raise SettingsError([Problem(settings.stack_file, None, ("migrating",), message)])
    [view] = [one for one in settings.by_namespace if options.bundle in one.bundles]
    kubectl = right_cluster(settings).within(view.namespace)
    migration = Migration(view, options.bundle, kubectl)
    if options.dry_run:
        return migration.described()
    if options.undo:
        return migration.undo()
    return migration.finish() if options.finish else migration.run()


def seed(settings: Settings, options: argparse.Namespace) -> str:
    """Puts first values into the stores, through the operator."""
    _with_stores(settings)
    return seed_values(settings, options)


def _plan(settings: Settings) -> Plan:
    _with_stores(settings)
    if settings.environment.rotation == "follower":
        message = "is `follower`: use the stack that leads this environment's rotation"
        raise SettingsError([Problem(settings.stack_file, None, ("rotation",), message)])
    if not settings.has_rotation:
        raise _wrong("KEY", "no key in the catalogue has `rotate`")
    return rotation_plan(settings)


def _with_stores(settings: Settings) -> None:
    if settings.environment.secrets == "basic":
        message = "is `basic`: there is no store; change secrets.env and apply it again"
        raise SettingsError([Problem(settings.stack_file, None, ("secrets",), message)])


def _known(argument: str, name: str, names: Collection[str]) -> None:
    if name not in names:
        hint = did_you_mean(name, names)
        raise _wrong(argument, f"there is none of this name{hint}; there are: {', '.join(names)}")


def _key_id(settings: Settings, name: str) -> str:
    """The id of a key that is given by its name, or as bundle/key where several have that name."""
    found = settings.catalogue.key_id(name)
    if found is None:
        _known("KEY", name, settings.catalogue.spellings)
        raise LookupError(name)
    return found


def _by_hand(settings: Settings, options: argparse.Namespace) -> SettingsError:
    """The way of a key that people rotate, as commands."""
    which = stack_options(options)
    put = f"bash <(secretsctl put-commands {options.key} {which})"
    start = f"people rotate {options.key}; once they have its new value where it is issued:"
    if place := others_place(settings, options.key):
        put, start = "", f"people rotate {options.key}; once its new value is {place}:"
    steps = [*filter(None, [put]), *steps_afterwards(settings, options.key, which)]
    lines = "".join(f"\n  {step}" for step in steps)
    return _wrong("KEY", f"{start}{lines}")


def rotation_job(cron_job: Manifest, key: str, last: str) -> Manifest:
    """As `kubectl create job --from` makes it, with the key as a further argument, and the id of
    its last rotation: a pod that follows another one of this Job must not rotate it once more."""
    template = cron_job["spec"]["jobTemplate"]
    spec = json.loads(json.dumps(template["spec"]))
    spec["template"]["spec"]["containers"][0]["args"] = ["--key", key, "--last", last]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"{ROTATION}-{datetime.now(UTC):%Y%m%d%H%M%S}",
            "labels": template.get("metadata", {}).get("labels", {}),
            "annotations": {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": ROTATION,
                    "uid": cron_job["metadata"]["uid"],
                    # Of several, the CronJob's controller takes away the oldest, as of its own.
                    "controller": True,
                }
            ],
        },
        "spec": {**spec, "ttlSecondsAfterFinished": _KEPT_SECONDS},
    }


def _wrong(argument: str, message: str) -> SettingsError:
    return SettingsError([Problem(argument, None, (), message)])
