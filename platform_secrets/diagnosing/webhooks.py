"""The layer of the operator's webhook: without it nobody can apply what it looks at."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import datetime

from platform_secrets.diagnosing.case import At, Case, Finding, at
from platform_secrets.manifests.naming import Manifest

_FAILED = re.compile(r'failed calling webhook "([^"]+)"')
_REFUSED = "the API server refuses to apply SecretStores or ExternalSecrets"
_SOON_SECONDS = 3 * 86400
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
# UTCTime or GeneralizedTime, as DER has them: a certificate's first two are its validity.
_TIME = re.compile(rb"\x17\x0d([0-9]{12})Z|\x18\x0f([0-9]{14})Z")


def webhook_findings(case: Case) -> Iterator[Finding]:
    """Whether the API server can reach the webhook, and trusts it."""
    found = [*_declared(case)]
    yield from found or _tried(case)


def _tried(case: Case) -> Iterator[Finding]:
    """What the API server itself says of a webhook that it has asked, whoever's that is."""
    match = _FAILED.search(case.refusal)
    if not match:
        return
    of = case.snapshot.of("ValidatingWebhookConfiguration")
    owners = [one for one in of if match[1] in {each["name"] for each in one["webhooks"]}]
    place = at(owners[0]) if owners else At("ValidatingWebhookConfiguration", "", match[1])
    namespace = case.settings.environment.operator_namespace
    if "x509:" in case.refusal or "tls:" in case.refusal:
        has_ended = "has expired or is not yet valid" in case.refusal
        other = "is of another authority than its caBundle, or of another name"
        what = f"its server's certificate {'has expired' if has_ended else other}: {_REFUSED}"
        step = "see that the operator's cert controller runs, which writes both; then "
        step += f"`kubectl rollout restart deployment external-secrets-webhook -n {namespace}`"
        yield Finding("webhook-certificate", place, what, step)
    else:
        step = f"see that its pods run (`kubectl get pods -n {namespace}`), and that the network "
        step += "lets the API server get to their port"
        yield Finding("webhook-unreachable", place, f"does not answer: {_REFUSED}", step)


def _declared(case: Case) -> Iterator[Finding]:
    operator = case.settings.environment.operator_namespace
    for one in case.snapshot.of("ValidatingWebhookConfiguration"):
        seen: set[str] = set()
        for hook in one.get("webhooks") or []:
            service = (hook.get("clientConfig") or {}).get("service") or {}
            if service.get("namespace") != operator or service.get("name") in seen:
                continue
            seen.add(str(service.get("name")))
            yield from _of_hook(case, at(one), hook, At("Service", operator, service["name"]))


def _of_hook(case: Case, place: At, hook: Manifest, service: At) -> Iterator[Finding]:
    pods = f"`kubectl get pods -n {service.namespace}`"
    bundle = hook["clientConfig"].get("caBundle") or ""
    if not bundle or bundle == "Cg==":
        what = f"has no caBundle, so {_REFUSED}: the operator's cert controller writes it"
        yield Finding("webhook-no-authority", place, what, f"see that it runs: {pods}")
    elif ends := _expiry(bundle):
        left = (ends - case.snapshot.taken_at).total_seconds()
        if left < _SOON_SECONDS:
            ended = "expired on" if left < 0 else "expires on"
            what = f"trusts an authority that {ended} {ends:%Y-%m-%d}"
            step = f"see that the operator's cert controller runs, which renews it: {pods}"
            yield Finding("webhook-certificate", place, what, step)
    if case.is_missing(service):
        what = f"does not exist, and {place} asks it: {_REFUSED}"
        yield Finding("webhook-unreachable", service, what, case.apply)
    elif not case.snapshot.why_unread("EndpointSlice", service.namespace) and not _endpoints(
        case, service
    ):
        what = f"has no pod that is ready: {_REFUSED}"
        yield Finding("webhook-unreachable", service, what, f"see why: {pods}")


def _endpoints(case: Case, service: At) -> list[str]:
    """The addresses of its pods that are ready."""
    return [
        address
        for one in case.snapshot.of("EndpointSlice", service.namespace)
        if (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service.name
        for each in one.get("endpoints") or []
        if (each.get("conditions") or {}).get("ready") is not False
        for address in each.get("addresses") or []
    ]


def _expiry(bundle: str) -> datetime | None:
    """When the last of its authorities ends; None where that can't be read."""
    try:
        texts = _PEM.findall(b64decode(bundle))
        ends = [_TIME.findall(b64decode(text))[1] for text in texts]
        # X.509 writes years of two digits until 2049.
        dates = [long or b"20" + short for short, long in ends]
        return max(datetime.strptime(f"{one.decode()}+0000", "%Y%m%d%H%M%S%z") for one in dates)
    except (ValueError, IndexError):
        return None
