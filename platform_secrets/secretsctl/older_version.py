"""Which version of an entry has the value before, as the operator finds it: nobody sees a value."""

import base64

from platform_secrets.manifests import naming, new_value
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.new_value import Place
from platform_secrets.manifests.providers.table import provider_of
from platform_secrets.secretsctl import waiting
from platform_secrets.secretsctl.kubectl import ClusterError, Kubectl

_MOST = 10
"""So many versions does Vault keep by default."""
_KINDS = ("externalsecret", "secret", "vaultdynamicsecret")


def is_found(place: Place) -> bool:
    """Whether the operator can find the version before by itself."""
    provider = provider_of(place.settings.store_of(place.bundle))
    return provider.version_before is not None or bool(new_value.newest_version(place))


def version_before(place: Place, kubectl: Kubectl, asked: str | None) -> str:
    """The newest version with another value than the one in use, or the one that is asked for, if
    it has another. `kubectl` is in the namespace of the place. Raises ClusterError."""
    by_name = asked or provider_of(place.settings.store_of(place.bundle)).version_before
    name, tried = naming.older_version(place.secret), list[str]()
    try:
        for version in [by_name] if by_name else _older_versions(place, kubectl):
            _remove(place, kubectl)
            kubectl.apply(new_value.look(place, version))
            if waiting.looked_at(kubectl, "ExternalSecret", name):
                return version
            waiting.say(f"version {version}: no other value than the one in use")
            tried.append(version)
    finally:
        _remove(place, kubectl)
    versions = ", ".join(tried) or "there is none"
    message = f"no older version that can be read has another value ({versions})"
    events = f"`kubectl events --for externalsecret/{name}` says why"
    raise ClusterError(f"{place.value.entry.key}: {message}; {events}")


def _older_versions(place: Place, kubectl: Kubectl) -> list[str]:
    _remove(place, kubectl)
    manifests: list[Manifest] = new_value.newest_version(place)
    for manifest in manifests:
        kubectl.apply(manifest)
    name = naming.older_version(place.secret)
    waiting.synced(kubectl, name)
    text = kubectl.get_by("secret", name, "jsonpath={.data.version}")
    try:
        newest = int(base64.b64decode(text))
    except ValueError:
        message = "its newest version has no number: name one with --version"
        raise ClusterError(f"{place.value.entry.key}: {message}") from None
    return [str(number) for number in range(newest - 1, max(0, newest - 1 - _MOST), -1)]


def _remove(place: Place, kubectl: Kubectl) -> None:
    name = naming.older_version(place.secret)
    for kind in _KINDS if new_value.newest_version(place) else _KINDS[:2]:
        kubectl.delete(kind, [name])
