"""Adopting what is in AWS already, as docs/adopting.md says, with the real engine on moto."""

import json
import secrets

from tests.e2e.adopting import adopt
from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_provider import AwsProvider
from tests.e2e.cluster import Cluster
from tests.e2e.deployment import deployment
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run
from tests.platform import STACK_FILES

EXAMPLE = STACK_FILES["production-aws"]
STORE = {
    "provider": "aws",
    "region": REGION,
    "account-id": "123456789012",
    "backend": "declare",
    "oidc-issuer": "https://oidc.example.com/id/A",
    "recovery-window-days": 0,
}
ENTRY, ROLE = "wren/production/jwt-secret", "wren-production-read"
TRUST = {"Version": "2012-10-17", "Statement": []}
RIGHTS = {**TRUST, "Statement": [{"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}]}


def test_an_entry_with_its_key_and_a_role_with_its_rights_are_adopted_and_keep_the_value(
    run: Run, cluster: Cluster
) -> None:
    aws = Aws(run, "moto-import")
    entries, iam = aws.client("secretsmanager"), aws.client("iam")
    value = secrets.token_hex()
    key = aws.client("kms").create_key()["KeyMetadata"]
    arn = entries.create_secret(Name=ENTRY, KmsKeyId=key["Arn"], SecretString=value)["ARN"]
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(RoleName=ROLE, PolicyName="secrets", PolicyDocument=json.dumps(RIGHTS))
    existing = {
        "aws-entry-jwt-secret": arn,
        "aws-key": key["KeyId"],
        "aws-read-role": ROLE,
        "aws-read-rights": f"{ROLE}:secrets",
    }
    with (
        AwsProvider(aws).serve() as port,
        deployment(
            run,
            cluster,
            OperatorRelease(run, cluster),
            EXAMPLE,
            name="import-aws",
            ports={"aws": port},
            delivery="gitops",
            protect=False,
            stores={"aws": STORE},
        ) as made,
    ):
        adopt(made, existing)
        steps = {urn.rpartition("::")[2]: step for step, urn in made.stack.up().steps}
        assert {name: steps[name] for name in existing} == dict.fromkeys(existing, "update")
        assert entries.get_secret_value(SecretId=ENTRY)["SecretString"] == value
        found = entries.describe_secret(SecretId=ENTRY)
        assert (found["ARN"], found["KmsKeyId"]) == (arn, key["Arn"])
        assert found["Tags"] == [{"Key": "managed-by", "Value": "external-secrets"}]
        rights = iam.get_role_policy(RoleName=ROLE, PolicyName="secrets")["PolicyDocument"]
        assert rights["Statement"][1]["Resource"] == key["Arn"]
        assert made.stack.preview().changes == {}
        assert value not in made.stack.state_text
