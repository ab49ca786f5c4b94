"""One environment of one platform: catalogue and stack together, and what follows from both."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from platform_secrets.settings.any_store import Identity
from platform_secrets.settings.catalogue import Bundle, Catalogue
from platform_secrets.settings.environment import Environment
from platform_secrets.settings.places import BundlePlace, KeyPlace
from platform_secrets.settings.problems import Problem
from platform_secrets.settings.services import Service
from platform_secrets.settings.stores import Store

if TYPE_CHECKING:
    from platform_secrets.settings.entries import Kept
    from platform_secrets.settings.layout import Kind, PlannedKey

_BY_CONVENTION, _KEY_BY_CONVENTION = BundlePlace(), KeyPlace()


@dataclass(frozen=True)
class Settings:
    """One environment of one platform; the only thing that the rest of the program takes."""

    catalogue: Catalogue
    environment: Environment
    stack_file: str
    """The file's name, for messages."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)
    """What is allowed and seldom meant."""
    kept: "dict[str, list[Kept]]" = field(default_factory=dict, compare=False, repr=False)
    """What `entries.kept` has found of each bundle: it is asked for many times."""

    view: str | None = None
    """The one namespace that this is about; all that the environment has, without it."""

    @property
    def own_namespace(self) -> str:
        """The environment's own; the rotator is there."""
        env = self.environment
        return env.namespace_name or f"{self.catalogue.platform}-{env.environment}"

    @property
    def namespace(self) -> str:
        return self.view or self.own_namespace

    @property
    def is_of_another(self) -> bool:
        """Whether this is about another namespace than the environment's own."""
        return self.view is not None and self.view != self.own_namespace

    @property
    def creates_namespace(self) -> bool:
        env = self.environment
        other = env.namespaces.get(self.namespace) if self.is_of_another else None
        return (other or env).namespace == "create"

    @cached_property
    def by_namespace(self) -> "list[Settings]":
        """The same for each namespace, the environment's own first."""
        others = self.environment.namespaces
        if self.view or not others:
            return [self]
        return [replace(self, view=name) for name in (self.own_namespace, *others)]

    @cached_property
    def _namespaces(self) -> dict[str, str]:
        others = self.environment.namespaces.items()
        return {bundle: name for name, content in others for bundle in content.bundles}

    def namespace_of(self, bundle: str) -> str:
        """The namespace of a bundle's Secret."""
        return self._namespaces.get(bundle, self.own_namespace)

    def address(self, bundle: str, name: str) -> str:
        """An object in a bundle's namespace: its name, or namespace/name outside of the own one."""
        namespace = self.namespace_of(bundle)
        return name if namespace == self.own_namespace else f"{namespace}/{name}"

    @cached_property
    def bundles(self) -> dict[str, Bundle]:
        """The bundles that this is about."""
        bundles = self.catalogue.bundles.items()
        return {name: one for name, one in bundles if self.view in (None, self.namespace_of(name))}

    @cached_property
    def services(self) -> dict[str, Service]:
        """The services that this is about: each is where the bundles are that it reads."""
        if self.view is None:
            return self.catalogue.services
        found: dict[str, Service] = {}
        for name, service in self.catalogue.services.items():
            first = next(iter(service.beside), None)
            if self.view == (self.namespace_of(first) if first else self.own_namespace):
                found[name] = service
        return found

    @cached_property
    def account_makers(self) -> dict[str, str]:
        """Every ServiceAccount that is created, with the first service that runs as it."""
        made: dict[str, str] = {}
        for name, service in self.services.items():
            if service.creates_account and service.account:
                made.setdefault(service.account, name)
        return made

    def declared_name(self, name: str) -> str:
        """What Pulumi calls a thing that each namespace has of its own."""
        return f"{self.namespace}/{name}" if self.is_of_another else name

    @cached_property
    def default_store(self) -> str | None:
        names = list(self.environment.stores)
        return self.environment.default_store or (names[0] if len(names) == 1 else None)

    def store_name(self, bundle: str) -> str:
        """The store that holds a bundle. Only for `secrets: external`."""
        name = self.bundle_place(bundle).store or self.default_store
        if name is None:
            raise LookupError("basic Secrets have no store")
        return name

    def store_of(self, bundle: str) -> Store:
        """The same store's own settings."""
        return self.environment.stores[self.store_name(bundle)]

    def bundle_place(self, bundle: str) -> BundlePlace:
        """Where the stack file says that a bundle is kept."""
        return self.environment.bundles.get(bundle, _BY_CONVENTION)

    def key_place(self, bundle: str, key: str) -> KeyPlace:
        """Where the stack file says that a key is kept."""
        return self.bundle_place(bundle).keys.get(key, _KEY_BY_CONVENTION)

    def identity_name(self, store: str, identity: Identity) -> str:
        """What the provider calls an identity: a Vault role, an IAM role, a service account."""
        if not self.is_of_another:
            return self.name_at_provider(store, identity)
        # Two hyphens: else namespace `eu` of one environment were environment `test-eu`.
        found = self.name_at_provider(store, f"{self.namespace}--{identity}")
        most = self.environment.stores[store].longest_identity_name
        if "--" not in self.namespace and not (most and len(found) > most):
            return found
        short = hashlib.sha256(self.namespace.encode()).hexdigest()[:6]
        return self.name_at_provider(store, f"{short}--{identity}")

    def name_at_provider(self, store: str, part: str) -> str:
        """What the provider calls a thing that each environment has of its own.

        A store that is not called after its provider is told apart by two hyphens, which no
        environment's name holds: else `production` with store `eu` were `production-eu`.
        """
        config = self.environment.stores[store]
        is_left_out = config.may_leave_out_its_name and store == config.provider
        own_name = "" if is_left_out else f"-{store}-"
        return f"{self.catalogue.platform}-{self.environment.environment}-{own_name}{part}"

    def database_key(self, bundle: str) -> str | None:
        """The bundle's key that its store's database engine provides; None without one."""
        return self._database_key(bundle) if self.store_of(bundle).engine else None

    def rotated_key(self, bundle: str) -> str | None:
        """The bundle's key whose entry Secrets Manager rotates, as JSON; None without one."""
        return self._database_key(bundle) if self.store_of(bundle).rotated_database else None

    def _database_key(self, bundle: str) -> str | None:
        return self._first_database_keys.get(bundle)

    @cached_property
    def _first_database_keys(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for bundle, content in self.catalogue.bundles.items():
            for name, key in content.keys.items():
                if key.is_of_database:
                    found.setdefault(bundle, name)
        return found

    @cached_property
    def keys(self) -> "dict[str, PlannedKey]":
        """The plan of every key, as bundle/key; none for an environment without stores."""
        from platform_secrets.settings.layout import planned_keys  # it needs what is here

        return {f"{key.bundle}/{key.name}": key for key in planned_keys(self)}

    @cached_property
    def keys_by_id(self) -> "dict[str, PlannedKey]":
        """The same, each by what its objects are called after."""
        return {key.id: key for key in self.keys.values()}

    @cached_property
    def _keys_by_kind(self) -> "dict[Kind, list[PlannedKey]]":
        found: dict[Kind, list[PlannedKey]] = {}
        for key in self.keys.values():
            found.setdefault(key.kind, []).append(key)
        return found

    def keys_of(self, kind: "Kind") -> "list[PlannedKey]":
        """The keys of one kind, in the catalogue's order."""
        return self._keys_by_kind.get(kind, [])

    @cached_property
    def readers(self) -> dict[str, list[str]]:
        """The workloads that read each bundle, as Kind/name, or Kind/namespace/name."""
        found: dict[str, list[str]] = {name: [] for name in self.catalogue.bundles}
        for service in self.catalogue.services.values():
            workloads = [one.partition("/") for one in service.all_workloads]
            for bundle in service.reads:
                addresses = [f"{kind}/{self.address(bundle, name)}" for kind, _, name in workloads]
                found.setdefault(bundle, []).extend(addresses)
        return found

    def database_rotation(self, store: str) -> timedelta | None:
        """How often the catalogue wants the password of a store's database changed."""
        for bundle in self.bundles_in(store).values():
            for key in bundle.keys.values():
                if key.rotate and key.rotate.by == "database":
                    return key.rotate.every
        return None

    def bundles_in(self, store: str) -> dict[str, Bundle]:
        """The bundles that a store holds."""
        return {
            name: bundle for name, bundle in self.bundles.items() if self.store_name(name) == store
        }

    @property
    def has_rotation(self) -> bool:
        """Whether this stack declares the environment's rotator."""
        env = self.environment
        is_leader = env.secrets == "external" and env.rotation == "leader"
        bundles = self.catalogue.bundles.values()
        return is_leader and any(key.rotate for bundle in bundles for key in bundle.keys.values())

    def identities(self, store: str) -> list[Identity]:
        """Who acts on a store: readers always, the rotator and the seeder where they have work;
        nobody of ours on a store of others."""
        if self.environment.stores[store].is_others:
            return []
        if self.view and not self.bundles_in(store):
            return []
        identities: list[Identity] = ["read"]
        is_rotated = any(
            self.database_key(name) or any(key.is_generated for key in bundle.keys.values())
            for name, bundle in self.bundles_in(store).items()
        )
        if is_rotated and self.environment.rotation == "leader":
            identities.append("rotation")
        if self.environment.seeding and not self.environment.stores[store].outputs:
            identities.append("seed")
        return identities

    def all_identities(self, store: str) -> "Iterator[tuple[Settings, Identity]]":
        """Every identity of a store, each beside what it is about."""
        for view in self.by_namespace:
            for identity in view.identities(store):
                yield view, identity
