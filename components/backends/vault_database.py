"""A database behind Vault's engine: its accounts' passwords are known to Vault alone.

One password enters, the one that the administrator's account was made with. It is rotated at once,
before anything else is made, and works no more.
"""

from collections.abc import Sequence
from typing import Any, cast

import pulumi_vault as vault
from pulumi import ComponentResource, Output, Resource, ResourceOptions
from pulumi_vault import database, generic

from platform_secrets.manifests.naming import SIDES
from platform_secrets.settings import PostgresDatabase, Settings, VaultStore

_PLUGIN = "postgresql-database-plugin"


def connection(settings: Settings, store: str) -> dict[str, Any]:
    """The connection's inputs, except the password."""
    config = _database(settings, store)
    place = f"{config.host}:{config.port}/{config.name}?sslmode={config.ssl_mode}"
    roles = ["role", *SIDES]
    return {
        "backend": config.mount,
        "name": settings.name_at_provider(store, "database"),
        "plugin_name": _PLUGIN,
        "allowed_roles": [settings.name_at_provider(store, role) for role in roles],
        "verify_connection": True,
        "postgresql": {
            "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{place}",
            "username": config.admin_user,
            # The server gets a hash, so that its log can't show a password.
            "password_authentication": "scram-sha-256",
        },
    }


def dynamic_role(settings: Settings, store: str) -> dict[str, Any]:
    """The inputs of the role for people and jobs: an account for each lease, with the granted
    roles' rights and none of its own."""
    config = _database(settings, store)
    grants = ", ".join(f'"{role}"' for role in config.grants)
    return {
        "backend": config.mount,
        "name": settings.name_at_provider(store, "role"),
        "db_name": settings.name_at_provider(store, "database"),
        "creation_statements": [
            "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' "
            f"VALID UNTIL '{{{{expiration}}}}' IN ROLE {grants};"
        ],
        "renew_statements": ["ALTER ROLE \"{{name}}\" VALID UNTIL '{{expiration}}';"],
        "revocation_statements": [
            'ALTER ROLE "{{name}}" NOLOGIN;',
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';",
            'DROP ROLE IF EXISTS "{{name}}";',
        ],
        "default_ttl": int(config.ttl.total_seconds()),
        "max_ttl": int(config.max_ttl.total_seconds()),
    }


def static_role(settings: Settings, store: str, place: int) -> dict[str, Any]:
    """The inputs of the role of one of the two accounts. The engine's own period is a backstop: by
    then the rotation has long changed the password."""
    config = _database(settings, store)
    [every] = [
        key.rotate.every
        for bundle in settings.bundles_in(store).values()
        for key in bundle.keys.values()
        if key.rotate and key.rotate.by == "database"
    ]
    return {
        "backend": config.mount,
        "name": settings.name_at_provider(store, SIDES[place]),
        "db_name": settings.name_at_provider(store, "database"),
        "username": config.users[place],
        "rotation_period": int(2 * every.total_seconds()),
    }


def dynamic_policy(settings: Settings, store: str) -> str:
    """The right to have an account made, which Vault's owners give to people and jobs."""
    mount, role = _database(settings, store).mount, settings.name_at_provider(store, "role")
    return f'path "{mount}/creds/{role}" {{\n  capabilities = ["read"]\n}}\n'


class VaultDatabase(ComponentResource):
    """The engine's part of one store; with `shared: own` also the engine, which others use.

    `admin_password` is used when the connection is made, and never again: later it may be absent.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        store: str,
        admin_password: Output[str] | None,
        after: Sequence[Resource],
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:backends:VaultDatabase", name, None, opts)
        self._settings, self._name, self._store = settings, name, store
        self._config = _store(settings, store)
        shared = self._declare_mount([*after]) if self._config.shared == "own" else []
        rotated = self._declare_connection(admin_password, [*after, *shared])
        self.objects = [*shared, *rotated, *self._declare_roles(rotated)]
        self.register_outputs({})

    def _options(self, after: Sequence[Resource], **more: Any) -> ResourceOptions:
        """What is lost with these can't be made again: nobody else knows the passwords."""
        keep = self._settings.environment.protect or None
        own: dict[str, Any] = {"protect": keep, "retain_on_delete": keep, "depends_on": [*after]}
        return ResourceOptions(parent=self, **(own | more))

    def _declare_mount(self, after: list[Resource]) -> list[Resource]:
        return [
            vault.Mount(
                f"{self._name}-mount",
                path=_database(self._settings, self._store).mount,
                type="database",
                namespace=self._config.namespace,
                opts=self._options(after, protect=True, retain_on_delete=True),
            )
        ]

    def _declare_connection(
        self, admin_password: Output[str] | None, after: list[Resource]
    ) -> list[Resource]:
        """The connection, and the rotation after which nobody knows its password.

        Vault logs in before it keeps a connection: a first update without the password fails here.
        """
        inputs = connection(self._settings, self._store)
        if admin_password:
            inputs["postgresql"]["password"] = admin_password
        made = database.SecretBackendConnection(
            f"{self._name}-connection",
            **inputs,
            namespace=self._config.namespace,
            # The rotated password is not to be overwritten by the one that it replaced.
            opts=self._options(after, ignore_changes=["postgresql.password"]),
        )
        rotation = generic.Endpoint(
            f"{self._name}-root-rotation",
            path=f"{inputs['backend']}/rotate-root/{inputs['name']}",
            data_json="{}",
            disable_read=True,
            disable_delete=True,
            namespace=self._config.namespace,
            opts=self._options([made]),
        )
        return [made, rotation]

    def _declare_roles(self, after: list[Resource]) -> list[Resource]:
        settings, store, namespace = self._settings, self._store, self._config.namespace
        made: list[Resource] = [
            database.SecretBackendRole(
                f"{self._name}-role",
                **dynamic_role(settings, store),
                namespace=namespace,
                opts=self._options(after),
            ),
            vault.Policy(
                f"{self._name}-role-policy",
                name=settings.name_at_provider(store, "role"),
                policy=dynamic_policy(settings, store),
                namespace=namespace,
                opts=ResourceOptions(parent=self),
            ),
        ]
        for place, side in enumerate(SIDES):
            role = database.SecretBackendStaticRole(
                f"{self._name}-{side}",
                **static_role(settings, store, place),
                namespace=namespace,
                opts=self._options(after),
            )
            made.append(role)
        return made


def _store(settings: Settings, store: str) -> VaultStore:
    return cast(VaultStore, settings.environment.stores[store])


def _database(settings: Settings, store: str) -> PostgresDatabase:
    return cast(PostgresDatabase, _store(settings, store).database)
