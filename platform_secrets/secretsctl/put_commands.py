"""The commands with which people put values into an environment's stores; no value is in them."""

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platform_secrets.manifests.entries import adopted_entries, written_entries
from platform_secrets.secretsctl.example import about
from platform_secrets.secretsctl.kubectl import right_cluster
from platform_secrets.secretsctl.store_commands import MARK, store_commands
from platform_secrets.settings import Key, Settings
from platform_secrets.settings.entries import Entry, kept
from platform_secrets.settings.layout import overlap_secret
from platform_secrets.settings.rotations import Generated

_OPENING = """\
# Puts values into the stores of {environment}. Read it, then run it:
#   bash <({command})
# It asks for each value. Enter leaves a key as it is; @FILE takes what a file holds. No value is
# shown, and none is in a command line. It ends at the first command that fails. Then:
{afterwards}(
set -eu
value=
ask() {{ # KEY OTHER: sets $value; fails where the key is left as it is
  local before=$value offer=
  case $2 in same) offer=' (s: the same)' ;; ?*) offer=" (r: ${{2%%:*}} random characters)" ;; esac
  printf '%s%s: ' "$1" "$offer" >&2
  IFS= read -rs value || [ -n "$value" ] || {{ echo 'no more values' >&2; exit 1; }}
  echo >&2
  case $2,$value in
    same,s) value=$before ;;
    [0-9]*,r) value=$(random "$2") ;;
  esac
  case $value in
    @*) value=$(cat "${{value#@}}" 2>/dev/null) || {{ echo "$1: no such file" >&2; exit 1; }} ;;
  esac
  [ -n "$value" ]
}}
random() {{ # LENGTH, LENGTH:SYMBOLS, LENGTH:hex, 36:uuid, or LENGTH:base64-BYTES
  local length=${{1%%:*}} form
  form=${{1#"$length"}}
  case $form in
    :hex) hex "$((length / 2))" ;;
    :uuid) hex 16 | sed -E 's/(.{{8}})(.{{4}}).(.{{3}}).(.{{3}})/\\1-\\2-4\\3-8\\4-/' ;;
    :base64-*) head -c "${{form#:base64-}}" /dev/urandom | base64 | tr -d '\\n' ;;
    *)
      head -c "$((8 * length))" /dev/urandom | LC_ALL=C tr -dc "A-Za-z0-9${{form#:}}" |
        head -c "$length"
      ;;
  esac
}}
hex() {{ head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \\n'; }}
give() {{ printf %s "$value"; }}
put() {{ # KEY OTHER ENTRY PROPERTY MARK
  ask "$1" "$2" || return 0
  local key=$1 said
  shift 2
  said=$(change "$@" 2>&1) || create "$@" >/dev/null || {{ echo "$said" >&2; return 1; }}
  [ -z "$3" ] || mark "$1" "$3" >/dev/null
  echo "$key: put in"
}}
"""

_BY_ENGINE = "the database's engine makes it"
_BY_OPERATOR = "it is a token for which the operator asks"
_BY_PROVIDER = "Secrets Manager rotates it; its first account: docs/providers/aws.md, `database`"


@dataclass(frozen=True)
class _Place:
    """Where a key is kept. `entry` is None where an engine makes the value; `is_others` where it
    was there already, and nobody here writes it."""

    key: str
    """As people call it."""
    id: str
    bundle: str
    external_secret: str
    entry: Entry | None
    is_others: bool = False
    is_derived: bool = False


def put_commands(settings: Settings, options: argparse.Namespace) -> str:
    """A script that asks for values and puts them into the stores: of all keys, or of some."""
    ids = {settings.catalogue.key_id(key) for key in options.keys}
    places = [place for place in _places(settings) if not options.keys or place.id in ids]
    if options.not_ready:
        waiting = _not_ready(settings)
        places = [place for place in places if place.external_secret in waiting]
    if not places:
        return "# Their ExternalSecrets are Ready: nothing is missing.\n"
    command = shlex.join(
        [
            "secretsctl",
            "put-commands",
            *options.keys,
            *(["--not-ready"] if options.not_ready else []),
        ]
    )
    which = stack_options(options)
    text = _OPENING.format(
        environment=settings.environment.environment,
        command=f"{command} {which}",
        afterwards=_afterwards(settings, options, which),
    )
    for store in settings.environment.stores:
        of_store = [one for one in places if settings.store_name(one.bundle) == store]
        text += "".join(_of_store(settings, store, of_store)) if of_store else ""
    # Nothing follows: where the script is typed or piped in, that would be taken for values.
    return f"{text})\n"


def steps_afterwards(settings: Settings, key: str, which: str) -> list[str]:
    """What makes a new value of a key the one in use, once it is in its store."""
    id = settings.catalogue.key_id(key)
    synced = [one.external_secret for one in _places(settings) if one.id == id]
    borrowing = [*settings.catalogue.bundles_of.get(id or "", {})][1:]
    synced += [settings.catalogue.bundles[bundle].secret for bundle in borrowing]
    steps = [f"secretsctl sync {name} --wait {which}" for name in dict.fromkeys(synced)]
    steps.append(f"secretsctl restart {key} {which}")
    if settings.has_rotation and id and settings.catalogue.keys[id].rotate:
        steps.append(f"secretsctl rotated {key} {which}")
    return steps


def others_place(settings: Settings, key: str) -> str | None:
    """Where a key is kept that was there already, and that nobody here writes, in words."""
    [place] = [place for place in _places(settings) if place.key == key]
    if place.entry is None or not place.is_others:
        return None
    is_others = settings.store_of(place.bundle).is_others
    store = f" of store {settings.store_name(place.bundle)}, which is others'" if is_others else ""
    return f"{_described(place.entry)}{store}"


def stack_options(options: argparse.Namespace) -> str:
    """The options that name the stack, as they were given."""
    found = ["--stack", str(options.stack)] if options.stack else ["--env", options.env]
    if options.catalogue != Path("catalogue.yaml"):
        found += ["--catalogue", str(options.catalogue)]
    return shlex.join(found)


def _places(settings: Settings) -> Iterator[_Place]:
    spellings = {id: name for name, id in settings.catalogue.spellings.items()}
    for bundle, content in settings.catalogue.bundles.items():
        values = {value.name: value for value in kept(settings, bundle)}
        for key, rules in content.keys.items():
            if rules.same_as:
                continue
            id, spelling = rules.id, spellings[rules.id]
            if key not in values:
                yield _Place(spelling, id, bundle, content.secret, None)
                continue
            is_others = not values[key].may_be_written
            yield _Place(spelling, id, bundle, content.secret, values[key].entry, is_others)
            for name in [one.name for one in values.values() if one.key == key and one.is_apart]:
                secret = overlap_secret(content.secret)
                yield _Place(name, id, bundle, secret, values[name].entry, is_others, True)


def _not_ready(settings: Settings) -> set[str]:
    kubectl = right_cluster(settings)
    found = set()
    for name in dict.fromkeys(place.external_secret for place in _places(settings)):
        status = (kubectl.get("externalsecret", name) or {}).get("status", {})
        conditions = {one["type"]: one["status"] for one in status.get("conditions", [])}
        if conditions.get("Ready") != "True":
            found.add(name)
    return found


def _of_store(settings: Settings, name: str, places: list[_Place]) -> Iterator[str]:
    store = settings.environment.stores[name]
    commands = store_commands(store)
    marked = {*written_entries(settings, name).values()}
    if commands.marking != "all":
        is_adopted = commands.marking == "adopted"
        marked &= adopted_entries(settings, name) if is_adopted else set()
    yield f"\n# --- Store {name}\n{commands.functions}"
    for place in places:
        rules = settings.catalogue.keys[place.id]
        if place.entry is None:
            maker = _BY_ENGINE if store.engine else _BY_PROVIDER
            maker = _BY_OPERATOR if store.outputs else maker
            yield f"\n# {place.key}: left out, since {maker}.\n"
            continue
        if place.is_others:
            was = "were" if place.entry.before else "was"
            yield f"\n# {place.key}: left out: {_described(place.entry)} {was} there already.\n"
            continue
        other = _random(rules)
        mark = MARK if place.entry.key in marked else ""
        words = [place.key, "same" if place.is_derived else other]
        words += [place.entry.key, place.entry.property or "", mark]
        if not place.is_derived:
            yield f"\n{about(rules)}"
        yield f"put {shlex.join(words)}\n"


def _random(key: Key) -> str:
    """What the script's `random` takes, of a key whose values are generated."""
    rule = key.rotate
    if not isinstance(rule, Generated):
        return ""
    form = "" if rule.alphabet == "letters-and-digits" else rule.alphabet
    if rule.alphabet == "base64":
        form += f"-{rule.byte_count}"
    elif rule.symbols:
        # `tr` takes a hyphen for a range, unless it comes last.
        form = "".join(sorted(rule.symbols, key="-".__eq__))
    return f"{key.generated_length}:{form}" if form else str(key.generated_length)


def _described(entry: Entry) -> str:
    entries = f"{'entries' if entry.before else 'entry'} {', '.join((*entry.before, entry.key))}"
    return f"property {entry.property} of {entries}" if entry.property else entries


def _afterwards(settings: Settings, options: argparse.Namespace, which: str) -> str:
    steps = [f"secretsctl sync --wait {which}"]
    if options.keys:
        steps = [one for key in options.keys for one in steps_afterwards(settings, key, which)]
    return "".join(f"#   {step}\n" for step in steps)
