"""What the outside sees: a JSON object a line, and events on the services' ExternalSecrets."""

import json
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from .api import Api, RefusedError, UnreachableError
from .clock import Clock
from .contract import EVENT_SOURCE, EventReason
from .memory import timestamp


def info(message: str, **fields: Any) -> None:
    _write("info", message, fields)


def warning(message: str, **fields: Any) -> None:
    _write("warning", message, fields)


def error(message: str, **fields: Any) -> None:
    _write("error", message, fields)


def _write(level: str, message: str, fields: dict[str, Any]) -> None:
    line = {"time": timestamp(datetime.now(UTC)), "level": level, "message": message, **fields}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def event(api: Api, clock: Clock, external_secret: str, reason: EventReason, message: str) -> None:
    """An event for `kubectl describe`; that it can't be written stops nothing."""
    try:
        live = api.get("ExternalSecret", external_secret)
        if live is None:
            return
        now, metadata = timestamp(clock.now()), live["metadata"]
        of = {one: metadata[one] for one in ("name", "namespace", "uid")}
        name = f"{metadata['name'][:200]}.{uuid.uuid4().hex[:16]}"
        api.create(
            "Event",
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": metadata["namespace"]},
                "involvedObject": {"apiVersion": live["apiVersion"], "kind": live["kind"], **of},
                "type": "Normal" if reason == "Rotated" else "Warning",
                "reason": reason,
                "message": message[:1024],
                "source": {"component": EVENT_SOURCE},
                "firstTimestamp": now,
                "lastTimestamp": now,
                "count": 1,
            },
        )
    except (RefusedError, UnreachableError) as fault:
        warning(f"no event {reason} was written: {fault}")
