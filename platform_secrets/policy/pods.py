"""What pods may do on their nodes and in the cluster."""

import re
from collections.abc import Iterator

from platform_secrets.policy.judged import Asked, Object, Violation, at, mapping, sequence

_TEMPLATES = {
    "Pod": "spec",
    "CronJob": "spec.jobTemplate.spec.template.spec",
}
_TEMPLATE = "spec.template.spec"
_OF_THE_NODE = ("hostNetwork", "hostPID", "hostIPC")
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
_TAG = re.compile(r".*:(?!latest\Z)[^/:]+")


def is_hardened(workload: Object, _: Asked) -> Iterator[Violation]:
    path, pod = _pod(workload)
    own = mapping(pod.get("securityContext"))
    for name in _OF_THE_NODE:
        if pod.get(name):
            yield Violation(f"{path}.{name}", "is the node's own", "leave it out")
    for number, volume in enumerate(sequence(pod.get("volumes"))):
        if "hostPath" in mapping(volume):
            yield Violation(f"{path}.volumes[{number}]", "is a folder of the node", "leave it out")
    for place, container in _containers(path, pod):
        context = mapping(container.get("securityContext"))
        inside = f"{place}.securityContext"
        # A container's own field stands in the place of its pod's.
        if {**own, **context}.get("runAsNonRoot") is not True:
            yield Violation(f"{inside}.runAsNonRoot", "may run as root", "true, here or of the pod")
        profile = at({**own, **context}, "seccompProfile", "type")
        if profile not in ("RuntimeDefault", "Localhost"):
            yield Violation(
                f"{inside}.seccompProfile", "may call all of the kernel", "RuntimeDefault"
            )
        if context.get("allowPrivilegeEscalation") is not False:
            at_field = f"{inside}.allowPrivilegeEscalation"
            yield Violation(at_field, "may gain more rights than it began with", "false")
        if context.get("readOnlyRootFilesystem") is not True:
            at_field = f"{inside}.readOnlyRootFilesystem"
            yield Violation(at_field, "may change its own files", "true")
        if context.get("privileged"):
            yield Violation(f"{inside}.privileged", "is root on its node", "leave it out")
        capabilities = mapping(context.get("capabilities"))
        if "ALL" not in sequence(capabilities.get("drop")) or capabilities.get("add"):
            yield Violation(f"{inside}.capabilities", "keeps some of root's", "drop ALL, add none")


def has_bounds(workload: Object, _: Asked) -> Iterator[Violation]:
    for place, container in _containers(*_pod(workload)):
        resources = mapping(container.get("resources"))
        for kind, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
            if not at(resources, kind, name):
                path = f"{place}.resources.{kind}.{name}"
                yield Violation(path, "is missing", "an amount, as `rotator.resources` has")


def mounts_a_token_only_where_it_says_so(workload: Object, _: Asked) -> Iterator[Violation]:
    """A pod that needs no token, and says nothing, would get one."""
    path, pod = _pod(workload)
    if not isinstance(pod.get("automountServiceAccountToken"), bool):
        at_field = f"{path}.automountServiceAccountToken"
        yield Violation(at_field, "is missing, so a token is mounted", "true or false, outright")


def mounts_no_token_by_itself(account: Object, _: Asked) -> Iterator[Violation]:
    if account.get("automountServiceAccountToken") is not False:
        found = "has a token mounted into every pod that does not refuse it"
        yield Violation("automountServiceAccountToken", found, "false; a pod that needs it says so")


def names_one_image(workload: Object, asked: Asked) -> Iterator[Violation]:
    for place, container in _containers(*_pod(workload)):
        image = str(container.get("image"))
        if _DIGEST.fullmatch(image):
            continue
        if asked.pins_images:
            found = "has no digest, though the stack file's has one"
            yield Violation(f"{place}.image", found, "IMAGE@sha256:…, by `secretsctl pin-image`")
        elif not _TAG.fullmatch(image):
            yield Violation(
                f"{place}.image", "is whatever is newest", "a tag of a release, or a digest"
            )


def _pod(workload: Object) -> tuple[str, Object]:
    """The pod's specification, and its path."""
    path = _TEMPLATES.get(str(workload.get("kind")), _TEMPLATE)
    return path, mapping(at(workload, *path.split(".")))


def _containers(path: str, pod: Object) -> Iterator[tuple[str, Object]]:
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(sequence(pod.get(kind))):
            yield f"{path}.{kind}[{number}]", mapping(container)
