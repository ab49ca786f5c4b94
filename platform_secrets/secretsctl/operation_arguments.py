"""The arguments of the commands that work on a running environment."""

import argparse
from collections.abc import Callable

from platform_secrets.secretsctl.argument_types import add_which, given, path


def add_operations(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Adds each of them by `add`, which is given a command's name and its one sentence."""
    one = add("status", "Says whether anything is wrong in an environment, what, and since when.")
    add_which(one)
    one.add_argument("--watch", action="store_true", help="again and again, until it is ended")
    one.add_argument("--json", action="store_true")
    secrets_help = (
        "the environment's Secrets too: kubectl reads them and prints their keys' names alone"
    )
    one.add_argument("--secrets", action="store_true", help=secrets_help)

    text = "Prints the commands that put values into the stores, as a script that asks for them."
    one = add("put-commands", text)
    add_which(one)
    one.add_argument("keys", type=given, metavar="KEY", nargs="*", help="all by default")
    not_ready_help = "only of ExternalSecrets that are not Ready: asks the cluster"
    one.add_argument("--not-ready", action="store_true", help=not_ready_help)

    one = add("seed", "Puts first values into the stores, through the operator.")
    add_which(one)
    one.add_argument("keys", type=given, metavar="BUNDLE[/KEY]", nargs="*", help="all by default")
    source = one.add_mutually_exclusive_group(required=True)
    lines_help = "a file with lines as in secrets.env; - for standard input"
    source.add_argument(
        "--from-env-file", dest="source", type=given, metavar="FILE", help=lines_help
    )
    folder_help = "a folder with a file for each key, called as the key or as bundle/key"
    source.add_argument("--from-file", dest="source", type=given, metavar="DIR", help=folder_help)
    overwrite_help = "write this one also where the store has it; several times, if you like"
    one.add_argument(
        "--overwrite", type=given, metavar="KEY", action="append", default=[], help=overwrite_help
    )
    one.add_argument("--dry-run", action="store_true", help="say what would be written")
    one.add_argument("--yes", action="store_true", help="don't ask, also where there is `protect`")

    key_help = "a key of the catalogue"
    one = add("rotate", "Rotates a key now, by a Job from the CronJob.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="say what would be done")
    how.add_argument("--wait", action="store_true", help="follow the steps to the verdict")

    one = add("set", "Puts a value of yours in the place of a key's, up to its readers.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    from_help = "a file with the value, or - for standard input; asked for by default"
    how.add_argument("--from-file", type=path, metavar="FILE", help=from_help)
    literal_help = "the value itself, which stays in the shell's history"
    how.add_argument("--from-literal", metavar="VALUE", help=literal_help)
    previous_help = "the value before, of the versions that the provider keeps"
    how.add_argument("--previous", action="store_true", help=previous_help)
    version_help = "which version, with --previous; where the operator can't tell which was before"
    one.add_argument("--version", type=given, metavar="VERSION", help=version_help)

    one = add("rotated", "Remembers that a key was rotated elsewhere.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)
    on_help = "the day, as 2026-01-31; today by default"
    one.add_argument("--on", type=given, metavar="DATE", help=on_help)

    one = add("sync", "Has the operator read the store now.")
    add_which(one)
    name_help = "an ExternalSecret; all by default"
    one.add_argument("name", type=given, metavar="NAME", nargs="?", help=name_help)
    one.add_argument("--wait", action="store_true", help="until the Secret holds what was read")

    one = add("restart", "Restarts the workloads that read a key.")
    add_which(one)
    one.add_argument("key", type=given, metavar="KEY", help=key_help)

    text = "Copies a Secret that others made into its store, and has the operator take it over."
    one = add("migrate", text)
    add_which(one)
    one.add_argument("bundle", type=given, metavar="BUNDLE", help="a bundle of `migrating`")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="say what would be done, or refused")
    how.add_argument("--undo", action="store_true", help="give the Secret back as it was")
    how.add_argument("--finish", action="store_true", help="delete the copy of what was before")
