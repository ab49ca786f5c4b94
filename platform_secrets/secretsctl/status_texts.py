"""A status in words: the verdict, what is wrong, and two tables with the wrong rows first."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

from platform_secrets.diagnosing.rotating import Age
from platform_secrets.diagnosing.status import BundleStatus, Status, Trouble
from platform_secrets.secretsctl.shown_texts import printable
from platform_secrets.secretsctl.terminal_colors import painted

# At a line's beginning; each is drawn in its color.
_BAD, _GOOD, _DOUBTFUL = "✗ ", "✓ ", "? "
_COLORS = {_BAD: "red", _GOOD: "green", _DOUBTFUL: "yellow"}
_MOST_UNKNOWN = 5


def verdict(found: Status) -> str:
    """One line: is anything wrong, and what."""
    moving = ""
    if found.rotation and found.rotation.is_running:
        moving = f"; a rotation runs: {found.rotation.step}"
    if not found.troubles:
        count = f"{len(found.bundles)} bundles, {len(found.ages)} keys with a limit"
        doubt = f"; {len(found.unknown)} could not be seen" if found.unknown else ""
        return f"{found.environment}: nothing is wrong ({count}){doubt}{moving}"
    abouts = [*dict.fromkeys(one.about for one in found.troubles)]
    named = ", ".join(abouts[:5]) + (" …" if abouts[5:] else "")
    count = len(found.troubles)
    are = "is wrong" if count == 1 else "are wrong"
    return f"{found.environment}: {count} thing{'s' * (count > 1)} {are}: {named}{moving}"


def status_text(found: Status) -> str:
    """All of it; each line that is wrong, doubtful or a good verdict begins with its mark."""
    mark = _BAD if found.troubles else _GOOD
    blocks = [[f"{mark}{verdict(found)}"]]
    if found.troubles:
        blocks.append([line for one in found.troubles for line in _trouble(found, one)])
    blocks.append([*_table(("BUNDLE", "STORE", "SYNCED", "READERS"), _bundle_rows(found))])
    if migrating := [*_migrating(found)]:
        blocks.append(migrating)
    if found.ages:
        heads = ("KEY", "AGE", "LIMIT", "ROTATED", "DUE", "")
        blocks.append([*_table(heads, _age_rows(found))])
    if found.rotation:
        blocks.append([*_rotation(found)])
    if found.unknown:
        blocks.append([*_unknown(found.unknown)])
    # A message of the cluster may hold anything.
    return "\n".join("".join(f"{printable(one).rstrip()}\n" for one in block) for block in blocks)


def colored(text: str) -> str:
    """The same with the color of each marked line, for a terminal."""
    lines = text.splitlines()
    shown = [painted(one, _COLORS[one[:2]]) if one[:2] in _COLORS else one for one in lines]
    return "".join(f"{line}\n" for line in shown)


def _trouble(found: Status, one: Trouble) -> Iterator[str]:
    since = f" (for {_ago(found.taken_at - one.since)})" if one.since else ""
    yield f"{_BAD}{one.about}: {one.what}{since}"
    yield f"    {one.command}"


def _bundle_rows(found: Status) -> list[tuple[bool, list[str]]]:
    rows: list[tuple[bool, list[str]]] = []
    for one in found.bundles:
        is_bad = bool(one.faults or one.store_fault or _states(one)["stale"])
        state = "not known" if one.why_store_unknown else "ready"
        store = f"{one.store} {'not ready' if one.store_fault else state}"
        read = [each.at for each in one.synced if each.at]
        at = f"{_ago(found.taken_at - min(read))} ago" if read else "never"
        synced = f"no; last {at}" if one.faults else "migrating" if one.is_migrating else at
        rows.append((is_bad, [one.bundle, store, synced, _readers(one)]))
    return rows


def _migrating(found: Status) -> Iterator[str]:
    for one in found.bundles:
        if one.is_migrating:
            yield f"migrating: secretsctl migrate {one.bundle} --env {found.environment}"


def _states(one: BundleStatus) -> Counter[str]:
    return Counter(each.state for each in one.readers)


def _readers(one: BundleStatus) -> str:
    words = {
        "stale": "with an old value",
        "current": "current",
        "unknown": "not known",
        "absent": "not there",
    }
    states = _states(one)
    return ", ".join(f"{states[state]} {text}" for state, text in words.items() if states[state])


def _age_rows(found: Status) -> list[tuple[bool, list[str]]]:
    moving = found.rotation.in_flight if found.rotation else []
    return [(bool(one.faults), _age_row(one, moving)) for one in found.ages]


def _age_row(one: Age, moving: list[str]) -> list[str]:
    state = "rotating" if one.id in moving else "in time"
    if one.at_most > one.limit:
        state = "overdue" if one.at_most > one.limit + one.grace else "in its grace"
    rotated = f"{one.rotated:%Y-%m-%d}" if one.rotated else "not yet"
    due = "no run in sight"
    if one.due:
        due = f"{one.due:%Y-%m-%d} by hand" if one.is_by_hand else f"{one.due:%Y-%m-%d %H:%M}"
    name = one.key if "/" in one.key else f"{one.bundle}/{one.key}"
    return [name, f"{one.at_most.days}d", f"{one.limit.days}d", rotated, due, state]


def _rotation(found: Status) -> Iterator[str]:
    one = found.rotation
    if one is None:
        return
    both = (one.last_run, one.next_run)
    last, following = (f"{at:%Y-%m-%d %H:%M} UTC" if at else "none" for at in both)
    yield f"rotation: last run {last}, next run {following}"
    if one.is_running or one.in_flight:
        keys = f" ({', '.join(one.in_flight)})" if one.in_flight else ""
        yield f"{'a run is at' if one.is_running else 'left in flight'}: {one.step}{keys}"


def _unknown(unknown: list[str]) -> Iterator[str]:
    yield "not known, and no fault by itself:"
    yield from (f"{_DOUBTFUL}{one}" for one in unknown[:_MOST_UNKNOWN])
    if unknown[_MOST_UNKNOWN:]:
        yield f"  and {len(unknown) - _MOST_UNKNOWN} more (--json has all)"


def _table(heads: Iterable[str], rows: list[tuple[bool, list[str]]]) -> Iterator[str]:
    ordered = sorted(rows, key=lambda row: not row[0])
    cells = [[*heads], *(row for _, row in ordered)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    for is_bad, row in zip([False, *(is_bad for is_bad, _ in ordered)], cells, strict=True):
        mark = _BAD if is_bad else "  "
        yield mark + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _ago(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
