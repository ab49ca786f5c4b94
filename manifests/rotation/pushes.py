"""The one-shot PushSecrets as admission sees them: from an object's name follows its whole spec.

One pushes a value, or checks what the services' Secret holds: see rotator/shapes.py.
"""

from manifests.naming import Manifest
from manifests.rotation import names
from manifests.rotation.cel import Cel, cel, table
from manifests.rotation.names import CHECKS, PUSHES, Check, Push
from manifests.rotation.one_shots import name_parts, pair, with_property
from manifests.rotation.plan import AWS_TEXT, push_metadata
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
        "expected": "variables.step in variables.targets && "
        "variables.key in variables.targets[variables.step] ? [variables.push] : "
        "variables.step in variables.checkedSecrets && "
        "variables.key in variables.checkedSecrets[variables.step] ? [variables.check] : []",
    }


def _checked(check: Check) -> Cel:
    """The variable with the Secrets that a check looks at."""
    return Cel("variables.secrets" if "current" in CHECKS[check] else "variables.overlapSecrets")


def _comparisons(check: Check) -> list[Manifest]:
    return [
        {
            "target": "Data",
            "secret": {
                "name": Cel(f'"rotation-{source}-" + variables.key'),
                "items": [{"key": f"is-{field}", "templateAs": "Values"}],
            },
        }
        for field, source in CHECKS[check].items()
    ]


def _check() -> Manifest:
    secret = Cel("variables.checkedSecrets[variables.step][variables.key]")
    texts = Cel("variables.comparisons[variables.step]")
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": texts}
    return _pushing(secret) | {"template": template}


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


def _pushing(secret: Cel) -> Manifest:
    store = {"kind": "SecretStore", "name": Cel("variables.stores[variables.key]")}
    return {
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "secretStoreRefs": [store],
        "selector": {"secret": {"name": secret}},
    }
