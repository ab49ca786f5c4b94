"""What an image's tag stands for now, asked at its registry as anybody may.

https://github.com/opencontainers/distribution-spec, and the tokens of
https://distribution.github.io/distribution/spec/auth/token
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message

from platform_secrets.rotator.trust import trust

_REQUEST_SECONDS = 30
# An index first: one digest for every platform.
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_DOCKER_HUB = ("docker.io", "registry-1.docker.io")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Answer = tuple[int, Message, bytes]  # status, headers, body


class RegistryError(Exception):
    """A registry does not say an image's digest; `str` says why."""


def pinned(image: str) -> str:
    """The image with its tag and the digest that this has now. Raises RegistryError."""
    name, _, _ = image.partition("@")
    host, _, path = name.partition("/")
    path, _, tag = path.partition(":")
    if not tag:
        raise RegistryError(f"{image}: has no tag whose digest could be asked for")
    if host == _DOCKER_HUB[0]:
        host = _DOCKER_HUB[1]
        path = path if "/" in path else f"library/{path}"
    url = f"https://{host}/v2/{path}/manifests/{tag}"
    headers = {"Accept": ", ".join(_KINDS)}
    status, said, _ = _asked(name, "HEAD", url, headers)
    if status == 401:
        headers["Authorization"] = f"Bearer {_token(name, said.get('WWW-Authenticate', ''))}"
        status, said, _ = _asked(name, "HEAD", url, headers)
    if status in (401, 403):
        raise _refused(name)
    if status != 200:
        why = "there is no such tag" if status == 404 else f"HTTP {status}"
        raise RegistryError(f"{name}: {host} answers: {why}")
    digest = said.get("Docker-Content-Digest", "")
    if not _DIGEST.fullmatch(digest):
        raise RegistryError(f"{name}: {host} says no sha256 digest")
    return f"{name}@{digest}"


def _token(name: str, challenge: str) -> str:
    """What a registry gives to anybody for one image."""
    scheme, _, rest = challenge.partition(" ")
    given = urllib.request.parse_keqv_list(urllib.request.parse_http_list(rest))
    realm = given.pop("realm", "")
    if scheme.lower() != "bearer" or not realm.startswith("https://"):
        raise _refused(name)
    asked = {field: given[field] for field in ("service", "scope") if field in given}
    status, _, body = _asked(name, "GET", f"{realm}?{urllib.parse.urlencode(asked)}", {})
    try:
        answer = json.loads(body) if status == 200 else {}
        return str(answer.get("token") or answer["access_token"])
    except (ValueError, KeyError, AttributeError):
        raise _refused(name) from None


def _refused(name: str) -> RegistryError:
    return RegistryError(
        f"{name}: does not exist, or its registry wants a login, which this command has not; "
        f"`crane digest {name}` uses Docker's: write {name}@DIGEST into the stack file"
    )


def _asked(name: str, method: str, url: str, headers: dict[str, str]) -> Answer:
    request = urllib.request.Request(url, None, headers, method=method)  # noqa: S310 - https alone
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=_REQUEST_SECONDS, context=trust()
        ) as answer:
            return answer.status, answer.headers, answer.read(1_000_000)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, b""
    except urllib.error.URLError as error:
        raise RegistryError(
            f"{name}: {urllib.parse.urlsplit(url).netloc}: {error.reason}"
        ) from None
    except OSError as error:
        raise RegistryError(f"{name}: {urllib.parse.urlsplit(url).netloc}: {error}") from None
