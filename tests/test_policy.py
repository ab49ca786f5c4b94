"""What must never stand in an environment: each rule by one field that breaks it."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml

from platform_secrets.describing.asked import asked_of
from platform_secrets.policy import RESOURCE_RULES, RULES, Asked, violations
from platform_secrets.secretsctl.commands import main
from tests.conftest import OF_ANY_PLATFORM
from tests.platform import CATALOGUE_FILE, STACK_FILES
from tests.provider_resources import AWS_ENTRY, BROKEN_RESOURCES, GOOD_RESOURCES
from tests.settings_files import text_of

REMOVED = object()
NOTHING_ASKED = Asked()
DIGEST = f"registry.example.com/rotator:1.2@sha256:{'0' * 64}"
GUARDED = '{{ $v := index . "token" }}{{ if not $v }}{{ fail "no token" }}{{ end }}{{ $v }}'
NEVER_DELETED = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
CONTAINER = {
    "name": "rotation",
    "image": DIGEST,
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
POD = {
    "automountServiceAccountToken": True,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
    "volumes": [{"name": "plan", "configMap": {"name": "plan"}}],
}
GOOD: dict[str, dict[str, Any]] = {
    "Secret": {"kind": "Secret", "metadata": {"name": "login"}, "type": "Opaque"},
    "Kustomization": {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["2-access"],
    },
    "Namespace": {"kind": "Namespace", "metadata": {"name": "shop", "annotations": NEVER_DELETED}},
    "ConfigMap": {
        "kind": "ConfigMap",
        "metadata": {
            "name": "memory",
            "annotations": {**NEVER_DELETED, "kustomize.toolkit.fluxcd.io/ssa": "Merge"},
        },
    },
    "ValidatingAdmissionPolicy": {
        "kind": "ValidatingAdmissionPolicy",
        "spec": {"failurePolicy": "Fail"},
    },
    "ValidatingAdmissionPolicyBinding": {
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {"validationActions": ["Deny", "Audit"]},
    },
    "Role": {
        "kind": "Role",
        "rules": [
            {
                "apiGroups": [""],
                "resources": ["secrets"],
                "resourceNames": ["login"],
                "verbs": ["get", "watch"],
            }
        ],
    },
    "RoleBinding": {
        "kind": "RoleBinding",
        "roleRef": {"kind": "Role", "name": "reader"},
        "subjects": [{"kind": "Group", "name": "shop-operators"}],
    },
    "SecretStore": {
        "kind": "SecretStore",
        "spec": {
            "provider": {
                "vault": {
                    "server": "https://vault.example.com",
                    "auth": {"kubernetes": {"serviceAccountRef": {"name": "vault-store"}}},
                }
            }
        },
    },
    "ExternalSecret": {
        "kind": "ExternalSecret",
        "metadata": {"name": "login", "annotations": NEVER_DELETED},
        "spec": {
            "refreshPolicy": "Periodic",
            "refreshInterval": "1h2m11s",
            "target": {
                "name": "login",
                "deletionPolicy": "Retain",
                "template": {"data": {"token": GUARDED}},
            },
            "dataFrom": [{"extract": {"key": "shop/login"}}],
        },
    },
    "ServiceAccount": {"kind": "ServiceAccount", "automountServiceAccountToken": False},
    "CronJob": {
        "kind": "CronJob",
        "spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}},
    },
    "Deployment": {"kind": "Deployment", "spec": {"template": {"spec": POD}}},
    **GOOD_RESOURCES,
}
OF_POD = "spec.jobTemplate.spec.template.spec"
OF_CONTAINER = f"{OF_POD}.containers.0"
TEMPLATE = "spec.target.template"
VAULT = "spec.provider.vault"
READ = '{{ $v := index . "token" }}'
ADMISSION = {"metadata": {"labels": {"app.kubernetes.io/component": "admission"}}}
BROKEN = [
    ("no-value", "Secret", "data", {"password": ""}),
    ("no-value", "Secret", "stringData", {"password": ""}),
    ("as-it-stands", "Kustomization", "secretGenerator", [{"name": "login", "envs": ["a.env"]}]),
    ("as-it-stands", "Kustomization", "patches", [{"path": "more-rights.yaml"}]),
    ("as-it-stands", "Kustomization", "resources.0", "https://example.com/more"),
    ("as-it-stands", "Kustomization", "resources.0", "../../others"),
    ("protected", "Namespace", "metadata.annotations", REMOVED),
    ("protected", "ExternalSecret", "metadata.annotations", REMOVED),
    ("protected", "ConfigMap", "metadata.annotations.kustomize/prune", REMOVED),
    ("admission-refuses", "ValidatingAdmissionPolicy", "spec.failurePolicy", "Ignore"),
    ("admission-refuses", "ValidatingAdmissionPolicyBinding", "spec.validationActions", ["Audit"]),
    ("no-wildcard", "Role", "rules.0.verbs", ["*"]),
    ("no-wildcard", "Role", "rules.0.resources", ["secrets", "*"]),
    ("named-secrets", "Role", "rules.0.resourceNames", REMOVED),
    ("no-escalation", "Role", "rules.0.verbs", ["get", "impersonate"]),
    ("narrow-binding", "RoleBinding", "roleRef", {"kind": "ClusterRole", "name": "edit"}),
    ("narrow-binding", "RoleBinding", "subjects.0.name", "system:authenticated"),
    ("narrow-binding", "RoleBinding", "subjects.0.name", "system:serviceaccounts:shop"),
    ("keyless-store", "SecretStore", f"{VAULT}.auth.tokenSecretRef", {"name": "root-token"}),
    ("keyless-store", "SecretStore", f"{VAULT}.auth", {"kubernetes": {"role": "shop"}}),
    ("keyless-store", "SecretStore", "spec.provider", {"aws": {"region": "eu-central-1"}}),
    ("verified-tls", "SecretStore", f"{VAULT}.server", "http://vault.example.com"),
    ("verified-tls", "SecretStore", f"{VAULT}.server", "vault.example.com:8200"),
    ("verified-tls", "SecretStore", f"{VAULT}.insecureSkipVerify", True),
    ("retained-secret", "ExternalSecret", "spec.target.deletionPolicy", "Delete"),
    ("retained-secret", "ExternalSecret", "spec.target.deletionPolicy", REMOVED),
    ("guarded-template", "ExternalSecret", TEMPLATE, REMOVED),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", "{{ .token }}"),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", f"{READ}{{{{ $v }}}}"),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", '{{ index . "a" | b64enc }}'),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", "{{ . | toJson }}"),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", "{{ $.token }}"),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", "{{ .token.part }}"),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.data.token", "{{- index $ `token` -}}"),
    (
        "guarded-template",
        "ExternalSecret",
        f"{TEMPLATE}.data.token",
        GUARDED.replace('fail "no token"', '"none"'),
    ),
    ("guarded-template", "ExternalSecret", f"{TEMPLATE}.templateFrom", [{"literal": "{{ .a }}"}]),
    ("refreshed", "ExternalSecret", "spec.refreshInterval", "10s"),
    ("refreshed", "ExternalSecret", "spec.refreshInterval", "720h0m0s"),
    ("refreshed", "ExternalSecret", "spec.refreshInterval", "often"),
    ("refreshed", "ExternalSecret", "spec.refreshPolicy", "CreatedOnce"),
    ("named-entries", "ExternalSecret", "spec.dataFrom.0", {"find": {"name": {"regexp": "."}}}),
    ("no-standing-push", "Secret", "kind", "PushSecret"),
    ("hardened-pod", "CronJob", f"{OF_POD}.securityContext.runAsNonRoot", REMOVED),
    ("hardened-pod", "CronJob", f"{OF_POD}.securityContext.seccompProfile", REMOVED),
    ("hardened-pod", "CronJob", f"{OF_POD}.hostNetwork", True),
    ("hardened-pod", "CronJob", f"{OF_POD}.volumes.0.hostPath", {"path": "/"}),
    ("hardened-pod", "CronJob", f"{OF_CONTAINER}.securityContext.runAsNonRoot", False),
    ("hardened-pod", "CronJob", f"{OF_CONTAINER}.securityContext.privileged", True),
    (
        "hardened-pod",
        "CronJob",
        f"{OF_CONTAINER}.securityContext.allowPrivilegeEscalation",
        REMOVED,
    ),
    ("hardened-pod", "CronJob", f"{OF_CONTAINER}.securityContext.readOnlyRootFilesystem", False),
    ("hardened-pod", "CronJob", f"{OF_CONTAINER}.securityContext.capabilities.drop", []),
    ("hardened-pod", "CronJob", f"{OF_CONTAINER}.securityContext.capabilities.add", ["SYS_ADMIN"]),
    ("hardened-pod", "CronJob", f"{OF_POD}.initContainers", [{**CONTAINER, "securityContext": {}}]),
    ("hardened-pod", "Deployment", "spec.template.spec.hostPID", True),
    ("bounded-pod", "CronJob", f"{OF_CONTAINER}.resources.limits", REMOVED),
    ("token-on-purpose", "CronJob", f"{OF_POD}.automountServiceAccountToken", REMOVED),
    ("no-token-by-itself", "ServiceAccount", "automountServiceAccountToken", REMOVED),
    ("one-image", "CronJob", f"{OF_CONTAINER}.image", "registry.example.com:5000/rotator"),
    ("one-image", "CronJob", f"{OF_CONTAINER}.image", "registry.example.com/rotator:latest"),
    *BROKEN_RESOURCES,
]


def changed(name: str, path: str, content: Any) -> dict[str, Any]:
    """A good object of this name with one field that is otherwise, or not there."""
    found = copy.deepcopy(GOOD[name])
    path = path.replace("kustomize/prune", "kustomize~prune")
    *outer, last = path.split(".")
    last = last.replace("kustomize~prune", "kustomize.toolkit.fluxcd.io/prune")
    inner: Any = found
    for part in outer:
        inner = inner[int(part) if part.isdigit() else part]
    if content is REMOVED:
        del inner[last]
    else:
        inner[int(last) if last.isdigit() else last] = content
    return found


def broken(judged: dict[str, Any], asked: Asked = NOTHING_ASKED) -> set[str]:
    """The rules that it breaks."""
    return {rule.id for rule, _ in violations(judged, asked)}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_object_breaks_no_rule(name):
    assert broken(GOOD[name], Asked(pins_images=True)) == set()


@pytest.mark.parametrize(("rule", "name", "path", "content"), BROKEN)
def test_one_broken_field_breaks_its_rule_alone(rule, name, path, content):
    assert broken(changed(name, path, content)) == {rule}


def test_each_rule_has_a_field_that_breaks_it_and_stands_in_the_documentation():
    ids = [rule.id for rule in (*RULES, *RESOURCE_RULES)]
    text = Path(__file__).parents[1].joinpath("docs/policy.md").read_text()
    assert set(ids) == {rule for rule, *_ in BROKEN}
    assert [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")] == ids


def test_each_kind_of_a_provider_s_resource_that_is_judged_has_a_field_that_breaks_a_rule():
    kinds = {content if place == "kind" else name for _, name, place, content in BROKEN_RESOURCES}
    assert {kind for rule in RESOURCE_RULES for kind in rule.kinds} - kinds == set()


@pytest.mark.parametrize(
    ("rule", "judged", "asked"),
    [
        ("no-value", changed("Secret", "data", {"a": ""}), Asked(keeps_plain_secrets=True)),
        *(
            ("admission-refuses", changed(kind, path, what) | ADMISSION, Asked(is_only_told=True))
            for kind, path, what in (
                ("ValidatingAdmissionPolicy", "spec.failurePolicy", "Ignore"),
                ("ValidatingAdmissionPolicyBinding", "spec.validationActions", ["Warn"]),
            )
        ),
        ("protected", changed("Namespace", "metadata.annotations", REMOVED), Asked(protects=False)),
        ("brought-back", changed(AWS_ENTRY, "recoveryWindowInDays", 0), Asked(protects=False)),
        (
            "retained-secret",
            changed("ExternalSecret", "spec.target.deletionPolicy", "Delete"),
            Asked(emptied_secrets=frozenset({"login"})),
        ),
        (
            "refreshed",
            changed("ExternalSecret", "spec.refreshPolicy", "OnChange"),
            Asked(rarely_refreshed_secrets=frozenset({"login"})),
        ),
    ],
)
def test_what_the_stack_file_asks_for_is_allowed_there_alone(rule, judged, asked):
    assert broken(judged, asked) == set()
    assert broken(judged) == {rule}


def test_a_tag_is_enough_unless_the_stack_file_s_image_has_a_digest():
    tagged = changed("CronJob", f"{OF_CONTAINER}.image", "registry.example.com/rotator:1.2")
    assert broken(tagged) == set()
    assert broken(tagged, Asked(pins_images=True)) == {"one-image"}


def test_a_migration_s_record_and_a_plain_config_map_may_go():
    record = copy.deepcopy(GOOD["ConfigMap"])
    record["metadata"]["annotations"] = {"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    assert broken(record) == {"protected"}
    record["metadata"]["labels"] = {"app.kubernetes.io/component": "migration"}
    assert broken(record) == set()
    assert broken({"kind": "ConfigMap", "metadata": {"name": "program"}}) == set()


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("content", [None, "text", 7, ["text", None], {"text": None}])
def test_an_object_of_any_shape_is_judged_to_its_end(name, content):
    fields = dict.fromkeys((*GOOD[name], "rules", "spec", "subjects", "metadata"), content)
    broken({**fields, "kind": name})


@pytest.mark.parametrize("name", OF_ANY_PLATFORM)
def test_what_is_rendered_breaks_no_rule(name):
    stack = OF_ANY_PLATFORM[name]
    asked = asked_of(stack.settings)
    objects = {file: one for file, one in stack.tree.items() if "kind" in one}
    assert objects
    assert {file for file, one in objects.items() if broken(one, asked)} == set()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Production and development, rendered; their folder is the working directory."""
    for name in ("development", "production"):
        path = STACK_FILES[name]
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "catalogue.yaml").write_text(CATALOGUE_FILE.read_text())
    monkeypatch.chdir(tmp_path)
    assert main(["render"]) == 0
    return tmp_path


def edited(path: Path, content: Any) -> None:
    path.write_text(text_of({**yaml.safe_load(path.read_text()), **content}))


def test_a_tree_is_judged_as_it_stands_and_all_of_it_at_once(project, capsys):
    capsys.readouterr()
    assert main(["check"]) == 0
    assert "rendered/production: " in capsys.readouterr().out

    role = project / "rendered/production/2-access/role-secrets-reader.yaml"
    edited(role, {"rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]})
    value = token_hex(16)
    password = {"metadata": {"name": "mine"}, "stringData": {"password": value}}
    added = project / "rendered/production/added.yaml"
    added.write_text(text_of({"apiVersion": "v1", "kind": "Secret", **password}))

    assert main(["check"]) == 1
    out, _ = capsys.readouterr()
    of_secret, of_role = out.splitlines()
    namespace = yaml.safe_load(role.read_text())["metadata"]["namespace"]
    assert f"Role {namespace}/secrets-reader: named-secrets: rules[0] gives list on" in of_role
    assert of_secret.startswith(
        "rendered/production/added.yaml:1: Secret mine: no-value: stringData "
    )
    assert value not in out
    assert main(["check", "--env", "development"]) == 0
    assert main(["check", "--json", "rendered"]) == 1
    found = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert [(Path(one["file"]).name, one["rule"]) for one in found] == [
        ("added.yaml", "no-value"),
        ("role-secrets-reader.yaml", "named-secrets"),
    ]


def test_a_comment_says_that_each_environment_passes_or_what_breaks_which_rule(project, capsys):
    capsys.readouterr()
    assert main(["check", "--markdown"]) == 0
    passed = capsys.readouterr().out
    objects = len(OF_ANY_PLATFORM["development"].tree)
    said = f"**development**: passed, {len(RULES)} rules on {objects} objects\n"
    assert passed.startswith(f"### Policy\n\n{said}")
    name = "```\x1b[2J @everybody"
    kind = "rbac.authorization.k8s.io/v1"
    role = {
        "apiVersion": kind,
        "kind": "Role",
        "metadata": {"name": name},
        "rules": [{"verbs": ["*"]}],
    }
    (project / "rendered/production/added.yaml").write_text(text_of(role))
    assert main(["check", "--markdown"]) == 1
    broken = capsys.readouterr().out
    assert broken.startswith(f"### Policy\n\n{said}\n**production**: 1 violation\n```diff\n- Role ")
    assert "\n  right: name each one\n" in broken
    assert "\n  rendered/production/added.yaml:1\n```\n" in broken
    assert broken.count("```") == 2, "no name ends the block, in which nobody is mentioned"
    assert "\x1b" not in broken


def test_a_comment_has_room_for_what_the_change_means(project, capsys):
    secret = {"apiVersion": "v1", "kind": "Secret", "stringData": {"password": token_hex(8)}}
    many = [text_of({**secret, "metadata": {"name": f"mine-{one}"}}) for one in range(200)]
    (project / "rendered/production/added.yaml").write_text("---\n".join(many))
    capsys.readouterr()
    assert main(["check", "--markdown"]) == 1
    said = capsys.readouterr().out
    assert len(said.encode()) < 11_000
    assert "**production**: 200 violations\n" in said
    assert said.endswith("```\n\nToo long for a comment; `secretsctl check` shows the rest.\n")


def test_what_can_t_be_read_is_no_pass(project, capsys):
    (project / "rendered/production/added.yaml").write_text("kind: Secret\ndata: [\n")
    assert main(["check"]) == 2
    assert "added.yaml:3: invalid YAML" in capsys.readouterr().err
    assert main(["check", "elsewhere"]) == 2
    assert "elsewhere/production: no such folder" in capsys.readouterr().err


ODD: list[Any] = [None, 0, "", "x", [], {}, [None], [["x"]], [{}], {"a": [1]}, {"x": None}]


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value if isinstance(value, dict) else dict(enumerate(value or ()))
    for name, one in inner.items():
        yield (*path, name)
        yield from paths_in(one if isinstance(one, dict | list) else (), (*path, name))


@pytest.mark.parametrize("kind", GOOD)
def test_an_object_with_a_field_of_any_type_is_judged(kind):
    """Whoever wrote it: what is judged here no API server has taken yet."""
    for path in paths_in(GOOD[kind]):
        for odd in ODD:
            broken = copy.deepcopy(GOOD[kind])
            place: Any = broken
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = odd
            assert all(rule.id and one.path for rule, one in violations(broken, NOTHING_ASKED))
