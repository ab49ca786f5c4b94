"""The arguments of each command."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from platform_secrets import __version__
from platform_secrets.secretsctl.new_project import TOOLS

Command = Callable[[argparse.Namespace], tuple[int, str]]
"""Does its work, and returns the exit code and what to print."""


def parser(functions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Sets `command` to the function of the command that is asked for, found by its name."""
    parser = argparse.ArgumentParser(
        prog="secretsctl",
        usage="secretsctl COMMAND [OPTION…]",
        description="Renders an environment, and works on a running one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", prog="secretsctl", help=argparse.SUPPRESS)
    texts: dict[str, str] = {}

    def add(name: str, text: str) -> argparse.ArgumentParser:
        texts[name] = text
        added = commands.add_parser(name, description=text)
        added.set_defaults(command=functions[name])
        return added

    one = add("init", "Writes a repository of your own, which can be rendered at once.")
    one.add_argument("folder", type=_path, metavar="DIR", nargs="?", default=Path())
    name_help = "of the project and its platform; the folder's by default"
    one.add_argument("--name", type=_given, metavar="NAME", help=name_help)
    providers = ["vault", "aws", "gcp", "azure"]
    provider_help = "where production keeps its values; default: %(default)s"
    one.add_argument("--provider", choices=providers, default="vault", help=provider_help)
    delivery_help = "who applies production's objects; default: %(default)s"
    deliveries = ["pulumi", "gitops"]
    one.add_argument("--delivery", choices=deliveries, default="pulumi", help=delivery_help)
    tool_help = "who does it with GitOps; default: %(default)s"
    one.add_argument("--gitops-tool", choices=[*TOOLS], default="argo-cd", help=tool_help)

    one = add("import", "Writes a catalogue and a stack file that say what is there already.")
    from_help = "a folder or file of manifests, or - for standard input; several times, if you like"
    one.add_argument(
        "--from", dest="sources", type=_given, metavar="PATH", action="append", help=from_help
    )
    cluster_help = "what is in a cluster, by your own kubectl and with your own rights"
    one.add_argument("--from-cluster", action="store_true", help=cluster_help)
    which = one.add_mutually_exclusive_group()
    namespace_help = "of the cluster; several times, if you like; default: your kubeconfig's own"
    which.add_argument(
        "--namespace", dest="namespaces", type=_given, action="append", help=namespace_help
    )
    which.add_argument("--all-namespaces", action="store_true", help="of the cluster")
    context_help = "the cluster's, in your kubeconfig; default: its current one"
    one.add_argument("--context", type=_given, metavar="NAME", help=context_help)
    secrets_help = (
        "the cluster's Secrets too: kubectl reads them and prints their keys' names alone"
    )
    one.add_argument("--secrets", action="store_true", help=secrets_help)
    one.add_argument("--env", type=_given, metavar="NAME", default="production")
    one.add_argument("--name", type=_given, metavar="NAME", help=name_help)
    namespace_help = "the namespace of manifests in files that name none; default: %(default)s"
    one.add_argument(
        "--default-namespace", type=_given, metavar="NAME", default="default", help=namespace_help
    )
    out_help = "default: this folder"
    one.add_argument("--out", type=_path, default=Path(), metavar="DIR", help=out_help)
    one.add_argument("--json", action="store_true", help="the report as JSON")
    check_help = "write nothing; exit 1 where the operator would do anything else than now"
    one.add_argument("--check", action="store_true", help=check_help)

    one = add(
        "render", "Renders each environment's tree, or one stream, or says what would change."
    )
    which = one.add_mutually_exclusive_group()
    _add_which(one, which)
    which.add_argument("--all", action="store_true", help="every stack file here (the default)")
    out_help = "default: %(default)s; - for one stream"
    one.add_argument("--out", type=_given, default="rendered", metavar="DIR", help=out_help)
    check_help = "write nothing; exit 1 and show what is stale"
    one.add_argument("--check", action="store_true", help=check_help)

    one = add("diff", "Says what a change means: who reads what, what restarts, what is deleted.")
    place_help = "a revision of this repository, or a folder with stack files"
    one.add_argument("--base", type=_given, required=True, metavar="REV", help=place_help)
    head_help = f"{place_help}; default: this folder as it is"
    one.add_argument("--head", type=_given, default=".", metavar="REV", help=head_help)
    one.add_argument("--env", type=_given, metavar="ENVIRONMENT", help="this one alone")
    form = one.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="for a comment on a pull request")
    form.add_argument("--json", action="store_true")
    one.add_argument("--exit-code", action="store_true", help="exit 1 where anything differs")
    loss_help = "exit 1 where something is deleted that holds data"
    one.add_argument("--fail-on-loss", action="store_true", help=loss_help)
    _add_catalogue(one)

    one = add("who", "Says who can read a bundle or a key, and by what.")
    one.add_argument("key", type=_given, metavar="BUNDLE[/KEY]")
    one.add_argument("--env", type=_given, metavar="ENVIRONMENT", help="this one alone")
    live_help = "also whom RBAC in the cluster lets read it besides; with --env"
    one.add_argument("--live", action="store_true", help=live_help)
    one.add_argument("--json", action="store_true")
    _add_catalogue(one)

    one = add("basic-secrets", "Splits secrets.env into the files of the rendered basic Secrets.")
    _add_which(one)
    one.add_argument("--secrets-file", type=_path, default=Path("secrets.env"), metavar="FILE")
    out_help = "where the trees are"
    one.add_argument("--out", type=_given, default="rendered", metavar="DIR", help=out_help)

    text = "Prints the commands that put values into the stores, as a script that asks for them."
    one = add("put-commands", text)
    _add_which(one)
    one.add_argument("keys", type=_given, metavar="KEY", nargs="*", help="all by default")
    not_ready_help = "only of ExternalSecrets that are not Ready: asks the cluster"
    one.add_argument("--not-ready", action="store_true", help=not_ready_help)

    one = add("seed", "Puts first values into the stores, through the operator.")
    _add_which(one)
    one.add_argument("keys", type=_given, metavar="BUNDLE[/KEY]", nargs="*", help="all by default")
    source = one.add_mutually_exclusive_group(required=True)
    lines_help = "a file with lines as in secrets.env; - for standard input"
    source.add_argument(
        "--from-env-file", dest="source", type=_given, metavar="FILE", help=lines_help
    )
    folder_help = "a folder with a file for each key, called as the key or as bundle/key"
    source.add_argument("--from-file", dest="source", type=_given, metavar="DIR", help=folder_help)
    overwrite_help = "write this one also where the store has it; several times, if you like"
    one.add_argument(
        "--overwrite", type=_given, metavar="KEY", action="append", default=[], help=overwrite_help
    )
    one.add_argument("--dry-run", action="store_true", help="say what would be written")
    one.add_argument("--yes", action="store_true", help="don't ask, also where there is `protect`")

    key_help = "a key of the catalogue"
    one = add("rotate", "Rotates a key now, by a Job from the CronJob.")
    _add_which(one)
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="say what would be done")
    how.add_argument("--wait", action="store_true", help="follow the steps to the verdict")

    one = add("rotated", "Remembers that a key was rotated elsewhere.")
    _add_which(one)
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)
    on_help = "the day, as 2026-01-31; today by default"
    one.add_argument("--on", type=_given, metavar="DATE", help=on_help)

    one = add("sync", "Has the operator read the store now.")
    _add_which(one)
    name_help = "an ExternalSecret; all by default"
    one.add_argument("name", type=_given, metavar="NAME", nargs="?", help=name_help)
    one.add_argument("--wait", action="store_true", help="until the Secret holds what was read")

    one = add("restart", "Restarts the workloads that read a key.")
    _add_which(one)
    one.add_argument("key", type=_given, metavar="KEY", help=key_help)

    text = "Copies a Secret that others made into its store, and has the operator take it over."
    one = add("migrate", text)
    _add_which(one)
    one.add_argument("bundle", type=_given, metavar="BUNDLE", help="a bundle of `migrating`")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="say what would be done, or refused")
    how.add_argument("--undo", action="store_true", help="give the Secret back as it was")
    how.add_argument("--finish", action="store_true", help="delete the copy of what was before")

    _add_catalogue(add("example", "Prints secrets.env.example, made from the catalogue."))

    one = add(
        "pin-image", "Pins the rotator's image in the stack file to the digest that it has now."
    )
    which = one.add_mutually_exclusive_group(required=True)
    _add_which(one, which)
    which.add_argument("--all", action="store_true", help="every stack file here that rotates")
    one.add_argument("--print", action="store_true", help="show the image, and write nothing")

    one = add("schema", "Writes the JSON Schemas of the catalogue and of stack files.")
    one.add_argument("--out", type=_path, default=Path("schemas"), metavar="DIR")

    parser.epilog = _by_purpose(texts)
    parser.set_defaults(command=lambda _: (2, parser.format_help()))
    return parser


_PURPOSES = {
    "start": ("init", "import", "migrate", "example", "basic-secrets", "seed", "put-commands"),
    "change": ("render", "diff", "pin-image", "schema"),
    "look": ("who",),
    "rotate": ("rotate", "rotated"),
    "mend": ("sync", "restart"),
}


def _by_purpose(texts: Mapping[str, str]) -> str:
    """The commands, by what a person wants to do."""
    grouped = [name for names in _PURPOSES.values() for name in names]
    more = {"more": [name for name in texts if name not in grouped]}
    lines: list[str] = []
    for purpose, names in {**_PURPOSES, **more}.items():
        lines += (
            [f"{purpose}:", *(f"  {name:<14} {texts[name]}" for name in names)] if names else []
        )
    return "\n".join([*lines, "", "secretsctl COMMAND --help says more of one."])


def _add_which(
    parser: argparse.ArgumentParser, which: argparse._MutuallyExclusiveGroup | None = None
) -> None:
    which = which or parser.add_mutually_exclusive_group(required=True)
    env_help = "the stack file of this environment"
    which.add_argument("--env", type=_given, metavar="ENVIRONMENT", help=env_help)
    which.add_argument("--stack", type=_path, metavar="FILE", help="this stack file")
    _add_catalogue(parser)


def _add_catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--catalogue", type=_path, default=Path("catalogue.yaml"), metavar="FILE")


def _given(text: str) -> str:
    """An argument's text: an empty one, as of an unset variable, would be the folder that this
    runs in, every ExternalSecret, or today."""
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _path(text: str) -> Path:
    return Path(_given(text))
