"""The arguments of each command."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from platform_secrets import __version__
from platform_secrets.secretsctl.argument_types import (
    CommandParser,
    add_catalogue,
    add_env,
    add_forms,
    add_json,
    add_which,
    given,
    path,
)
from platform_secrets.secretsctl.new_project import TOOLS
from platform_secrets.secretsctl.operation_arguments import add_operations

OK, DIFFERENT, WRONG_INPUT = 0, 1, 2
FAILED = 1

Command = Callable[[argparse.Namespace], tuple[int, str]]
"""Does its work, and returns the exit code and what to print."""


def parser(functions: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Sets `command` to the function of the command that is asked for, found by its name."""
    parser = argparse.ArgumentParser(
        prog="secretsctl",
        usage="secretsctl COMMAND [OPTION…]",
        description="Renders the secrets layer of each environment, and works on a running one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(
        metavar="COMMAND", prog="secretsctl", help=argparse.SUPPRESS, parser_class=CommandParser
    )
    texts: dict[str, str] = {}

    def add(name: str, text: str) -> argparse.ArgumentParser:
        texts[name] = text
        added = commands.add_parser(name, description=text, help=text)
        added.set_defaults(command=functions[name])
        return added

    one = add("init", "Writes a repository of your own, which can be rendered at once.")
    one.add_argument(
        "folder", type=path, metavar="DIR", nargs="?", default=Path(), help="default: this folder"
    )
    name_help = "of the project and its platform; default: the folder's name"
    one.add_argument("--name", type=given, metavar="NAME", help=name_help)
    providers = ["vault", "aws", "gcp", "azure"]
    provider_help = "where production keeps its values; default: %(default)s"
    one.add_argument("--provider", choices=providers, default="vault", help=provider_help)
    delivery_help = "who applies production's objects; default: %(default)s"
    deliveries = ["pulumi", "gitops"]
    one.add_argument("--delivery", choices=deliveries, default="pulumi", help=delivery_help)
    tool_help = "which tool does it with GitOps; default: %(default)s"
    one.add_argument("--gitops-tool", choices=[*TOOLS], default="argo-cd", help=tool_help)

    one = add("import", "Writes a catalogue and a stack file that say what is there already.")
    from_help = "a folder or file of manifests, or - for standard input; may be repeated"
    one.add_argument(
        "--from", dest="sources", type=given, metavar="PATH", action="append", help=from_help
    )
    cluster_help = "what is in a cluster, read by your own kubectl with your own rights"
    one.add_argument("--from-cluster", action="store_true", help=cluster_help)
    which = one.add_mutually_exclusive_group()
    namespace_help = "of the cluster; may be repeated; default: your kubeconfig's"
    which.add_argument(
        "--namespace",
        dest="namespaces",
        type=given,
        metavar="NAME",
        action="append",
        help=namespace_help,
    )
    which.add_argument("--all-namespaces", action="store_true", help="all of the cluster")
    context_help = "of your kubeconfig; default: its current one"
    one.add_argument("--context", type=given, metavar="NAME", help=context_help)
    secrets_help = "read the cluster's Secrets too: kubectl prints their keys' names, and no value"
    one.add_argument("--secrets", action="store_true", help=secrets_help)
    env_help = "the environment that this is; default: %(default)s"
    one.add_argument(
        "--env", type=given, metavar="ENVIRONMENT", default="production", help=env_help
    )
    one.add_argument("--name", type=given, metavar="NAME", help=name_help)
    namespace_help = "the namespace of manifests in files that name none; default: %(default)s"
    one.add_argument(
        "--default-namespace", type=given, metavar="NAME", default="default", help=namespace_help
    )
    out_help = "where both files are; default: this folder"
    one.add_argument("--out", type=path, default=Path(), metavar="DIR", help=out_help)
    add_json(one)
    check_help = "write nothing; exit 1 also where the operator would do anything else than now"
    one.add_argument("--check", action="store_true", help=check_help)

    one = add(
        "render", "Writes the Kubernetes objects of each environment, or says what would change."
    )
    which = one.add_mutually_exclusive_group()
    add_which(one, which)
    which.add_argument("--all", action="store_true", help="every stack file here; the default")
    out_help = "default: %(default)s; - prints one stream"
    one.add_argument("--out", type=given, default="rendered", metavar="DIR", help=out_help)
    check_help = "write nothing; show what is stale, and exit 1 where anything is"
    one.add_argument("--check", action="store_true", help=check_help)

    one = add("check", "Says what in the rendered trees breaks a rule, whoever wrote it.")
    add_which(one, one.add_mutually_exclusive_group())
    folder_help = "where the trees are; default: %(default)s"
    one.add_argument(
        "folder", type=path, metavar="DIR", nargs="?", default=Path("rendered"), help=folder_help
    )
    add_forms(one)

    one = add("diff", "Says what a change means: who reads what, what restarts, what is deleted.")
    place_help = "a revision of this repository, or a folder with stack files"
    one.add_argument("--base", type=given, required=True, metavar="REV", help=place_help)
    head_help = f"{place_help}; default: this folder as it is"
    one.add_argument("--head", type=given, default=".", metavar="REV", help=head_help)
    add_env(one)
    add_forms(one)
    one.add_argument("--exit-code", action="store_true", help="exit 1 where anything differs")
    loss_help = "exit 1 where something is deleted that holds data"
    one.add_argument("--fail-on-loss", action="store_true", help=loss_help)
    add_catalogue(one)

    one = add("planned", "Says what an update by Pulumi would do, and whether that was approved.")
    preview_help = "what `pulumi preview --json` printed"
    one.add_argument("preview", type=path, metavar="PREVIEW", help=preview_help)
    approved_help = "what this command printed when it was approved; exit 1 where more is lost now"
    one.add_argument("--approved", type=path, metavar="FILE", help=approved_help)
    one.add_argument("--exit-code", action="store_true", help="exit 1 where anything would change")

    one = add("who", "Says who can read a bundle or a key, and by what.")
    key_help = "a bundle, or one key of it; also KEY alone where no other bundle has it"
    one.add_argument("key", type=given, metavar="BUNDLE[/KEY]", help=key_help)
    add_env(one)
    live_help = "with --env: also whoever else can read it by the RBAC of the cluster"
    one.add_argument("--live", action="store_true", help=live_help)
    add_json(one)
    add_catalogue(one)

    one = add("doctor", "Says what is wrong with a running environment, and what to do next.")
    add_which(one)
    folder_help = "a folder of what `kubectl get -o yaml` printed, instead of the cluster"
    one.add_argument("--from", dest="folder", type=given, metavar="DIR", help=folder_help)
    add_json(one)

    one = add(
        "report", "Writes what there is, who can read it and how it changes as one HTML page."
    )
    add_env(one)
    form = one.add_mutually_exclusive_group()
    out_help = "default: %(default)s; - prints it"
    form.add_argument("--out", type=given, default="report.html", metavar="FILE", help=out_help)
    add_json(form)
    add_catalogue(one)

    one = add("basic-secrets", "Splits secrets.env into the files of the rendered basic Secrets.")
    add_which(one)
    values_help = "the values; default: %(default)s"
    one.add_argument(
        "--secrets-file", type=path, default=Path("secrets.env"), metavar="FILE", help=values_help
    )
    out_help = "what `render` wrote; default: %(default)s"
    one.add_argument("--out", type=given, default="rendered", metavar="DIR", help=out_help)

    add_operations(add)

    add_catalogue(add("example", "Prints secrets.env.example, made from the catalogue."))

    one = add(
        "pin-image",
        "Pins the rotator's image in the stack file to the digest that its tag has now.",
    )
    which = one.add_mutually_exclusive_group(required=True)
    add_which(one, which)
    which.add_argument("--all", action="store_true", help="every stack file here that rotates")
    one.add_argument("--print", action="store_true", help="print the image, and write nothing")

    one = add("schema", "Writes the JSON Schemas of the catalogue and of stack files.")
    one.add_argument(
        "--out", type=path, default=Path("schemas"), metavar="DIR", help="default: %(default)s"
    )

    one = add("completion", "Prints what has a shell complete commands, options and names.")
    one.add_argument("shell", choices=["bash", "zsh", "fish"], help="the one that you type into")

    parser.epilog = _by_purpose(texts)
    parser.set_defaults(command=lambda _: (2, parser.format_help()))
    return parser


_PURPOSES = {
    "start": ("init", "import", "migrate", "example", "basic-secrets", "seed", "put-commands"),
    "change": ("render", "check", "diff", "planned", "pin-image", "schema"),
    "look": ("status", "doctor", "who", "report"),
    "rotate": ("rotate", "set", "rotated"),
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
    return "\n".join(
        [*lines, "", "secretsctl COMMAND --help shows its options, examples and exit codes."]
    )
