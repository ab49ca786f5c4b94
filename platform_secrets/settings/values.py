"""Values of basic Secrets, checked against the catalogue. No message holds any part of a value."""

import base64
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path as File
from typing import NamedTuple

from platform_secrets.settings.key import Key
from platform_secrets.settings.limits import size_faults
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


def first_values(settings: Settings, source: File) -> dict[str, str]:
    """Values of some keys, by their ids: of a file with lines as in secrets.env, or of a folder
    with a file for each, called as the key or as bundle/key.

    Raises SettingsError with everything that is wrong.
    """
    catalogue = settings.catalogue
    full = {f"{bundle}/{key}" for bundle, one in catalogue.bundles.items() for key in one.keys}
    if source.is_dir():
        given, problems = _files(settings, source)
    else:
        lines, problems = _lines(source, {*catalogue.spellings, *full})
        given = {name: _Given(str(source), *line) for name, line in lines.items()}
        if not given and not problems:
            problems = [Problem(str(source), None, (), "no such file")]
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, (file, line, value) in given.items():
        id = catalogue.key_id(name)
        if id is None:
            hint = did_you_mean(name, {*catalogue.spellings, *full})
            fault = f"unknown key{hint}; remove it"
        elif id in names:
            fault = f"is there twice, first as {names[id]}"
        else:
            names[id], found[id] = name, value
            fault = value_fault(catalogue.keys[id], value)
        if fault:
            problems.append(Problem(file, line, (*name.split("/"),), fault))
    problems += [Problem(str(source), None, (), one) for one in size_faults(settings, found)]
    if problems:
        raise SettingsError(problems)
    return found


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


def _files(settings: Settings, folder: File) -> tuple[dict[str, _Given], list[Problem]]:
    """What each file holds, by its path in the folder. One line's end at the end is an editor's."""
    given: dict[str, _Given] = {}
    problems: list[Problem] = []
    for path in _visible(folder):
        name = path.relative_to(folder).as_posix()
        key = settings.catalogue.keys.get(settings.catalogue.key_id(name) or "")
        try:
            content = path.read_bytes()
            if key and key.stored_as == "base64":
                text = base64.b64encode(content).decode()
            else:
                text = content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
            given[name] = _Given(str(path), None, text)
        except OSError as error:
            problems.append(Problem(str(path), None, (), f"can't be read: {error.strerror}"))
        except UnicodeDecodeError:
            message = "is not text in UTF-8, and its key has no `stored-as: base64`"
            problems.append(Problem(str(path), None, (), message))
    if not given and not problems:
        problems.append(Problem(str(folder), None, (), "is empty"))
    return given, problems


def _visible(folder: File) -> Iterator[File]:
    """Files, but for those whose name, or whose folder's, begins with a dot."""
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not is_hidden and path.is_file():
            yield path


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
    bundles = {one.rpartition("/")[0] for one in known}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        bundle, slash, short = key.rpartition("/")
        is_of_bundle = not slash or (bundle != "" and bundle in bundles)
        is_key = key in known or (is_of_bundle and bool(_KEY.fullmatch(short)))
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
