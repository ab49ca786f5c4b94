"""`secretsctl check`: whether a rendered tree, whoever wrote it, holds what must never happen."""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_secrets.describing.asked import asked_of
from platform_secrets.importing.found import Manifest
from platform_secrets.policy import RULES, Asked, violations
from platform_secrets.secretsctl.arguments import DIFFERENT, OK
from platform_secrets.secretsctl.manifest_files import read_all
from platform_secrets.secretsctl.projects import asked_settings
from platform_secrets.secretsctl.shown_texts import fenced_block, printable, shortened
from platform_secrets.settings import Problem, SettingsError

# The rest of a comment is what `secretsctl diff` says.
_MOST_BYTES = 10_000


@dataclass(frozen=True)
class Finding:
    """A rule that an object breaks."""

    file: str
    line: int
    object: str
    """Its kind, and its name after its namespace."""
    rule: str
    path: str
    found: str
    right: str

    def __str__(self) -> str:
        what = f"{self.path} {self.found}; right: {self.right}"
        return f"{self.file}:{self.line}: {self.object}: {self.rule}: {what}"

    def paragraph(self) -> list[str]:
        """The same in lines."""
        return [
            f"- {self.object}: {self.path} {self.found} ({self.rule})",
            f"  right: {self.right}",
            f"  {self.file}:{self.line}",
        ]


def check(options: argparse.Namespace) -> tuple[int, str]:
    """Judges what stands in the folders of the environments, not what would be rendered. Raises
    SettingsError where one is not there or can't be read."""
    found = {
        Path(options.folder) / one.environment.environment: one for one in asked_settings(options)
    }
    missing = [root for root in found if not root.is_dir()]
    if missing:
        message = "no such folder; run `secretsctl render`"
        raise SettingsError([Problem(str(root), None, (), message) for root in missing])
    trees = {root: read_all([str(root)]) for root in found}
    unread = [problem for tree in trees.values() for problem in tree.unread]
    if unread:
        raise SettingsError(unread)
    judged = [
        (root, len(tree.manifests), [*_findings(tree.manifests, asked_of(found[root]))])
        for root, tree in trees.items()
    ]
    findings = [one for _, _, broken in judged for one in broken]
    code = DIFFERENT if findings else OK
    if options.json:
        return code, f"{json.dumps([asdict(one) for one in findings], indent=2)}\n"
    if options.markdown:
        return code, _markdown(judged)
    lines = [str(one) for one in findings]
    if not findings:
        lines = [f"{root}: {count} objects pass" for root, count, _ in judged]
    return code, "".join(f"{printable(line)}\n" for line in lines)


def _markdown(judged: Iterable[tuple[Path, int, list[Finding]]]) -> str:
    """For a comment: of each tree how many objects it has, and what of them breaks a rule."""
    text = "### Policy\n\n"
    for root, objects, findings in judged:
        if findings:
            count = f"{len(findings)} violation{'s' * (len(findings) > 1)}"
            lines = [line for one in findings for line in one.paragraph()]
            text += f"**{root.name}**: {count}\n{fenced_block(lines)}\n"
        else:
            text += f"**{root.name}**: passed, {len(RULES)} rules on {objects} objects\n\n"
    return shortened(text, _MOST_BYTES, "secretsctl check")


def _findings(manifests: Iterable[Manifest], asked: Asked) -> Iterator[Finding]:
    for manifest in manifests:
        name = "/".join(filter(None, (manifest.namespace, manifest.name)))
        kind = f"{manifest.kind} {name}".strip()
        for rule, one in violations(manifest.content, asked):
            yield Finding(*manifest.at, kind, rule.id, one.path, one.found, one.right)
