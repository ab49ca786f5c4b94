"""A part that goes away for a moment before, in and after the promotion of a key's next value."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread

from tests.e2e.api_proxy import Call, Forward, Reply
from tests.e2e.cluster import Cluster
from tests.e2e.openbao import OpenBao
from tests.e2e.operator_release import OperatorRelease

PARTS = ("operator", "store", "sealed store", "API server", "busy server", "slow server")
# Before the rotator's call with this method, and these words in path and body.
MOMENTS = {
    "before promotion": ("POST", "/externalsecrets", "rotation-staged-"),
    "in promotion": ("POST", "/pushsecrets", "rotation-promote-"),
    "after promotion": ("PATCH", "/externalsecrets/", '"promote-'),
}
_AWAY_SECONDS = 1


@dataclass
class Outages:
    """Meddles with the rotator's calls: at each of the moments `part` goes away. A busy server
    refuses all calls of that time; a slow one does what is asked, and answers at its end. `left`
    are the moments that have not come."""

    part: str
    cluster: Cluster
    operator: OperatorRelease
    bao: OpenBao
    left: list[str] = field(default_factory=lambda: [*MOMENTS])
    is_away: bool = False
    _begun: list[Thread] = field(default_factory=list)

    def __call__(self, call: Call, forward: Forward) -> Reply | None:
        for moment in self.left:
            method, path, words = MOMENTS[moment]
            if call.method == method and path in call.path and words in call.body.decode():
                self.left.remove(moment)
                self._begin()
                break
        if self.part == "busy server" and self.is_away:
            return Reply(429, headers={"Retry-After": "1"})
        reply = forward()
        if self.part == "slow server":
            self.end()
        return reply

    def end(self) -> None:
        """Returns once the part is back."""
        for outage in self._begun:
            outage.join()

    def _begin(self) -> None:
        away = Event()

        def wait() -> None:
            self.is_away = True
            away.set()
            time.sleep(_AWAY_SECONDS)
            self.is_away = False

        self._begun.append(Thread(target=self._outage, args=(wait,)))
        self._begun[-1].start()
        assert away.wait(60)

    def _outage(self, wait: Callable[[], None]) -> None:
        """Takes the part away, waits, and brings it back."""
        match self.part:
            case "operator":
                self._without_operator(wait)
            case "store":
                self.bao.process.kill()
                wait()
                self.bao.restart()
                self.bao.unseal()
            case "sealed store":
                self.bao.seal()
                wait()
                self.bao.unseal()
            case "API server":
                # The operator ends with its lease; else it waits in a back-off of up to a minute.
                self._without_operator(lambda: self.cluster.restart_api_server(wait))
            case _:
                wait()

    def _without_operator(self, wait: Callable[[], None]) -> None:
        assert self.operator.process
        self.operator.process.kill()
        wait()
        self.operator.start()
