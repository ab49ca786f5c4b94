"""`secretsctl check`: whether a rendered tree, whoever wrote it, holds what must never happen."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from platform_secrets.importing.found import Manifest
from platform_secrets.manifests.entries import refresh_period
from platform_secrets.policy import Asked, violations
from platform_secrets.secretsctl.arguments import DIFFERENT, OK
from platform_secrets.secretsctl.manifest_files import read_all
from platform_secrets.secretsctl.projects import asked_settings
from platform_secrets.settings import Problem, Settings, SettingsError
from platform_secrets.settings.layout import overlap_secret


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
    findings = [
        finding
        for root, tree in trees.items()
        for manifest in tree.manifests
        for finding in _judged(manifest, asked_of(found[root]))
    ]
    code = DIFFERENT if findings else OK
    if options.json:
        return code, f"{json.dumps([asdict(one) for one in findings], indent=2)}\n"
    lines = [str(one) for one in findings]
    if not findings:
        lines = [f"{root}: {len(tree.manifests)} objects pass" for root, tree in trees.items()]
    return code, "".join(f"{line}\n" for line in lines)


def _judged(manifest: Manifest, asked: Asked) -> Iterator[Finding]:
    name = "/".join(filter(None, (manifest.namespace, manifest.name)))
    kind = f"{manifest.kind} {name}".strip()
    for rule, one in violations(manifest.content, asked):
        yield Finding(*manifest.at, kind, rule.id, one.path, one.found, one.right)


def asked_of(settings: Settings) -> Asked:
    """What the stack file says of what the rules judge."""
    env, bundles = settings.environment, settings.catalogue.bundles
    secrets = {
        bundle: {content.secret, overlap_secret(content.secret)}
        for bundle, content in bundles.items()
    }
    emptied = [secrets[name] for name, one in bundles.items() if one.deletion == "delete"]
    return Asked(
        keeps_plain_secrets=env.secrets == "basic",
        protects=env.protect,
        pins_images="@" in env.rotator.image,
        emptied_secrets=frozenset().union(*emptied),
        rarely_refreshed_secrets=frozenset().union(*_rarely_refreshed(settings, secrets)),
    )


def _rarely_refreshed(settings: Settings, secrets: dict[str, set[str]]) -> Iterator[set[str]]:
    for bundle, names in secrets.items():
        if settings.environment.secrets == "external":
            period = refresh_period(settings, bundle)
            if not period or period > timedelta(days=1):
                yield names
