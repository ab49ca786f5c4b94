"""Prometheus' own evaluation of the rendered rules, over metrics as programs gave them."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from platform_secrets.manifests.monitoring.objects import prometheus_files
from platform_secrets.settings import Settings
from tools.build import build

_METRIC = re.compile(r"\b([a-z_]+)\{")
_SAMPLE = re.compile(r"([a-z_]+)(\{.*\})? (\S+)")
_ABOUT = ("alertname", "namespace", "name")

Alert = tuple[str, str, str]
"""Its name, the namespace and the name of what it is about; empty where it has none."""


def rules_file(folder: Path, settings: Settings) -> Path:
    """The rules of an environment whose stack file asks for files."""
    path = folder / f"{settings.namespace}-rules.yaml"
    path.write_text(yaml.safe_dump(prometheus_files(settings)["rules.yaml"]), encoding="utf-8")
    return path


def metrics_of(rules: Path) -> set[str]:
    """What the rules ask for."""
    return {*_METRIC.findall(rules.read_text(encoding="utf-8"))}


def series_in(text: str, metrics: Iterable[str]) -> dict[str, str]:
    """What a program says of these metrics on its page: a value for each series."""
    found = (_SAMPLE.fullmatch(line) for line in text.splitlines())
    return {f"{one[1]}{one[2] or ''}": one[3] for one in found if one and one[1] in metrics}


@dataclass(frozen=True)
class Alerting:
    """Of the alerts whose names match `among` just the expected fire after `minutes` in which the
    series were as given: a value, or Prometheus' notation of several, a minute apart."""

    name: str
    series: Mapping[str, str]
    expected: Iterable[Alert]
    minutes: int = 30
    among: str = ".*"

    @property
    def content(self) -> dict[str, Any]:
        """As promtool reads it."""
        series = [
            {"series": name, "values": value if "x" in value else f"{value}x{self.minutes}"}
            for name, value in self.series.items()
        ]
        firing = f'ALERTS{{alertstate="firing",alertname=~"{self.among}"}}'
        query = {
            "expr": f"count by ({','.join(_ABOUT)}) ({firing})",
            "eval_time": f"{self.minutes}m",
            "exp_samples": [{"labels": _labels(one), "value": 1} for one in self.expected],
        }
        test = {"name": self.name, "interval": "1m", "input_series": series}
        return {**test, "promql_expr_test": [query]}


@dataclass(frozen=True)
class Querying:
    """A query of these series shows just the expected values, each with its labels."""

    name: str
    series: Mapping[str, str]
    query: str
    expected: Mapping[str, float]
    minutes: int = 30

    @property
    def content(self) -> dict[str, Any]:
        """As promtool reads it."""
        alerting = Alerting(self.name, self.series, [], self.minutes).content
        samples = [{"labels": labels, "value": value} for labels, value in self.expected.items()]
        query = {"expr": self.query, "eval_time": f"{self.minutes}m", "exp_samples": samples}
        return {**alerting, "promql_expr_test": [query]}


def _labels(alert: Alert) -> str:
    found = [f'{label}="{text}"' for label, text in zip(_ABOUT, alert, strict=True) if text]
    return f"{{{','.join(found)}}}"


def assert_true(folder: Path, rules: Iterable[Path], cases: Iterable[Alerting | Querying]) -> None:
    """All of them, or promtool's words about those which are not."""
    content = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": "1m",
        "tests": [case.content for case in cases],
    }
    file = folder / "rules-test.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def promtool(*args: object) -> subprocess.CompletedProcess[str]:
    """What Prometheus' own tool says."""
    return subprocess.run(  # noqa: S603 - our own promtool
        [build("promtool"), *map(str, args)], capture_output=True, text=True, check=False
    )
