"""How a person puts a value into each kind of store: the functions `change` and `create` of a bash
script, and `mark` where an entry is marked by a command of its own.

`give` writes the value to a pipe, so it is never an argument, which other processes can read. All
are called as ENTRY PROPERTY MARK; what is printed where a command fails holds no value.
"""

import json
import shlex
from typing import Literal, NamedTuple

from platform_secrets.settings import (
    AcrTokens,
    AwsStore,
    AzureStore,
    EcrTokens,
    ExistingStore,
    GcpStore,
    GcpTokens,
    GithubTokens,
    ParameterStore,
    Store,
    VaultStore,
)

MARK = "managed-by=external-secrets"
"""Without it the operator refuses to write an entry that it did not make."""

_JSON = """\
added() { # PROPERTY JSON: sets $json to the JSON with the value as this property
  json=$(jq --compact-output --rawfile value <(give) --arg key "$1" '.[$key] = $value' <<<"$2")
}
"""
_MADE_BY_PULUMI = "echo 'entries are made by `pulumi up`, not here' >&2; return 1"
_OTHERS = "# Others declare it, as {kind}/{name}: nothing here puts values into it.\n"
_AZURE_CLOUDS = {"USGovernmentCloud": "AzureUSGovernment", "ChinaCloud": "AzureChinaCloud"}


Marking = Literal["all", "adopted", "none"]
"""Which entries that the operator may write get its mark by these commands, rather than by a stack:
all, those that were there already, or none."""


class StoreCommands(NamedTuple):
    """How people put values into one store."""

    functions: str
    """In bash. `change` keeps what else an entry holds; `create` is called when it has failed, and
    does nothing to an entry that has a value."""
    marking: Marking


def store_commands(store: Store) -> StoreCommands:
    """The commands for a store: a row for each provider."""
    match store:
        case VaultStore():
            return StoreCommands(_vault(store), _marking(store, "none"))
        case AwsStore():
            return StoreCommands(_aws(store), _marking(store, "none"))
        case ParameterStore():
            return StoreCommands(_parameters(store), "all")
        case GcpStore():
            # Google lets nobody declare a label of an entry alone.
            return StoreCommands(_gcp(store), _marking(store, "adopted"))
        case AzureStore():
            # No stack makes the secrets of a key vault.
            return StoreCommands(_azure(store), "all")
        case ExistingStore():
            return StoreCommands(_OTHERS.format(kind=store.kind, name=store.name), "none")
        case EcrTokens() | GcpTokens() | AcrTokens() | GithubTokens():
            return StoreCommands("# Tokens, which nobody puts in.\n", "none")


def versions_command(store: Store, entry: str) -> str:
    """What lists an entry's versions, and shows no value, where the operator can't find the one
    before by itself."""
    name = shlex.quote(entry)
    match store:
        case GcpStore():
            return f"gcloud secrets versions list {name} --project={store.project}"
        case AzureStore():
            where = f"--vault-name {store.vault_name} --name {name}"
            shown = "--query '[].[id,attributes.created]' --output tsv"
            return f"az keyvault secret list-versions {where} {shown}"
        case ParameterStore():
            shown = "--query 'Parameters[].[Version,LastModifiedDate]' --output text"
            return f"aws --region {store.region} ssm get-parameter-history --name {name} {shown}"
        case _:
            raise LookupError(f"the operator finds a version of {store.provider} by itself")


def _marking(store: Store, where_declared: Marking) -> Marking:
    return where_declared if store.declares_backend else "all"


def _vault(store: VaultStore) -> str:
    where = {"address": store.server, "namespace": store.namespace, "mount": store.mount}
    flags = " ".join(shlex.quote(f"-{name}={value}") for name, value in where.items() if value)
    authority = "; VAULT_CACERT (BAO_CACERT) names its authority" if store.ca_certificate else ""
    return f"""\
# Log in first, with `vault login` or `bao login`{authority}.
# `kv patch` keeps an entry's other keys, which `kv put` would drop; -cas=0: only where is none.
vault=$(command -v vault || command -v bao)
change() {{ give | "$vault" kv patch {flags} "$1" "$2=-"; }}
create() {{ give | "$vault" kv put {flags} -cas=0 "$1" "$2=-"; }}
mark() {{ "$vault" kv metadata patch {flags} -custom-metadata="$2" "$1"; }}
"""


def _parameters(store: ParameterStore) -> str:
    aws = f"aws --region {store.region} --output text ssm"
    put = f'{aws} put-parameter --name "$1" --type SecureString --value file:///dev/stdin'
    tag = f'{aws} add-tags-to-resource --resource-type Parameter --resource-id "$1"'
    # `--overwrite` makes what is not there too.
    return f"""\
{_account(store)}change() {{ give | {put} --overwrite; }}
create() {{ false; }}
mark() {{ {tag} --tags "Key=${{2%%=*}},Value=${{2#*=}}"; }}
"""


def _account(store: AwsStore | ParameterStore) -> str:
    identity = f"aws --region {store.region} --output text sts get-caller-identity --query Account"
    return f"""\
# Log in first, with `aws sso login` or as you do.
account=$({identity})
[ "$account" = {store.account_id} ] || {{ echo "not in account {store.account_id}" >&2; exit 1; }}
"""


def _aws(store: AwsStore) -> str:
    aws = f"aws --region {store.region} --output text secretsmanager"
    given = "--secret-string file:///dev/stdin"
    put = f'{aws} put-secret-value --secret-id "$1" {given}'
    make = f'{aws} create-secret --name "$1" {given}'
    tag = f'{aws} tag-resource --secret-id "$1"'
    head = f"""\
{_account(store)}mark() {{ {tag} --tags "Key=${{2%%=*}},Value=${{2#*=}}"; }}
"""
    if store.layout == "per-key":
        return f"{head}{_single(store, put, make)}"
    current = f'{aws} get-secret-value --secret-id "$1" --query SecretString'
    versions = f'{aws} describe-secret --secret-id "$1" --query VersionIdsToStages'
    return f"{head}{_whole(store, current, versions, 'None', put, make)}"


def _gcp(store: GcpStore) -> str:
    gcloud, project = "gcloud --quiet secrets", f"--project={store.project}"
    add = f'{gcloud} versions add "$1" {project} --data-file=-'
    make = f'{gcloud} create "$1" {project} {_replication(store)} --data-file=-'
    label = f'{gcloud} update "$1" {project} --update-labels="$2"'
    head = f"""\
# Log in first, with `gcloud auth login`.
mark() {{ {label}; }}
"""
    if store.layout == "per-key":
        return f"{head}{_single(store, add, make)}"
    current = f'{gcloud} versions access latest --secret="$1" {project}'
    versions = f'{gcloud} versions list "$1" {project} --limit=1 --format="value(name)"'
    return f"{head}{_whole(store, current, versions, '', add, make)}"


def _single(store: AwsStore | GcpStore, put: str, make: str) -> str:
    create = f"give | {make}" if not store.declares_backend else _MADE_BY_PULUMI
    return f"change() {{ give | {put}; }}\ncreate() {{ {create}; }}\n"


def _whole(
    store: AwsStore | GcpStore, current: str, versions: str, none: str, put: str, make: str
) -> str:
    """For an entry that is JSON. Nothing is written while what it holds can't be read, unless it
    has no version: then there is nothing to lose."""
    otherwise = f'printf %s "$json" | {make}' if not store.declares_backend else _MADE_BY_PULUMI
    return f"""{_JSON}\
change() {{ json=$({current}) && added "$2" "$json" && printf %s "$json" | {put}; }}
create() {{
  added "$2" '{{}}' || return
  if versions=$({versions}) && [ "$versions" = '{none}' ]; then
    printf %s "$json" | {put}
  else
    {otherwise}
  fi
}}
"""


def _replication(store: GcpStore) -> str:
    """As a stack that declares the entry has it."""

    def encryption(location: str) -> dict[str, object]:
        if store.kms_key is None:
            return {}
        name = store.kms_key.format(location=location)
        return {"customerManagedEncryption": {"kmsKeyName": name}}

    replicas = [{"location": one, **encryption(one)} for one in store.locations]
    policy = (
        {"userManaged": {"replicas": replicas}} if replicas else {"automatic": encryption("global")}
    )
    return f"--replication-policy-file=<(echo {shlex.quote(json.dumps(policy))})"


def _azure(store: AzureStore) -> str:
    name = _AZURE_CLOUDS.get(store.cloud)
    cloud = f" after `az cloud set --name {name}`" if name else ""
    where = f"--vault-name {store.vault_name}"
    # It shows the value unless it is told to show nothing; a version's tags are those given here.
    set_ = 'az keyvault secret set --output none --name "$1" --file /dev/stdin --encoding utf-8'
    return f"""\
# Log in first, with `az login`{cloud}.
change() {{ give | {set_} {where} ${{3:+--tags "$3"}}; }}
create() {{ false; }}
mark() {{ :; }}
"""
