"""The arguments of the commands that work on a running environment."""

import argparse
from collections.abc import Callable

from platform_secrets.secretsctl.argument_types import (
    add_dry_run,
    add_json,
    add_which,
    given,
    path,
    version,
)


def add_operations(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Adds each of them by `add`, which is given a command's name and its one sentence."""
    one = add("status", "Says whether anything is wrong in an environment, what, and since when.")
    add_which(one)
    one.add_argument("--watch", action="store_true", help="again and again, until Ctrl-C")
    add_json(one)
    secrets_help = (
        "read the environment's Secrets too: kubectl prints their keys' names, and no value"
    )
    one.add_argument("--secrets", action="store_true", help=secrets_help)

    text = "Prints a script that asks for values and puts them into the stores."
    one = add("put-commands", text)
    add_which(one)
    one.add_argument("keys", type=given, metavar="KEY", nargs="*", help="default: all")
    not_ready_help = "only for ExternalSecrets that are not Ready; asks the cluster"
    one.add_argument("--not-ready", action="store_true", help=not_ready_help)

    one = add("seed", "Puts first values into the stores, through the operator.")
    add_which(one)
    one.add_argument("keys", type=given, metavar="BUNDLE[/KEY]", nargs="*", help="default: all")
    source = one.add_mutually_exclusive_group(required=True)
    lines_help = "a file with lines KEY=VALUE; - for standard input"
    source.add_argument(
        "--from-env-file", dest="source", type=given, metavar="FILE", help=lines_help
    )
    folder_help = "a folder with a file for each key: KEY or BUNDLE/KEY"
    source.add_argument("--from-file", dest="source", type=given, metavar="DIR", help=folder_help)
    overwrite_help = "write this key even where the store has a value; may be repeated"
    one.add_argument(
        "--overwrite", type=given, metavar="KEY", action="append", default=[], help=overwrite_help
    )
    add_dry_run(one)
    one.add_argument(
        "--yes", action="store_true", help="don't ask, not even where the stack file says `protect`"
    )

    key_help = "of the catalogue; as BUNDLE/KEY where several bundles have one of this name"
    one = add("rotate", "Rotates a key now, by a Job of the rotation's CronJob.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    add_dry_run(how)
    how.add_argument("--wait", action="store_true", help="until the rotation ends; shows its steps")

    one = add("set", "Gives a key a new value of yours, in the store and in every reader.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    from_help = "a file with the value; - for standard input; default: asks for the value"
    how.add_argument("--from-file", type=path, metavar="FILE", help=from_help)
    literal_help = "the value itself, which stays in the shell's history"
    how.add_argument("--from-literal", metavar="VALUE", help=literal_help)
    previous_help = "go back to the value before, where the provider keeps versions"
    how.add_argument("--previous", action="store_true", help=previous_help)
    version_help = "with --previous: the one to go back to, where the operator can't tell"
    one.add_argument("--version", type=version, metavar="VERSION", help=version_help)

    one = add("rotated", "Records that a key was rotated elsewhere.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    on_help = "the day, as 2026-01-31; default: today"
    one.add_argument("--on", type=given, metavar="DATE", help=on_help)

    one = add("sync", "Has the operator read the store now.")
    add_which(one)
    name_help = "an ExternalSecret; default: all"
    one.add_argument("name", type=given, metavar="NAME", nargs="?", help=name_help)
    one.add_argument("--wait", action="store_true", help="until the Secret holds what was read")

    one = add("restart", "Restarts the workloads that read a key.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)

    text = "Copies an existing Secret into its store, and has the operator take it over."
    one = add("migrate", text)
    add_which(one)
    one.add_argument(
        "bundle",
        type=given,
        metavar="BUNDLE",
        help="a bundle that the stack file lists in `migrating`",
    )
    how = one.add_mutually_exclusive_group()
    add_dry_run(how)
    how.add_argument("--undo", action="store_true", help="give the Secret back as it was before")
    how.add_argument("--finish", action="store_true", help="delete the copy that --undo needs")
