"""What services do with a database's URL: each pod logs in, again and again."""

import subprocess
import time
from dataclasses import dataclass, field
from threading import Event, Thread
from urllib.parse import unquote, urlsplit

from tests.e2e.kubelet import Happening, Kubelet
from tests.e2e.postgres import Postgres

KEY = "database-url"
BETWEEN_LOGINS_SECONDS = 0.1


@dataclass
class Clients:
    """Logs in as every running pod would, with the URL that it read, again and again."""

    postgres: Postgres
    kubelet: Kubelet
    namespace: str
    key: str = KEY
    urls: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    users: list[str] = field(default_factory=list)
    """In the order in which they were first seen."""
    logins: int = 0
    _is_over: Event = field(default_factory=Event)

    def pod_starts(self, pod: Happening, values: dict[str, str]) -> None:
        if self.key in values:
            self.urls[pod.name] = values[self.key]

    def start(self) -> None:
        self._thread = Thread(target=self._log_in, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    def _log_in(self) -> None:
        while not self._is_over.is_set():
            began = time.monotonic()
            for url in {
                self.urls[pod.name]
                for pod in self.kubelet.running(self.namespace)
                if self.key in pod.values
            }:
                self._log_in_with(url)
            time.sleep(max(0, BETWEEN_LOGINS_SECONDS - (time.monotonic() - began)))

    def _log_in_with(self, text: str) -> None:
        url = urlsplit(text)
        user, password = unquote(url.username or ""), unquote(url.password or "")
        self.logins += 1
        if user not in self.users:
            self.users.append(user)
        try:
            self.postgres.query("select 1", user=user, password=password)
        except subprocess.CalledProcessError as error:
            self.refused.append(error.stderr)
