"""Values of basic Secrets, checked against the catalogue. No message holds any part of a value."""

import base64
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path as File
from typing import NamedTuple

from platform_secrets.settings.key import Key
from platform_secrets.settings.problems import Problem, SettingsError, did_you_mean
from platform_secrets.settings.resolved import Settings

_KEY = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
# What begins a line of its own, right or not; others may belong to the value before.
_NAME = re.compile(r"(export +)?[A-Za-z_][A-Za-z0-9_.-]{0,62} *")
_FORMS = {
    "postgres-url": (
        re.compile(r"postgres(ql)?://[^\s/]+(:[^\s/]*)?@[^\s/@]+/[^\s/]+"),
        "postgresql://user:password@host:port/database",
    ),
    "redis-url": (re.compile(r"rediss?://[^\s/]+(/[0-9]+)?"), "redis://:password@host:port/0"),
}

_ALPHABETS = {
    "hex": r"([0-9a-fA-F]{2})+",
    "base64": r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "uuid": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
}


def basic_values(
    settings: Settings, env_file: File, configured: Callable[[str], str | None]
) -> dict[str, str]:
    """The value of every key, by its id: from `env_file`, or set by `pulumi config set --secret`.

    Empty when there is neither, and for an environment with stores, whatever is in the file.
    Raises SettingsError with everything that is missing or wrong.
    """
    if settings.environment.secrets == "external":
        return {}
    names = settings.catalogue.spellings
    lines, problems = _lines(env_file, names)
    by_config = {name: value for name in names if (value := configured(name)) is not None}
    if not lines and not by_config and not problems:
        return {}
    given = {name: _Given(settings.stack_file, None, value) for name, value in by_config.items()}
    for name in by_config.keys() & lines.keys():
        message = f"is also in {env_file}; keep one"
        problems.append(Problem(settings.stack_file, None, (name,), message))
    given |= {name: _Given(str(env_file), *line) for name, line in lines.items()}
    return _checked(settings, given, str(env_file), problems)


def given_values(settings: Settings, given: Mapping[str, str], place: str) -> dict[str, str]:
    """The same of values that a program has at hand. `place` is where it gives them."""
    found = {name: _Given(place, None, value) for name, value in given.items()}
    return _checked(settings, found, place, [])


class _Given(NamedTuple):
    file: str
    line: int | None
    value: str


def _checked(
    settings: Settings, given: Mapping[str, _Given], place: str, problems: list[Problem]
) -> dict[str, str]:
    """The values by their keys' ids. What is missing should be in `place`."""
    keys = settings.catalogue.keys
    ids = settings.catalogue.spellings
    for name, (file, line, value) in given.items():
        if name not in ids:
            fault = f"unknown key{did_you_mean(name, ids)}; remove it"
        else:
            fault = value_fault(keys[ids[name]], value)
        if fault:
            problems.append(Problem(file, line, (name,), fault))
    problems += [
        Problem(place, None, (name,), f"is missing: {keys[id].description}")
        for name, id in ids.items()
        if name not in given
    ]
    if problems:
        raise SettingsError(problems)
    found = {id: given[name].value for name, id in ids.items()}
    bundles = settings.catalogue.bundles
    for id, key in keys.items():
        if key.same_as:
            bundle, name = key.lender
            found[id] = found[bundles[bundle].keys[name].id]
    return found


def value_fault(key: Key, value: str) -> str | None:
    """What is wrong with a value, told by its key's rule alone; None if nothing is."""
    if not value:
        return "is empty: fill it in"
    if len(value) < key.min_length:
        return f"is too short: at least {key.min_length} characters are needed"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        return "holds control characters"
    if value != value.strip():
        return "begins or ends with a blank"
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return "is in quotes, which would become part of it: remove them"
    if key.stored_as == "base64" and not _is_base64(value):
        return "is no base64, which the catalogue's `stored-as` asks for"
    if key.pattern and not re.fullmatch(key.pattern, value):
        return "does not have the form that the catalogue's pattern asks for"
    if key.format in _FORMS:
        form, example = _FORMS[key.format]
        if not form.fullmatch(value):
            return f"is no {key.format}, such as {example}"
    if key.alphabet in _ALPHABETS and not re.fullmatch(_ALPHABETS[key.alphabet], value):
        return f"is no {key.alphabet}, which the catalogue's `alphabet` asks for"
    return None


def _is_base64(value: str) -> bool:
    try:
        return bool(base64.b64decode(value, validate=True))
    except ValueError:
        return False


def _lines(path: File, known: Collection[str]) -> tuple[dict[str, tuple[int, str]], list[Problem]]:
    """The file's keys with line numbers and values; nothing when there is no file."""
    lines: dict[str, tuple[int, str]] = {}
    problems: list[Problem] = []
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}, []
    except OSError as error:
        return {}, [Problem(name, None, (), f"can't be read: {error.strerror}")]
    except UnicodeDecodeError:
        return {}, [Problem(name, None, (), "is not a text file in UTF-8")]
    continued = False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        is_key = key in known or bool(_KEY.fullmatch(key))
        is_own = bool(equals and (is_key or (not continued and _NAME.fullmatch(key))))
        if not equals or not is_key:
            message = "must be key=value, the key as in the catalogue"
            if lines and not is_own:
                message += f"; if this is more of {next(reversed(lines))}: a value is one line"
            if is_own or not continued:
                problems.append(Problem(name, number, (), message))
            continued = not is_own
            continue
        continued = False
        if key in lines:
            message = f"is there twice, first in line {lines[key][0]}"
            problems.append(Problem(name, number, (key,), message))
        else:
            lines[key] = (number, value)
    if not lines and not problems:
        problems.append(Problem(name, None, (), "is empty"))
    return lines, problems
