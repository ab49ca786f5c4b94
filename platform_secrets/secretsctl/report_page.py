"""The page of `secretsctl report`: HTML without a script, and nothing that is loaded."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from platform_secrets import __version__
from platform_secrets.describing.provider_reads import PRICES, PRICES_OF
from platform_secrets.describing.readers import PEOPLE, ROTATION, SERVICES, Reader
from platform_secrets.describing.reported import Report, ReportedKey
from platform_secrets.describing.rotation_plans import RotationPlan
from platform_secrets.secretsctl.shown_texts import printable

_BY_ROLES = (SERVICES, PEOPLE, ROTATION)
_MOST_COLUMNS = 6


@dataclass(frozen=True)
class Lane:
    """The way of the values of one store, or of one file."""

    store: str | None
    secrets: list[str]
    workloads: list[str]


@dataclass(frozen=True)
class Header:
    """Of a row or column: a key with what it is, or a reader."""

    name: str
    note: str


@dataclass(frozen=True)
class Matrix:
    """Who can read which key of one bundle, and in which environments. The longer of the two sides
    are the rows."""

    bundle: str
    keys: int
    readers: int
    columns: list[Header]
    rows: list[tuple[Header, list[str]]]
    has_keys_in_rows: bool


@dataclass(frozen=True)
class PlannedRow:
    """A key's rotation, in the environments where it is the same."""

    plan: RotationPlan
    environments: str


def page(reports: Sequence[Report], made: str) -> str:
    """The whole page; `made` is when."""
    environment = Environment(
        loader=PackageLoader("platform_secrets.secretsctl", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = environment.get_template("report.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        reports=reports,
        made=made,
        version=__version__,
        style=Markup(style),  # noqa: S704 - of this package, without any input
        style_hash=f"sha256-{digest}",
        lanes={one.environment: [*_lanes(one)] for one in reports},
        counts=_counts(reports),
        matrices=[*_matrices(reports)],
        others={one.environment: [*_others(one)] for one in reports},
        calendar=_calendar(reports),
        unwatched=_unwatched(reports),
        prices=PRICES,
        prices_of=PRICES_OF,
    )


_SPACES = str.maketrans("\n\r\t", "   ")


def _shown(value: object) -> object:
    """What becomes of each value that the template names, before it is escaped: nothing in it
    turns the text around or hides a part of it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value.translate(_SPACES))


def _lanes(report: Report) -> Iterator[Lane]:
    for store in dict.fromkeys(bundle.store for bundle in report.bundles):
        some = [bundle for bundle in report.bundles if bundle.store == store]
        secrets = [secret.address for bundle in some for secret in bundle.secrets]
        workloads = dict.fromkeys(one for bundle in some for one in bundle.workloads)
        yield Lane(store, secrets, [*workloads])


def _counts(reports: Sequence[Report]) -> dict[str, list[int]]:
    """How many keys each reader by a Role can read in each environment, also none."""
    found: dict[str, list[set[str]]] = {}
    for at, report in enumerate(reports):
        for name, keys in [*_reading(report), *((one, ()) for one in report.without_access)]:
            found.setdefault(name, [set() for _ in reports])[at].update(keys)
    return {name: [len(keys) for keys in some] for name, some in found.items()}


def _reading(report: Report) -> Iterator[tuple[str, list[str]]]:
    for one in report.readers:
        if one.kind in _BY_ROLES and one.what:
            yield one.name, one.keys


def _matrices(reports: Sequence[Report]) -> Iterator[Matrix]:
    reading: dict[str, dict[str, set[str]]] = {}
    """By key and reader the environments."""
    for report in reports:
        for name, readable in _reading(report):
            for key in readable:
                of_key = reading.setdefault(key, {})
                of_key.setdefault(name, set()).add(report.environment)
    keys: dict[str, dict[str, ReportedKey]] = {}
    environments: dict[str, list[str]] = {}
    for report in reports:
        for bundle in report.bundles:
            for key in bundle.keys:
                keys.setdefault(bundle.name, {})[key.key] = key
                environments.setdefault(key.key, []).append(report.environment)
    for bundle, of_bundle in keys.items():
        names = [*dict.fromkeys(name for key in of_bundle for name in reading.get(key, ()))]
        heads = [
            Header(key.partition("/")[2], _note(said, environments[key], reports))
            for key, said in of_bundle.items()
        ]
        cells = [
            [_cell(reading.get(key, {}).get(name, set()), environments[key]) for name in names]
            for key in of_bundle
        ]
        readers = [Header(name, "") for name in names]
        has_keys_in_rows = len(names) <= max(_MOST_COLUMNS, len(heads))
        if not has_keys_in_rows:
            heads, readers = readers, heads
            cells = [list(column) for column in zip(*cells, strict=True)]
        rows = [*zip(heads, cells, strict=True)]
        yield Matrix(bundle, len(of_bundle), len(names), readers, rows, has_keys_in_rows)


def _note(key: ReportedKey, environments: list[str], reports: Sequence[Report]) -> str:
    said = [key.description]
    if key.same_as:
        said.append(f"the value of {key.same_as}")
    if key.owner:
        said.append(f"owner: {key.owner}")
    if len(environments) < len(reports):
        said.append(f"only in {', '.join(environments)}")
    return "; ".join(said)


def _cell(environments: set[str], possible: list[str]) -> str:
    if not environments:
        return "no"
    if len(environments) == len(possible):
        return "yes"
    return f"only {', '.join(one for one in possible if one in environments)}"


def _others(report: Report) -> Iterator[Reader]:
    """Who reads beside the workloads; people first."""
    found = [one for one in report.readers if one.kind != SERVICES]
    yield from sorted(found, key=lambda one: one.kind != PEOPLE)


def _calendar(reports: Sequence[Report]) -> dict[str, list[PlannedRow]]:
    """The rotations by how old a value may become, the shortest first."""
    found: dict[str, tuple[RotationPlan, list[str]]] = {}
    for report in reports:
        for plan in report.rotations:
            found.setdefault(repr(plan), (plan, []))[1].append(report.environment)
    calendar: dict[str, list[PlannedRow]] = {}
    for plan, environments in sorted(found.values(), key=lambda one: -one[0].times_a_year):
        row = PlannedRow(plan, ", ".join(environments))
        calendar.setdefault(plan.every, []).append(row)
    return calendar


def _unwatched(reports: Sequence[Report]) -> list[str]:
    """The keys of which nobody watches the age, in any environment."""
    keys = [key for report in reports for bundle in report.bundles for key in bundle.keys]
    return [*dict.fromkeys(key.key for key in keys if key.changed_by == "plain")]
