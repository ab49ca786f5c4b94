"""What is there of a Secret that is to be migrated, and what forbids it."""

import json
from ast import literal_eval
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from platform_secrets.manifests.migration import copied
from platform_secrets.manifests.naming import Manifest
from platform_secrets.secretsctl import owners
from platform_secrets.settings import Settings
from platform_secrets.settings.entries import kept
from platform_secrets.settings.layout import overlap_secret

_OPERATORS_LABELS = [f"reconcile.external-secrets.io/{one}" for one in ("managed", "created-by")]
_OPERATORS_ANNOTATION = "reconcile.external-secrets.io/data-hash"
_MOST_BYTES = 1_000_000
_TEXT_BYTES = 250
"""What the copy has beside each value."""


def kubectl_output(names: Collection[str]) -> str:
    """What kubectl is to hand over of a Secret: no value, and of labels and annotations, of which
    some hold values, those of these names and those by which others know what is theirs."""
    asked = " ".join(
        f'(eq $k "{name}")' for name in {**dict.fromkeys(owners.MARKS), **dict.fromkeys(names)}
    )
    chosen = (
        "{{range $k, $v := .metadata.%ss}}{{if or "
        + asked
        + "}}%s {{$k}} {{printf `%%q` $v}}{{E}}{{end}}{{end}}"
    )
    return (
        "go-template=uid {{.metadata.uid}}{{E}}version {{.metadata.resourceVersion}}{{E}}"
        "type {{.type}}{{E}}{{if .immutable}}immutable{{E}}{{end}}"
        "{{range $k, $v := .data}}key {{$k}} {{len $v}}{{E}}{{end}}"
        "{{range .metadata.ownerReferences}}owner {{.kind}} {{.name}}{{E}}{{end}}"
        + "".join(chosen % (each, each) for each in ("label", "annotation"))
    ).replace("{{E}}", '{{"\\n"}}')


@dataclass(frozen=True)
class FoundSecret:
    """A Secret without its values."""

    uid: str = ""
    version: str = ""
    type: str = "Opaque"
    is_immutable: bool = False
    keys: dict[str, int] = field(default_factory=dict)
    """With each value's length, as base64."""
    owners: list[tuple[str, str]] = field(default_factory=list)
    """Kind and name of each object with which it would be deleted."""
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)


def found_secret(text: str) -> FoundSecret:
    """What kubectl wrote by `kubectl_output`."""
    lines = [line.split(" ", 2) for line in text.splitlines()]
    single = {word: rest[0] for word, *rest in lines if word in ("uid", "version", "type")}
    pairs = {
        word: [(line[1], line[2]) for line in lines if line[0] == word]
        for word in ("key", "owner", "label", "annotation")
    }
    return FoundSecret(
        **single,
        is_immutable=["immutable"] in lines,
        keys={name: int(length) for name, length in pairs["key"]},
        owners=pairs["owner"],
        # Go's quoted texts are Python's, too.
        labels={name: literal_eval(value) for name, value in pairs["label"]},
        annotations={name: literal_eval(value) for name, value in pairs["annotation"]},
    )


def replaced_metadata(
    found: FoundSecret, own: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str | None]]:
    """The labels and annotations that are other ones under the operator, as they are now."""
    labels = {name: found.labels.get(name) for name in own["labels"]}
    return {
        "labels": {**labels, **dict.fromkeys(_OPERATORS_LABELS)},
        "annotations": {
            **{name: found.annotations.get(name) for name in own["annotations"]},
            _OPERATORS_ANNOTATION: None,
        },
    }


def refusals(settings: Settings, bundle: str, found: FoundSecret) -> list[str]:
    """Why the Secret can't be migrated as it is: a value would change or be lost, or its owner
    would write it again or take it away. Each says what to do."""
    secret = settings.catalogue.bundles[bundle].secret
    others = [one for one in found.owners if one != ("ExternalSecret", secret)]
    marks = found.labels | found.annotations
    releases = owners.releases(secret, settings.namespace, others, marks)
    lines = [*_content_faults(settings, bundle, found), *releases]
    return [f"Secret/{secret}: {line}" for line in lines]


def left_fields(settings: Settings, declared: Manifest, live: Manifest) -> Iterator[str]:
    """What an ExternalSecret of this name had before ours was applied over it: who applied that
    still owns these fields, and the operator would go by them too."""
    name = declared["metadata"]["name"]
    if left := [*_surplus(declared["spec"], live["spec"], "/spec")]:
        patch = json.dumps([{"op": "remove", "path": path} for path in left])
        command = f"kubectl patch externalsecret {name} -n {settings.namespace} --type=json"
        what = f"still has {', '.join(left)}, from before it was ours"
        yield f"ExternalSecret/{name}: {what}: `{command} --patch='{patch}'`"


def _surplus(declared: object, live: object, path: str) -> Iterator[str]:
    """JSON pointers of what is in `live` alone. A list has one owner, so it is as declared."""
    if isinstance(declared, dict) and isinstance(live, dict):
        for name, content in live.items():
            place = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
            if name in declared:
                yield from _surplus(declared[name], content, place)
            else:
                yield place


def planned(settings: Settings, bundle: str, found: FoundSecret) -> list[str]:
    """What a migration does, a line for each value and step."""
    content, store = settings.catalogue.bundles[bundle], settings.store_name(bundle)
    lines = [f"Secret/{content.secret}: {len(found.keys)} keys, {found.type}"]
    for value in copied(settings, bundle, found.keys):
        place = f" ({value.entry.property})" if value.entry.property else ""
        lines.append(f"would copy {value.name} to {value.entry.key}{place} in store {store}")
    lines += [f"would compare {field}" for field in content.fields]
    lines.append(f"would let ExternalSecret/{content.secret} take it over")
    readers = ", ".join(settings.readers.get(bundle, [])) or "nobody in the catalogue"
    return [*lines, f"would restart nothing; its readers: {readers}"]


def _content_faults(settings: Settings, bundle: str, found: FoundSecret) -> Iterator[str]:
    content = settings.catalogue.bundles[bundle]
    if found.is_immutable:
        yield "is immutable: the operator could never change it; replace it by one that is not"
    if found.type != content.secret_type:
        what = f"bundle {bundle} says {content.secret_type}"
        yield f"is of type {found.type}, and {what}, which no Secret can become: correct `type`"
    values = kept(settings, bundle)
    derived = {one.name: one.is_apart for one in values if one.name != one.key}
    for name in [one for one in content.fields if one not in found.keys]:
        yield f"has no {name}, which the catalogue has: add it, or leave it out for now (`without`)"
    for name, length in found.keys.items():
        if derived.get(name):
            apart = f"Secret/{overlap_secret(content.secret)} has in this layout"
            yield f"has {name}, which {apart}: take `overlap` out of its key before"
        elif name not in content.fields and name not in derived:
            yield f"has {name}, which would be lost: add it to bundle {bundle} in the catalogue"
        elif not length and name in content.shown:
            yield f"has {name} without a value, and the operator takes none: give it one"
    yield from _size_faults(settings, bundle, found)


def _size_faults(settings: Settings, bundle: str, found: FoundSecret) -> Iterator[str]:
    size = sum(_bytes(length) + _TEXT_BYTES for length in found.keys.values())
    if size > _MOST_BYTES:
        would = f"a copy with its comparisons would have {size:,} bytes, and a Secret has a MiB"
        yield f"is too large: {would}; make two bundles of it"
    content, store = settings.catalogue.bundles[bundle], settings.store_of(bundle)
    sizes = Counter[str]()
    for value in copied(settings, bundle, found.keys):
        length = found.keys.get(value.name, 0)
        is_encoded = content.keys[value.key].stored_as == "base64"
        sizes[value.entry.key] += length if is_encoded else _bytes(length)
    for entry, size in sizes.items():
        if (most := store.largest_entry) and size > most:
            would = f"entry {entry} would hold {size:,} bytes at least"
            yield f"is too large: {would}; {store.provider} takes {most:,}"


def _bytes(length: int) -> int:
    """How many bytes a text in base64 stands for at least."""
    return max(0, length * 3 // 4 - 2)
