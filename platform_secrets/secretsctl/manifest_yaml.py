"""One document of YAML as objects. No value of a Secret is kept: it is dropped before anything is
made of it."""

from collections.abc import Iterator
from typing import Any

import yaml

from platform_secrets.settings.yaml_bounds import NestingBound, is_bounded

# What holds values, or their cipher, in these kinds.
_VALUES = {"Secret": ("data", "stringData"), "SealedSecret": ("encryptedData",)}
# What installs charts, and where it has their values as one text.
_WITH_VALUES = ("Application", "ApplicationSet", "HelmChart")
_TEXTS_OF_VALUES = ("values", "valuesContent")
_WITHOUT_NAME = ("Kustomization", "Component")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What people write once and name again; far from what takes a moment to read.
_MOST_OF_ALIASES = 100_000


class AliasesInAliasesError(Exception):
    """A document that would be far larger once its aliases are written out."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__("has aliases inside aliases")


class _Loader(NestingBound, yaml.CSafeLoader):
    """Without dates: to Kubernetes they are texts."""


_NOT_KUBERNETES = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    letter: [one for one in known if one[0] not in _NOT_KUBERNETES]
    for letter, known in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class _AgainLoader(NestingBound, yaml.SafeLoader):
    """For an anchor that is there twice, which Kubernetes' own parsers take: an alias is of the one
    before it. libyaml's composer can't be told so."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()
        if not isinstance(event, yaml.AliasEvent) and event.anchor in self.anchors:
            del self.anchors[event.anchor]
        return super().compose_node(parent, index)


def objects(text: str, *, may_lack_kind: bool) -> tuple[list[dict[str, Any]], int]:
    """Those of a document, and the line of the first; `may_lack_kind` for a kustomization. Raises
    yaml.YAMLError, ValueError or AliasesInAliasesError."""
    try:
        loader, node = _composed(text, _Loader)
    except yaml.MarkedYAMLError as error:
        if not str(error.context).startswith("found duplicate anchor"):
            raise
        loader, node = _composed(text, _AgainLoader)
    if node is None:
        return [], 0
    if may_lack_kind:
        _name_kind(node)
    _merge(loader, node, set())
    _drop_values(node)
    found = [*_flat(loader.construct_document(node))]
    for one in found:
        if one["kind"] in _WITH_VALUES:
            _read_values(one)
    return found, node.start_mark.line


def _composed(text: str, kind: Any) -> tuple[Any, yaml.Node | None]:
    loader = kind(text)
    node = loader.get_single_node()
    if node and "&" in text and not is_bounded(node, len(text) + _MOST_OF_ALIASES):
        raise AliasesInAliasesError(node.start_mark.line)
    return loader, node


def _read_values(content: Any) -> None:
    """Reads a chart's values where they are one text."""
    for name, value in content.items() if isinstance(content, dict) else ():
        if name in _TEXTS_OF_VALUES and isinstance(value, str):
            try:
                loader, node = _composed(value, _Loader)
                content[name] = loader.construct_document(node) if node else None
            except (yaml.YAMLError, ValueError, AliasesInAliasesError):
                continue  # what a generator has still to fill in
        else:
            for one in value if isinstance(value, list) else (value,):
                _read_values(one)


def _flat(content: object) -> Iterator[dict[str, Any]]:
    """An object, or those of a list."""
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        return
    if content["kind"].endswith("List") and isinstance(content.get("items"), list):
        for one in content["items"]:
            yield from _flat(one)
    elif isinstance(content.get("metadata"), dict) or content["kind"] in _WITHOUT_NAME:
        yield content


def _name_kind(node: yaml.Node | None) -> None:
    """A kustomization may lack its kind."""
    if isinstance(node, yaml.MappingNode) and "kind" not in [key.value for key, _ in node.value]:
        tag = "tag:yaml.org,2002:str"
        named = yaml.ScalarNode(tag, "kind"), yaml.ScalarNode(tag, "Kustomization")
        node.value.append(named)


def _merge(loader: Any, node: yaml.Node, known: set[int]) -> None:
    """Writes merged keys (`<<`) out, so that nothing is looked for in vain."""
    if id(node) in known or not isinstance(node, yaml.CollectionNode):
        return
    known.add(id(node))
    if isinstance(node, yaml.MappingNode):
        loader.flatten_mapping(node)
    for pair in node.value:
        for each in pair if isinstance(pair, tuple) else (pair,):
            _merge(loader, each, known)


def _drop_values(node: yaml.Node | None) -> None:
    """Empties what holds values in a Secret's node, before anything is made of it."""
    if not isinstance(node, yaml.MappingNode):
        return
    fields = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    kind = getattr(fields.get("kind"), "value", None)
    for holder in (node, fields.get("spec")):
        for name in _VALUES.get(kind, ()) if isinstance(kind, str) else ():
            _empty(holder, name)
    _empty(fields.get("metadata"), "annotations", _LAST_APPLIED)
    if kind in _WITHOUT_NAME:
        _shorten_literals(fields.get("secretGenerator"))
    items = fields.get("items")
    for one in items.value if isinstance(items, yaml.SequenceNode) else ():
        _drop_values(one)


def _empty(node: yaml.Node | None, *path: str) -> None:
    """Takes the texts away below a path, and leaves the names."""
    if isinstance(node, yaml.ScalarNode) and not path:
        node.value, node.tag = "", "tag:yaml.org,2002:str"
    for one in node.value if isinstance(node, yaml.SequenceNode) and not path else ():
        _empty(one)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if not path or key.value == path[0]:
            _empty(value, *path[1:])


def _shorten_literals(node: yaml.Node | None) -> None:
    """Takes the values away from a generator's `name=value`."""
    for generator in node.value if isinstance(node, yaml.SequenceNode) else ():
        for key, value in generator.value if isinstance(generator, yaml.MappingNode) else ():
            if key.value == "literals" and isinstance(value, yaml.SequenceNode):
                for one in value.value:
                    one.value = str(one.value).partition("=")[0]
