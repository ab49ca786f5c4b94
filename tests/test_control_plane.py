"""Files for the API server."""

import pytest

from platform_secrets.manifests.control_plane import control_plane_files
from platform_secrets.settings import SettingsError

IDENTITY = {"provider": "identity"}


def test_there_is_no_file_unless_it_is_asked_for(settings_with):
    assert control_plane_files(settings_with()) == {}


def test_no_rule_of_the_audit_policy_has_a_body(settings_with):
    files = control_plane_files(settings_with(control_plane={"audit": True}))
    assert {rule["level"] for rule in files["audit-policy.yaml"]["rules"]} == {"Metadata"}


def test_providers_come_in_their_order_and_keys_are_names_alone(settings_with):
    keys = [{"provider": "secretbox", "name": name} for name in ("new", "old")]
    kms = {"provider": "kms", "name": "vault", "socket": "/run/kms/vault.sock"}
    files = control_plane_files(settings_with(control_plane={"encryption": [*keys, kms, IDENTITY]}))
    [of_secrets] = files["encryption.yaml"]["resources"]
    assert of_secrets == {
        "resources": ["secrets"],
        "providers": [
            {
                "secretbox": {
                    "keys": [
                        {"name": "new", "secret": "@new@"},
                        {"name": "old", "secret": "@old@"},
                    ]
                }
            },
            {
                "kms": {
                    "apiVersion": "v2",
                    "name": "vault",
                    "endpoint": "unix:///run/kms/vault.sock",
                    "timeout": "3s",
                }
            },
            {"identity": {}},
        ],
    }


def test_a_provider_may_be_there_once(settings_with):
    with pytest.raises(SettingsError, match="each name, and identity, may be there once"):
        settings_with(control_plane={"encryption": [IDENTITY, IDENTITY]})


def test_a_key_has_no_place_in_the_stack_file(settings_with):
    key = {"provider": "secretbox", "name": "new", "secret": "c2VjcmV0"}
    with pytest.raises(SettingsError, match=r"secret: unknown key"):
        settings_with(control_plane={"encryption": [key]})
