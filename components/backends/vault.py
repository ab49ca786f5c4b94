"""What a SecretStore needs in Vault or OpenBao: roles, policies, entries; no value of any.

The functions return plain values; the component declares them.
"""

import json
from typing import cast

import pulumi_vault as vault
from pulumi import ComponentResource, Resource, ResourceOptions
from pulumi_vault import generic, jwt, kubernetes, kv

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import identity_entries, overlap_entries, written_entries
from platform_secrets.settings import Identity, Settings, VaultStore

_TOKEN_SECONDS = 600
_TOKEN_MOST_SECONDS = 3600

# What the operator's push asks for besides reading: docs/provider/hashicorp-vault.md of release
# 2.9.0, "PushSecret". It also compares before it writes, and so must read.
_CAPABILITIES: dict[Identity, list[str]] = {
    "read": ["read"],
    "rotation": ["read", "update"],
    "seed": ["create", "read", "update"],
}


# Vault's storage takes 1 MiB of one policy (Raft) or 512 KB (Consul), as the text stands in JSON:
# "storage limits and maximums" of its documentation.
_POLICY_BYTES = 500_000


def policies(settings: Settings, store: str, identity: Identity) -> list[str]:
    """The rights of an identity, in Vault's own language: exact paths, no globs. More than one
    where its storage would not take all of them as one."""
    rules = _entry_rules(settings, store, identity) | _database_rules(settings, store, identity)
    texts: list[list[str]] = [[]]
    size = 0
    for path, capabilities in rules.items():
        rule = f'path "{path}" {{\n  capabilities = {json.dumps(capabilities)}\n}}\n'
        size += len(json.dumps(rule))
        if size > _POLICY_BYTES:
            texts.append([])
            size = len(json.dumps(rule))
        texts[-1].append(rule)
    return ["\n".join(text) for text in texts]


def _entry_rules(settings: Settings, store: str, identity: Identity) -> dict[str, list[str]]:
    mount = _store(settings, store).mount
    kinds = ("data",) if identity == "read" else ("data", "metadata")
    rules: dict[str, list[str]] = {}
    made = overlap_entries(settings, store) if identity == "rotation" else ()
    for entry in identity_entries(settings, store, identity).values():
        capabilities = _CAPABILITIES[identity]
        if entry in made:
            # The first rotation makes it.
            capabilities = ["create", *capabilities]
        rules |= {f"{mount}/{kind}/{entry}": capabilities for kind in kinds}
    return rules


def _database_rules(settings: Settings, store: str, identity: Identity) -> dict[str, list[str]]:
    """Readers read both accounts' passwords; the rotator has them changed and sees neither."""
    database = _store(settings, store).database
    kinds = {"read": ("static-creds", ["read"]), "rotation": ("rotate-role", ["update"])}
    if database is None or identity not in kinds:
        return {}
    if not any(settings.database_key(bundle) for bundle in settings.bundles_in(store)):
        return {}
    kind, capabilities = kinds[identity]
    roles = [settings.name_at_provider(store, side) for side in naming.SIDES]
    return {f"{database.mount}/{kind}/{role}": capabilities for role in roles}


class VaultBackend(ComponentResource):
    """The provider half of one store for one environment; with `shared: own` also the engine and
    the audit device, and by `auth` the auth method: others use them, and no destroy may take them.

    Vault's address and token are the Pulumi provider's own settings (VAULT_ADDR, VAULT_TOKEN).
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:VaultBackend", name, None, opts)
        self._settings, self._name = settings, name
        config = _store(settings, store)
        shared = self._declare_shared(config) if config.shared == "own" else []
        shared += self._declare_auth_method(config) if config.owns_auth else []
        self.objects: list[Resource] = list(shared)
        for view, identity in settings.all_identities(store):
            self.objects += self._declare_identity(view, config, store, identity, shared)
        self.objects += self._declare_entries(config, store, shared)
        self.register_outputs({})

    def _declare_shared(self, config: VaultStore) -> list[Resource]:
        """Protected always: every environment's values and logins hang on them."""
        opts = ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        engine = vault.Mount(
            f"{self._name}-mount",
            path=config.mount,
            type="kv",
            options={"version": "2"},
            namespace=config.namespace,
            opts=opts,
        )
        limits = kv.SecretBackendV2(
            f"{self._name}-mount-limits",
            mount=config.mount,
            max_versions=config.max_versions,
            namespace=config.namespace,
            opts=ResourceOptions(
                parent=self, protect=True, retain_on_delete=True, depends_on=engine
            ),
        )
        shared: list[Resource] = [engine, limits]
        if config.audit == "declare":
            audit = vault.Audit(
                f"{self._name}-audit",
                type="file",
                path=naming.PROJECT,
                options={"file_path": config.audit_file},
                opts=opts,
            )
            shared.append(audit)
        return shared

    def _declare_auth_method(self, config: VaultStore) -> list[Resource]:
        """Protected as the environment is where the cluster is this stack's alone."""
        name = f"{self._name}-auth"
        is_kept = config.shared == "own" or self._settings.environment.protect
        opts = ResourceOptions(parent=self, protect=is_kept, retain_on_delete=is_kept)
        if config.auth_method == "jwt":
            return [
                jwt.AuthBackend(
                    name,
                    path=config.auth_mount,
                    type="jwt",
                    oidc_discovery_url=config.cluster_issuer,
                    oidc_discovery_ca_pem=config.cluster_ca_certificate,
                    bound_issuer=config.cluster_issuer,
                    namespace=config.namespace,
                    opts=opts,
                )
            ]
        method = vault.AuthBackend(
            name, path=config.auth_mount, type="kubernetes", namespace=config.namespace, opts=opts
        )
        # No token_reviewer_jwt: Vault reviews with its own ServiceAccount's token.
        reviewer = kubernetes.AuthBackendConfig(
            f"{name}-config",
            backend=config.auth_mount,
            kubernetes_host=config.cluster_api_server,
            kubernetes_ca_cert=config.cluster_ca_certificate,
            namespace=config.namespace,
            opts=ResourceOptions.merge(opts, ResourceOptions(depends_on=method)),
        )
        return [method, reviewer]

    def _declare_identity(
        self,
        view: Settings,
        config: VaultStore,
        store: str,
        identity: Identity,
        after: list[Resource],
    ) -> list[Resource]:
        role_name, name = view.identity_name(store, identity), f"{self._name}-{identity}"
        account = naming.secret_store(store, identity)
        rights = [
            vault.Policy(
                view.declared_name(f"{name}-policy{ending}"),
                name=f"{role_name}{ending}",
                policy=text,
                namespace=config.namespace,
                opts=ResourceOptions(parent=self, depends_on=after),
            )
            for number, text in enumerate(policies(view, store, identity), 1)
            for ending in (f"-{number}" if number > 1 else "",)
        ]
        named = [one.name for one in rights]
        opts = ResourceOptions(parent=self, depends_on=[*after, *rights])
        if config.auth_method == "jwt":
            role: Resource = jwt.AuthBackendRole(
                view.declared_name(f"{name}-role"),
                backend=config.auth_mount,
                role_name=role_name,
                role_type="jwt",
                user_claim="sub",
                bound_audiences=[config.audience],
                bound_subject=f"system:serviceaccount:{view.namespace}:{account}",
                token_policies=named,
                token_ttl=_TOKEN_SECONDS,
                token_max_ttl=_TOKEN_MOST_SECONDS,
                namespace=config.namespace,
                opts=opts,
            )
        else:
            role = kubernetes.AuthBackendRole(
                view.declared_name(f"{name}-role"),
                backend=config.auth_mount,
                role_name=role_name,
                bound_service_account_names=[account],
                bound_service_account_namespaces=[view.namespace],
                audience=config.audience,
                token_policies=named,
                token_ttl=_TOKEN_SECONDS,
                token_max_ttl=_TOKEN_MOST_SECONDS,
                namespace=config.namespace,
                opts=opts,
            )
        return [*rights, role]

    def _declare_entries(
        self, config: VaultStore, store: str, after: list[Resource]
    ) -> list[Resource]:
        """Marks the entries that the operator may write: it refuses to overwrite any other.

        Only metadata, and never deleted: that would take every version of the values.
        """
        written = written_entries(self._settings, store)
        return [
            generic.Endpoint(
                f"{self._name}-entry-{name}",
                path=f"{config.mount}/metadata/{entry}",
                data_json=json.dumps({"custom_metadata": {"managed-by": "external-secrets"}}),
                disable_delete=True,
                ignore_absent_fields=True,
                namespace=config.namespace,
                opts=ResourceOptions(parent=self, depends_on=after),
            )
            for name, entry in written.items()
        ]


def _store(settings: Settings, store: str) -> VaultStore:
    return cast(VaultStore, settings.environment.stores[store])
