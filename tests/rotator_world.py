"""A platform to rotate: its plan, its cluster, and runs of the real program against it."""

import json
import secrets
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from platform_secrets.rotator.__main__ import main
from tests import rotator_aws
from tests.rotator_api import NAMESPACE, STORE, Cluster, FakeClock
from tests.rotator_aws import FakeAws

_FOLDER = tempfile.TemporaryDirectory()
_PLAN = Path(_FOLDER.name) / "plan.json"
_TOKEN = secrets.token_hex(8)
for audience in ("sts.amazonaws.com", "pods.eks.amazonaws.com"):
    (Path(_FOLDER.name) / audience).write_text(_TOKEN)
START = datetime(2026, 3, 2, 3, 17, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
DUE = START + 100 * ONE_DAY
LABELS = {"app.kubernetes.io/component": "rotation", "app.kubernetes.io/part-of": "shop"}


def generated(
    name: str, *, readers: list[str], overlap: bool = False, bundle: str = "shared", **other: Any
) -> dict[str, Any]:
    """A key of layout `bundle`, whose bundle is one entry of the store."""

    def entry(key: str) -> dict[str, str]:
        return {"key": f"shop/{bundle}", "property": key}

    return {
        "by": "generate",
        "shown": name,
        "bundle": bundle,
        "owner": "backend",
        "every_seconds": 90 * 86400,
        "grace_seconds": 7 * 86400,
        "overlap_seconds": 86400 if overlap else None,
        "store": STORE,
        "entry": entry(name),
        "next": entry(f"{name}-next") if overlap else None,
        "previous": entry(f"{name}-previous") if overlap else None,
        "push_metadata": None,
        "fields": [name, f"{name}-next", f"{name}-previous"],
        "external_secret": bundle,
        "overlap_external_secret": None,
        "readers": readers,
        **other,
    }


def _of_a_database(by: str, name: str, readers: list[str]) -> dict[str, Any]:
    return {
        "by": by,
        "shown": name,
        "bundle": "shared",
        "owner": None,
        "every_seconds": 90 * 86400,
        "grace_seconds": 7 * 86400,
        "fields": [name],
        "external_secret": "shared",
        "store": "vault-store",
        "readers": readers,
    }


def database(name: str, *, readers: list[str]) -> dict[str, Any]:
    return {
        **_of_a_database("database", name, readers),
        "pointer": f"{name}-active",
        "contents": {"a": "a", "b": "b"},
    }


def secrets_manager(name: str, *, readers: list[str], **other: Any) -> dict[str, Any]:
    return {
        **_of_a_database("aws", name, readers),
        "secret_id": rotator_aws.ENTRY,
        "region": "eu-central-1",
        "role": rotator_aws.ROLE,
        "secrets_manager": rotator_aws.SECRETS_MANAGER,
        "credentials": rotator_aws.STS,
        **other,
    }


class World:
    """One environment with keys, whose ages have begun at `START`."""

    def __init__(self, keys: dict[str, Any], workloads: dict[str, list[str]], **plan: Any) -> None:
        self.plan = {
            "environment": "production",
            "namespace": NAMESPACE,
            "labels": LABELS,
            "memory": "secrets-rotation-memory",
            "longest_pause_seconds": 1000 * 86400,
            "bundles_at_once": 4,
            "sync_seconds": 600,
            "rollout_seconds": 600,
            "window": None,
            "freezes": [],
            "keys": keys,
            **plan,
        }
        self.cluster = Cluster()
        self._aws: FakeAws | None = None
        lines: dict[str, dict[str, str]] = {}
        for name, key in keys.items():
            if key["by"] == "generate":
                entries = [key["entry"], key["next"], key["previous"]]
                for field, entry in zip(key["fields"], filter(None, entries), strict=False):
                    is_derived = field != key["fields"][0] and key["overlap_external_secret"]
                    secret = key["overlap_external_secret" if is_derived else "external_secret"]
                    place = "/".join(filter(None, (entry["key"], entry["property"])))
                    form = key["text"].split('"')[1] if "text" in key else ""
                    lines.setdefault(secret, {})[field] = f"{form} {place}".strip()
                own = lines[key["external_secret"]][key["fields"][0]].rpartition(" ")[2]
                for one in key.get("borrowing", ()):
                    names = dict(zip(key["fields"], one.get("fields", key["fields"]), strict=True))
                    lines.setdefault(one["external_secret"], {}).update(
                        {names[name]: of for name, of in lines[key["external_secret"]].items()}
                    )
                self.cluster.entries[own] = f"old-{name}"
            if key["by"] == "database":
                [field] = key["fields"]
                self.cluster.add_pointer(key["pointer"], field, "a")
                lines.setdefault(key["external_secret"], {})[field] = (
                    f"pointer:{key['pointer']}:{field}"
                )
            if key["by"] == "aws":
                self._aws = FakeAws(self.cluster, _TOKEN, START - ONE_DAY)
                lines.setdefault(key["external_secret"], {})[key["fields"][0]] = key["secret_id"]
        for secret, of_secret in lines.items():
            self.cluster.add_consumer(secret, of_secret)
        for workload, reads in workloads.items():
            self.cluster.add_workload(workload, reads)
        self.clock = FakeClock(START)

    @property
    def aws(self) -> FakeAws:
        """Of a plan that has a key of AWS'."""
        assert self._aws
        return self._aws

    def age(self) -> "World":
        """The first run, which sees the keys."""
        assert self.run(at=START) == 0
        self.cluster.log.clear()
        return self

    def run(
        self, *arguments: str, at: datetime = DUE, transport: Any = None, command="rotate"
    ) -> int:
        """The exit code of a run that starts at a moment."""
        self.clock = FakeClock(at)
        if self.cluster:
            self.cluster.clock = self.clock
        _PLAN.write_text(json.dumps(self.plan))
        line = [command, "--plan", str(_PLAN.parent), *arguments]
        if self._aws is None:
            return main(line, transport or self.cluster, self.clock)
        line += ["--aws-token-folder", _FOLDER.name] if command == "rotate" else []
        self.aws.clock = self.clock
        return main(line, transport or self.cluster, self.clock, self.aws.send)

    def calls(self) -> int:
        return len(self.cluster.log)
