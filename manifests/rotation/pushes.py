"""The one-shot PushSecrets as admission sees them: from an object's name follows its whole spec.

One pushes a value, or checks what the services' Secret holds: see rotator/shapes.py.
"""

from manifests import naming
from manifests.naming import Manifest
from manifests.providers.aws import AWS_TEXT
from manifests.rotation import names
from manifests.rotation.cel import Cel, cel, table
from manifests.rotation.names import AWS_CHECKS, CHECKS, DATABASE_CHECKS, PUSHES, Check, Push
from manifests.rotation.one_shots import name_parts, pair, with_property
from manifests.rotation.plan import push_metadata
from settings import Settings


def push_secret_variables(settings: Settings) -> dict[str, str]:
    """`expected`: the one spec that the new PushSecret must have, in a list; it pushes a value, or
    checks what the services' Secret holds."""
    generated = names.generated_keys(settings)
    targets = {
        push: table({key: pair(at) for key, one in generated.items() if (at := one.target(push))})
        for push in ("promote", "next", "previous")
    }
    as_text = [key for key, one in generated.items() if push_metadata(settings, one.bundle)]
    return {
        **name_parts("|".join((*PUSHES, *CHECKS))),
        "stores": table({key: one.store for key, one in generated.items()}),
        "current": targets["promote"],
        "next": targets["next"],
        "previous": targets["previous"],
        "writtenAsText": cel(as_text),
        "sources": cel({push: _source(push) for push in PUSHES}),
        "targets": cel({push: Cel(f"variables.{_target(push)}") for push in PUSHES}),
        "source": "variables.sources[variables.step]",
        "entry": "variables.targets[variables.step][variables.key]",
        "remoteRef": with_property({"remoteKey": Cel("variables.entry[0]")}),
        "data": cel(_data()),
        "dataAsText": cel({**_data(), "metadata": AWS_TEXT}),
        "push": cel(_push()),
        "secrets": table({key: one.secret for key, one in generated.items()}),
        "overlapSecrets": table(
            {key: one.overlap_secret for key, one in generated.items() if one.next}
        ),
        "checkedSecrets": cel({check: _checked(check) for check in CHECKS}),
        "comparisons": cel({check: _comparisons(check) for check in CHECKS}),
        "check": cel(_check()),
        "others": table(_others(settings)),
        "otherComparisons": cel(
            {
                "database": _other_comparisons(DATABASE_CHECKS),
                "aws": _other_comparisons(AWS_CHECKS),
            }
        ),
        "other": "variables.others[variables.key]",
        "otherCheck": cel(_other_check()),
        "expected": "variables.step in variables.targets && "
        "variables.key in variables.targets[variables.step] ? [variables.push] : "
        "variables.step in variables.checkedSecrets && "
        "variables.key in variables.checkedSecrets[variables.step] ? [variables.check] : "
        "variables.key in variables.others && "
        "variables.step in variables.otherComparisons[variables.other[0]] ? "
        "[variables.otherCheck] : []",
    }


def _checked(check: Check) -> Cel:
    """The variable with the Secrets that a check looks at."""
    return Cel("variables.secrets" if "current" in CHECKS[check] else "variables.overlapSecrets")


def _comparisons(check: Check) -> list[Manifest]:
    return [_comparison(field, source) for field, source in CHECKS[check].items()]


def _comparison(field: str, source: str) -> Manifest:
    return {
        "target": "Data",
        "secret": {
            "name": Cel(f'"rotation-{source}-" + variables.key'),
            "items": [{"key": f"is-{field}", "templateAs": "Values"}],
        },
    }


def _check() -> Manifest:
    secret = Cel("variables.checkedSecrets[variables.step][variables.key]")
    texts = Cel("variables.comparisons[variables.step]")
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": texts}
    return _pushing(secret) | {"template": template}


def _others(settings: Settings) -> dict[str, list[str]]:
    """Of each database's key: what rotates it, its Secret, and the SecretStore that reads it."""
    kinds = {
        "database": naming.database_keys(settings),
        "aws": naming.secrets_manager_keys(settings),
    }
    return {
        key: [
            kind,
            settings.catalogue.bundles[bundle].secret,
            naming.secret_store(settings.store_name(bundle), "read"),
        ]
        for kind, keys in kinds.items()
        for key, bundle in keys.items()
    }


def _other_comparisons(checks: dict[Check, tuple[str, str]]) -> dict[str, list[Manifest]]:
    return {check: [_comparison(*found)] for check, found in checks.items()}


def _other_check() -> Manifest:
    texts = Cel("variables.otherComparisons[variables.other[0]][variables.step]")
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": texts}
    pushing = _pushing(Cel("variables.other[1]"), "variables.other[2]")
    return pushing | {"template": template}


def _source(push: Push) -> list[str]:
    """The Secret that is pushed, without its key, and the field in it."""
    is_new = push in ("reserve", "next", "promote")
    return ["rotation-staged-", "password"] if is_new else ["rotation-before-", "value"]


def _target(push: Push) -> str:
    """The variable with the entries that are written."""
    if push in ("promote", "restore"):
        return "current"
    return "previous" if push in ("reserve", "previous") else "next"


def _data() -> Manifest:
    match = {
        "secretKey": Cel("variables.source[1]"),
        "remoteRef": Cel("variables.remoteRef"),
    }
    return {"conversionStrategy": "None", "match": match}


def _push() -> Manifest:
    source = Cel("variables.source[0] + variables.key")
    data = Cel("variables.key in variables.writtenAsText ? variables.dataAsText : variables.data")
    return _pushing(source) | {"data": [data]}


def _pushing(secret: Cel, store_name: str = "variables.stores[variables.key]") -> Manifest:
    store = {"kind": "SecretStore", "name": Cel(store_name)}
    return {
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "secretStoreRefs": [store],
        "selector": {"secret": {"name": secret}},
    }
