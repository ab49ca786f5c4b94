"""All stores that the stack files and examples name, as real parts behind one proxy.

The stack files are used as they are: the operator reaches `vault.example.com` and the clouds by
their own names, and the proxy leads it here.
"""

import base64
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import bundle_entries
from platform_secrets.manifests.providers import aws, gcp
from platform_secrets.settings import (
    AwsStore,
    AzureStore,
    EcrTokens,
    GcpStore,
    Identity,
    ParameterStore,
    Settings,
    VaultStore,
)
from platform_secrets.settings.entries import Entry, bundle_entry, kept
from tests.e2e import aws_gate, azure_server, gcp_server
from tests.e2e.aws import Aws
from tests.e2e.aws_gate import AwsGate
from tests.e2e.azure_server import AzureServer
from tests.e2e.certificates import certificates_for
from tests.e2e.cluster import ISSUER, Cluster
from tests.e2e.cluster_issuer import ClusterIssuer
from tests.e2e.gcp_identity import GcpIdentity
from tests.e2e.gcp_server import GcpServer
from tests.e2e.openbao import OpenBao, OpenBaoError
from tests.e2e.process import Run
from tests.e2e.proxy import Proxy

VAULT_HOST = "vault.example.com"
GITHUB_HOST = "api.github.com"
GCP_PROJECT = "veza-production"
GCP_CLUSTER = "projects/veza-production/locations/europe-west3/clusters/veza-production"
AZURE_VAULT = "veza-production"
AZURE_TENANT = "11111111-2222-4333-8444-555555555555"


class Stores:
    """Starts the stores; `operator_env` is what leads an operator to them.

    `prepare` makes what the provider half would: identities with their exact rights.
    """

    def __init__(self, run: Run, cluster: Cluster, name: str = "stores") -> None:
        self._cluster = cluster
        folder = run.folder / name
        folder.mkdir()
        azure_hosts = azure_server.host_names(AZURE_VAULT)
        hosts = [VAULT_HOST, GITHUB_HOST, *gcp_server.HOST_NAMES, *azure_hosts]
        self.certificates = certificates_for(hosts, folder)
        self.proxy = Proxy(_issuer_addresses(cluster))
        self.bao_env = {"HTTPS_PROXY": self.proxy.url}
        self.bao = OpenBao(run, f"vault-{name}", self.certificates, self.bao_env)
        self.aws = Aws(run, f"moto-{name}")
        issuer = ClusterIssuer(ISSUER, cluster.api.request("GET", "/openid/v1/jwks"))
        self._role_trusts: dict[str, str] = {}
        self._role_grants: dict[str, set[tuple[str, str]]] = {}
        self.aws_gate = AwsGate(self.aws.url, issuer, self._role_trusts, self._role_grants)
        self._impersonations: dict[str, str] = {}
        self._grants: dict[str, set[tuple[str, str]]] = {}
        self._federated: set[tuple[str, str]] = set()
        self._azure_grants: dict[str, set[tuple[str, str]]] = {}
        identity = GcpIdentity(
            issuer,
            f"{GCP_PROJECT}.svc.id.goog",
            f"https://container.googleapis.com/v1/{GCP_CLUSTER}",
            self._impersonations,
        )
        self.gcp = GcpServer(self.certificates, identity, GCP_PROJECT, self._grants)
        self.azure = AzureServer(
            self.certificates,
            issuer,
            AZURE_TENANT,
            AZURE_VAULT,
            self._federated,
            self._azure_grants,
        )
        self._parts = ExitStack()
        self._parts.enter_context(self.aws_gate)
        self._parts.enter_context(self.gcp)
        self._parts.enter_context(self.azure)
        vault = {f"{VAULT_HOST}:8200": self.bao.tls_port}
        self.proxy.ports.update(vault | self.gcp.ports | self.azure.ports)
        self._parts.enter_context(self.proxy)
        self._trust_cluster()

    def stop(self) -> None:
        self._parts.close()

    @contextmanager
    def reached_at(self, host: str, port: int) -> Iterator[None]:
        """Leads new connections to a host (`name:port`) to another local port."""
        before = self.proxy.ports[host]
        self.proxy.ports[host] = port
        try:
            yield
        finally:
            self.proxy.ports[host] = before

    def lose_vault(self) -> None:
        """Puts a fresh Vault in the place of the old one, with the KV engine and nothing else;
        `prepare` and `put` fill it."""
        self.bao.lose_data()
        self._mount_kv()

    @property
    def operator_env(self) -> dict[str, str]:
        return {
            **dict.fromkeys(self.aws.operator_env, self.aws_gate.url),
            "HTTPS_PROXY": self.proxy.url,
            "SSL_CERT_FILE": str(self.trust),
        }

    @property
    def trust(self) -> Path:
        """A file of all certificates that a client of the stores trusts."""
        return self.certificates.trust

    @property
    def authority(self) -> str:
        """The certificate of the authority that signed the servers' own, as PEM."""
        text = self.trust.read_text(encoding="utf-8")
        return text[text.rindex("-----BEGIN CERTIFICATE-----") :]

    def prepare(self, settings: Settings) -> None:
        """Makes the identities of every store."""
        for name, store in settings.environment.stores.items():
            for view, identity in settings.all_identities(name):
                match store:
                    case VaultStore():
                        self._prepare_vault(view, name, store, identity)
                    case AwsStore() | ParameterStore():
                        self._prepare_aws(view, name, store, identity)
                    case EcrTokens():
                        self._prepare_ecr(view, name, store, identity)
                    case GcpStore():
                        self._prepare_gcp(view, name, store, identity)
                    case AzureStore():
                        self._prepare_azure(view, name, store, identity)

    def put(self, settings: Settings, values: Mapping[str, str]) -> None:
        """Writes values by key, each to its own entry; an entry's other keys stay."""
        for bundle in settings.catalogue.bundles:
            for key, entry in bundle_entries(settings, bundle).items():
                if key in values:
                    self.put_entry(settings, bundle, entry, values[key])

    def remove(self, settings: Settings, bundle: str) -> None:
        """Removes a bundle's entries from a Vault store."""
        mount = self._vault(settings, bundle).mount
        for path in {entry.key for entry in bundle_entries(settings, bundle).values()}:
            self.bao.request("DELETE", f"{mount}/metadata/{path}")

    def replace(self, settings: Settings, bundle: str, values: Mapping[str, str]) -> None:
        """Makes a bundle's entry in a Vault store, layout `bundle`, hold these keys alone."""
        path = bundle_entry(settings, bundle)
        self.bao.write(f"{self._vault(settings, bundle).mount}/data/{path}", data=dict(values))

    def _vault(self, settings: Settings, bundle: str) -> VaultStore:
        store = settings.environment.stores[settings.store_name(bundle)]
        assert isinstance(store, VaultStore)
        return store

    def put_entry(self, settings: Settings, bundle: str, entry: Entry, value: Any) -> None:
        """Writes any entry, or one property of it, in the store of `bundle`; a property may be
        something else than a text."""
        store = settings.environment.stores[settings.store_name(bundle)]
        match store:
            case VaultStore():
                path = f"{store.mount}/data/{entry.key}"
                present: dict[str, Any] = {}
                with suppress(OpenBaoError):
                    present = self.bao.read(path)["data"]
                self.bao.write(path, data={**present, str(entry.property): value})
            case ParameterStore():
                self.aws.client("ssm").put_parameter(
                    Name=entry.key, Value=value, Type="SecureString", Overwrite=True
                )
            case AwsStore():
                client = self.aws.client("secretsmanager")
                try:
                    found = client.get_secret_value(SecretId=entry.key)["SecretString"]
                    content = _content(entry, value, found)
                    client.put_secret_value(SecretId=entry.key, SecretString=content)
                except client.exceptions.ResourceNotFoundException:
                    client.create_secret(Name=entry.key, SecretString=_content(entry, value))
            case GcpStore():
                found = "{}"
                with suppress(LookupError):  # no secret, or none of its versions
                    found = self.gcp.get(entry.key)
                self.gcp.set(entry.key, _content(entry, value, found))
            case AzureStore():
                self.azure.set(entry.key, value)

    def _trust_cluster(self) -> None:
        """A ServiceAccount of the Vault's own, which may review tokens; and the keys of the
        cluster's issuer for whoever asks, as a cluster's owner publishes them."""
        account = {"kind": "ServiceAccount", "name": "vault", "namespace": "vault-system"}
        self._cluster.create_namespace("vault-system")
        self._cluster.api.apply(
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "vault", "namespace": "vault-system"},
            }
        )
        everybody = {"kind": "Group", "name": "system:unauthenticated"}
        for name, role, subject in (
            ("vault-token-review", "system:auth-delegator", account),
            ("issuer-discovery", "system:service-account-issuer-discovery", everybody),
        ):
            self._cluster.api.apply(
                {
                    "apiVersion": "rbac.authorization.k8s.io/v1",
                    "kind": "ClusterRoleBinding",
                    "metadata": {"name": name},
                    "roleRef": {
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "ClusterRole",
                        "name": role,
                    },
                    "subjects": [subject],
                }
            )
        self._mount_kv()

    def _mount_kv(self) -> None:
        self.bao.write("sys/mounts/secret", type="kv", options={"version": "2"})

    def _enable_auth(self, store: VaultStore) -> None:
        mount = store.auth_mount
        if f"{mount}/" in self.bao.read("sys/auth"):
            return
        self.bao.write(f"sys/auth/{mount}", type=store.auth_method)
        if store.auth_method == "jwt":
            authority = self._cluster.ca_file.read_text(encoding="utf-8")
            config = {"oidc_discovery_url": ISSUER, "bound_issuer": ISSUER}
            config["oidc_discovery_ca_pem"] = authority
        else:
            config = {
                "kubernetes_host": self._cluster.url,
                **self._cluster.of_vaults_pod(),
                "disable_local_ca_jwt": True,
            }
        self.bao.write(f"auth/{mount}/config", **config)

    def _prepare_vault(
        self, settings: Settings, name: str, store: VaultStore, identity: Identity
    ) -> None:
        self._enable_auth(store)
        role = settings.identity_name(name, identity)
        may = {
            "read": ["read"],
            "rotation": ["read", "update"],
            "seed": ["create", "read", "update"],
        }
        kinds = ("data",) if identity == "read" else ("data", "metadata")
        rules = [
            f'path "{store.mount}/{kind}/{path}" {{ capabilities = {_hcl(may[identity])} }}'
            for path in sorted(self._entry_names(settings, name, identity))
            for kind in kinds
        ]
        self.bao.write(f"sys/policies/acl/{role}", policy="\n".join(rules))
        self.bao.write(
            f"auth/{store.auth_mount}/role/{role}",
            token_policies=[role],
            token_ttl="10m",  # noqa: S106 - a duration
            **_bound(settings, name, store, identity),
        )

    def _prepare_aws(
        self,
        settings: Settings,
        name: str,
        store: AwsStore | ParameterStore,
        identity: Identity,
    ) -> None:
        role = aws.role_arn(store, settings.identity_name(name, identity))
        self._role_trusts[role] = _subject(settings, name, identity)
        is_parameters = isinstance(store, ParameterStore)
        read = aws_gate.READ_PARAMETER if is_parameters else aws_gate.READ
        push = aws_gate.PUSH_PARAMETER if is_parameters else aws_gate.PUSH
        actions = [read, *([] if identity == "read" else push)]
        if is_parameters and identity == "seed":
            actions.append(aws_gate.TAG_PARAMETER)
        names = self._entry_names(settings, name, identity)
        self._role_grants[role] = {(each, entry) for each in actions for entry in names}
        client = self.aws.client("iam")
        with suppress(client.exceptions.EntityAlreadyExistsException):
            client.create_role(
                RoleName=settings.identity_name(name, identity),
                AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}',
            )

    def _prepare_ecr(
        self, settings: Settings, name: str, store: EcrTokens, identity: Identity
    ) -> None:
        role = aws.role_arn(store, settings.identity_name(name, identity))
        self._role_trusts[role] = _subject(settings, name, identity)
        self._role_grants[role] = {(aws_gate.LOG_IN, "")}

    def _prepare_gcp(
        self, settings: Settings, name: str, store: GcpStore, identity: Identity
    ) -> None:
        email = gcp.service_account_email(store, settings.identity_name(name, identity))
        self._impersonations[_subject(settings, name, identity)] = email
        permissions = [gcp_server.ACCESS]
        if identity != "read":
            permissions += [gcp_server.GET, gcp_server.ADD]
        names = self._entry_names(settings, name, identity)
        self._grants[email] = {(each, entry) for each in permissions for entry in names}

    def _prepare_azure(
        self, settings: Settings, name: str, store: AzureStore, identity: Identity
    ) -> None:
        client_id = getattr(store.client_ids_of(settings.namespace), identity)
        self._federated.add((client_id, _subject(settings, name, identity)))
        actions = [azure_server.GET, *([] if identity == "read" else [azure_server.SET])]
        names = self._entry_names(settings, name, identity)
        self._azure_grants[client_id] = {(each, entry) for each in actions for entry in names}

    def _entry_names(self, settings: Settings, store: str, identity: Identity) -> set[str]:
        return {
            value.entry.key
            for bundle, content in settings.bundles_in(store).items()
            for value in kept(settings, bundle)
            if identity != "rotation" or content.keys[value.key].is_generated
        }


def _issuer_addresses(cluster: Cluster) -> dict[str, int]:
    """Where the cluster's issuer, its keys and its own API are, for a proxy: all the API server."""
    found = cluster.api.request("GET", "/.well-known/openid-configuration")
    port = urlsplit(cluster.url).port or 443
    hosts = [urlsplit(found[key]).netloc for key in ("issuer", "jwks_uri")]
    return dict.fromkeys([*hosts, "kubernetes.default.svc:443"], port)


def _subject(settings: Settings, store: str, identity: Identity) -> str:
    account = naming.secret_store(store, identity)
    return f"system:serviceaccount:{settings.namespace}:{account}"


def _bound(
    settings: Settings, store_name: str, store: VaultStore, identity: Identity
) -> dict[str, object]:
    """What ties a Vault role to one ServiceAccount and one audience."""
    if store.auth_method == "jwt":
        return {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_subject": _subject(settings, store_name, identity),
            "bound_audiences": [store.audience],
        }
    return {
        "bound_service_account_names": [naming.secret_store(store_name, identity)],
        "bound_service_account_namespaces": [settings.namespace],
        "audience": store.audience,
    }


def _content(entry: Entry, value: Any, present: str = "{}") -> str:
    """A cloud's entry with the value: the value itself, or a JSON object that holds it."""
    if entry.property is None:
        return value
    return json.dumps({**json.loads(present), entry.property: value})


def _hcl(words: list[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def decoded(secret: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """A Kubernetes Secret's values."""
    return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}


def made_values(settings: Settings, prefix: str = "") -> dict[str, str]:
    """A fitting value for every name of a key in the catalogue, made now and never shown."""
    forms = {
        "postgres-url": "postgresql://wren:{}@db.example.com:5432/wren",
        "redis-url": "rediss://:{}@redis.example.com:6379/0",
    }
    starts = {"stripe-api-key": "sk_test_{}", "stripe-webhook-secret": "whsec_{}"}
    return {
        name: forms.get(key.format, starts.get(name, "{}")).format(prefix + secrets.token_hex(24))
        for bundle in settings.catalogue.bundles.values()
        for name, key in bundle.keys.items()
        if not key.same_as
    }
