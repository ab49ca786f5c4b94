"""The pods of rotation and age check: a stock image, bounded, with what the cluster wants."""

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers import aws
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.contract import AWS_TOKENS_FOLDER
from platform_secrets.settings import Settings
from platform_secrets.settings.pod import Pod
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION

_PROGRAM_FOLDER = "/opt/rotation"
_PLAN_FOLDER = "/etc/rotation"
# The kubelet renews a token long before it ends.
_AWS_TOKEN_SECONDS = 3600


def pod_template(
    settings: Settings, program: str, plans: list[str], account: str, container: str
) -> Manifest:
    """The template of an account's pods, with the program and the plan of these names."""
    wanted = settings.environment.rotator.pod
    metadata: Manifest = {"labels": {**wanted.labels, **naming.labels(settings, names.COMPONENT)}}
    if wanted.annotations:
        metadata["annotations"] = wanted.annotations
    spec = _pod(settings, program, plans, account, container)
    return {"metadata": metadata, "spec": {**spec, **_placement(wanted)}}


def _placement(wanted: Pod) -> Manifest:
    """What the stack wants beside that, as far as it wants anything."""
    found = {
        "nodeSelector": wanted.node_selector,
        "tolerations": [one.manifest() for one in wanted.tolerations],
        "affinity": wanted.affinity and wanted.affinity.manifest(),
        "priorityClassName": wanted.priority_class_name,
        "imagePullSecrets": [{"name": name} for name in wanted.image_pull_secrets],
    }
    return {field: value for field, value in found.items() if value}


def _pod(
    settings: Settings, program: str, plans: list[str], account: str, container: str
) -> Manifest:
    tokens = _aws_tokens(settings, account)
    plan = [{"configMap": {"name": name}} for name in plans]
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            **_ids(settings.environment.rotator.pod),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(settings, account, container)],
        "volumes": [
            {"name": "program", "configMap": {"name": program}},
            {"name": "plan", "projected": {"sources": plan}},
            *([{"name": "aws-tokens", "projected": {"sources": tokens}}] if tokens else []),
        ],
    }


def _ids(wanted: Pod) -> Manifest:
    ids = {"runAsUser": wanted.run_as_user, "runAsGroup": wanted.run_as_group}
    return {field: number for field, number in ids.items() if number is not None}


def _aws_tokens(settings: Settings, account: str) -> list[Manifest]:
    """What AWS knows the rotator by where it rotates a password: said here, so that no webhook has
    to add it."""
    if account != ROTATION:
        return []
    bundles = naming.secrets_manager_keys(settings).values()
    stores = {settings.store_name(bundle) for bundle in bundles}
    audiences = {aws.token_audience(aws.rotating_store(settings, store)) for store in stores}
    return [
        {
            "serviceAccountToken": {
                "audience": audience,
                "expirationSeconds": _AWS_TOKEN_SECONDS,
                "path": audience,
            }
        }
        for audience in sorted(audiences)
    ]


def _container(settings: Settings, account: str, name: str) -> Manifest:
    command = "age" if account == AGE_CHECK else "rotate"
    tokens = {"name": "aws-tokens", "mountPath": AWS_TOKENS_FOLDER, "readOnly": True}
    return {
        "name": name,
        "image": settings.environment.rotator.image,
        "command": ["python", "-m", "rotator", command, "--plan", _PLAN_FOLDER],
        "workingDir": _PROGRAM_FOLDER,
        "env": [
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            *_proxy(settings.environment.rotator.pod),
        ],
        "resources": settings.environment.rotator.resources.model_dump(
            by_alias=True, exclude_none=True
        ),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "program", "mountPath": f"{_PROGRAM_FOLDER}/rotator", "readOnly": True},
            {"name": "plan", "mountPath": _PLAN_FOLDER, "readOnly": True},
            *([tokens] if _aws_tokens(settings, account) else []),
        ],
    }


def _proxy(wanted: Pod) -> list[Manifest]:
    """For the rotator's calls of AWS; those of the API server never look at it."""
    found = {"HTTPS_PROXY": wanted.https_proxy, "NO_PROXY": ",".join(wanted.no_proxy)}
    return [{"name": name, "value": value} for name, value in found.items() if value]
