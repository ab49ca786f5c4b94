"""Files for the API server."""

from platform_secrets.manifests.control_plane import control_plane_files


def test_there_is_no_file_unless_it_is_asked_for(settings_with):
    assert control_plane_files(settings_with()) == {}


def test_no_rule_of_the_audit_policy_has_a_body(settings_with):
    files = control_plane_files(settings_with(control_plane={"audit": True}))
    assert {rule["level"] for rule in files["audit-policy.yaml"]["rules"]} == {"Metadata"}
