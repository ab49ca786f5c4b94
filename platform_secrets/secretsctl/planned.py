"""What an update would do, from the JSON of `pulumi preview`: names alone, and no value."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Neither the cluster nor a provider changes by these; what is read is no resource of the stack.
_NO_CHANGE = frozenset(
    {"same", "refresh", "diff", "remove-pending-replace", "extend-parameterize"}
    | {"read", "read-replacement", "discard", "discard-replaced"}
)
_COLORS = re.compile(r"<\{%[^%]*%\}>")
_PARTS_OF_A_REPLACEMENT = frozenset({"create-replacement", "delete-replaced"})
_TAKES_NOTHING_AWAY = frozenset({"create", "update", "import"})


@dataclass(frozen=True)
class Change:
    """One resource that an update would change. `name` is the provider's ID of it, such as
    `namespace/name`; of a resource that is not there yet, the program's own name."""

    operation: str
    type: str
    name: str
    paths: tuple[str, ...] = ()
    is_retained: bool = False

    @property
    def takes_away(self) -> bool:
        """Also of an operation that this does not know."""
        return self.operation not in _TAKES_NOTHING_AWAY

    def __str__(self) -> str:
        line = f"- {self.operation} `{self.type}` `{self.name}`"
        if self.is_retained:
            line += ", which stays where it is"
        return f"{line}: {', '.join(self.paths)}" if self.paths else line


@dataclass(frozen=True)
class Planned:
    """`changes` has those that take something away first. `errors` is why there is no answer."""

    stack: str
    changes: Sequence[Change]
    warnings: Sequence[str]
    errors: Sequence[str]


def planned(preview: Mapping[str, Any]) -> Planned:
    """Reads what `pulumi preview --json` printed. Raises LookupError, TypeError or
    AttributeError where that is something else."""
    errors, warnings = (_said(preview, severity) for severity in ("error", "warning"))
    steps = [] if errors else preview["steps"]
    replaced = {step["urn"] for step in steps if step["op"] == "replace"}
    changes = [
        _change(step)
        for step in steps
        if step["op"] not in _NO_CHANGE
        and (step["op"] not in _PARTS_OF_A_REPLACEMENT or step["urn"] not in replaced)
        # A component is a name for what it has in it.
        and (step.get("oldState") or step.get("newState") or {}).get("custom", True)
    ]
    changes.sort(key=lambda one: (not one.takes_away, one.operation, one.type, one.name))
    stack = steps[0]["urn"].split(":")[2] if steps else ""
    return Planned(stack, changes, warnings, errors)


def _said(preview: Mapping[str, Any], severity: str) -> list[str]:
    """Each message once, in one line."""
    said = [one for one in preview.get("diagnostics") or [] if one["severity"] == severity]
    lines = [" ".join(_COLORS.sub("", one["message"]).split()) for one in said]
    return [*dict.fromkeys(lines)]


def _change(step: Mapping[str, Any]) -> Change:
    urn, operation = step["urn"], step["op"]
    old = step.get("oldState") or {}
    return Change(
        "delete" if operation == "delete-replaced" else operation,
        urn.split("::")[2].rpartition("$")[2],
        old.get("id") or urn.split("::")[3],
        tuple(sorted(step.get("detailedDiff") or step.get("diffReasons") or ())),
        operation == "delete" and bool(old.get("retainOnDelete")),
    )


def markdown(found: Planned) -> str:
    """For people, and what `not_approved` reads again."""
    counts = Counter(one.operation for one in found.changes)
    summary = ", ".join(f"{count} to {operation}" for operation, count in counts.items())
    lines = [f"### {found.stack}: {summary or 'nothing to do'}", ""]
    lines += [str(one) for one in found.changes]
    lines += ["", *(f"warning: {one}" for one in found.warnings)]
    return "\n".join(lines).rstrip() + "\n"


def not_approved(found: Planned, approved: str) -> list[str]:
    """The lines of what takes something away that the approved text does not have."""
    known = {line.strip() for line in approved.splitlines()}
    return [str(one) for one in found.changes if one.takes_away and str(one) not in known]
