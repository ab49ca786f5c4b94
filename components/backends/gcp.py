"""What a SecretStore needs in GCP Secret Manager: accounts, rights by entry, entries; no value.

The functions return plain values; the component declares them.
"""

from typing import Any, cast

import pulumi_gcp as gcp
from pulumi import ComponentResource, Resource, ResourceOptions
from pulumi_gcp import projects, pubsub, secretmanager, serviceaccount

from platform_secrets.manifests import naming
from platform_secrets.manifests.entries import identity_entries, made_entries, written_entries
from platform_secrets.manifests.providers.gcp import (
    reminder_periods,
    reminder_topic,
    service_account_email,
)
from platform_secrets.settings import GcpStore, Identity, Settings

READ_ROLE = "roles/secretmanager.secretAccessor"
IMPERSONATION_ROLE = "roles/iam.workloadIdentityUser"

PUBLISHER_ROLE = "roles/pubsub.publisher"

# What the operator's push of release 2.9.0 asks for: it looks at the label, compares, and adds
# (providers/v1/gcp/secretmanager/client.go, PushSecret). It would also need
# secretmanager.secrets.update if the labels were not exactly those of MARK, and
# secretmanager.secrets.create if an entry were missing: neither is the case here.
PUSH_PERMISSIONS = [
    "secretmanager.secrets.get",
    "secretmanager.versions.access",
    "secretmanager.versions.add",
]
MARK = {"managed-by": "external-secrets"}
"""The label without which the operator writes no entry."""

# Writes are always in the audit logs; reads of values and of metadata only if these are on.
_AUDITED = ["ADMIN_READ", "DATA_READ"]


def member(settings: Settings, store: str, identity: Identity) -> str:
    """Who holds an identity's rights, in the language of IAM policies."""
    config = _store(settings, store)
    if config.access == "direct":
        return cluster_principal(settings, store, identity)
    account_id = settings.identity_name(store, identity)
    return f"serviceAccount:{service_account_email(config, account_id)}"


def cluster_principal(settings: Settings, store: str, identity: Identity) -> str:
    """One ServiceAccount of one namespace, as a principal that holds rights itself."""
    account, cluster = naming.secret_store(store, identity), _store(settings, store).cluster
    pools = f"projects/{cluster.project_number}/locations/global/workloadIdentityPools"
    subject = f"{cluster.project}.svc.id.goog/subject/ns/{settings.namespace}/sa/{account}"
    return f"principal://iam.googleapis.com/{pools}/{subject}"


def cluster_account(settings: Settings, store: str, identity: Identity) -> str:
    """The same, as the one that may act as a Google service account."""
    account = naming.secret_store(store, identity)
    pool = f"{_store(settings, store).cluster.project}.svc.id.goog"
    return f"serviceAccount:{pool}[{settings.namespace}/{account}]"


def push_role_id(settings: Settings) -> str:
    return f"{settings.catalogue.platform.replace('-', '_')}_secrets_push"


def role(settings: Settings, store: str, identity: Identity) -> str:
    """The role that an identity has on each of its entries."""
    if identity == "read":
        return READ_ROLE
    return f"projects/{_store(settings, store).project}/roles/{push_role_id(settings)}"


def replication(config: GcpStore) -> dict[str, Any]:
    """Where Google keeps the values, and under whose key."""

    def encryption(location: str) -> dict[str, Any]:
        if config.kms_key is None:
            return {}
        name = config.kms_key.format(location=location)
        return {"customer_managed_encryption": {"kms_key_name": name}}

    if not config.locations:
        return {"auto": encryption("global")}
    replicas = [{"location": each, **encryption(each)} for each in config.locations]
    return {"user_managed": {"replicas": replicas}}


def reminder(settings: Settings, store: str, entry: str) -> dict[str, Any]:
    """What an entry's declaration says of reminders, by the entry's bundle's or key's name."""
    reminders, periods = _store(settings, store).reminders, reminder_periods(settings, store)
    if reminders is None or (period := periods.get(entry)) is None:
        return {}
    rotation = {"rotation_period": f"{int(period.total_seconds())}s"}
    if reminders.next:
        rotation["next_rotation_time"] = f"{reminders.next}T00:00:00Z"
    return {"topics": [{"name": reminder_topic(settings, store)}], "rotation": rotation}


class GcpBackend(ComponentResource):
    """The provider half of one store for one environment; with `shared: own` also the project's
    role for pushes and its audit logs, which other environments use and no destroy may take.

    Who declares it is known from the surroundings (application default credentials).
    """

    def __init__(
        self, name: str, *, settings: Settings, store: str, opts: ResourceOptions | None = None
    ) -> None:
        super().__init__("platform-secrets:backends:GcpBackend", name, None, opts)
        self._settings, self._name, self._store = settings, name, store
        self._config = _store(settings, store)
        # Pulumi's own label would be one more than MARK: see PUSH_PERMISSIONS.
        self._provider = gcp.Provider(
            f"{name}-provider",
            project=self._config.project,
            add_pulumi_attribution_label=False,
            opts=ResourceOptions(parent=self),
        )
        shared = self._declare_shared() if self._config.shared == "own" else []
        topic = self._declare_topic()
        secrets = self._declare_entries(topic)
        self.objects: list[Resource] = [*shared, *topic, *secrets.values()]
        for view, identity in settings.all_identities(store):
            self.objects += self._declare_identity(view, identity, shared, secrets)
        self.register_outputs({})

    def _options(self, *, keep: bool = False, **more: Any) -> ResourceOptions:
        """`keep`: the object is protected, and left where it is, where the environment is."""
        if keep:
            is_kept = self._settings.environment.protect
            more |= {"protect": is_kept, "retain_on_delete": is_kept}
        return ResourceOptions(parent=self, provider=self._provider, **more)

    def _declare_shared(self) -> list[Resource]:
        """Protected always: every environment's pushes hang on the role, and a deleted one's name
        can't be used again for weeks."""
        opts = self._options(protect=True, retain_on_delete=True)
        return [
            projects.IAMCustomRole(
                f"{self._name}-push-role",
                project=self._config.project,
                role_id=push_role_id(self._settings),
                title=f"Push of {self._settings.catalogue.platform}'s secrets",
                permissions=PUSH_PERMISSIONS,
                opts=opts,
            ),
            projects.IAMAuditConfig(
                f"{self._name}-audit",
                project=self._config.project,
                service="secretmanager.googleapis.com",
                audit_log_configs=[{"log_type": each} for each in _AUDITED],
                opts=opts,
            ),
        ]

    def _declare_topic(self) -> list[Resource]:
        """A topic of the stack's own, and Secret Manager's right to publish to it: Google tries
        that when a secret gets the topic."""
        config = self._config
        if config.reminders is None or config.reminders.topic:
            return []
        topic = pubsub.Topic(
            f"{self._name}-reminders",
            project=config.project,
            name=self._settings.name_at_provider(self._store, "reminders"),
            opts=self._options(keep=True),
        )
        agent = projects.ServiceIdentity(
            f"{self._name}-agent",
            project=config.project,
            service="secretmanager.googleapis.com",
            opts=self._options(),
        )
        publisher = pubsub.TopicIAMMember(
            f"{self._name}-reminders-publisher",
            project=config.project,
            topic=topic.name,
            role=PUBLISHER_ROLE,
            member=agent.member,
            opts=self._options(keep=True),
        )
        return [topic, agent, publisher]

    def _declare_entries(self, topic: list[Resource]) -> dict[str, Resource]:
        """Secrets without a version, those marked that the operator may write."""
        settings, config = self._settings, self._config
        written, delay = written_entries(settings, self._store), config.version_destroy_delay
        found: dict[str, Resource] = {}
        for name, entry in sorted(made_entries(settings, self._store).items()):
            more = reminder(settings, self._store, name)
            # Where a day was never set there is none to ignore: the engine would take a first away.
            is_moved = more and "next_rotation_time" not in more["rotation"]
            found[name] = secretmanager.Secret(
                f"{self._name}-entry-{name}",
                project=config.project,
                secret_id=entry,
                labels=MARK if name in written else None,
                replication=cast(secretmanager.SecretReplicationArgsDict, replication(config)),
                version_destroy_ttl=f"{int(delay.total_seconds())}s" if delay else None,
                **more,
                opts=self._options(
                    keep=True,
                    depends_on=topic,
                    ignore_changes=["rotation.nextRotationTime"] if is_moved else None,
                ),
            )
        return found

    def _declare_identity(
        self,
        view: Settings,
        identity: Identity,
        shared: list[Resource],
        secrets: dict[str, Resource],
    ) -> list[Resource]:
        store, called = self._store, view.declared_name(f"{self._name}-{identity}")
        accounts = self._declare_account(view, identity) if self._config.access != "direct" else []
        after = [*shared, *accounts]
        rights: list[Resource] = [
            secretmanager.SecretIamMember(
                f"{called}-{name}",
                project=self._config.project,
                secret_id=entry,
                role=role(view, store, identity),
                member=member(view, store, identity),
                opts=self._options(depends_on=[*after, *filter(None, [secrets.get(name)])]),
            )
            for name, entry in sorted(identity_entries(view, store, identity).items())
        ]
        return [*accounts, *rights]

    def _declare_account(self, view: Settings, identity: Identity) -> list[Resource]:
        """A Google service account, and the one account of the cluster that may act as it."""
        config, called = self._config, view.declared_name(f"{self._name}-{identity}")
        account_id = view.identity_name(self._store, identity)
        email = service_account_email(config, account_id)
        account = serviceaccount.Account(
            f"{called}-account",
            project=config.project,
            account_id=account_id,
            display_name=f"{identity} of {view.namespace}",
            opts=self._options(),
        )
        impersonation = serviceaccount.IAMMember(
            f"{called}-workload",
            service_account_id=f"projects/{config.project}/serviceAccounts/{email}",
            role=IMPERSONATION_ROLE,
            member=cluster_account(view, self._store, identity),
            opts=self._options(depends_on=account),
        )
        return [account, impersonation]


def _store(settings: Settings, store: str) -> GcpStore:
    return cast(GcpStore, settings.environment.stores[store])
