"""Every object of an environment, in apply order: the architecture on one page."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from platform_secrets.manifests import eso, gitops, naming, vault_server
from platform_secrets.manifests.access import reader_manifests, service_manifests
from platform_secrets.manifests.admission.objects import namespace_bounds
from platform_secrets.manifests.basic_secret import kustomization
from platform_secrets.manifests.chart import ChartRelease
from platform_secrets.manifests.database import database_manifests
from platform_secrets.manifests.deletion import deletion_manifests
from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.manifests.migration import record_manifest
from platform_secrets.manifests.monitoring.objects import monitoring_manifests
from platform_secrets.manifests.namespace import namespace_manifests
from platform_secrets.manifests.naming import Manifest
from platform_secrets.manifests.network import operator_policies, rotation_policy, vault_policies
from platform_secrets.manifests.rotation.admission import admission_manifests
from platform_secrets.manifests.rotation.cron_jobs import (
    generator_manifests,
    memory_config_map,
    rotation_manifests,
)
from platform_secrets.manifests.rotation.names import operator_keys
from platform_secrets.manifests.secret_store import store_manifests
from platform_secrets.manifests.seeding import seeding_manifests
from platform_secrets.settings import Settings

OPERATOR = "1-operator"
VAULT = "1-vault"
ACCESS = "2-access"
STORES = "3-stores"
EXTERNAL_SECRETS = "4-external-secrets"
ROTATION = "5-rotation"
MONITORING = "6-monitoring"
BASIC_SECRETS = "basic-secrets"


@dataclass(frozen=True)
class Wave:
    """Objects that may be applied together, once the waves before are there."""

    name: str
    objects: list[Manifest]
    folders: list[str] = field(default_factory=list)
    """Rendered folders that belong to it, as seen from its own."""


def waves(settings: Settings, rotator: Mapping[str, str]) -> list[Wave]:
    """The Kubernetes half of an environment; waves without objects are left out.

    `rotator` is the source of what rotates, by file name.
    """
    env = settings.environment
    operator: list[Manifest] = []
    if env.operator == "install":
        operator = [eso.operator_namespace(settings), *eso.operator_bounds(settings)]
        operator += operator_policies(settings)
    vault: list[Manifest] = []
    if env.vault_server:
        vault = vault_server.server_manifests(settings, env.vault_server)
        vault += vault_policies(settings, env.vault_server)
    access: list[Manifest] = []
    stores: list[Manifest] = []
    external_secrets: list[Manifest] = []
    # An operator of one namespace has its Roles there.
    namespaces = access if env.operator_scope == "cluster" else operator
    for view in settings.by_namespace:
        namespaces += namespace_manifests(view)
        access += reader_manifests(view)
        for name, service in view.services.items():
            access += service_manifests(view, name, service)
        access += seeding_manifests(view) + namespace_bounds(settings, view)
        for store in env.stores:
            for identity in view.identities(store):
                stores += store_manifests(view, store, identity)
        for bundle in view.bundles if env.secrets == "external" else ():
            stores += database_manifests(view, bundle)
            external_secrets += external_secret_manifests(view, bundle)
            if bundle in env.migrating:
                external_secrets.insert(0, record_manifest(view, bundle))
    rotation = _rotation(settings, rotator) if settings.has_rotation else []
    # After all that it guards: who deletes a tree deletes in this order.
    (rotation or external_secrets).extend(deletion_manifests(settings))
    found = [
        Wave(OPERATOR, operator),
        Wave(VAULT, vault),
        Wave(ACCESS, access),
        Wave(STORES, stores),
        Wave(EXTERNAL_SECRETS, external_secrets),
        Wave(ROTATION, rotation),
        Wave(MONITORING, monitoring_manifests(settings)),
    ]
    return [wave for wave in found if wave.objects]


def charts(settings: Settings) -> dict[str, ChartRelease]:
    """The Helm charts, each by the wave after which it is installed."""
    env = settings.environment
    found: dict[str, ChartRelease] = {}
    if env.operator == "install":
        found[OPERATOR] = eso.operator_release(settings)
    if env.vault_server:
        found[VAULT] = vault_server.server_release(env.vault_server)
    return found


def _rotation(settings: Settings, rotator: Mapping[str, str]) -> list[Manifest]:
    """Its bounds first, then what acts."""
    found = [*admission_manifests(settings), memory_config_map(settings)]
    for key in operator_keys(settings):
        found += generator_manifests(settings, key)
    return [*found, rotation_policy(settings), *rotation_manifests(settings, rotator)]


def kustomizations(settings: Settings, names: list[str]) -> list[Wave]:
    """What stands beside the waves of these names in a rendered tree: basic Secrets, and the
    entry points for GitOps."""
    env = settings.environment
    found = []
    if env.secrets == "basic":
        found.append(Wave(BASIC_SECRETS, [kustomization(settings)]))
    if env.gitops:
        releases = charts(settings)
        argocd = gitops.argocd_manifests(settings, env.gitops, names, releases)
        flux = gitops.flux_manifests(settings, env.gitops, names, releases)
        for tool, root, objects in (
            (gitops.ARGOCD, gitops.argocd_root(settings, env.gitops, names), argocd),
            (gitops.FLUX, gitops.flux_root(settings, env.gitops), flux),
        ):
            folders = gitops.entry_folders(env.gitops, tool)
            found += [Wave(tool, [root], folders), Wave(f"{tool}/{gitops.WAVES}", objects)]
        for wave, release in releases.items():
            folder = f"{gitops.FLUX}/{naming.wave_part(wave)}"
            found.append(Wave(folder, gitops.flux_release_manifests(settings, release)))
    return found
