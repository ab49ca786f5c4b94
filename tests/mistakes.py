"""Sixty mistakes that people make in the two files: a store, a place in it, what stands there.

The program refuses every one; `tests/test_schema.py` counts what a schema finds while one types.
"""

from typing import Any

from tests.settings_files import REMOVED

KEY = "bundles.shared.keys.token"
IN_CATALOGUE: list[tuple[str, Any]] = [
    ("platform", "Shop"),
    ("platform", REMOVED),
    ("platform", "a-platform-with-a-name-far-too-long"),
    ("bundle", {}),
    ("bundles", {}),
    ("bundles.shared.secret", "shop_secrets"),
    ("bundles.shared.secret", "rotation-x"),
    ("bundles.shared.keys.TOKEN-next", {"description": "x"}),
    ("bundles.shared.keys.lock", {"description": "x"}),
    (f"{KEY}.description", REMOVED),
    (f"{KEY}.format", "json"),
    (f"{KEY}.pattern", "(unclosed"),
    (f"{KEY}.min-length", 0),
    (f"{KEY}.min-length", "16"),
    (f"{KEY}.rotate", True),
    (f"{KEY}.rotate.by", "magic"),
    (f"{KEY}.rotate.every", "P90D"),
    (f"{KEY}.rotate.every", "90 days"),
    (f"{KEY}.rotate.every", "1m"),
    (f"{KEY}.rotate.overlap", "91d"),
    (f"{KEY}.format", "postgres-url"),
    (f"{KEY}.owners", "backend"),
    ("bundles.mail.keys.smtp-password.rotate.every", "365d"),
    ("services.web.workload", "web"),
    ("services.web.workload", "cronjob/web"),
    ("services.web.reads", "shared"),
    ("services.web.reads", ["shraed"]),
    ("services.web.service-account-name", "default"),
]
IN_STACK: list[tuple[str, str, Any]] = [
    ("vault", "stores.vault.sever", "https://vault.example.com"),
    ("vault", "stores.vault.server", "http://vault.example.com"),
    ("vault", "stores.vault.server", REMOVED),
    ("vault", "stores.vault.path", "secret"),
    ("vault", "stores.vault.mount", "/secret/"),
    ("vault", "stores.vault.provider", "hashicorp"),
    ("vault", "stores.vault.shared", "own"),
    ("vault", "stores.vault.ca-certificate", "/etc/ssl/ca.crt"),
    ("aws", "stores.aws.region", "Frankfurt"),
    ("aws", "stores.aws.account-id", 123456789012),
    ("aws", "stores.aws.backend", "declare"),
    ("gcp", "stores.gcp.project", "Shop"),
    ("gcp", "stores.gcp.entry-pattern", "{name}"),
    ("azure", "stores.azure.vault-name", "ab"),
    ("azure", "stores.azure.layout", "bundle"),
    ("azure", "stores.azure.tenant-id", "shop.onmicrosoft.com"),
    ("vault", "environment", "Production"),
    ("vault", "operator", REMOVED),
    ("vault", "stores", {}),
    ("vault", "default-store", "vaullt"),
    ("vault", "secrets", "basic"),
    ("vault", "delivery", "argocd"),
    ("vault", "refresh-interval", "1s"),
    ("vault", "refresh-interval", 3600),
    ("vault", "protect", "true"),
    ("vault", "readers.groups", ["system:authenticated"]),
    ("vault", "rotator.schedule", "99 77 * * *"),
    ("vault", "rotator.time-zone", "Berlin time"),
    ("vault", "rotator.image", "python"),
    ("vault", "rotator.freezes", [{"from": "20.12.2026", "until": "2027-01-02", "reason": "x"}]),
    ("vault", "network.api-server.ports", [70000]),
    ("vault", "network.dns", {"cidrs": ["10.0.0.10"]}),
]
