"""What does not go together in an environment of several namespaces."""

from collections.abc import Iterator

from platform_secrets.settings.problems import did_you_mean, listed
from platform_secrets.settings.references import Fault
from platform_secrets.settings.resolved import Settings


def namespace_faults(settings: Settings) -> Iterator[Fault]:
    if not settings.environment.namespaces:
        return
    yield from _place_faults(settings)
    yield from _reader_faults(settings)


def _place_faults(settings: Settings) -> Iterator[Fault]:
    env, bundles = settings.environment, settings.catalogue.bundles
    taken = {
        settings.own_namespace: "the environment's own",
        env.operator_namespace: "the operator's",
    }
    if env.vault_server:
        taken[env.vault_server.namespace] = "the Vault servers'"
    found: dict[str, str] = {}
    for namespace, content in env.namespaces.items():
        if namespace in taken:
            yield ("namespaces", namespace), f"is {taken[namespace]}; here stand others"
        if namespace.startswith("kube-") and content.namespace == "create":
            message = "is Kubernetes' own, and there already: `namespace: existing`"
            yield ("namespaces", namespace), message
        for place, bundle in enumerate(content.bundles):
            path = ("namespaces", namespace, "bundles", place)
            if bundle not in bundles and bundle not in env.without.bundles:
                hint = did_you_mean(bundle, bundles)
                yield path, f"no such bundle in the catalogue{hint}; it has: {listed(bundles)}"
            elif bundle in found:
                yield path, f"{bundle} is in {found[bundle]} already; a bundle is in one namespace"
            found.setdefault(bundle, namespace)


def _reader_faults(settings: Settings) -> Iterator[Fault]:
    for name, service in settings.catalogue.services.items():
        of = {bundle: settings.namespace_of(bundle) for bundle in service.reads}
        if len({*of.values()}) > 1:
            places = ", ".join(f"{bundle} in {namespace}" for bundle, namespace in of.items())
            message = f"service {name} reads {places}; a pod reads Secrets of its own namespace"
            right = "give it one bundle there, whose keys may have others' values (`same-as`)"
            yield ("namespaces",), f"{message}: {right}"
