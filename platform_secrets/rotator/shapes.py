"""The one-shot objects, with every field written out: admission compares them whole."""

from typing import Any

from . import contract
from .keys import (
    Database,
    Entry,
    Generated,
    RotatedKey,
    Secrets,
    SecretsManager,
    beside,
    name_of,
)
from .plan import Plan, PlanError

Manifest = dict[str, Any]

_API_VERSIONS = {
    "ExternalSecret": "external-secrets.io/v1",
    "PushSecret": "external-secrets.io/v1alpha1",
}
_GENERATORS = "generators.external-secrets.io/v1alpha1"
_STRATEGIES = {
    "conversionStrategy": "Default",
    "decodingStrategy": "None",
    "metadataPolicy": "None",
}
# Of a field of the services' Secret: the first of its names that is there.
_FIELD = (
    '{{{{ $f := "" }}}}{{{{ range splitList "/" "{0}" }}}}'
    "{{{{ $f = default (index $ .) $f }}}}{{{{ end }}}}"
)
# A URL's account, in the services' Secret and as it is encoded there.
_ACCOUNT = '$f | splitList "@" | first'
_ENCODED = '({0} | urlquery | replace "+" "%20")'


def before(plan: Plan, key: Generated, rotation: str) -> Manifest:
    """Keeps the current value in the cluster, to publish as `previous` or to put back."""
    source = {
        "secretStoreRef": {"kind": "SecretStore", "name": key.store},
        "data": [{"secretKey": "value", "remoteRef": {**_place(key.entry, "key"), **_STRATEGIES}}],
    }
    data = _with_comparisons("value", ".value", key)
    return _external_secret(plan, key, rotation, "before", "Owner", source, data)


def staged(plan: Plan, key: Generated, rotation: str) -> Manifest:
    """Makes the new value, once, under `password`."""
    kind, value = contract.GENERATORS[key.form]
    source = _from_generator(kind, contract.generator(key.name))
    data = _with_comparisons("password", value, key)
    return _external_secret(plan, key, rotation, "staged", "Owner", source, data)


def staged_account(plan: Plan, key: Database, rotation: str, side: str) -> Manifest:
    """Has the database engine change one account's password. Orphan: it makes no Secret, and the
    operator would call the engine again and again for an owned one that isn't there."""
    source = _from_generator("VaultDynamicSecret", contract.generator(key.name, side))
    return _external_secret(plan, key, rotation, "staged", "Orphan", source)


def before_account(plan: Plan, key: Database, rotation: str, side: str) -> Manifest:
    """Keeps the account that gets a new password, and a hash of it with the password before."""
    source = _from_generator("VaultDynamicSecret", f"{key.name}-{side}")
    data = _of_account(key.fields[0])
    return _external_secret(plan, key, rotation, "before", "Owner", source, data)


def version(plan: Plan, key: SecretsManager, rotation: str, step: str, version_id: str) -> Manifest:
    """Keeps a hash of the account in one version of an entry, whatever is the current one."""
    reference = {"key": key.secret_id, "version": f"uuid/{version_id}", **_STRATEGIES}
    source = {
        "secretStoreRef": {"kind": "SecretStore", "name": key.store},
        "data": [{"secretKey": "value", "remoteRef": reference}],
    }
    data = _of_version(key.fields[0])
    return _external_secret(plan, key, rotation, step, "Owner", source, data)


def checks(plan: Plan, key: RotatedKey, rotation: str, step: str) -> list[Manifest]:
    """Each is synced only if one of the services' Secrets holds what it has to; it pushes nothing.

    Its template is a text of a one-shot Secret, which the operator runs over the services' Secret:
    so it compares the two, and nobody reads a value.
    """
    texts = [
        {
            "target": "Data",
            "secret": {
                "name": contract.one_shot(source, key.name),
                "items": [{"key": f"is-{field}", "templateAs": "Values"}],
            },
        }
        for field, source in contract.checks(key)[step].items()
    ]
    template = {"engineVersion": "v2", "mergePolicy": "Replace", "templateFrom": texts}
    found = []
    for one in contract.checked_secrets(key, step):
        spec = {**_pushing(one.store, name_of(one.secret)), "template": template}
        found.append(_one_shot(plan, one.name, rotation, step, spec))
    return found


def copies(plan: Plan, key: Generated, rotation: str, check: str) -> list[Manifest]:
    """What a check compares with, in each other namespace with the key's value."""
    sources = dict.fromkeys(contract.checks(key)[check].values())
    return [copy(plan, key, rotation, step, one) for one in key.elsewhere for step in sources]


def copy(plan: Plan, key: Generated, rotation: str, step: str, where: Secrets) -> Manifest:
    """The texts of a one-shot Secret, read from there beside another ExternalSecret. The value
    stays where it is."""
    name = contract.one_shot(step, key.name)
    source = {
        "secretStoreRef": {"kind": "SecretStore", "name": where.store},
        "data": [
            {"secretKey": text, "remoteRef": {"key": name, "property": text, **_STRATEGIES}}
            for text in contract.COPIED
        ],
    }
    address = beside(where.external_secret, name)
    return _made_once(plan, address, rotation, step, "Owner", source)


def push(plan: Plan, key: Generated, rotation: str, step: str) -> Manifest:
    """Writes the staged value or the one before to one of the key's entries."""
    place, source = contract.PUSHES[step]
    entry = {"current": key.entry, "next": key.next, "previous": key.previous}[place]
    field = "password" if source == "staged" else "value"
    if entry is None:
        raise PlanError(f"keys.{key.name} has no entry for {step}")
    data = {
        "conversionStrategy": "None",
        "match": {"secretKey": field, "remoteRef": _place(entry, "remoteKey")},
    }
    if key.push_metadata is not None:
        data["metadata"] = key.push_metadata
    spec = {**_pushing(key.store, contract.one_shot(source, key.name)), "data": [data]}
    return _one_shot(plan, contract.one_shot_of(key, step), rotation, step, spec)


def _pushing(store: str, secret: str) -> Manifest:
    return {
        "refreshInterval": "0s",
        "updatePolicy": "Replace",
        "deletionPolicy": "None",
        "secretStoreRefs": [{"kind": "SecretStore", "name": store}],
        "selector": {"secret": {"name": secret}},
    }


def _with_comparisons(name: str, value: str, key: Generated) -> dict[str, str]:
    """The value under this name, and for each field of the services' Secret a text that fails
    unless the field is made of this value. The texts hold its hash, so that no error can show
    it."""
    data = {name: f"{{{{ {value} }}}}"}
    texts = {"current": key.text, "next": "$v", "previous": "$v"}
    for held, (field, text) in zip(key.compared, texts.items(), strict=True):
        begin = f'{_FIELD.format(held)}{{{{ if ne ($f | sha256sum) "'
        end = f'" }}}}{{{{ fail "{held} has another value" }}}}{{{{ end }}}}'
        hashed = f"{{{{ `{begin}` }}}}{{{{ {text} | sha256sum }}}}{{{{ `{end}` }}}}"
        data[f"is-{field}"] = f"{{{{ $v := {value} }}}}{hashed}"
    return data


def _of_account(field: str) -> dict[str, str]:
    """Texts that fail unless the services' URL is of this account, but with another password, or
    of another account."""
    user = f"{{{{ {_ENCODED.format('.username')} }}}}"
    begin = f"{_FIELD.format(field)}{{{{ $a := {_ACCOUNT} }}}}{{{{ if or "
    fault = f'{{{{ fail "{field} is not what it should be" }}}}{{{{ end }}}}'
    return {
        "is-current": f'{{{{ `{begin}(not (hasPrefix "postgresql://` }}}}{user}'
        f'{{{{ `:" $a)) (eq (sha256sum $a) "` }}}}{_hash("")}{{{{ `") }}}}{fault}` }}}}',
        "is-other": f'{{{{ `{begin}(not $a) (hasPrefix "postgresql://` }}}}{user}'
        f'{{{{ `:" $a) }}}}{fault}` }}}}',
    }


def _of_version(field: str) -> dict[str, str]:
    """A text that fails unless the services' URL is of this version's account."""
    begin = f'{_FIELD.format(field)}{{{{ if ne ({_ACCOUNT} | sha256sum) "'
    end = f'" }}}}{{{{ fail "{field} is of another version" }}}}{{{{ end }}}}'
    text = f"{{{{ `{begin}` }}}}{_hash('$v')}{{{{ `{end}` }}}}"
    return {"is-current": f"{{{{ $v := .value | fromJson }}}}{text}"}


def _hash(of: str) -> str:
    user, password = (_ENCODED.format(f"{of}.{one}") for one in ("username", "password"))
    return f'{{{{ printf "postgresql://%s:%s" {user} {password} | sha256sum }}}}'


def _place(entry: Entry, field: str) -> dict[str, str]:
    return {field: entry.key} | ({"property": entry.property} if entry.property else {})


def _from_generator(kind: str, generator: str) -> Manifest:
    reference = {"apiVersion": _GENERATORS, "kind": kind, "name": generator}
    return {"dataFrom": [{"sourceRef": {"generatorRef": reference}}]}


def _external_secret(
    plan: Plan,
    key: RotatedKey,
    rotation: str,
    step: str,
    creation: str,
    source: Manifest,
    data: dict[str, str] | None = None,
) -> Manifest:
    name = contract.one_shot_of(key, step)
    return _made_once(plan, name, rotation, step, creation, source, data)


def _made_once(
    plan: Plan,
    name: str,
    rotation: str,
    step: str,
    creation: str,
    source: Manifest,
    data: dict[str, str] | None = None,
) -> Manifest:
    target: Manifest = {
        "name": name_of(name),
        "creationPolicy": creation,
        "deletionPolicy": "Retain",
        # The operator may look twice, the second time at an old state of the object, and would
        # put a second value in the place of the first.
        "immutable": True,
        # With a template none of the object's own labels and annotations, which others may have
        # added, is copied onto the Secret.
        "template": {
            "engineVersion": "v2",
            "mergePolicy": "Replace",
            "metadata": {"labels": dict(plan.labels)},
            **({"data": data} if data else {}),
        },
    }
    spec = {"refreshPolicy": "CreatedOnce", "refreshInterval": "0s", "target": target, **source}
    return _one_shot(plan, name, rotation, step, spec)


def _one_shot(plan: Plan, name: str, rotation: str, step: str, spec: Manifest) -> Manifest:
    kind = contract.KINDS[step]
    namespace, _, plain = name.rpartition("/")
    return {
        "apiVersion": _API_VERSIONS[kind],
        "kind": kind,
        "metadata": {
            "name": plain,
            "namespace": namespace or plan.namespace,
            "labels": dict(plan.labels),
            "annotations": {contract.ROTATION_ID: rotation},
        },
        "spec": spec,
    }
