"""`secretsctl who`: everybody who can read a key or a bundle, and by what."""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from platform_secrets.describing.described import Described, described, with_whole
from platform_secrets.describing.rbac import Grant, grants, is_of_kubernetes
from platform_secrets.describing.readers import Reader, readers
from platform_secrets.secretsctl.shown_texts import printable
from platform_secrets.settings import Problem, Settings, SettingsError
from platform_secrets.settings.problems import did_you_mean

_CAVEAT = """\
Besides: whoever may create pods in a namespace, or administers the cluster or the store
(docs/architecture.md, "What bounds a reader").
"""


@dataclass(frozen=True)
class Answer:
    """Who can read in one environment."""

    environment: str
    secrets: dict[str, list[str]]
    """The Secrets from which it can be had, each with the fields."""
    same_value: list[str]
    """Other keys that have the value of one that was asked for."""
    readers: list[Reader]


def who(settings: Iterable[Settings], options: argparse.Namespace) -> str:
    """Raises SettingsError where no environment has it, ClusterError where a cluster is asked and
    does not answer."""
    if options.live and options.env is None:
        message = "asks one environment's cluster: name it with --env"
        raise SettingsError([Problem("--live", None, (), message)])
    found = [*settings]
    asked = {one.environment.environment: _asked(one, options.key) for one in found}
    if not any(asked.values()):
        raise _unknown(found, options.key)
    answers = [
        _answer(one, keys, is_live=options.live)
        for one in found
        if (keys := asked[one.environment.environment])
    ]
    if options.json:
        return json.dumps([asdict(one) for one in answers], indent=2, ensure_ascii=False) + "\n"
    return "".join(_text(one, len(asked[one.environment])) for one in answers) + _CAVEAT


def _asked(settings: Settings, spelling: str) -> list[str]:
    """The keys that are asked for, as bundle/key."""
    bundles = settings.catalogue.bundles
    if spelling in bundles:
        return [f"{spelling}/{key}" for key in bundles[spelling].keys] or [f"{spelling}/*"]
    bundle, _, name = spelling.partition("/")
    if bundle in bundles and name in bundles[bundle].keys:
        return [spelling]
    holding = [one for one, content in bundles.items() if spelling in content.keys]
    return [f"{holding[0]}/{spelling}"] if len(holding) == 1 else []


def _unknown(settings: Iterable[Settings], spelling: str) -> SettingsError:
    names = {
        name
        for one in settings
        for bundle, content in one.catalogue.bundles.items()
        for name in (bundle, *(f"{bundle}/{key}" for key in content.keys))
    }
    holding = sorted(name for name in names if name.endswith(f"/{spelling}"))
    hint = f"; there are {', '.join(holding)}" if holding else did_you_mean(spelling, names)
    message = f"no such bundle or key{hint}; a key is named as bundle/key"
    return SettingsError([Problem("who", None, (), message)])


def _answer(settings: Settings, keys: list[str], *, is_live: bool) -> Answer:
    one = described(settings)
    places = {key: with_whole(one.places[key]) for key in keys}
    every = {place for some in places.values() for place in some}
    secrets: dict[str, list[str]] = {}
    for address in {name: None for key in keys for name in one.secrets_with[key]}:
        held = one.secrets.get(address)
        fields = held.fields.items() if held else ()
        secrets[address] = [
            name for name, field in fields if any(place in every for place, _ in field.sources)
        ]
    same = [
        key
        for key, found in one.places.items()
        if key not in keys and not key.endswith("/*") and found & every
    ]
    return Answer(
        environment=settings.environment.environment,
        secrets=secrets,
        same_value=same,
        readers=[
            *readers(settings, one, keys),
            *(_live_readers(settings, one, keys) if is_live else ()),
        ],
    )


def _live_readers(settings: Settings, one: Described, keys: list[str]) -> Iterator[Reader]:
    """The difference between what is declared and what RBAC in the cluster says."""
    from platform_secrets.secretsctl.live_access import live_grants, merged

    secrets = {name for key in keys for name in one.secrets_with[key]}
    declared = {*grants((each for each in one.objects.values() if "kind" in each), secrets)}
    live = live_grants(settings, secrets)
    known = {(each.kind, each.name, each.secret) for each in declared}
    place = f"{settings.environment.operator_namespace}/"
    found: dict[str, list[Grant]] = {"in the cluster, not declared": [], "Kubernetes itself": []}
    for each in live:
        if (each.kind, each.name, each.secret) not in known and not each.name.startswith(place):
            found[[*found][is_of_kubernetes(each)]].append(each)
    there = {(each.kind, each.name, each.secret) for each in live}
    found["declared, not in the cluster"] = [
        each for each in declared if (each.kind, each.name, each.secret) not in there
    ]
    for kind, some in found.items():
        for grant, what in merged(some):
            read = [key for key in keys if {*one.secrets_with[key]} & {*what}]
            yield Reader(kind, f"{grant.kind} {grant.name}", grant.by, what, read)


def _text(answer: Answer, asked: int) -> str:
    lines = [f"{answer.environment}:", "  Secrets that have it"]
    for address, fields in answer.secrets.items():
        lines.append(f"    {address}: {', '.join(fields) or 'during a rotation'}")
    if answer.same_value:
        lines.append(f"  keys with the same value: {', '.join(answer.same_value)}")
    for kind in dict.fromkeys(one.kind for one in answer.readers):
        lines.append(f"  {kind}")
        for one in [one for one in answer.readers if one.kind == kind]:
            keys = f" ({', '.join(one.keys)})" if len(one.keys) < asked else ""
            what = f": {', '.join(one.what)}" if one.what else ""
            lines.append(f"    {one.name}, {one.by}{what}{keys}")
    return "".join(f"{printable(line)}\n" for line in lines)
