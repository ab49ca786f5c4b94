"""Which Secrets of the layer a workload may refer to: those that its service reads.

Whose it is, is said by its own kind and name, by those of what controls it, or by its account,
which may get these Secrets anyway.
"""

from platform_secrets.manifests import naming
from platform_secrets.manifests.access import all_secrets, read_secrets
from platform_secrets.manifests.admission.policy import Policy, rule, rules_where
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation.cel import cel
from platform_secrets.rotator.contract import one_shot
from platform_secrets.settings import Settings

_RESOURCES = {
    "pods": "",
    "pods/ephemeralcontainers": "",
    "replicationcontrollers": "",
    "deployments": "apps",
    "statefulsets": "apps",
    "daemonsets": "apps",
    "replicasets": "apps",
    "jobs": "batch",
    "cronjobs": "batch",
    "rollouts": "argoproj.io",
}
# They make what a workload of another kind says, which was judged itself.
_CONTROLLERS = [
    "system:kube-controller-manager",
    *(
        f"system:serviceaccount:kube-system:{name}"
        for name in (
            "cronjob-controller",
            "daemon-set-controller",
            "deployment-controller",
            "job-controller",
            "replicaset-controller",
            "replication-controller",
            "statefulset-controller",
        )
    ),
]
_ALL = "catalogue"
_REFUSAL = (
    "no service with this workload or its account reads these Secrets: put their bundles into its "
    "`reads` in the catalogue"
)
_COPIES = [naming.migration, naming.new_value, naming.value_before, naming.seeding]


def workload_policy(settings: Settings, view: Settings) -> Policy:
    """Of everything in a namespace that is a pod, or that pods are made of."""
    is_new = 'request.operation == "CREATE"'
    empty = cel("")
    volumes = "variables.pod.?volumes.orValue([])"
    containers = "variables.containers"
    of_projected = "one.projected.sources.filter(each, has(each.secret)).map(each, each.secret)"
    of_variables = (
        "one.env.filter(each, has(each.valueFrom) && has(each.valueFrom.secretKeyRef))"
        ".map(each, each.valueFrom.secretKeyRef)"
    )
    of_environment = "one.envFrom.filter(each, has(each.secretRef)).map(each, each.secretRef)"

    def names(owners: str, field: str, references: str) -> str:
        """A Secret's name has no space."""
        there = f"one.?{field}.orValue(null) != null"
        each = f'{references}.map(each, string(each.?name.orValue({empty}))).join(" ")'
        return f'{owners}.filter(one, {there}).map(one, {each}).join(" ").split(" ")'

    return Policy(
        resources=_RESOURCES,
        conditions={
            "changes": f"{is_new} || {_pod('object')} != {_pod('oldObject')}",
            "not-made-of-another": f"!(request.userInfo.username in {cel(_CONTROLLERS)})",
        },
        variables={
            "pod": _pod("object"),
            "containers": " + ".join(
                f"variables.pod.?{kind}.orValue([])"
                for kind in ("containers", "initContainers", "ephemeralContainers")
            ),
            "controllers": (
                "dyn(object.metadata).?ownerReferences.orValue([])"
                ".filter(one, one.?controller.orValue(false))"
                ".map(one, string(one.kind) + '/' + string(one.name))"
            ),
            "claims": (
                f"[string(object.kind) + '/' + string(dyn(object.metadata).?name.orValue({empty})),"
                f" 'ServiceAccount/' + string(variables.pod.?serviceAccountName.orValue({empty}))]"
                " + variables.controllers"
            ),
            "rules": rules_where("rule.resources.exists(one, one in variables.claims)"),
            "ours": (
                f"params.rules.filter(rule, {cel(_ALL)} in rule.resources)[0]"
                ".?resourceNames.orValue([])"
            ),
            "inVolumes": (
                f"{volumes}.filter(one, has(one.secret))"
                f".map(one, string(one.secret.?secretName.orValue({empty})))"
            ),
            "inSources": names(volumes, "projected.?sources", of_projected),
            "inVariables": names(containers, "env", of_variables),
            "inEnvironment": names(containers, "envFrom", of_environment),
            "unread": (
                "(variables.inVolumes + variables.inSources + variables.inVariables + "
                "variables.inEnvironment).filter(name, name != '' && "
                f"!variables.rules.exists(rule, name in rule.resourceNames) && {_is_ours()})"
            ),
        },
        refusals={_REFUSAL: "variables.unread.size() == 0"},
        details={_REFUSAL: 'variables.unread.join(", ")'},
        rules=_rules(view),
    )


def _rules(view: Settings) -> list[Manifest]:
    found = [rule([_ALL], all_secrets(view), ["declare"])]
    for service in view.services.values():
        account = [f"ServiceAccount/{service.account}"] if service.account else []
        if secrets := read_secrets(view, service):
            found.append(rule([*service.all_workloads, *account], secrets, ["read"]))
    return found


def _is_ours() -> str:
    """Whether a Secret is one of the catalogue, or has values of one for a moment."""
    copies = cel([copy("") for copy in _COPIES])
    steps = cel([one_shot(step, "") for step in ("before", "staged")])
    return (
        "(name in variables.ours || "
        f"{copies}.exists(copy, name.startsWith(copy) && "
        "name.substring(copy.size()) in variables.ours) || "
        f"{steps}.exists(step, name.startsWith(step)))"
    )


def _pod(obj: str) -> str:
    """The spec of the pod that an object is, or of those that are made of it."""
    return (
        f'({obj}.kind == "Pod" ? dyn({obj}).spec : {obj}.kind == "CronJob" ? '
        f"dyn({obj}).spec.jobTemplate.spec.template.spec : "
        f"dyn({obj}).spec.?template.?spec.orValue({{}}))"
    )
