"""What `render` says of an object's size is what the API server does."""

import pytest

from platform_secrets.manifests.external_secret import external_secret_manifests
from platform_secrets.secretsctl.object_sizes import size_faults
from tests.e2e.cluster import Cluster
from tests.e2e.kubernetes_api import KubernetesApiError, Manifest
from tests.test_limits import VAULT, loaded

TOO_LARGE = (400, 413, 500)
FITTING, LARGER = 10_000, 10_800


def external_secret(keys: int) -> Manifest:
    """One of so many keys, in a namespace of every cluster's, where no operator looks."""
    [made] = external_secret_manifests(loaded(VAULT, 1, keys), "bundle-0")
    metadata = {"name": "of-many-keys", "namespace": "default"}
    return {**made, "metadata": metadata}


def test_the_largest_external_secret_that_is_rendered_is_taken_and_a_larger_one_is_not(
    operator_crds: Cluster,
) -> None:
    fitting, larger = external_secret(FITTING), external_secret(LARGER)
    assert not [*size_faults(fitting, 2**20)]
    assert [*size_faults(larger, 2**20)]
    operator_crds.api.apply(fitting, manager="platform-secrets")
    operator_crds.api.delete("external-secrets.io/v1", "ExternalSecret", "of-many-keys", "default")
    with pytest.raises(KubernetesApiError) as refused:
        operator_crds.api.apply(larger, manager="platform-secrets")
    assert refused.value.status in TOO_LARGE, refused.value
