"""What an environment looks like in Grafana: one dashboard, of the metrics that the alerts ask for.

The form is Grafana's own (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/
view-dashboard-json-model/). Each panel is a title, a type and one query.
"""

import hashlib
from typing import Literal, NamedTuple

from platform_secrets.manifests.monitoring.alerts import of_environment
from platform_secrets.manifests.monitoring.jobs import Jobs
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Settings
from platform_secrets.settings.rotator import AGE_CHECK, ROTATION

_SCHEMA_VERSION = 39  # Grafana 11's; later ones convert it.
_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS, _WIDTH, _HEIGHT = 24, {"stat": 6, "timeseries": 12, "state-timeline": 24}, 8
_RED_FROM_ONE = [{"color": "green", "value": None}, {"color": "red", "value": 1}]


class Panel(NamedTuple):
    """One picture. `legend` is a line's name, made of labels; `unit` is one of Grafana's."""

    title: str
    type: Literal["stat", "timeseries", "state-timeline"]
    query: str
    legend: str = ""
    unit: str = "short"
    is_red_from_one: bool = False


def panels(settings: Settings) -> list[Panel]:
    """What is wrong now, then what happens over time; of rotation where something rotates."""
    chosen = of_environment(settings)
    whose = (
        f'platform="{settings.catalogue.platform}",environment="{settings.environment.environment}"'
    )
    firing = f'ALERTS{{{whose},alertstate="firing"}}'
    refreshes = f"externalsecret_sync_calls_total{{{chosen}}}[$__rate_interval]"
    calls = "externalsecret_provider_api_calls_count[$__rate_interval]"
    found = [
        Panel("Alerts", "stat", f"count({firing}) or vector(0)", is_red_from_one=True),
        _not_ready(chosen, "Stores not ready", "secretstore"),
        _not_ready(chosen, "ExternalSecrets not ready", "externalsecret"),
    ]
    jobs = {"rotation": ROTATION, "age check": AGE_CHECK} if settings.has_rotation else {}
    for what, cron_job in jobs.items():
        query = Jobs(settings.namespace, cron_job).since_complete
        found.append(Panel(f"Since the last {what} that went well", "stat", query, unit="s"))
    return [
        *found,
        Panel("Alerts", "state-timeline", f"max by (alertname, name) ({firing})", "{{alertname}}"),
        Panel("Refreshes", "timeseries", f"sum by (name) (rate({refreshes}))", "{{name}}", "ops"),
        Panel(
            "Calls of providers",
            "timeseries",
            f"sum by (provider, call, status) (rate({calls}))",
            "{{provider}} {{call}}: {{status}}",
            "ops",
        ),
    ]


def dashboard(settings: Settings) -> Manifest:
    """Grafana's JSON, with a choice of the Prometheus."""
    name = f"{settings.catalogue.platform} {settings.environment.environment}"
    return {
        "uid": hashlib.sha256(f"{name} {settings.namespace}".encode()).hexdigest()[:16],
        "title": f"Secrets of {name}",
        "tags": ["secrets", settings.catalogue.platform],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _placed(panels(settings)),
    }


def _not_ready(chosen: str, title: str, kind: str) -> Panel:
    condition = f'{kind}_status_condition{{{chosen},condition="Ready",status="False"}}'
    query = f"count(max by (namespace, name) ({condition}) == 1) or vector(0)"
    return Panel(title, "stat", query, is_red_from_one=True)


def _placed(found: list[Panel]) -> list[Manifest]:
    """Side by side from the left, each row as high as the others."""
    placed: list[Manifest] = []
    left = top = 0
    for number, panel in enumerate(found, start=1):
        width = _WIDTH[panel.type]
        if left + width > _COLUMNS:
            left, top = 0, top + _HEIGHT
        place = {"x": left, "y": top, "w": width, "h": _HEIGHT}
        placed.append({"id": number, "gridPos": place, **_drawn(panel)})
        left += width
    return placed


def _drawn(panel: Panel) -> Manifest:
    shown: Manifest = {"unit": panel.unit}
    if panel.is_red_from_one:
        shown["thresholds"] = {"mode": "absolute", "steps": _RED_FROM_ONE}
    target = {"refId": "A", "expr": panel.query, "datasource": _DATA_SOURCE}
    if panel.legend:
        target["legendFormat"] = panel.legend
    return {
        "title": panel.title,
        "type": panel.type,
        "datasource": _DATA_SOURCE,
        "fieldConfig": {"defaults": shown, "overrides": []},
        "targets": [target],
    }
