"""What an AWS half may have besides: rotation, rules, an association with Pod Identity."""

from typing import Any

from tests.e2e.aws import Aws
from tests.e2e.aws_kinds import Inputs, Kind


def _put_rotation(aws: Aws, i: Inputs) -> str:
    """Moto has no schedule but so many days, and rotates no entry without a value."""
    aws.client("secretsmanager").rotate_secret(
        SecretId=i["secretId"],
        RotationLambdaARN=i["rotationLambdaArn"],
        RotationRules={"AutomaticallyAfterDays": int(i["rotationRules"]["automaticallyAfterDays"])},
        RotateImmediately=i["rotateImmediately"],
    )
    return i["secretId"]


def _read_rotation(aws: Aws, id_: str) -> dict[str, Any] | None:
    found = aws.client("secretsmanager").describe_secret(SecretId=id_)
    if not found.get("RotationEnabled"):
        return None
    days = found["RotationRules"]["AutomaticallyAfterDays"]
    return {
        "secretId": id_,
        "rotationLambdaArn": found["RotationLambdaARN"],
        "rotationRules": {"automaticallyAfterDays": days},
    }


def _add_permission(aws: Aws, i: Inputs) -> str:
    aws.client("lambda").add_permission(
        FunctionName=i["function"],
        StatementId=i["statementId"],
        Action=i["action"],
        Principal=i["principal"],
        SourceAccount=i["sourceAccount"],
    )
    return i["statementId"]


def _put_rule(aws: Aws, i: Inputs) -> str:
    aws.client("events").put_rule(Name=i["name"], EventPattern=i["eventPattern"], State=i["state"])
    return i["name"]


def _read_rule(aws: Aws, id_: str) -> dict[str, Any]:
    found = aws.client("events").describe_rule(Name=id_)
    return {"name": id_, "eventPattern": found["EventPattern"], "state": found["State"]}


def _put_target(aws: Aws, i: Inputs) -> str:
    target = {"Id": i["targetId"], "Arn": i["arn"]}
    aws.client("events").put_targets(Rule=i["rule"], Targets=[target])
    return f"{i['rule']}-{i['targetId']}"


def _associate(aws: Aws, i: Inputs) -> str:
    """Kept here: moto's EKS has none."""
    aws.associations[i["namespace"], i["serviceAccount"]] = i
    return f"{i['clusterName']}/{i['namespace']}/{i['serviceAccount']}"


def _read_association(aws: Aws, id_: str) -> dict[str, Any] | None:
    _, namespace, account = id_.split("/")
    found = aws.associations.get((namespace, account))
    return dict(found) if found else None


def _as_declared(aws: Aws, id_: str) -> dict[str, Any]:
    return {}


MORE_KINDS = {
    "aws:secretsmanager/secretRotation:SecretRotation": Kind(
        _put_rotation,
        _read_rotation,
        lambda aws, id_, _: aws.client("secretsmanager").cancel_rotate_secret(SecretId=id_),
        ("secretId",),
        lambda aws, _, i: _put_rotation(aws, i),
    ),
    "aws:lambda/permission:Permission": Kind(
        _add_permission,
        _as_declared,
        lambda aws, id_, i: aws.client("lambda").remove_permission(
            FunctionName=i["function"], StatementId=id_
        ),
        ("function", "statementId"),
        lambda aws, _, i: None,
    ),
    "aws:cloudwatch/eventRule:EventRule": Kind(
        _put_rule,
        _read_rule,
        lambda aws, id_, _: aws.client("events").delete_rule(Name=id_),
        ("name",),
        lambda aws, _, i: _put_rule(aws, i),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Kind(
        _put_target,
        _as_declared,
        lambda aws, _, i: aws.client("events").remove_targets(Rule=i["rule"], Ids=[i["targetId"]]),
        ("rule", "targetId"),
        lambda aws, _, i: _put_target(aws, i),
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Kind(
        _associate,
        _read_association,
        lambda aws, _, i: aws.associations.pop((i["namespace"], i["serviceAccount"])),
        ("clusterName", "namespace", "serviceAccount"),
        lambda aws, _, i: _associate(aws, i),
    ),
}
