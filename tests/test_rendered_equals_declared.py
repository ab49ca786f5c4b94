"""The two ways to deliver an environment, the Pulumi program and the rendered tree, are one."""

from typing import Any

from platform_secrets.manifests.layer import waves
from platform_secrets.secretsctl.projects import rotator_source
from tests.declaring import Secret

Objects = dict[tuple[str, str, str | None, str], dict[str, Any]]


def by_identity(objects: list[dict[str, Any]]) -> Objects:
    """Objects by apiVersion, kind, namespace and name, which is what a cluster tells apart."""
    found: Objects = {}
    for one in objects:
        metadata = one["metadata"]
        key = (one["apiVersion"], one["kind"], metadata.get("namespace"), metadata["name"])
        assert key not in found, f"{key} is there twice"
        found[key] = one
    return found


def declared_objects(any_stack) -> list[dict[str, Any]]:
    return [one.manifest for one in any_stack.declared.objects() if one.inputs["kind"] != "Secret"]


def test_the_program_declares_the_objects_of_the_rendered_tree(any_stack):
    assert by_identity(declared_objects(any_stack)) == by_identity(any_stack.rendered_objects)


def test_the_rendered_tree_is_the_core_s_waves(any_stack):
    objects = [one for wave in waves(any_stack.settings, rotator_source()) for one in wave.objects]
    assert by_identity(any_stack.rendered_objects) == by_identity(objects)


def test_only_pulumi_s_own_annotations_are_added_to_what_is_rendered(any_stack):
    whole = by_identity([one.inputs for one in any_stack.declared.objects()])
    for key, one in by_identity(any_stack.rendered_objects).items():
        annotations = whole[key]["metadata"].get("annotations", {})
        added = annotations.keys() - one["metadata"].get("annotations", {}).keys()
        assert added <= {"pulumi.com/waitFor", "pulumi.com/skipAwait"}


def test_every_rendered_object_is_in_the_kustomization_of_its_wave(any_stack):
    beside = ("charts/", "prometheus/", "control-plane/")
    tree = {name: one for name, one in any_stack.tree.items() if not name.startswith(beside)}
    listed = set()
    for name, content in tree.items():
        folder = name.rpartition("/")[0]
        for resource in content.get("resources", ()) if "metadata" not in content else ():
            listed.add(f"{folder}/{resource}".lstrip("/"))
    files = {name for name in tree if not name.endswith("kustomization.yaml")}
    folders = {wave.name for wave in waves(any_stack.settings, rotator_source())}
    if any_stack.settings.environment.gitops:
        folders |= {"gitops/argocd/waves", "gitops/flux/waves"}
    assert listed == files | folders


def test_kubectl_applies_every_folder_in_the_order_of_the_program(any_stack):
    """By default it sorts by kind, and a CronJob would come before the policies that bound it."""
    for wave in waves(any_stack.settings, rotator_source()):
        kustomization = any_stack.tree[f"{wave.name}/kustomization.yaml"]
        assert kustomization["sortOptions"] == {"order": "fifo"}
        found = [any_stack.tree[f"{wave.name}/{name}"] for name in kustomization["resources"]]
        assert found == wave.objects
    assert any_stack.tree["kustomization.yaml"]["sortOptions"] == {"order": "fifo"}


def test_the_environment_is_built_from_its_waves_in_their_order(any_stack):
    assert any_stack.tree["kustomization.yaml"]["resources"] == [
        wave.name for wave in waves(any_stack.settings, rotator_source())
    ]


def test_the_basic_secrets_are_what_the_kustomization_generates(stack_named):
    development = stack_named("development")
    [kustomization] = [
        content
        for name, content in development.tree.items()
        if name == "basic-secrets/kustomization.yaml"
    ]
    generated = {
        one["name"]: (one["namespace"], one["type"], one["options"]["labels"])
        for one in kustomization["secretGenerator"]
    }
    declared = {
        one.inputs["metadata"]["name"]: (
            one.inputs["metadata"]["namespace"],
            one.inputs["type"],
            one.inputs["metadata"]["labels"],
        )
        for one in development.declared.of_kind("Secret")
    }
    assert declared == generated
    assert kustomization["generatorOptions"] == {"disableNameSuffixHash": True}


def test_the_basic_secrets_hold_the_catalogue_s_keys_as_pulumi_secrets(stack_named):
    development = stack_named("development")
    bundles = development.settings.catalogue.bundles.values()
    data = {
        one.inputs["metadata"]["name"]: one.inputs["data"]
        for one in development.declared.of_kind("Secret")
    }
    assert {name: set(held) for name, held in data.items()} == {
        bundle.secret: set(bundle.keys) for bundle in bundles
    }
    assert all(isinstance(value, Secret) for held in data.values() for value in held.values())


def test_the_operator_has_the_same_values_in_every_delivery(any_stack):
    release = [
        one.inputs["values"]
        for one in any_stack.declared.declared
        if one.name == "operator-release"
    ]
    specs = [one["spec"] for one in any_stack.tree.values() if "spec" in one]
    argocd = [
        one["source"]["helm"]["valuesObject"] for one in specs if "chart" in one.get("source", {})
    ]
    flux = [one["values"] for one in specs if "values" in one]
    installs = any_stack.settings.environment.operator == "install"
    has_entry_points = installs and any_stack.settings.environment.gitops
    assert argocd == flux == (release if has_entry_points else [])
    assert len(release) == installs
