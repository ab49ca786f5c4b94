"""The manifests in a cluster, read by the user's own kubectl with the user's own rights. Of Secrets
kubectl prints names alone; no value of theirs comes here."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from platform_secrets.importing.found import Manifest, mapping, sequence
from platform_secrets.importing.templates import template_of
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.secretsctl.manifest_files import Read
from platform_secrets.secretsctl.printed_names import SECRETS, secrets
from platform_secrets.settings import Problem, SettingsError

_PLACE = "cluster"
_OPERATOR = "external-secrets.io"
_WIDE = [f"clusterexternalsecrets.{_OPERATOR}", f"clusterpushsecrets.{_OPERATOR}"]
_STORES_OF_ALL = f"clustersecretstores.{_OPERATOR}"
# Pods and ReplicaSets are made by these, or by hand.
_NAMESPACED = [
    *(f"{name}.{_OPERATOR}" for name in ("externalsecrets", "secretstores", "pushsecrets")),
    "sealedsecrets.bitnami.com",
    *(f"{name}.apps" for name in ("deployments", "statefulsets", "daemonsets")),
    *(f"{name}.batch" for name in ("cronjobs", "jobs")),
    "replicationcontrollers",
    *(f"{name}.argoproj.io" for name in ("rollouts", "cronworkflows", "workflowtemplates")),
    "services.serving.knative.dev",
    "serviceaccounts",
    *(f"{name}.rbac.authorization.k8s.io" for name in ("roles", "rolebindings")),
    "secretproviderclasses.secrets-store.csi.x-k8s.io",
    # What names Secrets in fields of its own.
    "ingresses.networking.k8s.io",
    "gateways.gateway.networking.k8s.io",
    "issuers.cert-manager.io",
    "clusters.postgresql.cnpg.io",
    *(f"{name}.monitoring.coreos.com" for name in ("prometheuses", "alertmanagers")),
]
_SECRETS = "secrets"
# Helm, Kubernetes and kubeadm keep these for themselves.
_OTHERS = ("helm.sh/release.v1", "kubernetes.io/service-account-token")
_NOT_OTHERS = "--field-selector=" + ",".join(f"type!={one}" for one in _OTHERS)


def read_cluster(
    context: str | None, namespaces: list[str], *, reads_all: bool, reads_secrets: bool
) -> Read:
    """What is in these namespaces, in all of them, or in the context's own where none is given.

    A kind that may not be read is among the unread. Raises SettingsError where the cluster does not
    answer, has nothing to import, or lets nothing be read.
    """
    kubectl = Kubectl(context, None)
    try:
        served = kubectl.resources()
    except ClusterError as error:
        raise SettingsError([Problem("--from-cluster", None, (), str(error))]) from None
    if not reads_secrets and _NAMESPACED[0] not in served:
        message = "the operator's kinds are not in this cluster; its plain Secrets: --secrets"
        raise SettingsError([Problem("--from-cluster", None, (), message)])
    within = [kubectl.within(one) for one in namespaces] or [kubectl]
    scope = ["--all-namespaces"] if reads_all else []
    # In some namespaces their ExternalSecrets say it.
    wide = [_STORES_OF_ALL, *(_WIDE if reads_all else [])]
    asked = [(kubectl, kind, list[str]()) for kind in wide]
    asked += [(each, kind, scope) for each in within for kind in _NAMESPACED]
    asked = [one for one in asked if one[1] in served]
    asked += [(each, _SECRETS, scope) for each in within if reads_secrets]
    found = Read(is_of_a_cluster=True)
    read: list[Mapping[str, Any]] = []
    for each, kind, options in asked:
        _show_progress(f"reading {kind}")
        try:
            read += _listed(each, kind, options)
        except ClusterError as error:
            found.unread.append(Problem(_PLACE, None, (), str(error)))
    _show_progress("")
    if len(found.unread) == len(asked):
        raise SettingsError(found.unread)
    for space, name in sorted(_config_maps(read)):
        _show_progress(f"reading ConfigMap {name}")
        try:
            text = kubectl.within(space).listed("configmaps", name, "--output=json")
            read.append(json.loads(text))
        except ClusterError as error:
            found.unread.append(Problem(_PLACE, None, (), str(error)))
    _show_progress("")
    kinds = {str(one.get("kind")) for one in read}
    found.manifests = [Manifest(one, _PLACE, 0) for one in read if not _is_made_by(kinds, one)]
    return found


def _listed(kubectl: Kubectl, kind: str, options: list[str]) -> list[Mapping[str, Any]]:
    if kind == _SECRETS:
        text = kubectl.listed(kind, f"--output=go-template={SECRETS}", _NOT_OTHERS, *options)
        return [*secrets(text)]
    items = json.loads(kubectl.listed(kind, "--output=json", *options))["items"]
    for one in items if kind.startswith("sealedsecrets.") else ():
        one["spec"]["encryptedData"] = dict.fromkeys(one["spec"].get("encryptedData") or (), "")
    return items


def _config_maps(read: Iterable[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """Those that ExternalSecrets take templates from, by namespace and name."""
    return {
        (str(mapping(one.get("metadata")).get("namespace")), str(name))
        for one in read
        if one.get("kind") == "ExternalSecret"
        for given in sequence(template_of(mapping(one.get("spec"))).get("templateFrom"))
        if (name := mapping(mapping(given).get("configMap")).get("name"))
    }


def _is_made_by(kinds: set[str], one: Mapping[str, Any]) -> bool:
    """Whether an object that is read makes this one, as a CronJob makes Jobs. A Secret's names are
    those of its ExternalSecret."""
    owners = sequence(mapping(one.get("metadata")).get("ownerReferences"))
    is_made = any(mapping(owner).get("kind") in kinds for owner in owners)
    return is_made and one.get("kind") != "Secret"


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
