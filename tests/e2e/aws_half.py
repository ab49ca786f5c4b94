"""How tests use the AWS half: they fill it, act as an identity, push, and list what is there."""

import secrets
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries, identity_entries
from platform_secrets.manifests.providers.aws import role_arn
from platform_secrets.settings import AwsStore, Identity, Settings
from tests.e2e.aws import REGION, Aws
from tests.e2e.aws_gate import AUDIENCE
from tests.e2e.aws_policies import DeclaredAwsGate
from tests.e2e.cluster import Cluster
from tests.e2e.eso import copied_store
from tests.e2e.process import wait_until

REFUSED = "AccessDeniedException"


def put(aws: Aws, settings: Settings, values: dict[str, str]) -> None:
    client = aws.client("secretsmanager")
    for bundle in settings.catalogue.bundles:
        for key, entry in bundle_entries(settings, bundle).items():
            if key in values:
                client.put_secret_value(SecretId=entry.key, SecretString=values[key])


def store_of(settings: Settings) -> AwsStore:
    store = settings.environment.stores["aws"]
    assert isinstance(store, AwsStore)
    return store


def role_of(settings: Settings, identity: Identity) -> str:
    return role_arn(store_of(settings), settings.identity_name("aws", identity))


def key_of(aws: Aws, settings: Settings) -> str:
    entry = next(iter(identity_entries(settings, "aws", "read").values()))
    return aws.client("secretsmanager").describe_secret(SecretId=entry)["KmsKeyId"]


def assume(gate: DeclaredAwsGate, role: str, token: str) -> dict[str, str]:
    """A role's credentials for a token, as the operator gets them."""
    sts = boto3.client(
        "sts",
        endpoint_url=gate.url,
        region_name=REGION,
        config=Config(signature_version=UNSIGNED),
    )
    answer = sts.assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="test", WebIdentityToken=token
    )
    return answer["Credentials"]


def client_of(
    cluster: Cluster, gate: DeclaredAwsGate, settings: Settings, identity: Identity
) -> Any:
    """A client of Secrets Manager with the credentials of an identity's role."""
    account = naming.secret_store("aws", identity)
    token = cluster.token(settings.namespace, account, audience=AUDIENCE)
    credentials = assume(gate, role_of(settings, identity), token)
    return boto3.client(
        "secretsmanager",
        endpoint_url=gate.url,
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def calls(client: Any, entry: str) -> set[str]:
    """Which of the calls that change nothing, or that nobody may, succeed."""
    methods = {
        "GetSecretValue": client.get_secret_value,
        "DescribeSecret": client.describe_secret,
        "DeleteSecret": client.delete_secret,
        "GetResourcePolicy": client.get_resource_policy,
    }
    done = set()
    for name, method in methods.items():
        try:
            method(SecretId=entry)
            done.add(name)
        except ClientError as error:
            if error.response["Error"]["Code"] != REFUSED:
                raise
    return done


def push(cluster: Cluster, settings: Settings, identity: Identity, entry: str, value: str) -> None:
    """Has the operator write an entry as an identity. Raises AssertionError with the
    operator's words when it can't."""
    name, namespace = f"push-{secrets.token_hex(3)}", settings.namespace
    metadata = {"name": name, "namespace": namespace}
    cluster.api.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": value}}
    )
    remote = {"remoteKey": entry}
    wrapped = {
        "apiVersion": "kubernetes.external-secrets.io/v1alpha1",
        "kind": "PushSecretMetadata",
        "spec": {"secretPushFormat": "string"},
    }
    kind = ("external-secrets.io/v1alpha1", "PushSecret")
    store = copied_store(cluster, namespace, naming.secret_store("aws", identity), name)
    cluster.api.apply(
        {
            "apiVersion": kind[0],
            "kind": kind[1],
            "metadata": metadata,
            "spec": {
                "secretStoreRefs": [store],
                "selector": {"secret": {"name": name}},
                "data": [{"match": {"secretKey": "a", "remoteRef": remote}, "metadata": wrapped}],
            },
        }
    )

    def condition() -> Any:
        found = cluster.api.get(*kind, name, namespace) or {}
        return (found.get("status", {}).get("conditions") or [None])[0]

    state = wait_until(condition, f"{name} has a state", timeout_seconds=120)
    cluster.api.delete(*kind, name, namespace)
    cluster.api.delete("external-secrets.io/v1", "SecretStore", name, namespace)
    assert state["reason"] == "Synced", state["message"]


def names_in(aws: Aws) -> set[str]:
    """Everything there that somebody must pay for or answer for."""
    iam, kms = aws.client("iam"), aws.client("kms")
    secrets_ = aws.client("secretsmanager").list_secrets(
        MaxResults=100, IncludePlannedDeletion=True
    )
    keys = [kms.describe_key(KeyId=one["KeyId"]) for one in kms.list_keys()["Keys"]]
    live = [one["KeyMetadata"] for one in keys if one["KeyMetadata"]["KeyState"] == "Enabled"]
    return {
        *(one["Name"] for one in secrets_["SecretList"]),
        *(one["RoleName"] for one in iam.list_roles()["Roles"]),
        *(one["Arn"] for one in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]),
        *(one["AliasName"] for one in kms.list_aliases()["Aliases"]),
        *(one["Description"] for one in live),
    }
