"""GCP Secret Manager: a token of the identity's ServiceAccount, exchanged by Workload Identity."""

from manifests.naming import Manifest
from settings import GcpStore, Identity


def service_account_email(store: GcpStore, account_id: str) -> str:
    """The address of one of this environment's Google service accounts."""
    return f"{account_id}@{store.project}.iam.gserviceaccount.com"


def account_annotations(store: GcpStore, identity: Identity, account_id: str) -> dict[str, str]:
    """The Google service account that the operator impersonates with this account's token; without
    it Google takes the account for itself."""
    if store.access == "direct":
        return {}
    return {"iam.gke.io/gcp-service-account": service_account_email(store, account_id)}


def provider_spec(store: GcpStore, account: str, account_id: str) -> Manifest:
    """The `provider` of a SecretStore that acts as `account`."""
    return {
        "gcpsm": {
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
    }
