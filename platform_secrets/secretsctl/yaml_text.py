"""Objects as YAML that every reader understands alike: YAML 1.1 and 1.2, Go's and Python's."""

import re
from functools import lru_cache
from typing import Any

# Texts that some reader takes for something else: https://yaml.org/type/ (null, bool, int, float,
# timestamp, merge, value), and YAML 1.2's own.
_AMBIGUOUS = (
    r"(?i:y|n|yes|no|on|off|true|false|null|~|=|<<|[-+]?\.inf|\.nan)"
    r"|[-+]?[0-9][0-9_]*(:[0-9_]+)*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|\.[0-9_]+([eE][-+]?[0-9]+)?)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:. TtZz+-]*)?"
)
# A text that stands as it is: it begins with no sign of YAML's, holds no `: ` or ` #`, ends bare.
_BARE = re.compile(
    rf"(?!(?:{_AMBIGUOUS})\Z)(?!---|\.\.\.)"
    r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|[-?:](?=\S))"
    r"(?:[^\s:#]|:(?=\S)|(?<=\S)#|[ ](?=[^\s#]))*\Z"
)
# Most texts: words, the first of which is no reader's own and no number.
_WORDS = re.compile(
    r"(?!(?i:y|n|yes|no|on|off|true|false|null)\Z)"
    r"[A-Za-z][-_./A-Za-z0-9]*(?: [A-Za-z0-9][-_./A-Za-z0-9]*)*\Z"
)
# What has to be escaped, and cannot stand in lines of its own.
_PRINTED = "\x20-\x7e\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff"
_UNPRINTABLE = re.compile(f"[^\t\n{_PRINTED}]")
_ESCAPED = re.compile(rf'["\\]|[^{_PRINTED}]')
_NESTED = (dict, list, tuple)
_ESCAPES = {'"': r"\"", "\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"}


def yaml_text(manifest: Any) -> str:
    """One document with its final line break. Keys keep their order."""
    lines: list[str] = []
    _write(manifest, "", "", lines)
    return "".join(lines)


def yaml_stream(manifests: list[Any]) -> str:
    """Many documents, each with its `---`."""
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in manifests)


def _write(value: Any, start: str, indent: str, lines: list[str]) -> None:
    """Adds the lines of a value. `start` is what its first line has already, `indent` what the
    others begin with."""
    inner = f"{indent}  "
    if isinstance(value, dict) and value:
        for key, item in value.items():
            name = f"{start}{_name(key)}:"
            if isinstance(item, str) and _WORDS.match(item):
                lines.append(f"{name} {item}\n")
            elif isinstance(item, _NESTED) and item:
                lines.append(f"{name}\n")
                below = inner if isinstance(item, dict) else indent
                _write(item, below, below, lines)
            else:
                lines.append(f"{name} {_leaf(item, inner)}\n")
            start = indent
    elif isinstance(value, _NESTED) and value:
        for item in value:
            if isinstance(item, str) and _WORDS.match(item):
                lines.append(f"{start}- {item}\n")
            elif isinstance(item, _NESTED) and item:
                _write(item, f"{start}- ", inner, lines)
            else:
                lines.append(f"{start}- {_leaf(item, inner)}\n")
            start = indent
    else:
        lines.append(f"{start}{_leaf(value, indent)}\n")


def _leaf(value: Any, indent: str) -> str:
    if isinstance(value, str):
        if _WORDS.match(value):
            return value
        return _text_lines(value, indent) if "\n" in value else _marked(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # YAML 1.1 wants a point in every float: 1.0e-05, where Python writes 1e-05.
        digits = repr(value)
        return digits if "." in digits else digits.replace("e", ".0e")
    if isinstance(value, int):
        return str(value)
    return "{}" if isinstance(value, dict) else "[]"


@lru_cache(1024)
def _name(key: str) -> str:
    return key if _WORDS.match(key) else _marked(key)


@lru_cache(4096)
def _marked(text: str) -> str:
    """With quotes, where it needs them."""
    if "\n" in text or "\t" in text or _UNPRINTABLE.search(text):
        return f'"{_ESCAPED.sub(_escaped, text)}"'
    if _BARE.match(text):
        return text
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    return _ESCAPES.get(letter) or f"\\u{ord(letter):04x}"


def _text_lines(text: str, indent: str) -> str:
    """A text of several lines as such, unless a reader would take its first one for indented."""
    if text[0] in " \t\n" or _UNPRINTABLE.search(text):
        return _marked(text)
    body = text.rstrip("\n")
    breaks = len(text) - len(body)
    sign = "|-" if not breaks else "|" if breaks == 1 else "|+"
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([sign, *lines]) + "\n" * (breaks - 1 if breaks else 0)
