"""What a SecretStore needs on Azure: a key vault, managed identities, roles, trust; no secret.

A secret of a key vault can't exist without a value, so the first push or the platform's people
make it. The functions return plain values; the component declares them.
"""

import uuid
from typing import Any, cast

import pulumi
from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pulumi_azure_native import Provider, authorization, keyvault, managedidentity, monitor

from manifests import naming
from settings import AzureStore, Identity, Settings

Document = dict[str, Any]

# The operator asks for its token with this audience, in every cloud.
_AUDIENCE = "api://AzureADTokenExchange"
_ENVIRONMENTS = {
    "PublicCloud": "public",
    "USGovernmentCloud": "usgovernment",
    "ChinaCloud": "china",
}

# Built-in roles, the same in every tenant:
# https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
_SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"
_SECRETS_OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
_NAMES = uuid.uuid5(uuid.NAMESPACE_DNS, naming.PROJECT)


def vault_id(settings: Settings, store: str) -> str:
    """The key vault's full ID."""
    config = _store(settings, store)
    group = f"/subscriptions/{config.subscription_id}/resourceGroups/{config.resource_group}"
    return f"{group}/providers/Microsoft.KeyVault/vaults/{config.vault_name}"


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


def trust(settings: Settings, store: str, identity: Identity) -> Document:
    """The one ServiceAccount of the one cluster whose tokens an identity accepts."""
    config = _store(settings, store)
    account = naming.secret_store(store, identity)
    return {
        "federated_identity_credential_resource_name": account,
        "resource_name_": settings.identity_name(store, identity),
        "resource_group_name": config.resource_group,
        "issuer": config.oidc_issuer,
        "subject": f"system:serviceaccount:{settings.namespace}:{account}",
        "audiences": [_AUDIENCE],
    }


def role_assignments(settings: Settings, store: str, identity: Identity) -> dict[str, Document]:
    """An identity's rights, without its principal, by a name that has no environment in it.

    Readers and seeders act on every entry of the environment, and its vault holds nothing else;
    a rotator on the entries of generated and derived keys alone.
    """
    scope = vault_id(settings, store)
    role = _SECRETS_USER if identity == "read" else _SECRETS_OFFICER
    scopes = {f"{identity}-role": scope}
    if identity == "rotation":
        scopes = {
            f"rotation-role-{key}": f"{scope}/secrets/{entry}"
            for key, entry in naming.identity_entries(settings, store, "rotation").items()
        }
    subscription = f"/subscriptions/{_store(settings, store).subscription_id}"
    definition = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    principal = settings.identity_name(store, identity)
    return {
        name: {
            "role_assignment_name": str(uuid.uuid5(_NAMES, f"{each} {role} {principal}")),
            "scope": each,
            "role_definition_id": definition,
            "principal_type": "ServicePrincipal",
        }
        for name, each in scopes.items()
    }


def checked_client_ids(settings: Settings, store: str, made: dict[str, str]) -> dict[str, str]:
    """The client IDs that Azure gave, when they are the settings' own. Raises RunError."""
    config = _store(settings, store)
    wrong = []
    for identity, client_id in made.items():
        wanted = getattr(config.client_ids, identity)
        if wanted != client_id:
            place = f"{settings.stack_file}: stores.{store}.client-ids.{identity}"
            name = settings.identity_name(store, cast(Identity, identity))
            wrong.append(f"{place}: is {wanted}, but the client ID of {name} is {client_id}")
    if wrong:
        wrong.append("No right was given and no store was declared; copy what Azure made.")
        raise pulumi.RunError("\n".join(wrong))
    return made


class AzureBackend(ComponentResource):
    """The provider half of one store for one environment.

    Exports `<store>-client-ids`, what Azure made of the identities; no identity gets a right, and
    no SecretStore is declared, before the settings name just these.
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:AzureBackend", name, None, opts)
        self._settings, self._name, self._store = settings, name, store
        self._provider = self._declare_provider()
        key_vault = self._declare_vault()
        identities: dict[Identity, managedidentity.UserAssignedIdentity] = {
            each: self._declare_identity(each) for each in settings.identities(store)
        }
        made = Output.all(**{each: one.client_id for each, one in identities.items()})
        pulumi.export(f"{name}-client-ids", made)
        checked = made.apply(lambda ids: checked_client_ids(settings, store, ids))
        self.objects: list[Resource] = [*key_vault, *identities.values()]
        for identity, one in identities.items():
            # Waits for the check: an error there leaves all that needs this undeclared.
            principal = Output.all(one.principal_id, checked).apply(lambda both: both[0])
            self.objects += self._declare_rights(identity, one, principal, key_vault)
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

    def _declare_identity(self, identity: Identity) -> managedidentity.UserAssignedIdentity:
        config = _store(self._settings, self._store)
        return managedidentity.UserAssignedIdentity(
            f"{self._name}-{identity}-identity",
            resource_name_=self._settings.identity_name(self._store, identity),
            resource_group_name=cast(str, config.resource_group),
            location=config.location,
            opts=self._options(keep=True),
        )

    def _declare_rights(
        self, identity: Identity, one: Resource, principal: Output[str], after: list[Resource]
    ) -> list[Resource]:
        declared: list[Resource] = [
            managedidentity.FederatedIdentityCredential(
                f"{self._name}-{identity}-trust",
                **trust(self._settings, self._store, identity),
                opts=self._options(one),
            )
        ]
        for name, content in role_assignments(self._settings, self._store, identity).items():
            # Azure allows one of this name, and none of its fields to be changed.
            opts = self._options(*after, delete_before_replace=True)
            assignment = authorization.RoleAssignment(
                f"{self._name}-{name}", **content, principal_id=principal, opts=opts
            )
            declared.append(assignment)
        return declared


def _store(settings: Settings, store: str) -> AzureStore:
    return cast(AzureStore, settings.environment.stores[store])
