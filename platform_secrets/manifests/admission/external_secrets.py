"""What each ExternalSecret of a namespace may read, and by what; and who may make PushSecrets.

What is declared stands in the rules of a ClusterRole, one for each ExternalSecret: its own name and
those of what people's commands make of it for a moment; the entries; the stores, generators and
texts.
"""

from collections.abc import Iterator

from platform_secrets.manifests import naming
from platform_secrets.manifests.admission.policy import Policy, rule, rules_where
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.manifests.store_admission import CHANGES, SPEC, is_rotator, is_seeder
from platform_secrets.settings import Settings

_GROUP = "external-secrets.io"
_FIELDS = ["data", "dataFrom", "refreshInterval", "refreshPolicy", "secretStoreRef", "target"]
_TARGET = ["creationPolicy", "deletionPolicy", "immutable", "name", "template"]
_UNKNOWN = (
    "no such ExternalSecret is declared: a bundle in the catalogue makes one of its Secret's name, "
    "and only the groups of `seeding` make those of secretsctl"
)
_STORE = (
    "it may not refer to these stores, generators or texts: the stack file says in which store a "
    "bundle is"
)
_ENTRY = (
    "it may not read these entries: declare keys in the catalogue, and where they are in the stack "
    "file"
)
_SEARCH = "it reads what it finds: name each entry"
_ELSEWHERE = "it makes another Secret than the one of its own name, or has a field that none has"
_PUSH = "only the rotator and the groups of `seeding` in the stack file make PushSecrets here"


def push_policy(settings: Settings, view: Settings) -> Policy:
    """Of the PushSecrets in a namespace."""
    who = [is_rotator(settings)] if settings.has_rotation else []
    return Policy(
        resources={"pushsecrets": _GROUP},
        conditions={"changes": CHANGES},
        refusals={_PUSH: " || ".join([*who, is_seeder(settings)])},
    )


def external_secret_policy(settings: Settings, view: Settings) -> Policy:
    """Of the ExternalSecrets in a namespace; the rotator's are bounded by policies of their own."""
    name = "variables.name"
    own = f"variables.rules.exists(rule, rule.resources[0] == {name})"
    known = "variables.{0}.filter(one, !variables.rules.exists(rule, one in rule.{1}))"
    stranger = {
        "strangeReferences": known.format("references", "verbs"),
        "strangeEntries": known.format("entries", "resourceNames"),
    }
    conditions = {"changes": CHANGES}
    if settings.has_rotation:
        conditions["not-the-rotator"] = f"!({is_rotator(settings)})"
    return Policy(
        resources={"externalsecrets": _GROUP},
        conditions=conditions,
        variables={**_read_by("dyn(object.metadata)"), **stranger},
        refusals={
            _UNKNOWN: f"{own} || variables.rules.size() > 0 && {is_seeder(settings)}",
            _STORE: "variables.strangeReferences.size() == 0",
            _ENTRY: "variables.strangeEntries.size() == 0",
            _SEARCH: "!variables.dataFrom.exists(one, has(one.find))",
            _ELSEWHERE: (
                f"{SPEC}.all(field, field in {cel(_FIELDS)}) && "
                f"variables.target.all(field, field in {cel(_TARGET)}) && "
                f"variables.target.?name.orValue({name}) == {name}"
            ),
        },
        details={
            _UNKNOWN: name,
            _STORE: 'variables.strangeReferences.join(", ")',
            _ENTRY: 'variables.strangeEntries.join(", ")',
        },
        rules=[*_rules(view)],
    )


def _rules(view: Settings) -> Iterator[Manifest]:
    for bundle in view.bundles:
        for one in external_secret_manifests(view, bundle):
            name, spec = one["metadata"]["name"], one["spec"]
            names, references = [name], [*_references(spec)]
            if view.environment.seeding:
                secret = view.catalogue.bundles[bundle].secret
                names += _one_shots(secret)
                references += [f"Secret/{made(secret)}" for made in _TEXTS]
                references.append(f"VaultDynamicSecret/{naming.older_version(secret)}")
            # A rule needs a name; a token has no entry.
            yield rule(names, [*_entries(spec)] or [name], references)


_TEXTS = (naming.new_value, naming.value_before)
_ONE_SHOTS = (*_TEXTS, naming.migration, naming.seeding_look, naming.older_version)


def _one_shots(secret: str) -> list[str]:
    """What people's commands make of a Secret for a moment."""
    checks = [f"{made(secret)}.check" for made in _TEXTS]
    return [*(made(secret) for made in _ONE_SHOTS), *checks]


def _entries(spec: Manifest) -> Iterator[str]:
    found = [one["remoteRef"]["key"] for one in spec.get("data", [])]
    found += [one["extract"]["key"] for one in spec.get("dataFrom", []) if "extract" in one]
    return iter(dict.fromkeys(found))


def _references(spec: Manifest) -> Iterator[str]:
    if reference := spec.get("secretStoreRef"):
        yield _named(reference)
    for one in spec.get("dataFrom", []):
        if "sourceRef" in one:
            yield _named(one["sourceRef"]["generatorRef"])
    for one in spec["target"]["template"].get("templateFrom", []):
        yield f"ConfigMap/{one['configMap']['name']}"


def _named(reference: Manifest) -> str:
    return f"{reference['kind']}/{reference['name']}"


def _read_by(metadata: str) -> dict[str, str]:
    """Variables: the rules that are about the object, and what it reads and refers to."""
    empty = cel("")
    texts = [
        f'variables.texts.filter(one, has(one.{field})).map(one, "{kind}/" + '
        f"string(one.{field}.?name.orValue({empty})))"
        for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret"))
    ]
    referred = [
        f"{source}.filter(one, has(one.{field})).map(one, "
        f"string(one.{field}.?kind.orValue({cel('SecretStore')})) + {cel('/')} + "
        f"string(one.{field}.?name.orValue({empty})))"
        for source, field in (
            (f"[{SPEC}]", "secretStoreRef"),
            ("variables.sources", "storeRef"),
            ("variables.sources", "generatorRef"),
        )
    ]
    keys = [
        f"variables.data.map(one, string(one.?remoteRef.?key.orValue({empty})))",
        "variables.dataFrom.filter(one, has(one.extract))"
        f".map(one, string(one.extract.?key.orValue({empty})))",
    ]
    return {
        "name": f"{metadata}.?name.orValue({empty})",
        "rules": rules_where("variables.name in rule.resources"),
        "data": f"{SPEC}.?data.orValue([])",
        "dataFrom": f"{SPEC}.?dataFrom.orValue([])",
        "target": f"{SPEC}.?target.orValue({{}})",
        "texts": "variables.target.?template.?templateFrom.orValue([])",
        "sources": (
            "(variables.data + variables.dataFrom)"
            ".filter(one, has(one.sourceRef)).map(one, one.sourceRef)"
        ),
        "references": " + ".join([*referred, *texts]),
        "entries": " + ".join(keys),
    }
