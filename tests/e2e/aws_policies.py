"""The door to moto that decides by the policies that moto holds, as AWS would.

Moto's own enforcement does not look at a secret's name (every call is for resource `*`, which no
policy with full names allows), nor at a role's trust, a key's policy, or conditions; so this is
our reading of AWS's rules, for just the elements that this project's documents use.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_gate import ASSUME, AUDIENCE, CHAIN, AwsGate

Document = Mapping[str, Any]
ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
IF_EXISTS = {"ArnEqualsIfExists", "BoolIfExists"}
# What Secrets Manager asks of KMS in the caller's name.
CIPHER = {
    "GetSecretValue": ["kms:Decrypt"],
    "PutSecretValue": ["kms:Decrypt", "kms:GenerateDataKey"],
}
CIPHERS = {action for actions in CIPHER.values() for action in actions}


def allows(
    document: Document,
    action: str,
    resource: str,
    context: Mapping[str, str],
    principal: Mapping[str, str] | None = None,
) -> bool:
    """Whether a statement of the document allows the action. Raises ValueError for elements and
    operators that it does not know, rather than guess."""
    return any(
        _fits(statement.get("Action"), action)
        and _fits(statement.get("Resource", resource), resource)
        and statement.get("Principal") == principal
        and _holds(statement.get("Condition", {}), context)
        for statement in map(_known, document["Statement"])
    )


def _known(statement: Document) -> Document:
    if statement["Effect"] != "Allow" or not statement.keys() <= ELEMENTS:
        raise ValueError(f"unknown elements: {statement.keys() - ELEMENTS}")
    return statement


def _fits(patterns: Any, text: str) -> bool:
    return any(fnmatchcase(text, one) for one in _listed(patterns))


def _holds(conditions: Document, context: Mapping[str, str]) -> bool:
    if conditions.keys() - {"StringEquals", *IF_EXISTS}:
        raise ValueError(f"unknown operators: {conditions.keys()}")
    return all(
        context.get(key) in _listed(value) or (operator in IF_EXISTS and key not in context)
        for operator, wanted in conditions.items()
        for key, value in wanted.items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _of_rotation(asked: Mapping[str, object]) -> dict[str, str]:
    """What conditions see of a call of RotateSecret."""
    function = asked.get("RotationLambdaARN")
    found = {"secretsmanager:ModifyRotationRules": str("RotationRules" in asked).lower()}
    return found | ({"secretsmanager:RotationLambdaARN": str(function)} if function else {})


@dataclass
class DeclaredAwsGate(AwsGate):
    """`aws` is the moto server behind the gate, and holds the policies. Nobody reads in a region
    that is in `unavailable`."""

    aws: Aws
    unavailable: set[str] = field(default_factory=set, init=False)

    def may_assume(self, role: str, subject: str) -> bool:
        iam = self.aws.client("iam")
        issuer = self.issuer.url.removeprefix("https://")
        trusted = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        [provider] = [one["Arn"] for one in trusted if one["Arn"].endswith(f"/{issuer}")] or [""]
        try:
            found = iam.get_role(RoleName=role.rpartition("/")[2])["Role"]
        except iam.exceptions.NoSuchEntityException:
            return False
        context = {f"{issuer}:aud": AUDIENCE, f"{issuer}:sub": subject}
        principal = {"Federated": provider}
        trust = found["AssumeRolePolicyDocument"]
        return found["Arn"] == role and allows(trust, f"sts:{ASSUME}", role, context, principal)

    def may_chain(self, role: str, caller: str) -> bool:
        """Within an account, a trust that names the caller is enough."""
        try:
            trust = self.trust(role)
        except ClientError:
            return False
        tagged = (f"sts:{CHAIN}", "sts:TagSession")
        return all(allows(trust, action, role, {}, {"AWS": caller}) for action in tagged)

    def may(
        self,
        role: str,
        method: str,
        name: str,
        region: str = REGION,
        asked: Mapping[str, object] = {},
    ) -> bool:
        return method in self.allowed(role, [method], name, region, asked)

    def allowed(
        self,
        role: str,
        methods: Iterable[str],
        name: str,
        region: str = REGION,
        asked: Mapping[str, object] = {},
    ) -> set[str]:
        """What of this a role may do with a region's entry."""
        if region in self.unavailable:
            return set()
        try:
            client = self.aws.at(region).client("secretsmanager")
            secret = client.describe_secret(SecretId=name)
        except ClientError:
            return set()
        rights = self.rights(role)
        key = self.aws.replica_keys.get((region, secret["Name"]), secret.get("KmsKeyId"))
        through = {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}
        # Who has an entry rotated must have the right to call its function.
        function = {**secret, **asked}.get("RotationLambdaARN", "")
        # AWS' own key, of entries that name none, is open to whoever may read them.
        ciphers = self.may_use_key(role, CIPHERS, key, through) if key else CIPHERS

        def may(method: str) -> bool:
            is_rotation = method == "RotateSecret"
            context = _of_rotation(asked) if is_rotation else {}
            return (
                allows(rights, f"secretsmanager:{method}", secret["ARN"], context)
                and (not is_rotation or allows(rights, "lambda:InvokeFunction", function, {}))
                and ciphers.issuperset(CIPHER.get(method, []))
            )

        return {method for method in methods if may(method)}

    def may_use_key(
        self, role: str, actions: Iterable[str], key: str, context: Mapping[str, str]
    ) -> set[str]:
        """For which actions both agree: the key's policy, which hands the decision to the
        account's IAM, and the role's own."""
        region, account = key.split(":")[3:5]
        client = self.aws.at(region).client("kms")
        policy = json.loads(client.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        rights = self.rights(role)
        context = {**context, "kms:CallerAccount": account}
        root = {"AWS": f"arn:aws:iam::{account}:root"}
        return {
            action
            for action in actions
            if allows(policy, action, key, context, root) and allows(rights, action, key, context)
        }

    def trust(self, role: str) -> Document:
        """Who may assume the role. Raises ClientError when there is none."""
        name = role.rpartition("/")[2]
        return self.aws.client("iam").get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]

    def rights(self, role: str) -> Document:
        """The role's one policy, if it has one; a second one, of any kind, is an error."""
        iam, name = self.aws.client("iam"), role.rpartition("/")[2]
        assert not iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
        if not policies:
            return {"Statement": []}
        [policy] = policies
        return iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
