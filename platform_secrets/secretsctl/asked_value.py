"""A value that a person gives for one key: from a prompt without echo, a file or standard input.

No message shows any part of it.
"""

import argparse
import base64
import getpass
import sys
from pathlib import Path

from platform_secrets.secretsctl import waiting
from platform_secrets.settings import Key, Settings, SettingsError
from platform_secrets.settings.limits import size_faults
from platform_secrets.settings.problems import Problem
from platform_secrets.settings.values import value_fault

_LARGEST_BYTES = 1024 * 1024 - 1024
"""A Secret is at most 1 MiB; what is beside the value is small."""


def asked_value(settings: Settings, id: str, options: argparse.Namespace) -> str:
    """The value of a key as it is to be stored, by a prompt or from where the options say.
    SettingsError for one that breaks the key's rule, or is too large for its store."""
    place, key = "VALUE", settings.catalogue.keys[id]
    if options.from_literal is not None:
        waiting.say("the value is in your shell's history now: clear it there, or use the prompt")
        value = options.from_literal
    elif options.from_file is not None:
        place = str(options.from_file)
        value = _text(_content(options.from_file), key, place)
    elif not sys.stdin.isatty():
        raise _wrong(place, "nobody can be asked here: use --from-file FILE, or - for stdin")
    else:
        value = _typed_twice(options.key)
    fault = value_fault(key, value) if _is_text(value) else "is not text in UTF-8"
    if fault is None and len(value.encode()) > _LARGEST_BYTES:
        fault = f"is too large: at most {_LARGEST_BYTES} bytes are possible"
    fault = fault or next(size_faults(settings, {id: value}), None)
    if fault:
        raise _wrong(place, fault)
    return value


def _typed_twice(key: str) -> str:
    try:
        value = getpass.getpass(f"{key}: ")
        if value == getpass.getpass("again: "):
            return value
    except EOFError:
        raise _wrong("VALUE", "was not given") from None
    raise _wrong("VALUE", "was not the same twice")


def _is_text(value: str) -> bool:
    """Whether it is Unicode: what is typed in another encoding has surrogates in it."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _content(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if path == Path("-") else path.read_bytes()
    except OSError as error:
        raise _wrong(str(path), f"can't be read: {error.strerror}") from None


def _text(content: bytes, key: Key, place: str) -> str:
    if key.stored_as == "base64":
        return base64.b64encode(content).decode()
    try:
        # One line's end at the end is an editor's.
        return content.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        message = "is not text in UTF-8, and its key has no `stored-as: base64`"
        raise _wrong(place, message) from None


def _wrong(place: str, message: str) -> SettingsError:
    return SettingsError([Problem(place, None, (), message)])
