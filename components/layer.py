"""A layer: the parts with their dependencies, on one page."""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Output, Resource, ResourceOptions, log

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import expected_entries
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.manifests.rotation.names import operator_keys
from platform_secrets.settings import Settings, warning_lines

from .access import SecretsReader, ServiceAccess
from .admission import Admission
from .backends.table import backend_of
from .basic_secret import BasicSecret, require_values
from .cluster import cluster_provider, waiting_for
from .database import DatabaseKey
from .declare import Placed, formerly
from .deletion import DeletionGuard
from .eso import Operator
from .external_secret import ExternalSecret
from .monitoring import Monitoring
from .namespace import EnvironmentNamespace
from .network import OperatorNetwork, RotationNetwork, VaultNetwork
from .rotation import RotatedKey, Rotation, RotationAdmission, RotationMemory
from .secret_store import SecretStore
from .seeding import Seeding
from .vault_server import VaultServers

_ALONE = "secrets"  # what a program calls its only layer


class Layer(ComponentResource):
    """The whole secrets layer of one environment.

    `values` are the basic Secrets' own, by key; empty for an environment with stores.
    `rotator` is the source of what rotates, by file name.
    `database_admin_password` is for a first update alone, which has Vault change it. What an
    object needs to work is declared before it and destroyed after it: what rotates, then
    ExternalSecrets, stores, the operator.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: Settings,
        values: Mapping[str, Output[str]],
        rotator: Mapping[str, str],
        database_admin_password: Output[str] | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("platform-secrets:layer:SecretsLayer", name, None, opts)
        self.settings = settings
        for line in warning_lines([settings]):
            log.warn(line, self)
        self._rotator, self._database_admin_password = rotator, database_admin_password
        if settings.environment.delivery == "gitops":
            self._declare_backends(ResourceOptions(parent=self))
        else:
            self._declare_both_halves(values)
        self.expected_entries = expected_entries(settings)
        self.register_outputs({"expected_entries": self.expected_entries})

    def _declare_both_halves(self, values: Mapping[str, Output[str]]) -> None:
        if self.settings.environment.secrets == "basic":
            require_values(values)
        provider = cluster_provider(self.settings, self, self._named)
        self._options = ResourceOptions(parent=self, providers={"kubernetes": provider})
        self._vault = self._declare_vault()
        waiting = [waiting_for([provider, *self._vault])]
        self._backends = self._declare_backends(
            ResourceOptions(parent=self, transformations=waiting)
        )
        self._declare_kubernetes_half(values)

    def _declare_kubernetes_half(self, values: Mapping[str, Output[str]]) -> None:
        settings = self.settings
        namespaces = {view.namespace: self._declare_access(view) for view in settings.by_namespace}
        namespace = [one for ready in namespaces.values() for one in ready]
        operator = self._declare_operator(namespace)
        if settings.environment.secrets == "basic":
            for view in settings.by_namespace:
                self._declare_basic_secrets(view, values, namespaces[view.namespace])
        else:
            stores = self._declare_stores([*namespace, *operator, *self._vault])
            external_secrets: list[Resource] = []
            for view in settings.by_namespace:
                external_secrets += self._declare_external_secrets(view, stores)
            guarded = [*namespace, *external_secrets]
            if settings.has_rotation:
                guarded += self._declare_rotation(namespace, external_secrets)
            if settings.environment.refuse_deletion:
                placed = Placed(after=guarded, opts=self._options)
                DeletionGuard(self._named("deletion"), settings=settings, **placed)
            monitoring = settings.environment.monitoring
            if monitoring and monitoring.is_in_the_cluster:
                name, after = self._named("monitoring"), [*namespace, *operator]
                Monitoring(name, settings=settings, after=after, opts=self._options)

    def _declare_access(self, view: Settings) -> list[Resource]:
        """A namespace, and who reads there."""

        def called(name: str) -> str:
            return self._named(view.declared_name(name))

        ready = EnvironmentNamespace(called("namespace"), settings=view, opts=self._options).ready
        placed = Placed(after=ready, opts=self._options)
        SecretsReader(called("secrets-reader"), settings=view, **placed)
        for name, service in view.services.items():
            part, account = self._named(name), called(service.account or name)
            ServiceAccess(part, settings=view, service=name, account=account, **placed)
        if self.settings.environment.seeding:
            Seeding(called("seeding"), settings=view, **placed)
        if self.settings.environment.admission:
            return Admission(called("admission"), settings=self.settings, view=view, **placed).ready
        return ready

    def _declare_basic_secrets(
        self, view: Settings, values: Mapping[str, Output[str]], after: list[Resource]
    ) -> None:
        for bundle, content in view.bundles.items():
            name = view.declared_name(content.secret)
            BasicSecret(
                self._named(name),
                settings=view,
                bundle=bundle,
                values=values,
                after=after,
                opts=self._called(name, formerly_called=bundle),
            )

    def _declare_external_secrets(
        self, view: Settings, stores: Mapping[tuple[str, str], list[Resource]]
    ) -> list[Resource]:
        found: list[Resource] = []
        for bundle, content in view.bundles.items():
            after = stores[view.namespace, view.store_name(bundle)]
            if key := view.database_key(bundle):
                called = f"{content.keys[key].id}-database"
                after = DatabaseKey(
                    self._named(called),
                    settings=view,
                    bundle=bundle,
                    after=after,
                    opts=self._called(called, formerly_called=f"{bundle}-database"),
                ).ready
            name = view.declared_name(content.secret)
            found += ExternalSecret(
                self._named(name),
                settings=view,
                bundle=bundle,
                after=after,
                opts=self._called(name, formerly_called=bundle),
            ).ready
        return found

    def _named(self, part: str) -> str:
        """What Pulumi calls a part: with the layer's own name where a program may have several."""
        return part if self._name == _ALONE else f"{self._name}/{part}"

    def _called(self, name: str, *, formerly_called: str) -> ResourceOptions:
        """For a part that had another logical name in releases before: its objects follow it."""
        aliases = formerly(self._named(formerly_called), now=self._named(name))
        return ResourceOptions.merge(self._options, ResourceOptions(aliases=aliases))

    def _declare_rotation(
        self, namespace: list[Resource], external_secrets: list[Resource]
    ) -> list[Resource]:
        settings, opts, named = self.settings, self._options, self._named
        before: dict[str, Any] = {"admission": RotationAdmission, "memory": RotationMemory}
        before["network"] = RotationNetwork
        parts: list[Any] = [
            part(named(f"rotation-{name}"), settings=settings, after=namespace, opts=opts)
            for name, part in before.items()
        ]
        for key in operator_keys(settings):
            name, after = named(f"rotation-{key}"), self._rotation_stores
            parts.append(RotatedKey(name, settings=settings, key=key, after=after, opts=opts))
        ready = [one for part in parts for one in part.ready]
        placed = Placed(after=[*external_secrets, *self._rotation_stores, *ready], opts=opts)
        return Rotation(named("rotation"), settings=settings, program=self._rotator, **placed).ready

    def _declare_backends(self, opts: ResourceOptions) -> dict[str, list[Resource]]:
        """The provider half of each store that this stack declares, by the store's name."""
        declared: dict[str, list[Resource]] = {}
        for name, store in self.settings.environment.stores.items():
            if store.declares_backend:
                called = self._named(name)
                backend = backend_of(store)(called, settings=self.settings, store=name, opts=opts)
                declared[name] = backend.objects
                if store.engine:
                    declared[name] += self._declare_database(name, backend.objects, opts)
        return declared

    def _declare_database(
        self, store: str, after: list[Resource], opts: ResourceOptions
    ) -> list[Resource]:
        from .backends.vault_database import VaultDatabase

        return VaultDatabase(
            self._named(f"{store}-database"),
            settings=self.settings,
            store=store,
            admin_password=self._database_admin_password,
            after=after,
            opts=opts,
        ).objects

    def _declare_operator(self, namespace: list[Resource]) -> list[Resource]:
        env = self.settings.environment
        if env.operator != "install":
            return []
        # One of one namespace has its Roles there.
        after = [] if env.operator_scope == "cluster" else [*namespace]
        # Pod Identity reaches only pods that start after their association was made.
        for name, store in env.stores.items():
            if provider_of(store).is_reached_by_pod_identity:
                after += self._backends.get(name, [])
        opts = self._options
        operator = Operator(self._named("operator"), settings=self.settings, after=after, opts=opts)
        name, after = self._named("operator-network"), operator.bounds
        OperatorNetwork(name, settings=self.settings, after=after, opts=opts)
        return operator.ready

    def _declare_vault(self) -> list[Resource]:
        server = self.settings.environment.vault_server
        if server is None:
            return []
        settings, named, opts = self.settings, self._named, self._options
        vault = VaultServers(named("vault-server"), settings=settings, server=server, opts=opts)
        name, after = named("vault-server-network"), vault.namespace
        VaultNetwork(name, settings=settings, server=server, after=after, opts=opts)
        return vault.ready

    def _declare_stores(self, after: list[Resource]) -> dict[tuple[str, str], list[Resource]]:
        """What reading from each store needs, by namespace and the store's name: the SecretStore of
        its *read* identity; of a store of others, what such a one needs itself."""
        readers: dict[tuple[str, str], list[Resource]] = {}
        self._rotation_stores: list[Resource] = []
        for view in self.settings.by_namespace:
            for store in self.settings.environment.stores:
                readers[view.namespace, store] = after
                for identity in view.identities(store):
                    name = naming.secret_store(store, identity)
                    declared = SecretStore(
                        self._named(view.declared_name(name)),
                        settings=view,
                        store=store,
                        identity=identity,
                        after=[*after, *self._backends.get(store, [])],
                        opts=self._options,
                    )
                    if identity == "read":
                        readers[view.namespace, store] = declared.ready
                    elif identity == "rotation":
                        self._rotation_stores += declared.ready
        return readers
