"""`secretsctl doctor`: walks an environment's layers, and names the first that is at fault."""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from platform_secrets.diagnosing.case import Case, Finding
from platform_secrets.diagnosing.diagnosis import (
    LAYER_OF,
    LAYERS,
    NOT_REACHED,
    Diagnosis,
    diagnosis,
    without_cluster,
)
from platform_secrets.diagnosing.snapshot import Snapshot
from platform_secrets.secretsctl.arguments import FAILED, OK
from platform_secrets.secretsctl.cluster_snapshot import environment_snapshot, folder_snapshot
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl
from platform_secrets.secretsctl.projects import asked_settings
from platform_secrets.secretsctl.shown_texts import printable
from platform_secrets.secretsctl.terminal_colors import has_colors, painted
from platform_secrets.settings import Problem, Settings, SettingsError

_PAGE = "docs/troubleshooting.md"
_PASSING = ("external-secret-not-current", "webhook-unreachable", "secret-missing")
"""What is so for a moment when something has just changed."""
_MOMENT_SECONDS = 4
_EXTERNAL_SECRETS = "externalsecrets.external-secrets.io"
_SHOWN = 5
"""Of findings of one check so many are shown one by one."""
_COLORS = {"fault": "red", "healthy": "green"}
"""Each other state is yellow."""


def doctor(options: argparse.Namespace) -> tuple[int, str]:
    """Raises SettingsError for a stack file that is wrong, or a folder that is not there or holds
    what no API server gives."""
    (settings,) = asked_settings(options)
    if options.folder is None:
        found, now = _of_cluster(settings)
    else:
        found, now = _of_folder(settings, options.folder)
    text = (_json if options.json else _text)(settings, found, now)
    return FAILED if found.faults else OK, text


def _of_cluster(settings: Settings) -> tuple[Diagnosis, datetime]:
    try:
        case = live_case(settings)
        found = diagnosis(case)
        if any(one.check in _PASSING for one in found.faults):
            time.sleep(_MOMENT_SECONDS)
            found = diagnosis(live_case(settings))
    except ClusterError as error:
        context = settings.environment.cluster.context or ""
        return without_cluster(str(error), context), datetime.now(UTC)
    return found, case.snapshot.taken_at


def _of_folder(settings: Settings, folder: str) -> tuple[Diagnosis, datetime]:
    snapshot = folder_snapshot(settings, folder)
    try:
        return diagnosis(Case(settings, snapshot)), snapshot.taken_at
    except (LookupError, TypeError, AttributeError):
        # Somebody has changed it by hand; the checks take each object as an API server gives it.
        message = "has an object that lacks what every API server gives; have it taken once more"
        problem = Problem(folder, None, (), f"{message}, by `kubectl get --output=yaml`")
        raise SettingsError([problem]) from None


def live_case(settings: Settings) -> Case:
    """An environment as it is in its cluster. Raises ClusterError."""
    snapshot = environment_snapshot(settings, reads_secrets=True)
    return Case(settings, snapshot, tuple(_log(settings)), _refusal(settings, snapshot))


def _refusal(settings: Settings, snapshot: Snapshot) -> str:
    """Why the API server would refuse a change of an ExternalSecret: a change of nothing, which it
    does not store, but asks its webhooks about."""
    one = next(iter(snapshot.of("ExternalSecret", settings.namespace)), None)
    if one is None:
        return ""
    kubectl = Kubectl(settings.environment.cluster.context, settings.namespace)
    try:
        kubectl.would_patch(_EXTERNAL_SECRETS, one["metadata"]["name"], {})
    except ClusterError as error:
        return str(error)
    return ""


def _log(settings: Settings) -> Iterable[str]:
    """The operator's newest lines; none where they may not be read."""
    env = settings.environment
    kubectl = Kubectl(env.cluster.context, env.operator_namespace)
    try:
        return kubectl.logs("app.kubernetes.io/name=external-secrets", minutes=10).splitlines()
    except ClusterError:
        return ()


def _json(settings: Settings, found: Diagnosis, at: datetime) -> str:
    told = {
        "environment": settings.environment.environment,
        "at": at.isoformat(timespec="seconds"),
        "healthy": not found.faults,
        "first": found.faults[0].check if found.faults else None,
        "layers": {layer.name: _state(layer.name, found) for layer in LAYERS},
        "findings": [_plain(one, found) for one in found.findings],
        "unread": found.unread,
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _plain(one: Finding, found: Diagnosis) -> dict[str, object]:
    plain: dict[str, object] = {
        "check": one.check,
        "layer": LAYER_OF[one.check],
        "kind": one.at.kind,
        "namespace": one.at.namespace,
        "name": one.at.name,
        "key": one.key,
        "fault": one.is_fault,
        "what": one.what,
        "step": one.step,
    }
    following = found.following.get(one, [])
    if following:
        plain["following"] = [
            {"check": each.check, "object": str(each.at), "what": each.what} for each in following
        ]
    return plain


def _state(layer: str, found: Diagnosis) -> str:
    own = [one for one in found.findings if LAYER_OF[one.check] == layer]
    if any(one.is_fault for one in own):
        return "fault"
    following = [one for some in found.following.values() for one in some]
    if any(LAYER_OF[one.check] == layer for one in following):
        return "follows"
    if any(one.check == "values-not-put-in" for one in own):
        return "to do"
    return "unknown" if found.unread.get(layer) or (layer == "rights" and own) else "healthy"


def _text(settings: Settings, found: Diagnosis, at: datetime) -> str:
    is_colored = has_colors()
    lines = [f"{settings.environment.environment}, as it was at {at:%Y-%m-%d %H:%M:%S} UTC"]
    is_alone = any(one.check == NOT_REACHED for one in found.findings)
    for layer in LAYERS:
        state = _state(layer.name, found)
        shown = f"{state:<8}"
        if is_colored:
            shown = painted(shown, _COLORS.get(state, "yellow"))
        lines.append(f"{shown} {layer.name}")
        if not is_alone:
            unread = found.unread.get(layer.name, [])
            lines += [f"           not looked at: {printable(one)}" for one in unread]
        own = [one for one in found.findings if LAYER_OF[one.check] == layer.name]
        for check in layer.checks:
            lines += _of_check([one for one in own if one.check == check], found)
    lines.append(_verdict(found))
    return "".join(f"{line}\n" for line in lines)


def _of_check(findings: list[Finding], found: Diagnosis) -> Iterator[str]:
    for one in findings[:_SHOWN]:
        if one.check == "not-looked-at":
            yield printable(f"           {one.at}: {one.what}: {one.step}")
            continue
        yield printable(f"           {one.check}: {one.at}: {one.what}")
        yield printable(f"             next: {one.step}")
        following = found.following.get(one, [])
        if following:
            names = ", ".join(dict.fromkeys(str(each.at) for each in following[:_SHOWN]))
            more = f" and {len(following) - _SHOWN} more" if len(following) > _SHOWN else ""
            yield printable(f"             from which follows: {names}{more}")
    if len(findings) > _SHOWN:
        yield f"           {findings[0].check}: {len(findings) - _SHOWN} more"


def _verdict(found: Diagnosis) -> str:
    if found.faults:
        first = found.faults[0]
        return f"first at fault: {LAYER_OF[first.check]} ({first.check}: {_PAGE}#{first.check})"
    todo = [one for one in found.findings if one.check == "values-not-put-in"]
    if todo:
        return f"nothing is at fault; values are to be put in: {todo[0].step}"
    if found.unread:
        return "nothing is at fault of what could be looked at"
    return "healthy"
