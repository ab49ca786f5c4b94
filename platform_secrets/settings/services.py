"""Who reads: workloads of any kind, the account they run as, and the bundles that they read."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from platform_secrets.settings.model import SUBDOMAIN, Model, ServiceName, text_of

RESTARTABLE_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Rollout")
"""The kinds that a rotation restarts."""
JOB_KINDS = ("CronJob", "Job")
"""The kinds whose next run reads what is in the Secret by then."""
_KINDS_WITH_PODS = (*RESTARTABLE_KINDS, *JOB_KINDS)
# Between `Statefulset` and `FlinkDeployment`, a kind of its own.
_SLIP = 0.82


def _kind_without_slip(workload: str) -> str:
    kind = workload.partition("/")[0]
    if kind in _KINDS_WITH_PODS:
        return workload
    if close := get_close_matches(kind, _KINDS_WITH_PODS, 1, _SLIP):
        raise ValueError(f"no such kind (did you mean {close[0]}?)")
    return workload


Workload = Annotated[
    str,
    text_of(
        rf"[A-Z][A-Za-z0-9]*/{SUBDOMAIN}",
        "a kind, a slash and a name, such as Deployment/web",
        253,
    ),
    AfterValidator(_kind_without_slip),
]
OwnAccount = Annotated[
    str,
    text_of(
        rf"(?!default$){SUBDOMAIN}",
        "a Kubernetes name, and not default: that is the account of every pod that names none",
        253,
    ),
]


class Service(Model):
    """One or more workloads, and the bundles that they read."""

    workload: Workload | None = None
    """Its kind and name, such as Deployment/web. Deployments, StatefulSets, DaemonSets and Rollouts
    are restarted by a rotation; any other kind is only named in its report."""
    workloads: Annotated[list[Workload], Field(min_length=1)] | None = None
    """The same of several, which run as one ServiceAccount."""
    reads: list[ServiceName]
    """The bundles that it reads."""
    service_account: Literal["create", "existing", "none"] | None = None
    """Whether this program creates its ServiceAccount. `none`: it needs no right on Secrets, since
    the kubelet or an operator reads them for it. Unless it is set: `create` for workloads with pods
    of their own, `none` for other kinds."""
    service_account_name: OwnAccount | None = None
    """The first workload's name unless it is set. Services that set the same name share it."""
    _left_out: list[str] = PrivateAttr(default_factory=list)

    @model_validator(mode="after")
    def _has_workloads_and_their_account(self) -> "Service":
        if (self.workload is None) == (self.workloads is None):
            raise ValueError("needs workload, or workloads where there are several, and not both")
        if self.service_account_name and self._account_is == "none":
            message = "service-account-name needs `service-account: create` or `existing`"
            raise ValueError(f"{message}: without it a {self._first_kind} has no account")
        return self

    def without(self, bundles: Collection[str]) -> "Service":
        """The same, which does not read these bundles."""
        found = self.model_copy(update={"reads": [one for one in self.reads if one not in bundles]})
        found._left_out = [one for one in self.reads if one in bundles]
        return found

    @property
    def beside(self) -> list[str]:
        """The bundles in whose namespace it is: those that it reads, then those left out."""
        return [*self.reads, *self._left_out]

    @property
    def all_workloads(self) -> list[str]:
        return self.workloads or [str(self.workload)]

    @property
    def account(self) -> str | None:
        """The name of the ServiceAccount under which it runs; None where it has no right."""
        if self._account_is == "none":
            return None
        return self.service_account_name or self.all_workloads[0].partition("/")[2]

    @property
    def creates_account(self) -> bool:
        return self._account_is == "create"

    @property
    def _account_is(self) -> str:
        default = "create" if self._first_kind in _KINDS_WITH_PODS else "none"
        return self.service_account or default

    @property
    def _first_kind(self) -> str:
        return self.all_workloads[0].partition("/")[0]
