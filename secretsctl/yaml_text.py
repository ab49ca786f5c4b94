"""Objects as YAML that every reader understands alike: YAML 1.1 and 1.2, Go's and Python's."""

import re
from typing import Any

import ryaml

# Texts that ryaml (YAML 1.2) writes bare, and that YAML 1.1 readers, Kubernetes' own among them,
# take for something else: https://yaml.org/type/ (bool, int, float, timestamp, merge, value).
_AMBIGUOUS = re.compile(
    r"(?i:y|n|yes|no|on|off)|=|<<"
    r"|[-+]?[0-9][0-9_]*(:[0-9_]+)*(\.[0-9_]*)?([eE][-+]?[0-9]+)?"
    r"|0b[01_]+|0x[0-9a-fA-F_]+|\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"
)
# A private-use character: it keeps such a text bare, and marks it for the quotes set below.
_MARK = "\ue000"
_MARKED = re.compile(_MARK + r"([^\n]*?)(?=:?$|: )", re.MULTILINE)


def yaml_text(manifest: Any) -> str:
    """One document with its final line break. Keys keep their order."""
    marked = _marked(manifest)
    text: str = ryaml.dumps(marked)  # pyright: ignore[reportPrivateImportUsage]
    return _MARKED.sub(r"'\1'", text) if _MARK in text else text


def yaml_stream(manifests: list[Any]) -> str:
    """Many documents, each with its `---`."""
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in manifests)


def _marked(value: Any) -> Any:
    if isinstance(value, str):
        return _MARK + value if _AMBIGUOUS.fullmatch(value) else value
    if isinstance(value, dict):
        return {_marked(key): _marked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return value
