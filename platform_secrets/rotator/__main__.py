"""`python -m rotator rotate` rotates what is due; `python -m rotator age` lists ages."""

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path

from . import age, log
from .api import Api, InCluster, RefusedError, Transport, UnreachableError
from .aws import Aws, Send, send
from .batch import Outcome
from .clock import Clock
from .contract import (
    AWS_TOKENS_FOLDER,
    FAILED,
    NOTHING_DUE,
    OVERDUE,
    RESTORED,
    WRONG_INPUT,
)
from .keys import not_restarted
from .memory import LockLostError, Memory, moment
from .plan import Plan, PlanError, parse
from .run import Run

TERMINATION_LOG = Path("/dev/termination-log")  # what `kubectl describe pod` shows
_CODES = """\
exit codes: 0 rotated, or nothing due; 1 failed; 2 wrong input; 4 failed, and a value before is in
use again; with --detailed-exit-code 3 when nothing was due. `age`: 5 when a key is overdue, no
rotation has run, or one would be refused. Another try, at once, may help after 1 alone."""


def main(
    arguments: list[str],
    transport: Transport | None = None,
    clock: Clock | None = None,
    to_aws: Send = send,
) -> int:
    """Runs a command line, and returns the exit code."""
    asked = _parser().parse_args(arguments)
    try:
        clock = clock or Clock(asked.now)
        plan = parse(*_texts(Path(asked.plan)))
        api = Api(transport or InCluster(Path(asked.account_folder)), clock, plan.namespace)
        if asked.command == "age":
            found = age.faults(plan, api, clock.now())
            return _end(OVERDUE if found else 0, "; ".join(found) or "overdue: no key")
        return _rotate(asked, plan, api, clock, Aws(clock, Path(asked.aws_token_folder), to_aws))
    except (PlanError, OSError) as fault:
        return _end(WRONG_INPUT, f"wrong input: {fault}")
    except (LockLostError, UnreachableError, RefusedError) as fault:
        return _end(FAILED, f"failed: {fault}; the next run goes on from there")


def _texts(folder: Path) -> list[str]:
    """The plan's files, whatever the kubelet keeps beside them."""
    return [path.read_text() for path in sorted(folder.glob("*.json"))]


def _rotate(asked: argparse.Namespace, plan: Plan, api: Api, clock: Clock, aws: Aws) -> int:
    # In a pod this is its name, by which one who started the Job finds its run.
    holder = f"{os.environ.get('HOSTNAME', 'somewhere')}-{os.urandom(3).hex()}"
    memory = Memory(api, clock, plan.memory, holder, asked.lock_seconds)
    run = Run(plan, api, clock, memory, aws, asked.key, asked.last, asked.asked_at)
    nothing = NOTHING_DUE if asked.detailed_exit_code else 0
    if asked.dry_run:
        is_something = run.describe()
        verdict = "; ".join(["dry run: nothing was changed", *_refused(run.outcome, plan)])
        code = FAILED if run.outcome.refused else 0 if is_something else nothing
        return _end(code, verdict)
    memory.lock(plan.sync_seconds + plan.rollout_seconds)
    api.before_write = memory.hold
    try:
        run.rotate()
    except BaseException as fault:
        if not isinstance(fault, UnreachableError):
            is_error = isinstance(fault, Exception)
            memory.end(f"failed: {fault!r}" if is_error else "failed: it was stopped")
        raise
    code, verdict = _verdict(run.outcome, plan, nothing, run.next_due())
    memory.end(verdict, is_refused=bool(run.outcome.refused), is_done=run.outcome.is_done)
    return _end(code, verdict)


def _verdict(outcome: Outcome, plan: Plan, nothing_due: int, next_due: str) -> tuple[int, str]:
    shown = {key.name: key.shown for key in plan.rotated}
    parts = [f"failed: {shown[key]}: {why}" for key, why in outcome.failed.items()]
    parts += [f"failed and restored: {shown[key]}: {why}" for key, why in outcome.restored.items()]
    parts += _refused(outcome, plan)
    rotated = dict.fromkeys(shown[key] for key in outcome.rotated)
    parts += [f"rotated: {', '.join(rotated)}"] if rotated else []
    if not parts:
        return nothing_due, f"nothing is due; next is {next_due}"
    changed = {*outcome.rotated, *outcome.restored}
    others = not_restarted(key for key in plan.rotated if key.name in changed)
    # Also beside other failures: whoever tries again at once would restart everything once more.
    is_failed = outcome.failed or outcome.refused
    code = RESTORED if outcome.restored else FAILED if is_failed else 0
    return code, "; ".join(parts) + others


def _refused(outcome: Outcome, plan: Plan) -> list[str]:
    """What many keys have in common is said once."""
    keys: dict[str, list[str]] = {}
    for key, why in outcome.refused.items():
        keys.setdefault(why, []).append(plan.keys[key].shown)
    return [
        f"a rotation of {', '.join(each)} would be refused: {why}" for why, each in keys.items()
    ]


def _end(code: int, verdict: str) -> int:
    (log.info if code in (0, NOTHING_DUE) else log.error)(verdict, verdict=code)
    with contextlib.suppress(OSError):
        if TERMINATION_LOG.exists():
            TERMINATION_LOG.write_text(verdict[:4096])
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rotator", description=__doc__, epilog=_CODES)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--plan", required=True, help="the folder of the plan")
    shared.add_argument("--now", type=moment, help="a date and time to take for now")
    shared.add_argument(
        "--account-folder",
        default="/var/run/secrets/kubernetes.io/serviceaccount",
        help="where the ServiceAccount's token and CA are",
    )
    rotate = commands.add_parser("rotate", parents=[shared], epilog=_CODES)
    rotate.add_argument("--key", action="append", default=[], help="rotate this key now")
    rotate.add_argument("--last", help="unless its last rotation is not this any more")
    rotate.add_argument("--asked-at", type=moment, help="unless it was rotated since then")
    rotate.add_argument("--dry-run", action="store_true", help="say what would be done")
    rotate.add_argument("--detailed-exit-code", action="store_true")
    rotate.add_argument(
        "--aws-token-folder",
        default=AWS_TOKENS_FOLDER,
        help="where the ServiceAccount's tokens for AWS are, by audience",
    )
    rotate.add_argument("--lock-seconds", type=float, default=30, help="a dead run's lock lasts")
    commands.add_parser("age", parents=[shared], epilog=_CODES)
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
