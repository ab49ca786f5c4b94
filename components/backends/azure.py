"""What a SecretStore needs on Azure: a key vault, managed identities, roles, trust; no secret.

A secret of a key vault can't exist without a value, so the first push or the platform's people
make it. The functions return plain values; the component declares them.
"""

from collections.abc import Collection
from typing import Any, cast

import pulumi
from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pulumi_azure_native import Provider, authorization, keyvault, managedidentity, monitor

from platform_secrets.settings import AzureStore, Identity, Settings

from .azure_rights import (
    Document,
    push_role,
    role_assignments,
    trust,
    vault_id,
)

_Made = tuple[Settings, Identity, managedidentity.UserAssignedIdentity]

_ENVIRONMENTS = {
    "PublicCloud": "public",
    "USGovernmentCloud": "usgovernment",
    "ChinaCloud": "china",
}


def vault(settings: Settings, store: str) -> Document:
    """The environment's key vault: roles instead of access policies, nobody's network but the
    allowed ones, and nothing deleted for good before its time."""
    config = _store(settings, store)
    return {
        "vault_name": config.vault_name,
        "resource_group_name": config.resource_group,
        "location": config.location,
        "properties": {
            "tenant_id": config.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "enable_rbac_authorization": True,
            "enable_soft_delete": True,
            "soft_delete_retention_in_days": config.soft_delete_days,
            "enable_purge_protection": True,
            "enabled_for_deployment": False,
            "enabled_for_disk_encryption": False,
            "enabled_for_template_deployment": False,
            "network_acls": {
                "default_action": "Deny",
                "bypass": "None",
                "ip_rules": [{"value": cidr} for cidr in config.allowed_cidrs],
                "virtual_network_rules": [{"id": subnet} for subnet in config.allowed_subnets],
            },
        },
    }


def audit_log(settings: Settings, store: str) -> Document:
    """Every request to the vault, sent to Log Analytics; it has names and callers, no values."""
    return {
        "name": "audit",
        "resource_uri": vault_id(settings, store),
        "workspace_id": _store(settings, store).log_analytics_workspace,
        "logs": [{"category": "AuditEvent", "enabled": True}],
    }


def checked_client_ids(settings: Settings, store: str, made: dict[str, str]) -> dict[str, str]:
    """The client IDs that Azure gave, when they are the settings' own. Raises RunError."""
    config = _store(settings, store)
    wrong = []
    for view, identity in settings.all_identities(store):
        wanted = getattr(config.client_ids_of(view.namespace), identity)
        client_id = made[view.declared_name(identity)]
        if wanted != client_id:
            of = f"namespace-client-ids.{view.namespace}" if view.is_of_another else "client-ids"
            place = f"{settings.stack_file}: stores.{store}.{of}.{identity}"
            name = view.identity_name(store, identity)
            wrong.append(f"{place}: is {wanted}, but the client ID of {name} is {client_id}")
    if wrong:
        wrong.append("No right was given and no store was declared; copy what Azure made.")
        raise pulumi.RunError("\n".join(wrong))
    return made


class AzureBackend(ComponentResource):
    """The provider half of one store for one environment.

    Exports `<store>-client-ids`, what Azure made of the identities (`read`, of another namespace
    `<namespace>/read`); no identity gets a right, and
    no SecretStore is declared, before the settings name just these.
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:AzureBackend", name, None, opts)
        self._settings, self._name, self._store = settings, name, store
        self._provider = self._declare_provider()
        key_vault = self._declare_vault()
        identities: list[_Made] = [
            (view, identity, self._declare_identity(view, identity))
            for view, identity in settings.all_identities(store)
        ]
        role = self._declare_push_role({identity for _, identity, _ in identities})
        made = Output.all(
            **{view.declared_name(each): one.client_id for view, each, one in identities}
        )
        pulumi.export(f"{name}-client-ids", made)
        checked = made.apply(lambda ids: checked_client_ids(settings, store, ids))
        self.objects: list[Resource] = [*key_vault, *role, *(one for _, _, one in identities)]
        for view, identity, one in identities:
            # Waits for the check: an error there leaves all that needs this undeclared.
            principal = Output.all(one.principal_id, checked).apply(lambda both: both[0])
            after = [*key_vault, *role] if identity != "read" else key_vault
            self.objects += self._declare_rights(view, identity, one, principal, after)
        self.register_outputs({})

    def _options(self, *after: Resource, keep: bool = False, **more: Any) -> ResourceOptions:
        """`keep`: the object is protected, and left where it is, where the environment is."""
        kept = True if keep and self._settings.environment.protect else None
        return ResourceOptions(
            parent=self,
            provider=self._provider,
            depends_on=list(after),
            protect=kept,
            retain_on_delete=kept,
            **more,
        )

    def _declare_provider(self) -> Provider:
        """In the stack's own subscription, whatever the environment variables say."""
        config = _store(self._settings, self._store)
        return Provider(
            f"{self._name}-provider",
            subscription_id=config.subscription_id,
            tenant_id=config.tenant_id,
            environment=_ENVIRONMENTS[config.cloud],
            opts=ResourceOptions(parent=self),
        )

    def _declare_vault(self) -> list[Resource]:
        declared = keyvault.Vault(
            f"{self._name}-vault",
            **vault(self._settings, self._store),
            opts=self._options(keep=True),
        )
        if _store(self._settings, self._store).log_analytics_workspace is None:
            return [declared]
        log = monitor.DiagnosticSetting(
            f"{self._name}-audit-log",
            **audit_log(self._settings, self._store),
            opts=self._options(declared, keep=True),
        )
        return [declared, log]

    def _declare_identity(
        self, view: Settings, identity: Identity
    ) -> managedidentity.UserAssignedIdentity:
        config = _store(self._settings, self._store)
        return managedidentity.UserAssignedIdentity(
            view.declared_name(f"{self._name}-{identity}-identity"),
            resource_name_=view.identity_name(self._store, identity),
            resource_group_name=cast(str, config.resource_group),
            location=config.location,
            opts=self._options(keep=True),
        )

    def _declare_push_role(self, identities: Collection[Identity]) -> list[Resource]:
        if not {*identities} - {"read"}:
            return []
        return [
            authorization.RoleDefinition(
                f"{self._name}-push-role",
                **push_role(self._settings, self._store),
                opts=self._options(),
            )
        ]

    def _declare_rights(
        self,
        view: Settings,
        identity: Identity,
        one: Resource,
        principal: Output[str],
        after: list[Resource],
    ) -> list[Resource]:
        declared: list[Resource] = [
            managedidentity.FederatedIdentityCredential(
                view.declared_name(f"{self._name}-{identity}-trust"),
                **trust(view, self._store, identity),
                opts=self._options(one),
            )
        ]
        for name, content in role_assignments(view, self._store, identity).items():
            # Azure allows one of this name, and none of its fields to be changed.
            opts = self._options(*after, delete_before_replace=True)
            called = view.declared_name(f"{self._name}-{name}")
            declared.append(
                authorization.RoleAssignment(called, **content, principal_id=principal, opts=opts)
            )
        return declared


def _store(settings: Settings, store: str) -> AzureStore:
    return cast(AzureStore, settings.environment.stores[store])
