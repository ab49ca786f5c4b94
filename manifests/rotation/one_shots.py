"""The one-shot ExternalSecrets as admission sees them, and what all one-shots have in common: from
an object's name follows its whole spec.

The rotator builds the same specs on its own (rotator/shapes.py), from the plan. Every field is
written out, also those for which the operator's CRDs have a default.
"""

from manifests import naming
from manifests.naming import SIDES, Entry, Manifest
from manifests.rotation import names
from manifests.rotation.cel import Cel, cel, table
from manifests.rotation.names import COMPONENT
from manifests.rotation.stamps import only_stamps
from settings import Settings

_VERSION = "^uuid/[0-9A-Za-z-]{32,64}$"
_ID = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([.][0-9]+)?$"
# What the API server itself writes into the metadata of a new object.
_SERVER_FIELDS = ["creationTimestamp", "generation", "managedFields", "uid"]


def external_secret_variables(settings: Settings) -> dict[str, str]:
    """`expected`: the specs, one of which the new ExternalSecret must have."""
    generated = names.generated_keys(settings)
    return {
        **name_parts("before|staged"),
        "stores": table({key: one.store for key, one in generated.items()}),
        "entries": table({key: pair(one.current) for key, one in generated.items()}),
        "databases": cel([*naming.database_keys(settings)]),
        "versioned": table(_versioned(settings)),
        "version": 'variables.spec.?data[?0].?remoteRef.?version.orValue("")',
        "entry": "variables.entries[variables.key]",
        "remoteRef": with_property(
            {
                "key": Cel("variables.entry[0]"),
                "conversionStrategy": "Default",
                "decodingStrategy": "None",
                "metadataPolicy": "None",
            }
        ),
        "before": cel(_before(settings)),
        "staged": cel(_staged(settings)),
        "accounts": cel([_account(settings, f"-{side}") for side in SIDES]),
        "accountsBefore": cel([_account_before(settings, f"-{side}") for side in SIDES]),
        "ofVersion": cel(_of_version(settings)),
        "expected": 'variables.step != "" && variables.key in variables.entries ? '
        '[variables.step == "before" ? variables.before : variables.staged] : '
        'variables.step != "" && variables.key in variables.databases ? '
        '(variables.step == "staged" ? variables.accounts : variables.accountsBefore) : '
        'variables.step != "" && variables.key in variables.versioned && '
        f"variables.version.matches({cel(_VERSION)}) ? [variables.ofVersion] : []",
    }


def _before(settings: Settings) -> Manifest:
    store = {"kind": "SecretStore", "name": Cel("variables.stores[variables.key]")}
    data = [{"secretKey": "value", "remoteRef": Cel("variables.remoteRef")}]
    data_of_secret = _with_comparisons("value")
    return _external_secret(settings, "Owner", data_of_secret) | {
        "secretStoreRef": store,
        "data": data,
    }


def _staged(settings: Settings) -> Manifest:
    generator = Cel('"rotation-" + variables.key')
    data_of_secret = _with_comparisons("password")
    return _external_secret(settings, "Owner", data_of_secret) | _from_generator(
        "Password", generator
    )


def _account(settings: Settings, suffix: str) -> Manifest:
    """Orphan: the engine's answer is empty, so no Secret is made."""
    generator = Cel(f'"rotation-" + variables.key + "{suffix}"')
    return _external_secret(settings, "Orphan", {}) | _from_generator(
        "VaultDynamicSecret", generator
    )


def _account_before(settings: Settings, suffix: str) -> Manifest:
    data = {field: _with_key(text) for field, text in _of_account().items()}
    generator = Cel(f'variables.key + "{suffix}"')
    one_shot = _external_secret(settings, "Owner", data)
    return one_shot | _from_generator("VaultDynamicSecret", generator)


def _versioned(settings: Settings) -> dict[str, list[str]]:
    """SecretStore and entry of each key that Secrets Manager rotates."""
    return {
        key: [
            naming.secret_store(settings.store_name(bundle), "read"),
            naming.rotated_entry(settings, bundle, key),
        ]
        for key, bundle in naming.secrets_manager_keys(settings).items()
    }


def _of_version(settings: Settings) -> Manifest:
    """Any version: a hash of it is all that is kept."""
    place = "variables.versioned[variables.key]"
    reference = {
        "key": Cel(f"{place}[1]"),
        "version": Cel("variables.version"),
        "conversionStrategy": "Default",
        "decodingStrategy": "None",
        "metadataPolicy": "None",
    }
    text = (
        "{{ $v := .value | fromJson }}{{ `{{ if ne ("
        + _ACCOUNT
        + ' | sha256sum) "` }}'
        + _hash("$v")
        + '{{ `" }}{{ fail "\0 is of another version" }}{{ end }}` }}'
    )
    one_shot = _external_secret(settings, "Owner", {"is-current": _with_key(text)})
    return one_shot | {
        "secretStoreRef": {"kind": "SecretStore", "name": Cel(f"{place}[0]")},
        "data": [{"secretKey": "value", "remoteRef": reference}],
    }


_ACCOUNT = 'index . "\0" | splitList "@" | first'


def _of_account() -> dict[str, str]:
    user = f"{{{{ {_encoded('.username')} }}}}"
    begin = f"{{{{ $a := {_ACCOUNT} }}}}{{{{ if or "
    fault = '{{ fail "\0 is not what it should be" }}{{ end }}'
    return {
        "is-current": f'{{{{ `{begin}(not (hasPrefix "postgresql://` }}}}{user}'
        f'{{{{ `:" $a)) (eq (sha256sum $a) "` }}}}{_hash("")}{{{{ `") }}}}{fault}` }}}}',
        "is-other": f'{{{{ `{begin}(not $a) (hasPrefix "postgresql://` }}}}{user}'
        f'{{{{ `:" $a) }}}}{fault}` }}}}',
    }


def _hash(of: str) -> str:
    user, password = (_encoded(f"{of}.{field}") for field in ("username", "password"))
    return f'{{{{ printf "postgresql://%s:%s" {user} {password} | sha256sum }}}}'


def _encoded(value: str) -> str:
    return f"({value} | {naming.URL_ENCODED})"


def _with_key(text: str) -> Cel:
    """A text in which the key's name stands for each NUL."""
    return Cel(" + variables.key + ".join(map(cel, text.split("\0"))))


def _from_generator(kind: str, generator: Cel) -> Manifest:
    api_version = "generators.external-secrets.io/v1alpha1"
    reference = {"apiVersion": api_version, "kind": kind, "name": generator}
    return {"dataFrom": [{"sourceRef": {"generatorRef": reference}}]}


def _external_secret(settings: Settings, policy: str, data: Manifest) -> Manifest:
    """The template keeps what others write beside the object's metadata away from its Secret, where
    it could have a value copied into another namespace."""
    template = {
        "engineVersion": "v2",
        "mergePolicy": "Replace",
        "metadata": {"labels": naming.labels(settings, COMPONENT)},
        **({"data": data} if data else {}),
    }
    target = {
        "name": Cel("object.metadata.name"),
        "creationPolicy": policy,
        "deletionPolicy": "Retain",
        "immutable": True,
        "template": template,
    }
    return {"refreshPolicy": "CreatedOnce", "refreshInterval": "0s", "target": target}


def _with_comparisons(value: str) -> Manifest:
    """The value, and texts that fail unless a field of the services' Secret has this value."""
    data: Manifest = {value: f"{{{{ .{value} }}}}"}
    for field, suffix in {"current": "", "next": "-next", "previous": "-previous"}.items():
        parts = [
            '{{ `{{ if ne (index . "',
            f'{suffix}" | sha256sum) "` }}}}{{{{ .{value} | sha256sum }}}}{{{{ `" }}}}{{{{ fail "',
            f'{suffix} has another value" }}}}{{{{ end }}}}` }}}}',
        ]
        data[f"is-{field}"] = Cel(" + variables.key + ".join(map(cel, parts)))
    return data


def name_parts(steps: str) -> dict[str, str]:
    """Step and key of a name such as rotation-staged-KEY; empty texts for any other name."""
    return {
        "metadata": "dyn(object.metadata)",
        "spec": "dyn(object.spec)",
        "step": f'object.metadata.name.matches("^rotation-({steps})-.+$") ? '
        'object.metadata.name.split("-")[1] : ""',
        "key": 'variables.step == "" ? "" : '
        'object.metadata.name.substring(("rotation-" + variables.step + "-").size())',
    }


def one_shot_rules(settings: Settings) -> dict[str, str]:
    """Nothing but the expected spec, our labels, one annotation, and stamps: no owner, no
    finalizer."""
    allowed = ["name", "namespace", "labels", "annotations", *_SERVER_FIELDS]
    labels, annotations = (
        f"variables.metadata[?{cel(each)}].orValue({{}})" for each in ("labels", "annotations")
    )
    rotation_id = cel(names.ROTATION_ID)
    return {
        "no such object is made": "variables.expected.size() > 0",
        "the spec is not the one that goes with the name": (
            "variables.expected.exists(spec, variables.spec == spec)"
        ),
        "there is more than metadata and spec": (
            f"dyn(object).all(field, field in {cel(['apiVersion', 'kind', 'metadata', 'spec'])})"
        ),
        "the metadata holds more than name, labels and annotations": (
            f"variables.metadata.all(field, field in {cel(allowed)})"
        ),
        "the labels are not the rotation's": (
            only_stamps(labels, cel(naming.labels(settings, COMPONENT)), [])
        ),
        "the annotations are not the rotation's": (
            only_stamps(annotations, "{}", [names.ROTATION_ID])
        ),
        "no annotation says the rotation's day": (
            f'{annotations}[?{rotation_id}].orValue("").matches("{_ID}")'
        ),
    }


def with_property(reference: Manifest) -> str:
    """A reference to `variables.entry`, which has a property or is the value itself."""
    whole = {**reference, "property": Cel("variables.entry[1]")}
    return f'variables.entry[1] == "" ? {cel(reference)} : {cel(whole)}'


def pair(found: Entry) -> list[str]:
    return [found.key, found.property or ""]
