"""What the operator makes of what it reads."""

import re
from collections.abc import Iterator
from itertools import pairwise

from platform_secrets.policy.judged import Asked, Object, Violation, at, mapping, sequence

_ACTION = re.compile(r'\{\{-?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)-?\}\}', re.DOTALL)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
_ASSIGNED = re.compile(r"(\$\w+)\s*:?=")
_VARIABLE = re.compile(r"\$\w+")
_IS_MISSING = re.compile(r"if (?:or \()?not (\$\w+)\)?(?=\s|$)")
# What was read: by `$`, or by a dot that belongs to no variable, field or number before it.
_READ = re.compile(r"\$(?!\w)|(?<![\w$)\]])\.(?:[A-Za-z_]\w*)?(?![\w])")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# A minute and a day, each with the 5 % by which bundles are spread.
_SHORTEST, _LONGEST = 57, 25 * 3600 + 12 * 60


def keeps_its_secret(external_secret: Object, asked: Asked) -> Iterator[Violation]:
    policy = at(external_secret, "spec", "target", "deletionPolicy")
    if policy != "Retain" and _secret(external_secret) not in asked.emptied_secrets:
        found = "takes the Secret away when its store has none of the values"
        yield Violation("spec.target.deletionPolicy", found, "Retain")


def fails_without_a_value(external_secret: Object, _: Asked) -> Iterator[Violation]:
    path = "spec.target.template"
    template = mapping(at(external_secret, "spec", "target", "template"))
    lines = [(f"{path}.data.{key}", line) for key, line in mapping(template.get("data")).items()]
    others = sequence(template.get("templateFrom"))
    lines += [
        (f"{path}.templateFrom[{number}].literal", mapping(one)["literal"])
        for number, one in enumerate(others)
        if "literal" in mapping(one)
    ]
    # Of a whole entry nobody says which values it has.
    if not lines and not others and template.get("mergePolicy") != "Merge":
        found = "copies what there is: of a value that is missing nobody hears"
        yield Violation(path, found, "a line in `data` for each key, which fails without a value")
    for line_path, line in lines:
        found = _unguarded(str(line))
        if found:
            yield Violation(line_path, found, '{{ if not $v }}{{ fail "…" }}{{ end }} before it')


def is_refreshed_in_time(external_secret: Object, asked: Asked) -> Iterator[Violation]:
    spec = mapping(external_secret.get("spec"))
    policy, interval = spec.get("refreshPolicy", "Periodic"), spec.get("refreshInterval", "1h")
    if _secret(external_secret) in asked.rarely_refreshed_secrets:
        return
    if policy != "Periodic":
        found = "has a new value in the store arrive only when somebody asks, if ever"
        yield Violation("spec.refreshPolicy", found, "Periodic")
        return
    seconds = _seconds(str(interval))
    if seconds is None or not _SHORTEST <= seconds <= _LONGEST:
        yield Violation(
            "spec.refreshInterval", "is out of bounds", "from 1m to 24h, give or take 5 %"
        )


def names_what_it_reads(external_secret: Object, _: Asked) -> Iterator[Violation]:
    for number, one in enumerate(sequence(at(external_secret, "spec", "dataFrom"))):
        if "find" in mapping(one):
            path = f"spec.dataFrom[{number}].find"
            yield Violation(path, "takes whatever it finds in the store", "name each entry")


def is_no_standing_push(_push: Object, _: Asked) -> Iterator[Violation]:
    found = "writes its values into the store again whenever it is created or changed"
    yield Violation("kind", found, "none in the tree: `secretsctl seed`, or the rotation")


def _secret(external_secret: Object) -> str:
    own = at(external_secret, "metadata", "name")
    return str(at(external_secret, "spec", "target", "name") or own)


def _unguarded(line: str) -> str | None:
    """What a template does with a value that may be missing; None if it fails first."""
    actions = [_TEXT.sub('""', one).strip() for one in _ACTION.findall(line)]
    unsure: set[str] = set()
    for action, following in pairwise([*actions, ""]):
        missing = _IS_MISSING.match(action)
        assigned = _ASSIGNED.match(action)
        if missing:
            if following.startswith("fail "):
                unsure.discard(missing[1])
        elif assigned:
            if _READ.search(action):
                unsure.add(assigned[1])
            elif unsure & {*_VARIABLE.findall(action[assigned.end() :])}:
                return "goes on with a value that may be missing"
        elif _READ.search(action) or unsure & {*_VARIABLE.findall(action)}:
            return "writes a value that may be missing"
    return None


def _seconds(duration: str) -> int | None:
    match = _DURATION.fullmatch(duration)
    if not match or not duration:
        return None
    hours, minutes, seconds = (int(one or 0) for one in match.groups())
    return hours * 3600 + minutes * 60 + seconds
