"""A snapshot of an environment in which all is well, as real parts show it, to be broken."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

from platform_secrets.describing.secret_contents import held_secrets
from platform_secrets.diagnosing.case import Case
from platform_secrets.diagnosing.diagnosis import Diagnosis, diagnosis
from platform_secrets.diagnosing.snapshot import Snapshot, snapshot_of
from platform_secrets.manifests.layer import waves
from platform_secrets.manifests.rotation import names
from platform_secrets.rotator.proof import synced_resource_version
from platform_secrets.settings import catalogue_document, load, stack_document
from tests.platform import CATALOGUE_FILE, STACK_FILES

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
OPERATORS = "external-secrets-system"
OPERATOR = ("Deployment", OPERATORS, "external-secrets")
LEASE = ("Lease", OPERATORS, "external-secrets-controller")
HOOK = ("ValidatingWebhookConfiguration", "", "externalsecret-validate")
SECRET, STORE, ENTRY = "wren-secrets", "vault-store", "wren/production"
READER = "wren-backend-api"
EXTRACT = "error processing spec.dataFrom[0].extract, err: "
_GROUP = "external-secrets.io"
_LABELS = {"app.kubernetes.io/name": "external-secrets"}


def production(catalogue=None):
    """The settings of the tests' own platform in production."""
    found = catalogue or catalogue_document(CATALOGUE_FILE)
    [settings] = load([stack_document(STACK_FILES["production"])], found)
    return settings


def ago(**span):
    """A moment so long before the snapshot, in Kubernetes' spelling."""
    return (NOW - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def container(environment):
    return environment.get("Deployment", READER)["spec"]["template"]["spec"]["containers"][0]


class Environment:
    """The objects of one environment, by kind, namespace and name; each may be changed."""

    def __init__(self, settings, *, is_running=True):
        self.settings = settings
        self.namespace = settings.own_namespace
        self.unread = {}
        self.log = ()
        self.refusal = ""
        self.callers_clock_seconds = 0
        self.objects = {}
        for wave in waves(settings, {"rotator.py": ""}):
            for one in wave.objects:
                self.add(deepcopy(one))
        for view in settings.by_namespace:
            self.add({"kind": "Namespace", "metadata": {"name": view.namespace}})
        self.add({"kind": "Namespace", "metadata": {"name": OPERATORS}})
        self._run_operator()
        for one in self.of("SecretStore"):
            said = {"reason": "Valid", "message": "store validated"}
            one["status"] = {"conditions": [{"type": "Ready", "status": "True", **said}]}
        for one in self.of("ExternalSecret"):
            self.sync(one)
        self._make_secrets()
        if is_running:
            self._deploy()
        if settings.has_rotation:
            memory = self[("ConfigMap", self.namespace, names.MEMORY)]
            memory["data"] = {"run": f'{{"started": "{ago(hours=3)}", "done": true}}'}

    def __getitem__(self, place):
        return self.objects[place]

    def get(self, kind, name, namespace=None):
        return self.objects[kind, self.namespace if namespace is None else namespace, name]

    def of(self, kind):
        return [one for place, one in self.objects.items() if place[0] == kind]

    def add(self, manifest):
        metadata = manifest["metadata"]
        metadata.setdefault("creationTimestamp", ago(days=2))
        metadata.setdefault("generation", 1)
        metadata.setdefault("uid", f"uid-{len(self.objects)}")
        place = (manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        self.objects[place] = manifest
        return manifest

    def drop(self, kind, name, namespace=None):
        del self.objects[kind, self.namespace if namespace is None else namespace, name]

    def sync(self, external_secret, *, at=None):
        """As the operator leaves it."""
        said = {"reason": "SecretSynced", "message": "secret synced"}
        external_secret["status"] = {
            "conditions": [{"type": "Ready", "status": "True", **said}],
            "refreshTime": at or ago(minutes=20),
            "syncedResourceVersion": synced_resource_version(external_secret),
        }

    def fail(self, kind, name, message="", *, said=""):
        """Makes an object fail, with the operator's event."""
        one = self.get(kind, name)
        reason = "SecretSyncedError" if kind == "ExternalSecret" else "InvalidProviderConfig"
        text = said or "could not get secret data from provider"
        condition = {"type": "Ready", "status": "False", "reason": reason, "message": text}
        one.setdefault("status", {})["conditions"] = [condition]
        if message:
            self.warn(kind, name, message)

    def warn(self, kind, name, message, *, when=None):
        when = when or ago(minutes=1)
        metadata = {"name": f"{name}.{len(self.objects)}", "namespace": self.namespace}
        metadata["creationTimestamp"] = when
        about = {"kind": kind, "namespace": self.namespace, "name": name}
        event = {"type": "Warning", "message": message, "lastTimestamp": when, "count": 1}
        event["source"] = {"component": "external-secrets"}
        self.add({"kind": "Event", "metadata": metadata, "involvedObject": about, **event})

    def snapshot(self) -> Snapshot:
        ahead = self.callers_clock_seconds
        found = deepcopy([*self.objects.values()])
        return snapshot_of(found, NOW, self.unread, callers_clock_seconds=ahead)

    def diagnosed(self) -> Diagnosis:
        return diagnosis(Case(self.settings, self.snapshot(), self.log, self.refusal))

    def add_pod(self, owner, name, *, started, **status):
        """A pod that a workload or its ReplicaSet made."""
        metadata = {"name": name, "namespace": owner["metadata"]["namespace"]}
        parent = {"kind": owner["kind"], "name": owner["metadata"]["name"]}
        status = {"phase": "Running", "startTime": started, **status}
        metadata["ownerReferences"] = [parent]
        return self.add({"kind": "Pod", "metadata": metadata, "spec": {}, "status": status})

    def _run_operator(self):
        env = self.settings.environment
        container = {"name": "external-secrets", "args": ["--enable-leader-election=true"]}
        pod = {"serviceAccountName": env.operator_service_account, "containers": [container]}
        template = {"metadata": {"labels": _LABELS}, "spec": pod}
        self.add(
            {
                "kind": "Deployment",
                "metadata": {"name": "external-secrets", "namespace": OPERATORS},
                "spec": {"replicas": 2, "template": template},
                "status": {"availableReplicas": 2},
            }
        )
        lease = {"name": LEASE[2], "namespace": OPERATORS}
        self.add({"kind": "Lease", "metadata": lease, "spec": {"renewTime": ago(seconds=3)}})
        for name, version in (
            ("externalsecrets", "v1"),
            ("secretstores", "v1"),
            ("pushsecrets", "v1alpha1"),
        ):
            spec = {
                "group": _GROUP,
                "versions": [{"name": version, "served": True, "storage": True}],
            }
            established = {"type": "Established", "status": "True"}
            status = {"storedVersions": [version], "conditions": [established]}
            kind = {"kind": "CustomResourceDefinition", "metadata": {"name": f"{name}.{_GROUP}"}}
            self.add({**kind, "spec": spec, "status": status})
        service = {"name": "external-secrets-webhook", "namespace": OPERATORS}
        self.add({"kind": "Service", "metadata": {**service}, "spec": {}})
        label = {"kubernetes.io/service-name": service["name"]}
        ready = {"addresses": ["10.0.0.7"], "conditions": {"ready": True}}
        metadata = {"name": "webhook-1", "namespace": OPERATORS, "labels": label}
        self.add({"kind": "EndpointSlice", "metadata": metadata, "endpoints": [ready]})
        client = {"service": service, "caBundle": "b3BhcXVl"}
        name = "validate.externalsecret.external-secrets.io"
        hook = {"name": name, "clientConfig": client}
        self.add({"kind": HOOK[0], "metadata": {"name": HOOK[2]}, "webhooks": [hook]})

    def _make_secrets(self):
        for address, held in held_secrets(self.settings).items():
            namespace, _, name = address.partition("/")
            manager = f"externalsecrets.external-secrets.io/{name}"
            written = [{"manager": manager, "time": ago(days=2)}]
            metadata = {"name": name, "namespace": namespace, "managedFields": written}
            data = dict.fromkeys(held.fields, "")
            self.add({"kind": "Secret", "type": held.type, "metadata": metadata, "data": data})

    def _deploy(self):
        for view in self.settings.by_namespace:
            for service in view.services.values():
                for workload in service.all_workloads:
                    kind, _, name = workload.partition("/")
                    secrets = [view.catalogue.bundles[one].secret for one in service.reads]
                    sources = [{"secretRef": {"name": one}} for one in secrets]
                    pod = {"containers": [{"name": "app", "envFrom": sources}]}
                    spec = {"replicas": 1, "template": {"metadata": {}, "spec": pod}}
                    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
                    metadata = {"name": name, "namespace": view.namespace}
                    made = self.add({"kind": kind, "metadata": metadata, "spec": spec})
                    made["status"] = {"observedGeneration": 1, **counts}
                    owner = {"kind": kind, "name": name}
                    metadata = {"name": f"{name}-1", "namespace": view.namespace}
                    between = self.add(
                        {
                            "kind": "ReplicaSet",
                            "metadata": {**metadata, "ownerReferences": [owner]},
                            "spec": {},
                        }
                    )
                    self.add_pod(between, f"{name}-1-a", started=ago(days=1))
