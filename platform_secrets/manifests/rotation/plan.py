"""What the rotator is told: every key with `rotate`, where it is kept, and who reads it."""

from base64 import b64encode
from datetime import date, time, timedelta
from typing import Any

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import rotated_entry
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers import aws
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.rotation import names
from platform_secrets.manifests.secret_template import text_pipeline
from platform_secrets.rotator import contract, keys
from platform_secrets.rotator import plan as rotators
from platform_secrets.rotator.plan import Plan
from platform_secrets.rotator.plan_texts import plan_texts
from platform_secrets.settings import Identity, Key, Settings, time_zones
from platform_secrets.settings.entries import Entry
from platform_secrets.settings.layout import Kind, PlannedKey, overlap_secret
from platform_secrets.settings.rotations import ByHand, Rotation
from platform_secrets.settings.rotator import Window

LATEST_START_SECONDS = 6 * 3600
"""A run may start so much later than its schedule says."""


def plan_config_maps(settings: Settings, plan: Plan) -> list[Manifest]:
    """The plan, as it is mounted into the rotator's pods; in several where it is long."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": naming.metadata(settings, names.part(names.PLAN, at), names.COMPONENT),
            "data": {f"{names.part('plan', at)}.json": text},
        }
        for at, text in enumerate(plan_texts(plan))
    ]


def push_metadata(settings: Settings, bundle: str) -> Manifest | None:
    """What a push tells the bundle's provider beside the value."""
    return provider_of(settings.store_of(bundle)).push_metadata


def rotation_plan(settings: Settings) -> Plan:
    """The plan as the rotator has it."""
    rotator = settings.environment.rotator
    return Plan(
        environment=settings.environment.environment,
        namespace=settings.namespace,
        labels=naming.labels(settings, names.COMPONENT),
        memory=names.MEMORY,
        longest_pause_seconds=_seconds(rotator.longest_pause) + LATEST_START_SECONDS,
        bundles_at_once=rotator.bundles_at_once,
        sync_seconds=_seconds(rotator.sync_deadline),
        rollout_seconds=_seconds(rotator.rollout_deadline),
        window=rotator.window and _window(rotator.window, rotator.time_zone),
        freezes=[
            rotators.Freeze(_day(freeze.start), _day(freeze.until), freeze.reason)
            for freeze in rotator.freezes
        ],
        keys={
            key.id: _key(settings, key, key.key.rotate)
            for key in settings.keys.values()
            if key.key.rotate and key.kind is not Kind.ISSUED
        },
    )


def _window(window: Window, time_zone: str) -> rotators.Window:
    return rotators.Window(
        days=[*window.days],
        start=time.fromisoformat(window.start),
        until=time.fromisoformat(window.until),
        time_zone=time_zone,
        time_zone_rules=b64encode(time_zones.rules(time_zone)).decode(),
    )


def _key(settings: Settings, key: PlannedKey, rule: Rotation) -> keys.Key:
    whose: dict[str, Any] = {"name": key.id, "shown": _shown(key), "bundle": key.bundle}
    whose |= {"owner": key.key.owner, "grace_seconds": _seconds(rule.grace)}
    match key.kind:
        case Kind.GENERATED:
            return keys.Generated(**whose, **_generated(settings, key, rule))
        case Kind.ENGINE:
            return keys.Database(**whose, **_database(settings, key, rule))
        case Kind.SECRETS_MANAGER:
            return keys.SecretsManager(**whose, **_by_aws(settings, key, rule))
        case _:
            source = rule.source if isinstance(rule, ByHand) else None
            limit = _seconds(rule.period)
            return keys.ByHand(**whose, max_age_seconds=limit, source=source or "catalogue")


def _shown(key: PlannedKey) -> str:
    return key.id if key.id == key.name else f"{key.bundle}/{key.name}"


def _generated(settings: Settings, key: PlannedKey, rule: Rotation) -> dict[str, Any]:
    bundle = settings.catalogue.bundles[key.bundle]
    text = bundle.texts_of_one[key.name] if key.key.hidden else None
    return {
        **_changed(settings, key, rule, "rotation"),
        "fields": [text or key.name, *naming.derived_keys(key.name)],
        "overlap_seconds": _seconds(key.key.overlap) if key.key.overlap else None,
        "entry": _entry(key.current),
        "next": _entry(key.next),
        "previous": _entry(key.previous),
        "push_metadata": push_metadata(settings, key.bundle),
        "overlap_external_secret": key.overlap_secret
        and settings.address(key.bundle, key.overlap_secret),
        "form": form_of(key.key),
        **({"borrowing": _borrowing(settings, key)} if len(key.bundles) > 1 else {}),
        **({"text": text_pipeline(bundle.texts[text])} if text else {}),
    }


def form_of(key: Key) -> str:
    """In which of the contract's forms its values are made."""
    return key.alphabet if key.alphabet in contract.GENERATORS else "text"


def _borrowing(settings: Settings, key: PlannedKey) -> list[keys.Secrets]:
    """The Secrets of the bundles that have the value too."""
    found = []
    for bundle, name in key.bundles.items():
        if bundle == key.bundle:
            continue
        secret = settings.address(bundle, settings.catalogue.bundles[bundle].secret)
        overlap = overlap_secret(secret) if key.overlap_secret else None
        namespace = settings.namespace_of(key.bundle)
        is_beside = settings.namespace_of(bundle) == namespace
        store = None if is_beside else names.copies_store(namespace)
        fields = [] if name == key.name else [name, *naming.derived_keys(name)]
        found.append(keys.Secrets(secret, overlap, fields=fields, store=store))
    return found


def _database(settings: Settings, key: PlannedKey, rule: Rotation) -> dict[str, Any]:
    database = settings.environment.stores[key.store].engine
    contents = {side: naming.pointer_content(database, side) for side in naming.SIDES if database}
    return {
        **_changed(settings, key, rule, "read"),
        "pointer": settings.address(key.bundle, naming.database_pointer(key.id)),
        "contents": contents,
    }


def _by_aws(settings: Settings, key: PlannedKey, rule: Rotation) -> dict[str, Any]:
    return {
        **_changed(settings, key, rule, "read"),
        "secret_id": rotated_entry(settings, key.bundle, key.name),
        **aws.rotated_by_aws(settings, key.store, aws.rotating_store(settings, key.store)),
    }


def _changed(
    settings: Settings, key: PlannedKey, rule: Rotation, identity: Identity
) -> dict[str, Any]:
    """What every key has that the rotator changes, through the SecretStore of `identity`."""
    return {
        "every_seconds": _seconds(rule.period),
        "fields": [key.name],
        "external_secret": settings.address(key.bundle, key.secret),
        "store": naming.secret_store(key.store, identity),
        **_readers(key.readers),
    }


def _readers(readers: list[str]) -> dict[str, Any]:
    """The workloads to restart; and what else reads, where something does."""
    others = names.not_restarted(readers)
    return {
        "readers": names.restarted(readers),
        **({"not_restarted": others} if others else {}),
    }


def _entry(found: Entry | None) -> keys.Entry | None:
    return keys.Entry(found.key, found.property) if found else None


def _day(day: str | date) -> date:
    return date.fromisoformat(str(day))


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
