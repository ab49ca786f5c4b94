"""A Pulumi provider `aws` for tests: the real engine drives it, it drives moto.

It knows the resources that this project declares. What it reads is what moto has now, so that a
refresh finds what was changed behind the engine's back, and an import what it adopts.
"""
# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2

from tests.e2e.aws import REGION, Aws
from tests.e2e.pulumi_properties import plain, properties_of, struct_of
from tests.e2e.stand_in import CloudStandIn

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How a resource lives in AWS. `create` returns its ID, `read` its inputs as they are now or
    None, `update` writes what may change; a change of `fixed` inputs is another resource."""

    create: Callable[[Aws, Inputs], str]
    read: Callable[[Aws, str], dict[str, Any] | None]
    delete: Callable[[Aws, str, Inputs], Any]
    fixed: tuple[str, ...]
    update: Callable[[Aws, str, Inputs], Any]


def _refuse(aws: Aws, id_: str, inputs: Inputs) -> None:
    raise NotImplementedError(f"the tests do not update {id_}")


def _create_issuer(aws: Aws, i: Inputs) -> str:
    created = aws.client("iam").create_open_id_connect_provider(
        Url=i["url"], ClientIDList=i["clientIdLists"], ThumbprintList=[]
    )
    return created["OpenIDConnectProviderArn"]


def _read_issuer(aws: Aws, arn: str) -> dict[str, Any]:
    found = aws.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    return {"url": f"https://{found['Url']}", "clientIdLists": found["ClientIDList"]}


def _create_key(aws: Aws, i: Inputs) -> str:
    kms = aws.client("kms")
    created = kms.create_key(Description=i["description"], Policy=i["policy"])
    key_id: str = created["KeyMetadata"]["KeyId"]
    if i["enableKeyRotation"]:
        kms.enable_key_rotation(KeyId=key_id)
    return key_id


def _read_key(aws: Aws, id_: str) -> dict[str, Any] | None:
    kms = aws.client("kms")
    found = kms.describe_key(KeyId=id_)["KeyMetadata"]
    if found["KeyState"] == "PendingDeletion":
        return None
    return {
        "description": found["Description"],
        "enableKeyRotation": kms.get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"],
        "policy": kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"],
    }


def _update_key(aws: Aws, id_: str, i: Inputs) -> None:
    kms = aws.client("kms")
    kms.put_key_policy(KeyId=id_, PolicyName="default", Policy=i["policy"])
    kms.enable_key_rotation(KeyId=id_)


def _delete_key(aws: Aws, id_: str, i: Inputs) -> None:
    days = int(i["deletionWindowInDays"])
    aws.client("kms").schedule_key_deletion(KeyId=id_, PendingWindowInDays=days)


def _create_alias(aws: Aws, i: Inputs) -> str:
    aws.client("kms").create_alias(AliasName=i["name"], TargetKeyId=i["targetKeyId"])
    return i["name"]


def _read_alias(aws: Aws, id_: str) -> dict[str, Any] | None:
    aliases = aws.client("kms").list_aliases()["Aliases"]
    found = {alias["AliasName"]: alias for alias in aliases}.get(id_)
    return found and {"name": id_, "targetKeyId": found["TargetKeyId"]}


def _create_secret(aws: Aws, i: Inputs) -> str:
    tags = [{"Key": key, "Value": value} for key, value in i.get("tags", {}).items()]
    made = aws.client("secretsmanager").create_secret(
        Name=i["name"], KmsKeyId=i["kmsKeyId"], Tags=tags
    )
    return made["ARN"]


def _read_secret(aws: Aws, id_: str) -> dict[str, Any] | None:
    found = aws.client("secretsmanager").describe_secret(SecretId=id_)
    if "DeletedDate" in found:
        return None
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
    read = {"name": found["Name"], "kmsKeyId": found.get("KmsKeyId")}
    return read | ({"tags": tags} if tags else {})


def _update_secret(aws: Aws, id_: str, i: Inputs) -> None:
    client = aws.client("secretsmanager")
    client.update_secret(SecretId=id_, KmsKeyId=i["kmsKeyId"])
    tags = [{"Key": key, "Value": value} for key, value in i.get("tags", {}).items()]
    client.tag_resource(SecretId=id_, Tags=tags)


def _delete_secret(aws: Aws, id_: str, i: Inputs) -> None:
    days = int(i["recoveryWindowInDays"])
    how = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
    aws.client("secretsmanager").delete_secret(SecretId=id_, **how)


def _create_role(aws: Aws, i: Inputs) -> str:
    aws.client("iam").create_role(
        RoleName=i["name"], AssumeRolePolicyDocument=i["assumeRolePolicy"]
    )
    return i["name"]


def _read_role(aws: Aws, id_: str) -> dict[str, Any]:
    found = aws.client("iam").get_role(RoleName=id_)["Role"]
    return {"name": id_, "assumeRolePolicy": json.dumps(found["AssumeRolePolicyDocument"])}


def _put_rights(aws: Aws, i: Inputs) -> str:
    aws.client("iam").put_role_policy(
        RoleName=i["role"], PolicyName=i["name"], PolicyDocument=i["policy"]
    )
    return f"{i['role']}:{i['name']}"


def _read_rights(aws: Aws, id_: str) -> dict[str, Any]:
    role, _, name = id_.partition(":")
    found = aws.client("iam").get_role_policy(RoleName=role, PolicyName=name)
    return {"role": role, "name": name, "policy": json.dumps(found["PolicyDocument"])}


KINDS = {
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": Kind(
        _create_issuer,
        _read_issuer,
        lambda aws, id_, _: aws.client("iam").delete_open_id_connect_provider(
            OpenIDConnectProviderArn=id_
        ),
        ("url",),
        _refuse,
    ),
    "aws:kms/key:Key": Kind(_create_key, _read_key, _delete_key, (), _update_key),
    "aws:kms/alias:Alias": Kind(
        _create_alias,
        _read_alias,
        lambda aws, id_, _: aws.client("kms").delete_alias(AliasName=id_),
        ("name",),
        _refuse,
    ),
    "aws:secretsmanager/secret:Secret": Kind(
        _create_secret, _read_secret, _delete_secret, ("name",), _update_secret
    ),
    "aws:iam/role:Role": Kind(
        _create_role,
        _read_role,
        lambda aws, id_, _: aws.client("iam").delete_role(RoleName=id_),
        ("name",),
        lambda aws, id_, i: aws.client("iam").update_assume_role_policy(
            RoleName=id_, PolicyDocument=i["assumeRolePolicy"]
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        lambda aws, i: _put_rights(aws, i),
        _read_rights,
        lambda aws, id_, i: aws.client("iam").delete_role_policy(
            RoleName=i["role"], PolicyName=i["name"]
        ),
        ("name", "role"),
        lambda aws, _, i: _put_rights(aws, i),
    ),
}
GONE = ("NotFoundException", "ResourceNotFoundException", "NoSuchEntity")


class AwsProvider(CloudStandIn):
    """Speaks to one moto server, which takes every caller for an administrator."""

    VERSION = "7.999.0"

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def knows(self, token: str, inputs: Mapping[str, Any]) -> bool:
        return token in KINDS and inputs.get("region", REGION) == REGION

    def replacing(self, token: str, changed: Iterable[str]) -> Iterable[str]:
        return (key for key in changed if key in KINDS[token].fixed)

    def Create(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct_of(properties))
        id_ = KINDS[request.type].create(self._aws, plain(properties))
        return provider_pb2.CreateResponse(id=id_, properties=struct_of(properties))

    def Update(self, request: Any, context: Any) -> Any:
        properties = properties_of(request.news)
        if not request.preview:
            KINDS[request.type].update(self._aws, request.id, plain(properties))
        return provider_pb2.UpdateResponse(properties=struct_of(properties))

    def Read(self, request: Any, context: Any) -> Any:
        """What was declared, with all that moto knows as it is there now."""
        try:
            found = KINDS[request.type].read(self._aws, request.id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            found = None
        if found is None:
            return provider_pb2.ReadResponse()
        read = struct_of({**plain(properties_of(request.inputs)), **found})
        return provider_pb2.ReadResponse(id=request.id, properties=read, inputs=read)

    def Delete(self, request: Any, context: Any) -> Any:
        inputs = plain(properties_of(request.properties))
        KINDS[request.type].delete(self._aws, request.id, inputs)
        return Empty()
