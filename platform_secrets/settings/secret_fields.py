"""The fields of a basic Secret, made of its keys' values as the operator's template makes them."""

import base64
import json
from collections.abc import Mapping

from platform_secrets.settings.catalogue import Bundle
from platform_secrets.settings.key import Key
from platform_secrets.settings.secret_kinds import DOCKER_CONFIG_KEY
from platform_secrets.settings.texts import filled


def secret_field(bundle: Bundle, name: str, values: Mapping[str, str]) -> bytes:
    """What stands in the Secret under a name; `values` has the keys of which that is made."""
    decoded = {key: _decoded(bundle.keys[key], value) for key, value in values.items()}
    if name in bundle.texts:
        return filled(bundle.texts[name], decoded)
    if name == DOCKER_CONFIG_KEY and bundle.registries:
        return _docker_config(bundle, decoded).encode()
    return decoded[name]


def _decoded(key: Key, value: str) -> bytes:
    return base64.b64decode(value) if key.stored_as == "base64" else value.encode()


def _docker_config(bundle: Bundle, values: Mapping[str, bytes]) -> str:
    auths = {}
    for host, login in bundle.registries.items():
        user = values[login.username].decode() if login.username else login.username_text
        password = values[login.password].decode()
        auth = base64.b64encode(f"{user}:{password}".encode()).decode()
        auths[host] = {"username": user, "password": password, "auth": auth}
    return json.dumps({"auths": auths}, ensure_ascii=False, separators=(",", ":"))
