"""The faults of one environment: how each happens, what it shows, how it is mended."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.faults_world import ESO, STORE, SYNCED, VALID, Condition, Place

RBAC = "rbac.authorization.k8s.io/v1"

NO_CLIENT = ("False", "InvalidProviderConfig", "unable to create client")
RETAINED = ("True", "SecretSynced", "secret retained due to DeletionPolicy=Retain")
NOT_READ = ("False", "SecretSyncedError", "could not get secret data from provider")
NOT_WRITTEN = ("False", "SecretSyncedError", "could not update secret")


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong in one environment.

    `store` and `external_secret` are the conditions that it shows (`per_key` where they differ in
    that layout), `event` are words of the operator's warning (with the {entry} and {key} hit).
    `keys` is how many keys the bundle has at least; a fault that `hits_one_bundle` leaves the
    others in work. `check` is what the doctor names, empty where nothing is wrong any more. The
    operator undoes by itself what `heals_itself`; a Secret survives every fault
    but the one whose `secret_dies`.
    """

    name: str
    check: str
    happen: Callable[[Place], object]
    mend: Callable[[Place], object]
    store: Condition | None = VALID
    external_secret: Condition | None = SYNCED
    event: str = ""
    per_key: tuple[Condition, str] | None = None
    keys: int = 1
    hits_one_bundle: bool = False
    heals_itself: bool = False
    secret_dies: bool = False

    def shown(self, layout: str) -> tuple[Condition | None, str]:
        """The ExternalSecret's condition in a layout, and the words of the warning."""
        different = self.per_key if layout == "per-key" else None
        return different or (self.external_secret, self.event)

    def checked(self, layout: str) -> str:
        """The check by which the doctor names it in a layout."""
        is_told_of_a_key = layout == "per-key" and self.check == "entry-emptied"
        return "key-missing" if is_told_of_a_key else self.check


def give_wrong_role(place: Place) -> None:
    auth = {"kubernetes": {"role": "no-such-role"}}
    change = {"spec": {"provider": {"vault": {"auth": auth}}}}
    place.cluster.api.patch(ESO, "SecretStore", STORE, place.namespace, change)


def withdraw_right(place: Place) -> None:
    role = place.settings.identity_name("vault", "read")
    place.stores.bao.request("DELETE", f"sys/policies/acl/{role}")


def remove_entry(place: Place) -> None:
    place.stores.remove(place.settings, place.bundle)


def remove_key(place: Place) -> None:
    place.write_entry(without=place.key)


def empty_key(place: Place) -> None:
    place.stores.put(place.settings, {place.key: ""})


def empty_entry(place: Place) -> None:
    place.write_entry(without=None)


def put_back(place: Place) -> None:
    place.stores.put(place.settings, place.values)


def delete_secret(place: Place) -> None:
    place.cluster.api.delete("v1", "Secret", place.secret, place.namespace)


def edit_secret(place: Place) -> None:
    data = {place.key: "ZWRpdGVk", "added-by-hand": "ZWRpdGVk"}
    place.cluster.api.patch("v1", "Secret", place.secret, place.namespace, {"data": data})


def delete_external_secret(place: Place) -> None:
    place.delete(ESO, "ExternalSecret", place.secret)


def delete_store(place: Place) -> None:
    place.delete(ESO, "SecretStore", STORE)


def delete_account(place: Place) -> None:
    place.delete("v1", "ServiceAccount", STORE)


def delete_token_role(place: Place) -> None:
    place.delete(RBAC, "Role", f"{STORE}-token")


def do_nothing(place: Place) -> None:
    """The operator mends it."""


FAULTS = [
    Fault(
        "wrong Vault role",
        "store-role",
        give_wrong_role,
        Place.apply,
        NO_CLIENT,
        NOT_READ,
        "no-such-role",
    ),
    Fault(
        "Vault right withdrawn",
        "store-rights",
        withdraw_right,
        Place.fill_store,
        VALID,
        NOT_READ,
        "permission denied",
    ),
    Fault(
        "entry missing",
        "entry-missing",
        remove_entry,
        put_back,
        VALID,
        NOT_READ,
        "Secret does not exist",
        hits_one_bundle=True,
    ),
    Fault(
        "key missing",
        "key-missing",
        remove_key,
        put_back,
        VALID,
        NOT_WRITTEN,
        "{entry} has no {key}",
        per_key=(NOT_READ, "cannot find secret data for key"),
        keys=2,
        hits_one_bundle=True,
    ),
    Fault(
        "key empty",
        "key-missing",
        empty_key,
        put_back,
        VALID,
        NOT_WRITTEN,
        "{entry} has no {key}",
        per_key=(NOT_WRITTEN, "{entry} is empty"),
        hits_one_bundle=True,
    ),
    Fault(
        "entry emptied",
        "entry-emptied",
        empty_entry,
        put_back,
        VALID,
        RETAINED,
        per_key=(NOT_READ, "cannot find secret data for key"),
        hits_one_bundle=True,
    ),
    Fault("Secret deleted", "", delete_secret, do_nothing, heals_itself=True),
    Fault("Secret edited", "", edit_secret, do_nothing, heals_itself=True),
    Fault(
        "SecretStore deleted",
        "store-missing",
        delete_store,
        Place.apply,
        None,
        NOT_READ,
        "not found",
    ),
    Fault(
        "ServiceAccount deleted",
        "account-missing",
        delete_account,
        Place.apply,
        NO_CLIENT,
        NOT_READ,
        'ServiceAccount "vault-store" not found',
    ),
    Fault(
        "token Role deleted",
        "token-right-missing",
        delete_token_role,
        Place.apply,
        NO_CLIENT,
        NOT_READ,
        'cannot find secrets bound to service account: "vault-store"',
    ),
    # The last, since its check waits for the garbage collector.
    Fault(
        "ExternalSecret deleted",
        "external-secret-missing",
        delete_external_secret,
        Place.apply,
        VALID,
        None,
        secret_dies=True,
    ),
]
