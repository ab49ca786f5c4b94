"""What a cluster wants of the rotator's pods: their resources, where they run, what marks them.

Names are this project's own; what Kubernetes has a structure for is spelled as in Kubernetes.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from platform_secrets.settings.model import (
    HOST_AND_PORT,
    SUBDOMAIN,
    DnsSubdomain,
    Model,
    Text,
    text_of,
)

_NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_KEY = rf"({SUBDOMAIN}/)?{_NAME}"
# What NetworkPolicies and the Job controller know our pods by.
_TAKEN = (
    r"(?!platform-secrets/|app\.kubernetes\.io/(component|managed-by|part-of)$"
    r"|batch\.kubernetes\.io/|(job-name|controller-uid)$)"
)
Key = Annotated[str, text_of(_KEY, "a key of labels and annotations", 317)]
OwnLabelKey = Annotated[
    str, text_of(_TAKEN + _KEY, "a label's key that neither we nor Jobs use themselves", 317)
]
LabelValue = Annotated[str, text_of(rf"({_NAME})?", "a label's value")]

_UNITS = {"": 0, "m": -3, "k": 3, "M": 6, "G": 9}
_BINARY_UNITS = {"Ki": 1, "Mi": 2, "Gi": 3}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|Ki|Mi|Gi)?")
Quantity = Annotated[str, text_of(_QUANTITY.pattern, "an amount such as 100m or 128Mi, quoted", 20)]


def _amount(quantity: str) -> Decimal:
    number, unit = _QUANTITY.findall(quantity)[0]
    if unit in _BINARY_UNITS:
        return Decimal(number) * 1024 ** _BINARY_UNITS[unit]
    return Decimal(number).scaleb(_UNITS[unit])


class Requests(Model):
    """What a pod is sure to have."""

    cpu: Quantity = "100m"
    """Its share of processors."""
    memory: Quantity = "64Mi"
    """Of its node's memory."""
    ephemeral_storage: Quantity | None = None
    """Of its node's disk."""


class Limits(Model):
    """What a pod gets at most: twice as much, which a LimitRange's usual ratio allows."""

    cpu: Quantity = "200m"
    """Its share of processors."""
    memory: Quantity = "128Mi"
    """Above it the pod is ended."""
    ephemeral_storage: Quantity | None = None
    """Of its node's disk."""


class Resources(Model):
    """Of each of the rotator's pods, which have one container."""

    requests: Requests = Requests()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _limits_hold_what_is_requested(self) -> "Resources":
        limits = dict(self.limits)
        for name, requested in self.requests:
            if requested and limits[name] and _amount(requested) > _amount(limits[name]):
                resource = name.replace("_", "-")
                raise ValueError(
                    f"limits.{resource} must not be less than requests.{resource}, {requested}"
                )
        return self


class Kubernetes(Model):
    """A structure of Kubernetes, in its own spelling."""

    model_config = ConfigDict(alias_generator=to_camel)

    def manifest(self) -> dict[str, Any]:
        """As it was written."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)


class Toleration(Kubernetes):
    """A taint of nodes that does not keep the pods away."""

    key: Key | None = None
    """Every taint unless it is set."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How the taint is compared."""
    value: LabelValue | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Every effect unless it is set."""
    toleration_seconds: int | None = None
    """How long a pod stays once the taint is there; with `NoExecute` alone."""

    @model_validator(mode="after")
    def _is_of_a_taint(self) -> "Toleration":
        if self.operator == "Exists" and self.value:
            raise ValueError("with `operator: Exists` there is no value")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("without key, operator must be Exists")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("tolerationSeconds needs `effect: NoExecute`")
        return self


class Requirement(Kubernetes):
    """What a label of a node or pod must be."""

    key: Key
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How the label is compared."""
    values: list[str] = []
    """What it is compared with."""


class NodeSelectorTerm(Kubernetes):
    """Nodes with these labels and fields."""

    match_expressions: list[Requirement] = []
    match_fields: list[Requirement] = []


class PreferredNodes(Kubernetes):
    """Nodes that are better than others, by a weight."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much it counts beside others."""
    preference: NodeSelectorTerm


class RequiredNodes(Kubernetes):
    """Nodes of one of these terms."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], Field(min_length=1)]


class NodeAffinity(Kubernetes):
    """On which nodes the pods run."""

    required_during_scheduling_ignored_during_execution: RequiredNodes | None = None
    preferred_during_scheduling_ignored_during_execution: list[PreferredNodes] = []


class LabelSelector(Kubernetes):
    """Objects with these labels."""

    match_labels: dict[Key, LabelValue] = {}
    """Labels that a pod has."""
    match_expressions: list[Requirement] = []


class PodAffinityTerm(Kubernetes):
    """Where such pods are; `topologyKey` is the label of nodes that says where."""

    topology_key: Key
    """The node's label that makes two places one."""
    label_selector: LabelSelector | None = None
    namespaces: list[DnsSubdomain] = []
    """Of those pods; the rotator's own if empty."""
    namespace_selector: LabelSelector | None = None


class PreferredPods(Kubernetes):
    """Such places are better than others, by a weight."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much it counts beside others."""
    pod_affinity_term: PodAffinityTerm


class PodAffinity(Kubernetes):
    """Beside which pods ours run, or do not."""

    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] = []


class Affinity(Kubernetes):
    """What draws the pods to nodes and to other pods, or away from them."""

    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


def _id_or_cluster(value: object) -> object:
    if value == "cluster":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**31:
        raise ValueError("must be a number from 1 on, or `cluster` where that chooses it")
    return value


Id = Annotated[
    int | None,
    BeforeValidator(_id_or_cluster),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "cluster"}]}),
]


Proxy = Annotated[
    str, text_of(rf"http://(?=[^:]+:){HOST_AND_PORT}/?", "http://HOST:PORT, without user", 300)
]
Host = Annotated[
    str, text_of(r"\.?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", "a host, or a domain after a dot", 253)
]


class Pod(Model):
    """What is laid over the template of the rotator's pods. What bounds them is not among it."""

    labels: dict[OwnLabelKey, LabelValue] = {}
    """Beside ours, such as `sidecar.istio.io/inject: "false"`: a mesh's proxy would keep a Job from
    its end."""
    annotations: dict[Key, Text] = {}
    """Annotations of the pods."""
    node_selector: dict[Key, LabelValue] = {}
    """Labels of the nodes on which the pods run."""
    tolerations: list[Toleration] = []
    affinity: Affinity | None = None
    priority_class_name: DnsSubdomain | None = None
    """An existing PriorityClass."""
    image_pull_secrets: list[DnsSubdomain] = []
    """Secrets of the namespace, by name, with which the image is pulled."""
    run_as_user: Id = 65532
    """Nobody in the image; `cluster` leaves it out, for a cluster that chooses it, as OpenShift
    does."""
    run_as_group: Id = 65532
    """As `run-as-user`."""
    https_proxy: Proxy | None = None
    """Through which a pod asks AWS; the API server is always asked directly."""
    no_proxy: list[Host] = []
    """Hosts that are asked directly all the same."""
