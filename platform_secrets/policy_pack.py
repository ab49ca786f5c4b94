"""The policy's rules as a Pulumi policy pack: what `policy/__main__.py` runs.

It speaks the engine's protocol with the SDK that the program has, so that a project has one
environment: decision 22.
"""

import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import rpc
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

from platform_secrets import __version__
from platform_secrets.describing.asked import asked_of
from platform_secrets.policy import RESOURCE_RULES, RULES, Asked, Rule, Violation, violations
from platform_secrets.policy.judged import PROTECT, fields
from platform_secrets.settings import SettingsError, catalogue_document, load, stack_document

_NAME = "platform-secrets"
_OF_ANY_SIZE = [("grpc.max_receive_message_length", -1)]


def run() -> None:
    """Judges what the engine asks about, until that ends this process. Where it runs the pack is in
    a folder of the project's."""
    server = grpc.server(ThreadPoolExecutor(), options=_OF_ANY_SIZE)
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(PolicyPack(Path.cwd().parent), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        server.wait_for_termination()


class PolicyPack(analyzer_pb2_grpc.AnalyzerServicer):
    """Answers the engine. `project` is the folder of the stack files and of `catalogue.yaml`; the
    methods have the names of Pulumi's protocol."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._asked = Asked()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=__version__)

    def GetAnalyzerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        rules = [
            analyzer_pb2.PolicyInfo(
                name=rule.id,
                enforcementLevel=analyzer_pb2.MANDATORY,
                policy_type=analyzer_pb2.POLICY_TYPE_RESOURCE,
            )
            for rule in (*RULES, *RESOURCE_RULES)
        ]
        return analyzer_pb2.AnalyzerInfo(name=_NAME, version=__version__, policies=rules)

    def ConfigureStack(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Reads what the stack's own file asks for, as `secretsctl check` does."""
        stack = stack_document(self._project / f"Pulumi.{request.stack}.yaml")
        try:
            [found] = load([stack], catalogue_document(self._project / "catalogue.yaml"))
            self._asked = asked_of(found)
        except SettingsError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Analyze(self, request: Any, context: Any) -> Any:  # noqa: N802
        properties, _ = rpc.deserialize_properties_unwrap_secrets(
            request.properties, keep_unknowns=True, keep_internal=False
        )
        found = [
            analyzer_pb2.AnalyzeDiagnostic(
                policyName=rule.id,
                policyPackName=_NAME,
                policyPackVersion=__version__,
                message=f"{one.path} {one.found}; right: {one.right}",
                enforcementLevel=analyzer_pb2.MANDATORY,
            )
            for rule, one in known_violations(request, properties, self._asked)
        ]
        return analyzer_pb2.AnalyzeResponse(diagnostics=found)


def known_violations(
    request: Any, properties: Mapping[str, Any], asked: Asked
) -> Iterator[tuple[Rule, Violation]]:
    """What no rule allows of a resource. What is only known once others are made is judged then, by
    the update, before this one is."""
    is_object = request.type.startswith("kubernetes:")
    kind = request.type.rpartition(":")[2] if is_object else request.type
    judged = {"kind": kind, **properties} if is_object else {**properties, "kind": kind}
    unknown = [
        path.removeprefix(".")
        for path, _, content in fields(properties, "")
        if isinstance(content, pulumi.output.Unknown)
    ]
    for rule, violation in violations({**judged, PROTECT: request.options.protect}, asked):
        if not any(_is_within(violation.path, one) for one in unknown):
            yield rule, violation


def _is_within(path: str, outer: str) -> bool:
    return path == outer or path.startswith(f"{outer}.")
