"""What the rest of the core asks of a store's provider."""

from typing import ClassVar, Protocol

from platform_secrets.manifests import naming
from platform_secrets.manifests.naming import Manifest
from platform_secrets.settings import Identity
from platform_secrets.settings.operator_releases import GENERATORS_API, PUSH_METADATA_API


class Provider(Protocol):
    """One store, as its provider's own file describes it; what holds for most stands here."""

    generator: ClassVar[str | None] = None
    """The kind of the operator's generator that asks for tokens; None of a store with entries."""

    @property
    def address(self) -> tuple[object, ...]:
        """Equal for two stacks' stores that are one and the same."""
        ...

    @property
    def port(self) -> int:
        """Where the operator reaches it."""
        return 443

    @property
    def ports_of_its_server(self) -> set[int]:
        """What the store's server itself reaches, for one that runs in this cluster."""
        return set()

    @property
    def is_reached_by_pod_identity(self) -> bool:
        """Whether pods have their identity of an agent on their node."""
        return False

    @property
    def caches_tokens(self) -> bool:
        """Whether the operator is to keep this provider's tokens between reads."""
        return False

    @property
    def misses_values(self) -> bool:
        """Whether a push that is to leave values alone looks for the value itself, not only for the
        entry: that may be there before its value, or for another property."""
        return True

    @property
    def push_metadata(self) -> Manifest | None:
        """What a push tells the provider beside the value."""
        return None

    @property
    def version_before(self) -> str | None:
        """By what an ExternalSecret reads the version before the newest; None where no name of all
        entries' says that."""
        return None

    def newest_version(self, account: str, name: str, entry: str) -> Manifest | None:
        """The spec of a generator that asks for the number of an entry's newest version, as
        `reference` acts; None where none can."""
        return None

    def reference(self, store: str) -> Manifest:
        """How an ExternalSecret names the store: the SecretStore of its *read* identity, or the
        generator."""
        of_generator = {"apiVersion": GENERATORS_API} if self.generator else {}
        kind = self.generator or "SecretStore"
        return {**of_generator, "kind": kind, "name": naming.secret_store(store, "read")}

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        """Those of an identity's ServiceAccount; None where the operator acts as itself."""
        return {}

    def spec(self, account: str, name: str) -> Manifest:
        """The `provider` of a SecretStore that acts as `account`, as the identity `name`; the whole
        spec of a generator."""
        ...


def metadata_of_push(spec: Manifest) -> Manifest:
    """What a PushSecret tells its provider beside the value, in the operator's own form."""
    return {
        "apiVersion": PUSH_METADATA_API,
        "kind": "PushSecretMetadata",
        "spec": spec,
    }
