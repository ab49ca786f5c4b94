"""Objects as YAML that every reader understands alike: YAML 1.1 and 1.2, Go's and Python's."""

import re
from functools import cache
from typing import Any

import ryaml

# Texts that ryaml (YAML 1.2) writes bare, and that YAML 1.1 readers, Kubernetes' own among them,
# take for something else: https://yaml.org/type/ (bool, int, float, timestamp, merge, value).
_AMBIGUOUS = re.compile(
    r"(?i:y|n|yes|no|on|off)|=|<<"
    r"|[-+]?[0-9][0-9_]*(:[0-9_]+)*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|0b[01_]+|0x[0-9a-fA-F_]+|[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:. TtZz+-]*)?"
)
# ryaml leaves a text that begins so bare; afterwards it gets the form that all readers agree on.
_QUOTED, _BARE = "\ue000\ue001\ue002", "\ue000\ue001\ue003"
_MARKED = re.compile("\ue000\ue001([\ue002\ue003])([^\n]*?)(?=:?$|: )", re.MULTILINE)


def yaml_text(manifest: Any) -> str:
    """One document with its final line break. Keys keep their order."""
    if not _holds_ambiguous(manifest):
        return ryaml.dumps(manifest)  # pyright: ignore[reportPrivateImportUsage]
    text: str = ryaml.dumps(_marked(manifest))  # pyright: ignore[reportPrivateImportUsage]
    return _MARKED.sub(_unmarked, text)


def yaml_stream(manifests: list[Any]) -> str:
    """Many documents, each with its `---`."""
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in manifests)


@cache
def _is_ambiguous(text: str) -> bool:
    return _AMBIGUOUS.fullmatch(text) is not None


def _holds_ambiguous(value: Any) -> bool:
    """Few objects do, and to find out takes a third of the time of a marked copy."""
    if isinstance(value, str):
        return _is_ambiguous(value)
    if isinstance(value, dict):
        return any(_is_ambiguous(key) or _holds_ambiguous(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(map(_holds_ambiguous, value))
    return isinstance(value, float)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return _QUOTED + value if _is_ambiguous(value) else value
    if isinstance(value, dict):
        return {_marked(key): _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    if isinstance(value, float):
        # YAML 1.1 wants a point in every float: 1.0e-05, where Python writes 1e-05.
        digits = repr(value)
        return _BARE + (digits if "." in digits else digits.replace("e", ".0e"))
    return value


def _unmarked(match: re.Match[str]) -> str:
    return match[2] if match[1] == _BARE[2] else f"'{match[2]}'"
