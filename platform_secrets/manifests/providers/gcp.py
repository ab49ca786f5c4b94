"""GCP Secret Manager: a token of the identity's ServiceAccount, exchanged by Workload Identity."""

from datetime import timedelta

from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.providers.provider import Provider, metadata_of_push
from platform_secrets.settings import GcpStore, GcpTokens, Identity, Settings


def service_account_email(store: GcpStore | GcpTokens, account_id: str) -> str:
    """The address of one of this environment's Google service accounts."""
    return f"{account_id}@{store.project}.iam.gserviceaccount.com"


def workload_identity(store: GcpStore | GcpTokens, account: str) -> Manifest:
    """How the operator acts as one of the cluster's accounts in the project."""
    return {
        "projectID": store.project,
        "auth": {
            "workloadIdentity": {
                "clusterProjectID": store.cluster.project,
                "clusterLocation": store.cluster.location,
                "clusterName": store.cluster.name,
                "serviceAccountRef": {"name": account},
            }
        },
    }


def reminder_topic(settings: Settings, store: str) -> str | None:
    """The topic on each entry with a reminder. In layout `per-key` a push to such an entry names it
    in its metadata: else the operator asks for the right to change the entry."""
    config = settings.environment.stores[store]
    if not isinstance(config, GcpStore) or config.reminders is None:
        return None
    name = settings.name_at_provider(store, "reminders")
    return config.reminders.topic or f"projects/{config.project}/topics/{name}"


def reminder_periods(settings: Settings, store: str) -> dict[str, timedelta]:
    """How often people are reminded of an entry, by its bundle's or its key's name. Google has no
    engine that owns a database's accounts: people change those too."""
    is_whole = settings.environment.stores[store].layout == "bundle"
    found: dict[str, timedelta] = {}
    for bundle, content in settings.bundles_in(store).items():
        for key in content.keys.values():
            if key.rotate and not key.is_generated:
                place = bundle if is_whole else key.id
                found[place] = min(key.rotate.period, found.get(place, key.rotate.period))
    return found


class Gcp(Provider):
    """A store in GCP Secret Manager."""

    def __init__(self, store: GcpStore) -> None:
        self._store = store

    @property
    def misses_values(self) -> bool:
        return False

    @property
    def push_metadata(self) -> Manifest | None:
        """Leaves the labels that others have put on an entry: to change them takes a right that the
        identity does not have. With a property the operator keeps them, and takes no metadata."""
        if self._store.layout == "bundle":
            return None
        return metadata_of_push({"mergePolicy": "Merge"})

    @property
    def address(self) -> tuple[object, ...]:
        return ("gcp", self._store.project)

    def account_annotations(
        self, identity: Identity, name: str, namespace: str
    ) -> dict[str, str] | None:
        """The Google service account that the operator impersonates with this account's token;
        without it Google takes the account for itself."""
        if self._store.access == "direct":
            return {}
        return {"iam.gke.io/gcp-service-account": service_account_email(self._store, name)}

    def spec(self, account: str, name: str) -> Manifest:
        return {"gcpsm": workload_identity(self._store, account)}
