"""A Pulumi provider `aws` for tests: the real engine drives it, it drives moto.

It knows the resources that this project declares. What it reads is what moto has now, so that a
refresh finds what was changed behind the engine's back, and an import what it adopts.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from tests.e2e.aws import REGION, REPLICA_REGION, Aws
from tests.e2e.aws_kinds import KINDS as ALWAYS
from tests.e2e.aws_more_kinds import MORE_KINDS
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn

KINDS = ALWAYS | MORE_KINDS
GONE = ("NotFoundException", "ResourceNotFoundException", "NoSuchEntity")


class AwsProvider(CloudStandIn):
    """Speaks to one moto server, which takes every caller for an administrator."""

    VERSION = "7.999.0"

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token in KINDS and inputs.get("region", REGION) in (REGION, REPLICA_REGION)

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return (key for key in changed if key in KINDS[token].fixed)

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        inputs = plain(properties)
        id_ = KINDS[request.type].create(self._in(inputs), inputs)
        return provider_pb2.CreateResponse(id=id_, properties=struct_of(properties))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if not request.preview:
            inputs = plain(properties)
            KINDS[request.type].update(self._in(inputs), request.id, inputs)
        return provider_pb2.UpdateResponse(properties=struct_of(properties))

    def Read(self, request: Any, context: Any) -> Any:
        """What was declared, with all that moto knows as it is there now."""
        inputs = plain(properties_of(request.inputs))
        try:
            found = KINDS[request.type].read(self._in(inputs), request.id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            found = None
        if found is None:
            return provider_pb2.ReadResponse()
        read = struct_of({**inputs, **found})
        return provider_pb2.ReadResponse(id=request.id, properties=read, inputs=read)

    def Delete(self, request: Any, context: Any) -> Any:
        inputs = plain(properties_of(request.properties))
        KINDS[request.type].delete(self._in(inputs), request.id, inputs)
        return Empty()

    def _in(self, inputs: Mapping[str, Any]) -> Aws:
        return self._aws.at(inputs.get("region", REGION))
