"""`secretsctl render` and `secretsctl basic-secrets`: what stands under rendered/."""

import argparse
import sys
from pathlib import Path

from platform_secrets.manifests.layer import BASIC_SECRETS, waves
from platform_secrets.secretsctl import tree
from platform_secrets.secretsctl.arguments import DIFFERENT, OK
from platform_secrets.secretsctl.projects import asked_settings, rotator_source
from platform_secrets.secretsctl.rendering import (
    missing_environments,
    rendered_files,
    retyped,
    staying,
)
from platform_secrets.secretsctl.yaml_text import yaml_stream
from platform_secrets.settings import Settings, SettingsError, basic_values, warning_lines
from platform_secrets.settings.problems import Problem


def render(options: argparse.Namespace) -> tuple[int, str]:
    """Renders each environment's tree, or one stream, or says what would change."""
    if options.check and options.out == "-":
        message = "compares a folder, and `--out -` writes none; leave one of them out"
        raise SettingsError([Problem("--check", None, (), message)])
    found = asked_settings(options)
    result = _rendered(options, found)
    for line in [] if options.check else warning_lines(found):
        print(f"warning: {line}", file=sys.stderr)
    return result


def _rendered(options: argparse.Namespace, found: list[Settings]) -> tuple[int, str]:
    if options.out == "-":
        source = rotator_source()
        declared = [wave for settings in found for wave in waves(settings, source)]
        return OK, yaml_stream([one for wave in declared for one in wave.objects])
    trees = [
        (
            Path(options.out) / settings.environment.environment,
            rendered_files(settings, options.catalogue),
        )
        for settings in found
    ]
    missing = [one for settings in found for one in missing_environments(settings, dict(trees))]
    if missing:
        raise SettingsError(missing)
    if options.check:
        return _checked(trees)
    obstacles = [line for root, files in trees for line in tree.in_the_way(root, files)]
    if obstacles:
        raise tree.TreeError("\n".join(obstacles))
    told: dict[Path, list[str]] = {}
    for root, files in trees:
        present = tree.rendered(root)
        told[root] = [*staying(tree.leaving(present, files)), *retyped(present, files)]
    changed = tree.write(dict(trees))
    lines = []
    for root, files in trees:
        lines += [f"{root}: {len(files)} files, {changed[root] or 'none'} changed", *told[root]]
    return OK, "".join(f"{line}\n" for line in lines)


def _checked(trees: list[tuple[Path, dict[str, str]]]) -> tuple[int, str]:
    changes = {root: "".join(tree.differences(root, files)) for root, files in trees}
    stale = ", ".join(str(root) for root, change in changes.items() if change)
    if stale:
        print(f"secretsctl: stale: {stale}; run `secretsctl render`", file=sys.stderr)
    return DIFFERENT if stale else OK, "".join(changes.values())


def basic_secrets(options: argparse.Namespace) -> tuple[int, str]:
    """Splits secrets.env into the files that the rendered basic Secrets are made of."""
    from platform_secrets.secretsctl.basic_files import write_env_files

    (settings,) = asked_settings(options)
    if settings.environment.secrets != "basic":
        message = "must be `basic`: other environments' values are in their stores"
        raise SettingsError([Problem(settings.stack_file, None, ("secrets",), message)])
    values = basic_values(settings, options.secrets_file, lambda _: None)
    if not values:
        message = "no such file; copy secrets.env.example and fill it in"
        raise SettingsError([Problem(str(options.secrets_file), None, (), message)])
    root = Path(options.out) / settings.environment.environment
    others = tree.other_trees(root, rendered_files(settings, options.catalogue))
    if others:
        raise tree.TreeError("\n".join(others))
    written = write_env_files(root / BASIC_SECRETS, settings, values)
    return OK, "".join(f"{path}\n" for path in written)
