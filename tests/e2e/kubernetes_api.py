"""A small client of the Kubernetes API: objects are plain dicts in Kubernetes' own spelling."""

import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx

Manifest = dict[str, Any]


class KubernetesApiError(RuntimeError):
    """The API server refused a request; `status` is the HTTP status."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class KubernetesApi:
    """The API server as the bearer of one token sees it, or `user`, as whom an administrator asks.

    Every method may raise KubernetesApiError.
    """

    def __init__(self, url: str, ca_file: Path, token: str, *, user: str = "") -> None:
        other = {"Impersonate-User": user, "Impersonate-Group": "system:masters"} if user else {}
        self._http = httpx.Client(
            base_url=url,
            verify=ssl.create_default_context(cafile=str(ca_file)),
            headers={"Authorization": f"Bearer {token}", **other},
            timeout=30,
            trust_env=False,
        )
        self._resources: dict[tuple[str, str], Manifest] = {}

    def is_ready(self) -> bool:
        return self._http.get("/readyz").status_code == httpx.codes.OK

    def apply(
        self,
        manifest: Manifest,
        *,
        manager: str = "e2e",
        only_try: bool = False,
        force: bool = True,
    ) -> Manifest:
        """The object after a server-side apply; unknown and doubled fields are refused, and without
        `force` also fields that another manager has changed.

        With `only_try` the API server does everything but store the result.
        """
        metadata = manifest["metadata"]
        return self.request(
            "PATCH",
            self._path_of(manifest, metadata["name"], metadata.get("namespace")),
            manifest,
            content_type="application/apply-patch+yaml",
            params={
                "fieldManager": manager,
                "force": str(force).lower(),
                "fieldValidation": "Strict",
            }
            | ({"dryRun": "All"} if only_try else {}),
        )

    def create(self, manifest: Manifest) -> Manifest:
        """The created object."""
        path = self._path_of(manifest, None, manifest["metadata"].get("namespace"))
        return self.request("POST", path, manifest, params={"fieldValidation": "Strict"})

    def get(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Manifest | None:
        """The object, None when there is none of that name."""
        try:
            return self.read(api_version, kind, name, namespace)
        except KubernetesApiError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def read(
        self, api_version: str, kind: str, name: str, namespace: str | None = None
    ) -> Manifest:
        """The object. Raises KubernetesApiError where there is none of that name."""
        return self.request("GET", self.path(api_version, kind, name, namespace))

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, *, selector: str = ""
    ) -> list[Manifest]:
        """All objects of a kind, in one namespace or in all."""
        path = self.path(api_version, kind, None, namespace)
        return self.request("GET", path, params={"labelSelector": selector})["items"]

    def changes(
        self, api_version: str, kind: str, *, seconds: float = 5
    ) -> Iterator[tuple[str, Manifest]]:
        """(`ADDED`, `MODIFIED` or `DELETED`, object) of all namespaces, as it happens and for so
        many seconds; all that is there comes first, as LISTED, and an empty LISTED ends that."""
        path = self.path(api_version, kind, None, None)
        found = self.request("GET", path)
        for obj in found["items"]:
            yield "LISTED", obj
        yield "LISTED", {}
        params = {"watch": "1", "timeoutSeconds": str(int(seconds))}
        params["resourceVersion"] = found["metadata"]["resourceVersion"]
        with self._http.stream("GET", path, params=params) as answer:
            for line in answer.iter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":  # what happened before is forgotten, as a rule
                    said = event["object"]
                    raise KubernetesApiError(said["code"], said["reason"], said["message"])
                yield event["type"], event["object"]

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        change: Manifest,
        *,
        subresource: str = "",
    ) -> Manifest:
        """The object after a JSON merge patch."""
        path = self.path(api_version, kind, name, namespace) + (subresource and f"/{subresource}")
        return self.request("PATCH", path, change, content_type="application/merge-patch+json")

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
    ) -> None:
        """Asks for the deletion; it is not waited for, and an absent object is no error."""
        try:
            path = self.path(api_version, kind, name, namespace)
            self.request("DELETE", path, {"propagationPolicy": propagation})
        except KubernetesApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise

    def path(self, api_version: str, kind: str, name: str | None, namespace: str | None) -> str:
        """The URL path of an object, or of its collection when `name` is None.

        Raises LookupError for a kind that the API server does not serve.
        """
        resource = self._resource(api_version, kind)
        within = f"/namespaces/{namespace}" if namespace and resource["namespaced"] else ""
        collection = f"{_root(api_version)}{within}/{resource['name']}"
        return f"{collection}/{name}" if name else collection

    def served(self) -> Iterator[Manifest]:
        """Every API group with its versions and all that they serve, in two answers."""
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        for root in ("/api", "/apis"):
            yield from self.request("GET", root, accept=accept)["items"]

    def request(
        self,
        method: str,
        path: str,
        body: Manifest | None = None,
        *,
        content_type: str = "application/json",
        accept: str = "*/*",
        params: dict[str, str] | None = None,
    ) -> Manifest:
        """The answer to a raw request; one that is to come again later comes again for a while."""
        # What is applied is YAML to the API server, which takes no pair of escapes for a character.
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": content_type, "Accept": accept}

        def answered() -> httpx.Response:
            return self._http.request(method, path, params=params, content=content, headers=headers)

        answer, left = answered(), 300
        while answer.status_code == httpx.codes.TOO_MANY_REQUESTS and (left := left - 1):
            # Shorter than the asked second: a new CRD's first list is refused for some tenths.
            time.sleep(0.1)
            answer = answered()
        if answer.is_success:
            return cast(Manifest, answer.json())
        try:
            status = answer.json()
        except ValueError:
            status = {"message": answer.text}
        raise KubernetesApiError(
            answer.status_code, status.get("reason", ""), status.get("message", "")
        )

    def _path_of(self, manifest: Manifest, name: str | None, namespace: str | None) -> str:
        return self.path(manifest["apiVersion"], manifest["kind"], name, namespace)

    def _resource(self, api_version: str, kind: str) -> Manifest:
        if (api_version, kind) not in self._resources:
            try:
                served = self.request("GET", _root(api_version))["resources"]
            except KubernetesApiError as error:
                if error.status != httpx.codes.NOT_FOUND:
                    raise
                served = []
            for resource in served:
                if "/" not in resource["name"]:
                    self._resources[api_version, resource["kind"]] = resource
        if (api_version, kind) not in self._resources:
            raise LookupError(f"the API server does not serve {api_version} {kind}")
        return self._resources[api_version, kind]


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
