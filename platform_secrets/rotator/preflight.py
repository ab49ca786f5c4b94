"""Whether the API server would take what a rotation writes: each kind of write is tried beforehand,
by this very account, as a dry run.

A policy of the cluster, or a release of the operator whose kinds have one more default, would else
be met half-way through a rotation.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from typing import Any

from . import contract, shapes
from .api import Api, ConflictError, Manifest, RefusedError
from .keys import Database, Generated, RotatedKey, SecretsManager
from .operator_objects import OperatorObjects
from .plan import Plan
from .rollout import Workloads

# A day on which nothing is due.
_ROTATION = "1970-01-01"
_VERSIONS = ("before", "staged")
_ANY_VERSION = "00000000-0000-4000-8000-000000000000"
_TOKEN = "preflight"  # noqa: S105 - of an annotation

Try = Callable[[], object]


class Preflight:
    """The tries of one run. What is alike for many keys is tried once."""

    def __init__(
        self, plan: Plan, api: Api, operator: OperatorObjects, workloads: Workloads
    ) -> None:
        self._plan, self._api = plan, api
        self._operator, self._workloads = operator, workloads
        self._faults: dict[str, str | None] = {}
        self._shapes: dict[object, dict[str, Manifest]] = {}

    def refused(self, keys: Iterable[RotatedKey]) -> dict[str, str]:
        """The keys of which a rotation would be refused, each with the reason."""
        found = {}
        for key in keys:
            for what, attempt in self._writes(key):
                if what not in self._faults:
                    self._faults[what] = _fault(attempt)
                if fault := self._faults[what]:
                    found.setdefault(key.name, fault)
        return found

    def _writes(self, key: RotatedKey) -> Iterator[tuple[str, Try]]:
        outline = type(key), _outline(vars(key))
        if outline not in self._shapes:
            made = one_shots(self._plan, key, _ROTATION)
            self._shapes[outline] = {_shape(one): one for one in made}
        for shape, manifest in self._shapes[outline].items():
            yield shape, lambda one=manifest: self._api.would_create(one["kind"], one)
        if isinstance(key, Database):
            yield (
                f"ConfigMap/{key.pointer}",
                lambda: self._api.would_patch("ConfigMap", key.pointer, {"data": {}}),
            )
        for name in key.synced:
            yield f"ExternalSecret/{name}", lambda one=name: self._operator.would_sync(one, _TOKEN)
        for reader in key.readers:
            yield reader, lambda one=reader: self._workloads.would_restart(one, _TOKEN)


def one_shots(plan: Plan, key: RotatedKey, rotation: str) -> list[Manifest]:
    """Every object that a rotation of a key may make; of AWS's versions, of any of them."""
    match key:
        case Database():
            found = [shapes.staged_account(plan, key, rotation, side) for side in key.contents]
            found += [shapes.before_account(plan, key, rotation, side) for side in key.contents]
        case SecretsManager():
            found = [shapes.version(plan, key, rotation, step, _ANY_VERSION) for step in _VERSIONS]
        case Generated():
            found = [shapes.before(plan, key, rotation), shapes.staged(plan, key, rotation)]
            found += [shapes.push(plan, key, rotation, step) for step in contract.pushes(key)]
            found += [
                shapes.copy(plan, key, rotation, step, one)
                for one in key.elsewhere
                for step in ("before", "staged")
            ]
    steps = contract.checks(key)
    return found + [one for step in steps for one in shapes.checks(plan, key, rotation, step)]


def _outline(value: Any) -> object:
    """What keys with objects of the same shapes have in common: which of their fields are set."""
    value = vars(value) if is_dataclass(value) else value
    if isinstance(value, dict):
        return tuple((name, _outline(one)) for name, one in value.items())
    return tuple(map(_outline, value)) if isinstance(value, list) else bool(value)


def _shape(manifest: Manifest) -> str:
    """What an object has in common with those of other keys."""
    metadata = manifest["metadata"]
    _, step, _ = metadata["name"].split("-", 2)
    return f"{step} {metadata['namespace']} {_without_values(manifest)}"


def _without_values(value: Any) -> Any:
    if isinstance(value, dict):
        kind = {"kind": value["kind"]} if "kind" in value else {}
        return {field: _without_values(one) for field, one in value.items()} | kind
    return [*map(_without_values, value)] if isinstance(value, list) else None


def _fault(attempt: Try) -> str | None:
    try:
        attempt()
    except ConflictError:  # it is there, and admission comes before that
        return None
    except RefusedError as refusal:
        return None if refusal.status == 404 else str(refusal)
    return None
