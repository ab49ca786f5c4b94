"""What every AWS half is made of, as moto keeps it: issuer, roles, keys, entries."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.e2e.aws import Aws

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
    replicas = i.get("replicas", [])
    copies = [{"Region": one["region"], "KmsKeyId": one["kmsKeyId"]} for one in replicas]
    made = aws.client("secretsmanager").create_secret(
        Name=i["name"],
        KmsKeyId=i["kmsKeyId"],
        Tags=tags,
        **({"AddReplicaRegions": copies} if copies else {}),
    )
    for one in replicas:
        aws.replica_keys[one["region"], i["name"]] = one["kmsKeyId"]
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
    if regions := [one["region"] for one in i.get("replicas", [])]:
        aws.client("secretsmanager").remove_regions_from_replication(
            SecretId=id_, RemoveReplicaRegions=regions
        )
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


def _tag(aws: Aws, i: Inputs) -> str:
    tag = {"Key": i["key"], "Value": i["value"]}
    aws.client("secretsmanager").tag_resource(SecretId=i["secretId"], Tags=[tag])
    return f"{i['secretId']},{i['key']}"


def _read_tag(aws: Aws, id_: str) -> dict[str, Any] | None:
    entry, _, key = id_.rpartition(",")
    found = aws.client("secretsmanager").describe_secret(SecretId=entry).get("Tags", [])
    values = {tag["Key"]: tag["Value"] for tag in found}
    return {"secretId": entry, "key": key, "value": values[key]} if key in values else None


KINDS = {
    "aws:secretsmanager/tag:Tag": Kind(
        _tag,
        _read_tag,
        lambda aws, _, i: aws.client("secretsmanager").untag_resource(
            SecretId=i["secretId"], TagKeys=[i["key"]]
        ),
        ("secretId", "key"),
        _refuse,
    ),
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
