"""Runs a Pulumi program against mocks and gives plain records of all that it declared."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, get_root_resource
from pulumi.runtime.stack import Stack, run_pulumi_func

PROJECT = Path(__file__).parents[1]
CLUSTER_UID = "5f0b6c2e-77aa-4c7e-9d7c-0f6a1b2c3d4e"


@dataclass(frozen=True)
class Secret:
    """An input that Pulumi keeps encrypted in its state."""

    value: str = field(repr=False)


@dataclass(frozen=True)
class Declared:
    """One registration as the engine gets it: whole numbers as int, secrets as `Secret`."""

    urn: str
    type: str
    name: str
    parent: str
    is_custom: bool
    inputs: dict[str, Any] = field(repr=False)
    provider: str
    depends_on: frozenset[str]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    ignore_changes: tuple[str, ...]
    version: str

    @property
    def package(self) -> str:
        """What the resource is of, or provides: `kubernetes`, `vault`, …"""
        parts = self.type.split(":")
        return parts[2] if parts[:2] == ["pulumi", "providers"] else parts[0]

    @property
    def manifest(self) -> dict[str, Any] | None:
        """The Kubernetes object, without Pulumi's own annotations; None for anything else."""
        if "apiVersion" not in self.inputs:
            return None
        metadata = dict(self.inputs["metadata"])
        annotations = metadata.pop("annotations", {})
        kept = {k: v for k, v in annotations.items() if not k.startswith("pulumi.com/")}
        return {**self.inputs, "metadata": metadata | ({"annotations": kept} if kept else {})}

    @property
    def pulumi_annotations(self) -> dict[str, str]:
        annotations = self.inputs.get("metadata", {}).get("annotations", {})
        return {k: v for k, v in annotations.items() if k.startswith("pulumi.com/")}


@dataclass(frozen=True)
class Read:
    """An object of somebody else's that the program reads."""

    id: str
    provider: str


@dataclass
class Run:
    """What a program did: its declarations, its warnings, the stack's outputs, and its error."""

    declared: list[Declared] = field(default_factory=list)
    read: list[Read] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None

    def components(self, type_: str) -> list[Declared]:
        """The components of a class, by its type token."""
        return [one for one in self.declared if one.type == type_]

    def children(self, parent: Declared) -> list[Declared]:
        return [one for one in self.declared if one.parent == parent.urn]

    def objects(self) -> list[Declared]:
        """The Kubernetes objects."""
        return [one for one in self.declared if one.manifest]

    def of_kind(self, kind: str) -> list[Declared]:
        return [one for one in self.objects() if one.inputs["kind"] == kind]

    def before(self, one: Declared) -> set[str]:
        """URNs of all that must be there before `one`: dependencies, and theirs in turn."""
        by_urn = {each.urn: each for each in self.declared}
        found: set[str] = set()
        waiting = [one]
        while waiting:
            each = waiting.pop()
            provider = each.provider.rpartition("::")[0]
            for urn in {*each.depends_on, provider} & {*by_urn} - found:
                found.add(urn)
                waiting.append(by_urn[urn])
        return found


def run(
    program: Callable[[], object],
    *,
    preview: bool = False,
    stack: str = "test",
    project: str = "platform-secrets",
    config: Mapping[str, str] | None = None,
    cluster_uid: str = CLUSTER_UID,
    outputs: Mapping[str, Mapping[str, str]] | None = None,
) -> Run:
    """Runs `program` to its end, in a context of its own so that no run sees another's state.

    `outputs`, by a resource's name, are what its provider adds to its inputs. No cluster answers
    when `cluster_uid` is "".
    Absence is only certain once every registration has landed, so all of them are waited for.
    """
    cloud = _Mocks(cluster_uid, outputs or {})
    return contextvars.Context().run(_run, program, preview, project, stack, config or {}, cloud)


def declare(program: Callable[[], object], **options: Any) -> Run:
    """As `run`, for a program that must succeed."""
    found = run(program, **options)
    if found.error:
        raise found.error
    return found


def _run(
    program: Callable[[], object],
    preview: bool,
    project: str,
    stack: str,
    config: Mapping[str, str],
    cloud: "_Mocks",
) -> Run:
    found = Run()
    monitor = _Monitor(found, cloud)
    logger = logging.Logger("pulumi")
    logger.addHandler(_Warnings(found))
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    # One error ends in every future that waited for it; it is reported once, by `found`.
    loop.set_exception_handler(lambda *_: None)
    pending: Any = SETTINGS  # its own types leave `outputs` out
    pending.outputs = type(pending.outputs)()  # a list or a set, by the release of the SDK
    try:
        pulumi.runtime.set_all_config(dict(config))
        pulumi.runtime.set_mocks(
            monitor.mocks, project, stack, preview, logger=logger, monitor=monitor
        )
        loop.run_until_complete(run_pulumi_func(lambda: (program(), None)[1]))
        root = get_root_resource()
        assert isinstance(root, Stack)
        found.outputs = dict(root.outputs)
    except pulumi.RunError as error:
        found.error = error
        # What the error did not stop may still declare something.
        loop.run_until_complete(_others_end())
    finally:
        loop.close()
    return found


async def _others_end() -> None:
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)


class _Warnings(logging.Handler):
    def __init__(self, found: Run) -> None:
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.warnings.append(record.getMessage())


class _Mocks(mocks.Mocks):
    """A cluster and clouds that take everything as it is declared."""

    def __init__(self, cluster_uid: str, outputs: Mapping[str, Mapping[str, str]]) -> None:
        self.cluster_uid = cluster_uid
        self.outputs = outputs

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"the program calls {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.resource_id == "kube-system":
            metadata = {"metadata": {"name": "kube-system", "uid": self.cluster_uid}}
            return "kube-system", metadata if self.cluster_uid else {}
        outputs = {**args.inputs, **self.outputs.get(args.name, {})}
        return (f"{args.name}-id" if args.custom else None), outputs


class _Monitor(mocks.MockMonitor):
    """Records whole requests: the mocks' own arguments lack dependencies and options."""

    def __init__(self, found: Run, cloud: _Mocks) -> None:
        super().__init__(cloud)
        self.found = found

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        self.found.read.append(Read(request.id, request.provider))
        return super().ReadResource(request)

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.found.declared.append(_declared(request, response.urn))
        return response


def _declared(request: Any, urn: str) -> Declared:
    return Declared(
        urn=urn,
        type=request.type,
        name=request.name,
        parent=request.parent,
        is_custom=request.custom,
        inputs=_plain(MessageToDict(request.object)),
        provider=request.provider,
        depends_on=frozenset(request.dependencies),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        delete_before_replace=request.deleteBeforeReplace,
        ignore_changes=tuple(request.ignoreChanges),
        version=request.version,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        # How Pulumi marks a secret on its way to the engine.
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return Secret(_plain(value["value"]))
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
