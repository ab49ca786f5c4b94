"""Values of basic Secrets, checked against the catalogue. No message holds any part of a value."""

import base64
import re
from collections.abc import Callable, Collection
from pathlib import Path as File

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


def basic_values(
    settings: Settings, env_file: File, configured: Callable[[str], str | None]
) -> dict[str, str]:
    """The value of every key, by its id: from `env_file`, or set by `pulumi config set --secret`.

    Empty when there is neither, and for an environment with stores, whatever is in the file.
    Raises SettingsError with everything that is missing or wrong.
    """
    if settings.environment.secrets == "external":
        return {}
    keys = settings.catalogue.keys
    ids = settings.catalogue.spellings
    known = {name: keys[id] for name, id in ids.items()}
    lines, problems = _lines(env_file, known)
    by_config = {name: value for name in known if (value := configured(name)) is not None}
    if not lines and not by_config and not problems:
        return {}
    values: dict[str, str] = {}
    for name, (number, value) in lines.items():
        if name not in known:
            message = f"unknown key{did_you_mean(name, known)}; remove it"
            problems.append(Problem(str(env_file), number, (name,), message))
            continue
        values[name] = value
        fault = value_fault(known[name], value)
        if fault:
            problems.append(Problem(str(env_file), number, (name,), fault))
    for name, value in by_config.items():
        values[name] = value
        fault = f"is also in {env_file}; keep one" if name in lines else None
        fault = fault or value_fault(known[name], value)
        if fault:
            problems.append(Problem(settings.stack_file, None, (name,), fault))
    problems += [
        Problem(str(env_file), None, (name,), f"is missing: {key.description}")
        for name, key in known.items()
        if name not in values
    ]
    if problems:
        raise SettingsError(problems)
    found = {id: values[name] for name, id in ids.items()}
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
