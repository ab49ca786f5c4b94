"""What is compared in the benchmarks does the same work."""

from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.work import made_work


@pytest.mark.parametrize("peer", [peers.helm, peers.kustomize])
def test_a_peer_makes_the_same_objects(peer, tmp_path: Path) -> None:
    work = made_work(tmp_path / "work", 2)
    program = peer(work)
    assert isinstance(program, peers.Program)
    peers.check(program, work)
