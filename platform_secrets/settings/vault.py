"""A store in HashiCorp Vault or OpenBao."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from platform_secrets.settings.any_store import Identities, Layout, ProviderHalf, Rule
from platform_secrets.settings.databases import PostgresDatabase
from platform_secrets.settings.model import HttpsUrl, Line, PathSegments, text_of
from platform_secrets.settings.references import Fault
from platform_secrets.settings.store_texts import PathPattern, PemCertificates


class VaultStore(ProviderHalf):
    """HashiCorp Vault, or OpenBao: a KV version 2 engine and an auth method of the cluster."""

    entry_rule: ClassVar[Rule] = Rule(
        r"(?=.{1,512}$)(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9_.@=:,~-]+(/[A-Za-z0-9_.@=:,~-]+)*",
        "a path below the mount, at most 512 letters, digits and _.@=:,~-, with single slashes "
        "between its parts",
    )
    version_rule: ClassVar[Rule] = Rule(r"[1-9][0-9]*", "a version's number")
    single_property: ClassVar[str | None] = "value"
    largest_entry: ClassVar[int | None] = 1_048_576  # as Raft has it, unless it is set

    provider: Literal["vault"]
    """HashiCorp Vault, or OpenBao."""
    layout: Layout = "bundle"
    """An entry for each bundle, or one for each key."""
    entry_pattern: PathPattern | None = None
    """The name of an entry, of {platform}, {environment} and {bundle}, and in layout `per-key` of
    {key}; unless it is set {platform}/{environment}/{bundle} or {platform}/{environment}/{key},
    and {platform}/{environment} for the bundle `shared`."""
    server: HttpsUrl
    """Its address, as the operator reaches it."""
    mount: PathSegments = "secret"
    """Where the KV engine is mounted."""
    namespace: PathSegments | None = None
    """Vault Enterprise's namespace."""
    auth_method: Literal["kubernetes", "jwt"] = "kubernetes"
    """`jwt` for a Vault that can't reach the cluster's TokenReview."""
    auth_mount: PathSegments = "kubernetes"
    """Where the cluster's auth method is mounted."""
    auth: Literal["own", "existing"] | None = None
    """With `backend: declare`: whether this stack owns the cluster's auth method; as `shared`
    unless it is set. `own` beside `shared: existing` is for a cluster that no other stack uses."""
    audience: Line = "vault"
    """For whom the ServiceAccounts' tokens are made out."""
    ca_certificate: PemCertificates | None = None
    """The authority of the server's certificate, where it is no public one: PEM, no secret."""
    max_versions: Annotated[int, Field(ge=2, le=1000)] = 10
    """With `shared: own`: how many versions of an entry are kept."""
    audit: Literal["declare", "existing"] = "declare"
    """With `shared: own`: `existing` where the server's own configuration has the audit device,
    as OpenBao wants it."""
    audit_file: Annotated[str, text_of(r"/[A-Za-z0-9._/-]+", "a path in Vault's pod", 200)] = (
        "/vault/audit/audit.log"
    )
    """With `shared: own`: where the audit device writes."""
    cluster_api_server: HttpsUrl = "https://kubernetes.default.svc"
    """Where Vault asks for a review of tokens; its own cluster unless it is set."""
    cluster_issuer: HttpsUrl | None = None
    """With `auth-method: jwt`: the cluster's issuer of ServiceAccount tokens."""
    cluster_ca_certificate: PemCertificates | None = None
    """With the auth method of this stack's own: the authority of the certificates of
    `cluster-issuer` or `cluster-api-server`, where it is no public one and not that of Vault's own
    cluster: PEM, no secret."""
    database: PostgresDatabase | None = None
    """Has the engine own the catalogue's key with `by: database`; a plain entry otherwise."""

    @property
    def owns_auth(self) -> bool:
        return (self.auth or self.shared) == "own"

    @property
    def needs_issuer(self) -> bool:
        return self.owns_auth and self.auth_method == "jwt"

    @property
    def has_named_properties(self) -> bool:
        return self.layout == "bundle"

    @property
    def engine(self) -> PostgresDatabase | None:
        return self.database

    def makes_audit_device_on(self, host: str) -> bool:
        is_declared = self.shared == "own" and self.audit == "declare"
        return is_declared and urlsplit(self.server).hostname == host

    def faults(self, identities: Identities, *, protect: bool) -> Iterator[Fault]:
        yield from super().faults(identities, protect=protect)
        if self.auth == "own" and not self.declares_backend:
            yield ("auth",), "`own` needs `backend: declare`"
        if self.needs_issuer and self.cluster_issuer is None:
            yield ("cluster-issuer",), "is missing: Vault trusts the tokens of this issuer"
        if self.cluster_ca_certificate and not self.owns_auth:
            message = "is for the stack that owns the auth method; here it is another's to set"
            yield ("cluster-ca-certificate",), message
