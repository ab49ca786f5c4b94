"""What became of a namespace's Secrets, and whether their readers were ever refused."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest


class History:
    """All that happens to a namespace's Secrets from now on, told by the API server at the end."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._changes = cluster.api.changes("v1", "Secret", seconds=1)
        self._namespace = namespace
        while next(self._changes)[1]:
            continue

    @cached_property
    def events(self) -> list[tuple[str, Manifest]]:
        return [
            (event, obj)
            for event, obj in self._changes
            if obj["metadata"]["namespace"] == self._namespace
        ]

    def lost(self) -> set[str]:
        """The Secrets that were deleted."""
        return {obj["metadata"]["name"] for event, obj in self.events if event == "DELETED"}

    def held(self, secret: str, key: str) -> list[str]:
        """The values that a key of a Secret had, one after the other, "" for none."""
        found: list[str] = []
        for _, obj in self.events:
            if obj["metadata"]["name"] == secret:
                value = base64.b64decode(obj.get("data", {}).get(key, "")).decode()
                if found[-1:] != [value]:
                    found.append(value)
        return found

    def changed(self, before: dict[str, Manifest]) -> list[str]:
        """What differed from Secrets as they were before, at any moment: another Secret of the
        name, or another value of a key; names alone."""
        found = [f"{name} is gone" for name in self.lost() & before.keys()]
        for _, obj in self.events:
            name = obj["metadata"]["name"]
            if name in before:
                then, now = before[name].get("data", {}), obj.get("data", {})
                found += [f"{name}: {key}" for key, value in then.items() if now.get(key) != value]
        return found


@contextmanager
def reading(cluster: Cluster, namespace: str, account: str, secret: str) -> Iterator[list[str]]:
    """Inside, a ServiceAccount reads a Secret all the time; yields what it was answered instead."""
    api, is_over = cluster.api_as(cluster.token(namespace, account)), threading.Event()
    refused: list[str] = []

    def read() -> None:
        while not is_over.wait(0.02):
            try:
                api.read("v1", "Secret", secret, namespace)
            except KubernetesApiError as error:
                refused.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield refused
    finally:
        is_over.set()
        thread.join()
