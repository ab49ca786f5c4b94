"""The snapshot of an environment's cluster: by the user's own kubectl and with the user's own
rights, or from a folder of what kubectl has printed. No value of a Secret comes here."""

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from platform_secrets.describing.secret_contents import held_secrets
from platform_secrets.diagnosing.snapshot import Snapshot, latest_moment, snapshot_of
from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.table import providers
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.contract import GENERATORS
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl, right_cluster
from platform_secrets.secretsctl.manifest_files import read_all
from platform_secrets.secretsctl.printed_names import (
    DEFINITIONS,
    SECRETS,
    definitions,
    secrets,
)
from platform_secrets.settings import Settings
from platform_secrets.settings.operator_releases import GENERATORS_API

_OPERATOR = "external-secrets.io"
_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
_PODS = {
    "pods": "Pod",
    "events": "Event",
    "deployments.apps": "Deployment",
    "replicasets.apps": "ReplicaSet",
}
_OBJECTS = {
    f"externalsecrets.{_OPERATOR}": "ExternalSecret",
    f"secretstores.{_OPERATOR}": "SecretStore",
    f"pushsecrets.{_OPERATOR}": "PushSecret",
    "statefulsets.apps": "StatefulSet",
    "daemonsets.apps": "DaemonSet",
    "rollouts.argoproj.io": "Rollout",
    "cronjobs.batch": "CronJob",
}
_RULES = {
    "jobs.batch": "Job",
    "serviceaccounts": "ServiceAccount",
    "resourcequotas": "ResourceQuota",
    "networkpolicies.networking.k8s.io": "NetworkPolicy",
    f"roles.{_RBAC}": "Role",
    f"rolebindings.{_RBAC}": "RoleBinding",
}
_OF_OPERATOR = {
    "services": "Service",
    "endpointslices.discovery.k8s.io": "EndpointSlice",
    "leases.coordination.k8s.io": "Lease",
}
_STORES_OF_ALL = {f"clustersecretstores.{_OPERATOR}": "ClusterSecretStore"}
_OF_CLUSTER = {
    f"clusterroles.{_RBAC}": "ClusterRole",
    f"clusterrolebindings.{_RBAC}": "ClusterRoleBinding",
    f"validatingwebhookconfigurations.{_ADMISSION}": "ValidatingWebhookConfiguration",
    f"validatingadmissionpolicies.{_ADMISSION}": "ValidatingAdmissionPolicy",
    f"validatingadmissionpolicybindings.{_ADMISSION}": "ValidatingAdmissionPolicyBinding",
}
_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
WEBHOOK_SECRET = "external-secrets-webhook"  # noqa: S105 - a Secret's name
_MOST_NAMES = 50
"""kubectl asks for each by itself: for more of them the list is faster."""
_UNSEEN_SECONDS = 1
_AT_ONCE = 6
_DENIED = re.compile(r"""cannot (?:list|get) resource "([^"]+)" in API group "([^"]*)\"""")

Found = tuple[Iterable[Mapping[str, Any]], dict[str, str]]
"""Objects; and kinds that were not read, each with why."""


def environment_snapshot(
    settings: Settings, *, is_whole: bool = True, reads_secrets: bool = False
) -> Snapshot:
    """What there is of an environment in its cluster. Unless it is to be whole, without the
    operator, generators, Jobs, and rules about pods and rights. `reads_secrets` has kubectl read
    the environment's Secrets, and print the names in them alone.

    What may not be read, or is not installed, is among the unread. Raises ClusterError where the
    cluster is another one, or does not answer.
    """
    kubectl = right_cluster(settings)
    served = kubectl.resources()
    reads = _environments(settings, kubectl, is_whole=is_whole, reads_secrets=reads_secrets)
    if is_whole:
        reads += _clusters(settings, kubectl, reads_secrets=reads_secrets)
    documents: list[Mapping[str, Any]] = []
    unread: dict[str, str] = {}
    for found, denied in _all_of([lambda one=one: one(served) for one in reads]):
        documents += found
        unread |= denied
    ahead = kubectl.callers_clock_seconds()
    now = datetime.now(UTC) - timedelta(seconds=ahead)
    return snapshot_of(documents, now, unread, callers_clock_seconds=ahead)


def folder_snapshot(settings: Settings, folder: str) -> Snapshot:
    """The same from files with what `kubectl get --output=yaml`, or json, has printed, as old as
    the latest moment in it. Kinds of which no file has any are among the unread. Raises
    SettingsError for a folder that is not there."""
    read = read_all([folder])
    unread = {
        f"{one.file}:{one.line}" if one.line else one.file: one.message for one in read.unread
    }
    there = {one.kind for one in read.manifests}
    tables = (_PODS, _OBJECTS, _RULES, _OF_OPERATOR, _STORES_OF_ALL, _OF_CLUSTER)
    kinds = {kind for each in (*tables, _generators(settings)) for kind in each.values()}
    others = ("ConfigMap", "Namespace", "Secret", "CustomResourceDefinition")
    unread |= dict.fromkeys({*kinds, *others} - there, f"none is in {folder}")
    documents = [one.content for one in read.manifests]
    taken_at = latest_moment(documents) or datetime.now(UTC)
    return snapshot_of(documents, taken_at, unread, is_partial=True)


_Read = Callable[[set[str]], Found]
"""One call of kubectl, once it is known which kinds are served."""


def _environments(
    settings: Settings, kubectl: Kubectl, *, is_whole: bool, reads_secrets: bool
) -> list[_Read]:
    kinds = {**_OBJECTS, **_PODS, **(_RULES | _generators(settings) if is_whole else {})}
    pointers = {
        naming.database_pointer(key): settings.namespace_of(bundle)
        for key, bundle in naming.database_keys(settings).items()
    }
    held: dict[str, list[str]] = {}
    for address in held_secrets(settings) if reads_secrets else ():
        namespace, _, name = address.partition("/")
        held.setdefault(namespace, []).append(name)
    found: list[_Read] = []
    for view in settings.by_namespace:
        within = kubectl.within(view.namespace)
        found.append(_listing(within, kinds))
        # Without a name kubectl would read all that there are.
        if asked := held.get(view.namespace):
            found.append(_secrets(within, asked))
        maps = [] if view.is_of_another else [names.MEMORY]
        if is_whole:
            maps += [] if view.is_of_another else [names.PLAN]
            maps += [name for name, namespace in pointers.items() if namespace == view.namespace]
        if maps:
            found.append(_named(within, "configmaps", "ConfigMap", maps))
    if any(store.is_cluster_wide for store in settings.environment.stores.values()):
        found.append(_listing(replace(kubectl, namespace=None), _STORES_OF_ALL))
    return found


def _clusters(settings: Settings, kubectl: Kubectl, *, reads_secrets: bool) -> list[_Read]:
    namespace = settings.environment.operator_namespace
    operators = kubectl.within(namespace)
    everywhere = replace(kubectl, namespace=None)
    namespaces = [view.namespace for view in settings.by_namespace]
    return [
        _listing(operators, {**_PODS, **_RULES, **_OF_OPERATOR}),
        _listing(everywhere, _OF_CLUSTER),
        _named(everywhere, "namespaces", "Namespace", [*namespaces, namespace]),
        _definitions(everywhere),
        *([_secrets(operators, [WEBHOOK_SECRET])] if reads_secrets else []),
    ]


def _generators(settings: Settings) -> dict[str, str]:
    made = {kind for kind, _ in GENERATORS.values()} | {"VaultDynamicSecret"}
    made |= {provider.generator for provider in providers(settings) if provider.generator}
    group = GENERATORS_API.partition("/")[0]
    return {f"{kind.lower()}s.{group}": kind for kind in sorted(made)}


def _listing(kubectl: Kubectl, kinds: Mapping[str, str]) -> _Read:
    def read(served: set[str]) -> Found:
        absent = {kind: "not installed" for one, kind in kinds.items() if one not in served}
        asked = {one: kind for one, kind in kinds.items() if one in served}
        if not asked:
            return [], absent
        found, said = kubectl.get_kinds([*asked])
        return found, absent | _denied(asked, found, said, kubectl.namespace)

    return read


def _named(kubectl: Kubectl, resource: str, kind: str, asked: list[str]) -> _Read:
    def read(_: set[str]) -> Found:
        try:
            found, said = kubectl.get_kinds([resource], *asked, "--ignore-not-found")
        except ClusterError as error:  # kubectl prints no empty list where all are refused
            return [], {f"{kind}/{kubectl.namespace}" if kubectl.namespace else kind: str(error)}
        return found, _denied({resource: kind}, found, said, kubectl.namespace)

    return read


def _secrets(kubectl: Kubectl, asked: list[str]) -> _Read:
    def read(_: set[str]) -> Found:
        which = [*asked, "--ignore-not-found"] if len(asked) <= _MOST_NAMES else []
        try:
            text = kubectl.listed("secrets", *which, f"--output=go-template={SECRETS}")
        except ClusterError as error:
            return [], {f"Secret/{kubectl.namespace}": str(error)}
        return [one for one in secrets(text) if one["metadata"]["name"] in asked], {}

    return read


def _definitions(kubectl: Kubectl) -> _Read:
    def read(_: set[str]) -> Found:
        try:
            text = kubectl.listed(_DEFINITIONS, f"--output=go-template={DEFINITIONS}")
        except ClusterError as error:
            return [], {"CustomResourceDefinition": str(error)}
        found = definitions(text)
        return [one for one in found if one["spec"]["group"].endswith(_OPERATOR)], {}

    return read


def _denied(
    asked: Mapping[str, str], found: list[Manifest], said: list[str], namespace: str | None
) -> dict[str, str]:
    """The kinds that the API server did not list. Where it does not say which, those of which
    nothing came."""
    place = f"/{namespace}" if namespace else ""
    denied: dict[str, str] = {}
    for line in said:
        why = line.removeprefix("Error from server ").strip()
        match = _DENIED.search(line)
        resource = ".".join(filter(None, match.groups())) if match else ""
        there = {one["kind"] for one in found}
        missing = [asked[resource]] if resource in asked else {*asked.values()} - there
        denied |= {f"{kind}{place}": why for kind in missing}
    return denied


def _all_of(reads: list[Callable[[], Found]]) -> Iterator[Found]:
    """What each of them reads, side by side. A person who waits for more than a moment is told how
    many are done."""
    began, is_shown = time.monotonic(), False
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        running = [pool.submit(one) for one in reads]
        for done, one in enumerate(as_completed(running), 1):
            yield one.result()
            if time.monotonic() - began > _UNSEEN_SECONDS and sys.stderr.isatty():
                is_shown = True
                sys.stderr.write(f"\r\x1b[Kreading the cluster: {done} of {len(reads)}")
                sys.stderr.flush()
    if is_shown:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
