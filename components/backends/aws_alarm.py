"""Who hears of denied calls and of reads by strangers: EventBridge over CloudTrail."""

import json
from typing import Any

import pulumi_aws as aws
from pulumi import ComponentResource, ResourceOptions

from platform_secrets.manifests.entries import identity_entries, rotated_entry
from platform_secrets.manifests.providers.aws import role_arn
from platform_secrets.settings import Settings
from platform_secrets.settings.aws import Alarm

from .aws_policies import store_of

Pattern = dict[str, Any]
"""An event pattern in EventBridge's own language: every field must fit, by one of its filters."""

_ALL_EVENTS = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
"""A rule's state in which it also sees calls that only read."""


def denied_calls(settings: Settings, store: str) -> Pattern:
    """Every call on an entry of the environment's that was denied, by IAM or by KMS.

    CloudTrail may leave out what a denied call asked for; its message names the entry.
    """
    entries = _entries(settings, store)
    names = dict.fromkeys(name.removesuffix("/") for name in _names(settings, store))
    return _of_secrets_manager(
        {
            "errorCode": ["AccessDenied", "AccessDeniedException"],
            "$or": [
                {"errorMessage": [{"wildcard": f"*{name}*"} for name in names]},
                {"requestParameters": {"secretId": entries}},
            ],
        }
    )


def unusual_reads(settings: Settings, store: str, alarm: Alarm) -> Pattern:
    """Every read of an entry by anyone but the environment's roles and the other readers."""
    config = store_of(settings, store)
    roles = [view.identity_name(store, one) for view, one in settings.all_identities(store)]
    readers = [role_arn(config, role) for role in [*roles, *alarm.other_readers]]
    # Root and IAM users have no session: what only differs does not fit where there is nothing.
    strangers: list[Pattern] = [{"anything-but": readers}, {"exists": False}]
    return _of_secrets_manager(
        {
            "eventName": ["GetSecretValue"],
            "errorCode": [{"exists": False}],
            "requestParameters": {"secretId": _entries(settings, store)},
            "userIdentity": {"sessionContext": {"sessionIssuer": {"arn": strangers}}},
        }
    )


def failed_rotations(entry: str) -> Pattern:
    """Every rotation of an entry by Secrets Manager that failed: nothing else watches its age."""
    secret = {"SecretId": [{"wildcard": f"*:secret:{entry}-*"}]}
    found = _of_secrets_manager({"eventName": ["RotationFailed"], "additionalEventData": secret})
    return {**found, "detail-type": ["AWS Service Event via CloudTrail"]}


class AwsAlarm(ComponentResource):
    """Rules that pass what they see to a topic; the topic's policy is its owner's."""

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        store: str,
        alarm: Alarm,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:backends:AwsAlarm", name, None, opts)
        rules = {
            "denied-calls": denied_calls(settings, store),
            "unusual-reads": unusual_reads(settings, store, alarm),
        }
        for bundle in settings.bundles_in(store):
            if key := settings.rotated_key(bundle):
                rules["failed-rotations"] = failed_rotations(rotated_entry(settings, bundle, key))
        region = store_of(settings, store).region
        for kind, pattern in rules.items():
            rule = aws.cloudwatch.EventRule(
                f"{name}-{kind}",
                name=settings.name_at_provider(store, kind),
                event_pattern=json.dumps(pattern),
                state=_ALL_EVENTS,
                region=region,
                opts=ResourceOptions(parent=self),
            )
            aws.cloudwatch.EventTarget(
                f"{name}-{kind}-topic",
                rule=rule.name,
                arn=alarm.topic_arn,
                target_id="topic",
                region=region,
                opts=ResourceOptions(parent=self),
            )
        self.register_outputs({})


def _of_secrets_manager(detail: Pattern) -> Pattern:
    return {
        "source": ["aws.secretsmanager"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {"eventSource": ["secretsmanager.amazonaws.com"], **detail},
    }


def _entries(settings: Settings, store: str) -> list[Any]:
    """Filters for the environment's entries, asked for by name or by ARN."""
    found: list[Any] = []
    for name in _names(settings, store):
        if name.startswith("arn:"):
            found.append(name)
        elif name.endswith("/"):
            found.append({"wildcard": f"*{name}*"})
        else:
            found += [name, {"wildcard": f"*:secret:{name}-*"}]
    return found


def _names(settings: Settings, store: str) -> list[str]:
    """Names of the store's entries, and the beginning, up to a slash, of those that share the
    environment's own."""
    own = f"{settings.catalogue.platform}/{settings.environment.environment}"
    entries = {*identity_entries(settings, store, "read").values()}
    others = sorted(entry for entry in entries if not entry.startswith(f"{own}/"))
    return [f"{own}/", *others]
