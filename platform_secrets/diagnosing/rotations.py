"""The layer of the rotation: its parts, its jobs, its memory, and keys that are older than they may
be."""

from collections.abc import Iterator

from platform_secrets.diagnosing.case import At, Case, Finding, changed_rights
from platform_secrets.diagnosing.rotating import Age, Fault, rotations
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.rotation import names

_KINDS = ("ServiceAccount", "Role", "RoleBinding", "Password", "UUID", "VaultDynamicSecret")
_BOUNDS = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def rotation_findings(case: Case) -> Iterator[Finding]:
    """What keeps keys from being rotated, and which of them are overdue."""
    found = rotations(case.settings, case.snapshot)
    if found is None:
        return
    for place, declared in case.declared_of(*_KINDS, *_BOUNDS, component=names.COMPONENT):
        yield from _of_part(case, place, declared)
    for fault in found.faults:
        yield Finding(fault.check, _at(case, fault), fault.what, _step(case, fault))
    for age in found.ages:
        for fault in age.faults:
            what = f"{age.key}: {fault.what}"
            yield Finding(fault.check, _at(case, fault), what, _key_step(case, age, fault), age.key)


def _at(case: Case, fault: Fault) -> At:
    return At(fault.kind, case.settings.own_namespace, fault.name)


def _step(case: Case, fault: Fault) -> str:
    within = f"-n {case.settings.own_namespace}"
    match fault.check, fault.kind:
        case "rotation-suspended", _:
            spec = """--type=merge -p '{"spec":{"suspend":false}}'"""
            return f"`kubectl patch cronjob {fault.name} {within} {spec}`"
        case "rotation-failed", "Job":
            return f"`kubectl logs job/{fault.name} {within}`, then docs/rotation.md"
        case "rotation-not-run", _:
            return f"`kubectl describe cronjob {names.ACCOUNTS[0]} {within}`"
        case (("rotation-failed" | "rotation-refused"), _):
            return f"`kubectl get configmap {fault.name} {within} -o yaml`: `run` says why"
        case _:
            return case.apply


def _key_step(case: Case, age: Age, fault: Fault) -> str:
    command = f"secretsctl rotate {age.key}"
    if fault.check == "rotation-taken-back":
        return f"docs/rotation.md; then `{command} --wait {case.env}`"
    if age.is_by_hand:
        return f"`{command} {case.env}`, which says how"
    return f"`{command} --wait {case.env}`"


def _of_part(case: Case, place: At, declared: Manifest) -> Iterator[Finding]:
    live = case.live(place)
    if live is None:
        if case.is_missing(place):
            yield Finding("rotation-part-missing", place, "does not exist", case.apply)
        return
    if changed := [*changed_rights(declared, live)]:
        what = f"is not as the settings say: {', '.join(changed)}"
        yield Finding("rotation-part-missing", place, what, case.apply)
