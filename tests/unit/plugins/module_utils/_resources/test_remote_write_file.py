# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""remote_write_file: its options, its decisions, and files on disk."""

from __future__ import annotations

import stat
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.doc_fragments import remote_write as fragment
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import (
    REMOTE_WRITE_OPTIONS,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import remote_write_file as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result, failure_values
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.excerpts import excerpts
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text_file import FileText, read_file, write_file
from ansible_collections.crosscloud.aks_amp.plugins.modules import prometheus_remote_write, remote_write_file
from tests.unit.plugins.file_wishes import OTHER_URL, REGION, ROLE, URL
from tests.unit.plugins.module_utils._resources.aws_modules import Clock, params_of

Json = dict[str, t.Any]

OPTIONS: Json = {
    "namespace": "monitoring",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": REGION,
    "remote_write_url": URL,
}
OBJECTS: Json = {
    "kustomize": {"workload_kind": "StatefulSet", "workload_name": "prometheus"},
    "prometheus_operator": {"workload_kind": "Prometheus", "workload_name": "k8s"},
}
FORMATS = (
    "alloy",
    "helm_kube_prometheus_stack",
    "helm_opentelemetry_collector",
    "helm_prometheus",
    "kustomize",
    "opentelemetry_collector",
    "prometheus",
    "prometheus_operator",
)
MERGED = tuple(name for name in FORMATS if name != "alloy")
VALUES = "# mine\ngrafana:\n  enabled: true  # stays\n"


def run(
    dest: Path, format_name: str = "helm_kube_prometheus_stack", *, check: bool = False, **options: t.Any
) -> Result:
    known = {"dest": str(dest), "format": format_name, **OPTIONS, **OBJECTS.get(format_name, {})}
    return resource.run(params_of(resource.DEFINITION, {**known, **options}), Context(check_mode=check))


def diff_of(result: Result) -> list[Json]:
    return [change.diff() for change in result.changes]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# The documentation ----------------------------------------------------------------------------------------------------


def test_the_shared_documentation_names_the_shared_options() -> None:
    documented = yaml.safe_load(fragment.ModuleDocFragment.DOCUMENTATION)["options"]
    spec = REMOTE_WRITE_OPTIONS.options
    assert documented.keys() == spec.keys()
    for name, option in spec.items():
        assert documented[name]["type"] == option["type"], name
        assert documented[name].get("elements") == option.get("elements"), name
        assert documented[name].get("suboptions", {}).keys() == option.get("options", {}).keys(), name


def test_the_options_of_both_modules_agree() -> None:
    """What one renders and the other writes is asked for by the same names."""
    both = [yaml.safe_load(one.DOCUMENTATION) for one in (prometheus_remote_write, remote_write_file)]
    assert all("crosscloud.aks_amp.remote_write" in one["extends_documentation_fragment"] for one in both)
    theirs, mine = (one["options"] for one in both)
    for name in ("token_source", "token_file", "audience", "token_expiration_seconds", "pod_label"):
        for key in ("type", "default", "choices"):
            assert mine[name].get(key) == theirs[name].get(key), (name, key)


# The life of a file ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", FORMATS)
def test_create_change_and_remove_each_checked_first_and_once_only(tmp_path: Path, format_name: str) -> None:
    dest = tmp_path / "rendered"
    for options in ({}, {"external_labels": {"cluster": "payments"}}, {"state": "absent"}):
        before = dest.read_bytes() if dest.exists() else None
        checked = run(dest, format_name, check=True, **options)
        assert (dest.read_bytes() if dest.exists() else None) == before
        applied = run(dest, format_name, **options)
        if format_name == "kustomize" and options == {"external_labels": {"cluster": "payments"}}:
            assert not applied.changes  # labels are the configuration's, not the pod's
        else:
            assert applied.changes
        assert diff_of(applied) == diff_of(checked)
        assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
        assert applied.facts == checked.facts
        old, new = before or b"", dest.read_bytes() if dest.exists() else b""
        for change in applied.changes:
            shown = excerpts(old.decode(), new.decode()) if old and new else (old.decode(), new.decode())
            assert (change.before or "", change.after or "") == shown
        for check in (True, False):
            assert run(dest, format_name, check=check, **options).changes == ()
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_says_where_its_values_came_from(tmp_path: Path) -> None:
    run(tmp_path / "v.yaml")
    lines = (tmp_path / "v.yaml").read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    assert "format helm_kube_prometheus_stack, checksum " in header[0]
    assert any(f"role_arn {ROLE}" in line for line in header)
    assert any(f"remote_write_url {URL}" in line for line in header)
    assert mode_of(tmp_path / "v.yaml") == 0o644


@pytest.mark.parametrize("format_name", MERGED)
def test_an_edited_file_is_merged_into(tmp_path: Path, format_name: str) -> None:
    dest = tmp_path / "f.yaml"
    run(dest, format_name)
    edited = dest.read_text(encoding="utf-8") + "# edited\nextra: true\n"
    dest.write_text(edited, encoding="utf-8")
    assert run(dest, format_name).changes == ()
    result = run(dest, format_name, token_expiration_seconds=7200, additional_remote_writes=[
        {"region": "eu-west-1", "remote_write_url": OTHER_URL}
    ])  # fmt: skip  # one call
    after = dest.read_text(encoding="utf-8")
    assert result.changes or format_name == "kustomize"
    assert "# edited\nextra: true\n" in after
    assert run(dest, format_name, state="absent", token_expiration_seconds=7200).changes
    assert yaml.safe_load(dest.read_text(encoding="utf-8"))["extra"] is True


def test_somebodys_file_keeps_its_other_lines_and_loses_ours_again(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_bytes(VALUES.replace("\n", "\r\n").encode())
    result = run(dest)
    assert dest.read_bytes().startswith(VALUES.replace("\n", "\r\n").encode())
    assert [change.action.value for change in result.changes] == ["update"]
    assert result.changes[0].summary.startswith(f"In {dest}: add prometheus: ")
    removed = run(dest, state="absent")
    assert removed.facts["kept"] == []
    assert dest.read_bytes() == VALUES.replace("\n", "\r\n").encode()


def test_an_edited_file_of_ours_goes_when_nothing_else_is_left(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    run(dest)
    dest.write_text(dest.read_text(encoding="utf-8") + "# a remark\n", encoding="utf-8")
    run(dest, state="absent")
    assert not dest.exists()


def test_converted_line_ends_are_no_edit(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    run(dest)
    dest.write_bytes(dest.read_bytes().replace(b"\n", b"\r\n"))
    assert run(dest).changes == ()
    assert run(dest, state="absent").changes
    assert not dest.exists()


def test_absent_needs_the_options_only_where_they_matter(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    little = {"dest": str(dest), "format": "helm_prometheus", "state": "absent"}
    run(dest, "helm_prometheus")
    assert resource.run(params_of(resource.DEFINITION, little), Context(check_mode=False)).changes


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("ours", [True, False])
def test_a_file_of_which_it_is_not_told_what_was_written_is_kept_and_named(
    tmp_path: Path, ours: bool, check: bool
) -> None:
    dest = tmp_path / "values.yaml"
    if not ours:
        dest.write_text(VALUES, encoding="utf-8")
    run(dest, "helm_prometheus")
    dest.write_text(dest.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    before = dest.read_bytes()
    result = run(dest, "helm_prometheus", state="absent", role_arn=None, remote_write_url="", check=check)
    assert result.changes == ()
    assert dest.read_bytes() == before
    (kept,) = t.cast("list[str]", result.facts["kept"])
    assert list(result.warnings) == [kept]
    assert kept.startswith(f"{dest} is kept as it is: it was {'edited since' if ours else 'not'}")
    assert "not known without role_arn, remote_write_url. Give the options that it was written with." in kept


def test_what_was_edited_is_kept_and_its_file_named(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_text(VALUES, encoding="utf-8")
    run(dest)
    dest.write_text(dest.read_text(encoding="utf-8").replace(ROLE, f"{ROLE}-2"), encoding="utf-8")
    result = run(dest, state="absent")
    assert result.changes
    (kept,) = t.cast("list[str]", result.facts["kept"])
    assert kept.startswith(f"In {dest}, ")
    assert kept.endswith("remove by hand.")
    assert f"{ROLE}-2" in dest.read_text(encoding="utf-8")


def test_alloys_files_are_never_merged(tmp_path: Path) -> None:
    dest = tmp_path / "config.alloy"
    dest.write_text("logging {}\n", encoding="utf-8")
    with pytest.raises(errors.Refused, match="was not rendered by this module"):
        run(dest, "alloy")
    assert run(dest, "alloy", state="absent").facts["kept"]
    dest.unlink()
    run(dest, "alloy")
    dest.write_text(dest.read_text(encoding="utf-8") + "// more\n", encoding="utf-8")
    with pytest.raises(errors.Refused, match="was edited since it was rendered"):
        run(dest, "alloy", external_labels={"a": "b"})
    assert "// more" in dest.read_text(encoding="utf-8")


def test_another_format_takes_the_place_of_an_untouched_file(tmp_path: Path) -> None:
    dest = tmp_path / "f"
    run(dest, "alloy")
    run(dest, "opentelemetry_collector")
    assert yaml.safe_load(dest.read_text(encoding="utf-8"))["extensions"] == {
        "sigv4auth": {"region": REGION, "service": "aps"}
    }


def test_two_objects_do_not_take_turns_in_one_file(tmp_path: Path) -> None:
    dest = tmp_path / "patch.yaml"
    run(dest, "kustomize")
    with pytest.raises(errors.Refused, match="was rendered for StatefulSet prometheus, and not for StatefulSet second"):
        run(dest, "kustomize", workload_name="second")
    assert run(dest, "kustomize", token_expiration_seconds=7200).changes


def test_a_configuration_of_prometheus_is_merged_as_in_a_cluster(tmp_path: Path) -> None:
    dest = tmp_path / "prometheus.yml"
    dest.write_text(
        f"global: {{}}\nremote_write:\n  - url: {URL}/\n    sigv4: {{role_arn: '{ROLE}'}}\n", encoding="utf-8"
    )
    result = run(dest, "prometheus", external_labels={"cluster": "a"})
    loaded = yaml.safe_load(dest.read_text(encoding="utf-8"))
    assert loaded == {
        "global": {"external_labels": {"cluster": "a"}},
        "remote_write": [{"url": URL, "sigv4": {"region": REGION}}],
    }
    assert "a role can't assume itself" in result.changes[0].summary
    assert run(dest, "prometheus", external_labels={"cluster": "a"}).changes == ()
    dest.write_text("# nothing yet\n", encoding="utf-8")
    run(dest, "prometheus")
    assert dest.read_text(encoding="utf-8").startswith("# nothing yet\nremote_write:\n")


# The file -------------------------------------------------------------------------------------------------------------


def test_the_mode_is_kept_unless_another_is_asked_for(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_text(VALUES, encoding="utf-8")
    dest.chmod(0o600)
    run(dest)
    assert mode_of(dest) == 0o600
    result = run(dest, mode="0640")
    assert [change.summary for change in result.changes] == [f"In {dest}: set its mode to 0640 (it was 0600)."]
    assert mode_of(dest) == 0o640
    assert run(dest, mode="0640").changes == ()


@pytest.mark.parametrize("format_name", ["helm_kube_prometheus_stack", "prometheus"])
def test_a_change_of_the_mode_alone_shows_nothing_of_the_text(tmp_path: Path, format_name: str) -> None:
    dest = tmp_path / "values.yaml"
    secret = {
        "prometheus": "scrape_configs:\n- {job_name: a, basic_auth: {username: b, password: hunter2}}\n",
        "helm_kube_prometheus_stack": "grafana:\n  adminPassword: hunter2\n",
    }[format_name]
    dest.write_text(secret, encoding="utf-8")
    dest.chmod(0o600)
    run(dest, format_name)
    (diff,) = diff_of(run(dest, format_name, mode="0640"))
    assert (diff["before"], diff["after"]) == ("[mode 0600]\n", "[mode 0640]\n")
    assert "hunter2" in dest.read_text(encoding="utf-8")


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_change_of_the_text_and_the_mode_shows_both(tmp_path: Path, format_name: str) -> None:
    dest = tmp_path / "rendered"
    run(dest, format_name, mode="0600")
    (diff,) = diff_of(run(dest, format_name, mode="0640", role_arn=f"{ROLE}-other"))
    assert diff["before"].startswith("[mode 0600]\n")
    assert diff["after"].startswith("[mode 0640]\n")
    assert f"{ROLE}-other" not in diff["before"]
    assert f"{ROLE}-other" in diff["after"]


def test_the_secret_beside_a_change_is_hidden_by_its_name(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_text("grafana:\n  adminPassword: hunter2\n", encoding="utf-8")
    (diff,) = diff_of(run(dest))
    assert "adminPassword: <redacted>" in diff["before"]
    assert "hunter2" not in str(diff)


def test_what_stays_is_not_shown_whatever_its_name(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    far = "# a line between\n" * 4
    dest.write_text(f"theirs:\n  unlock: hunter2\n{far}", encoding="utf-8")
    (diff,) = diff_of(run(dest))
    assert diff["before"].startswith("[3 lines stay]\n# a line between\n")
    assert "hunter2" not in str(diff)
    assert "hunter2" in dest.read_text(encoding="utf-8")


def test_a_file_with_nothing_in_it_is_shown_as_it_was(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.touch()
    (diff,) = diff_of(run(dest))
    assert (diff["before"], diff["after"]) == ("", dest.read_text(encoding="utf-8"))


@pytest.mark.parametrize("mode", ["644", "420", "rw-r--r--", "0999", "u=rw"])
def test_a_mode_that_is_not_octal_is_refused(tmp_path: Path, mode: str) -> None:
    with pytest.raises(errors.InvalidInput, match="is not octal"):
        run(tmp_path / "f", mode=mode)


def test_a_backup_is_made_before_a_change_only(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    assert run(dest, backup=True).facts["backup_file"] is None
    old = dest.read_text(encoding="utf-8")
    assert run(dest, backup=True).facts["backup_file"] is None
    result = run(dest, backup=True, external_labels={"a": "b"})
    backup = Path(str(result.facts["backup_file"]))
    assert backup.read_text(encoding="utf-8") == old
    assert mode_of(backup) == mode_of(dest)
    assert run(dest, backup=True, external_labels={"c": "d"}, check=True).facts["backup_file"] is None


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "values.yaml", tmp_path / "values.yaml"
    target.write_text(VALUES, encoding="utf-8")
    link.symlink_to(target)
    assert run(link).facts["dest"] == str(target)
    assert link.is_symlink()
    assert "remoteWrite" in target.read_text(encoding="utf-8")
    target.unlink()
    with pytest.raises(errors.NotFound, match="is a symbolic link to"):
        run(link)


@pytest.mark.parametrize(
    ("prepare", "error", "sentence"),
    [
        (lambda path: path.parent.parent.touch(), errors.NotFound, "There is no folder"),
        (lambda path: path.mkdir(parents=True), errors.Refused, "is a folder"),
    ],
)
def test_a_place_that_can_hold_no_file_is_refused(
    tmp_path: Path, prepare: t.Callable[[Path], None], error: type[errors.AksAmpError], sentence: str
) -> None:
    dest = tmp_path / "missing" / "values.yaml"
    prepare(dest)
    with pytest.raises(error, match=sentence):
        run(dest)


def test_what_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_bytes("grüße: 1\n".encode("latin-1"))
    with pytest.raises(errors.Refused, match="is not UTF-8 text: byte 3 can't be read"):
        run(dest)
    assert dest.read_bytes() == "grüße: 1\n".encode("latin-1")


def test_what_somebody_writes_meanwhile_is_merged_and_never_lost(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_text(VALUES, encoding="utf-8")
    wish = resource.Wish.from_params(
        params_of(resource.DEFINITION, {"dest": str(dest), "format": "helm_prometheus", **OPTIONS}), check_mode=False
    )

    class Overtaken(resource.FileResource):
        """Somebody writes between its first reading and writing."""

        reads = 0

        def read(self) -> resource.Current:
            found = super().read()
            self.reads += 1
            if self.reads == 1:
                dest.write_text(VALUES + "loki: {}\n", encoding="utf-8")
            return found

    overtaken = Overtaken(wish)
    Context(check_mode=False, sleep=Clock().sleep).converge(overtaken)
    assert overtaken.reads == 2
    loaded = yaml.safe_load(dest.read_text(encoding="utf-8"))
    assert loaded["loki"] == {}
    assert "remoteWrite" in loaded["server"]


def test_a_file_that_changes_all_the_time_is_given_up_with_a_sentence(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"

    class Busy(resource.FileResource):
        """Somebody writes each time."""

        def read(self) -> resource.Current:
            found = super().read()
            dest.write_text(VALUES + f"n: {len(found.file.text or '')}\n# {id(found)}\n", encoding="utf-8")
            return found

    wish = resource.Wish.from_params(
        params_of(resource.DEFINITION, {"dest": str(dest), "format": "helm_prometheus", **OPTIONS}), check_mode=False
    )
    with pytest.raises(ApplyFailed) as caught:
        Context(check_mode=False, sleep=Clock().sleep).converge(Busy(wish))
    assert "it was changed by somebody else meanwhile" in str(failure_values(caught.value)["msg"])
    assert "remoteWrite" not in dest.read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "values.yaml"
    dest.write_text(VALUES, encoding="utf-8")

    def full(descriptor: int) -> None:
        assert descriptor > 2
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(errors.NotReady, match="can't be written: No space left on device"):
        write_file(read_file(str(dest)), b"new", 0o644)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["values.yaml"]
    assert dest.read_text(encoding="utf-8") == VALUES


def test_a_file_that_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    dest = tmp_path / "values.yaml"
    known = read_file(str(dest))
    assert known == FileText(dest, None, None)
    dest.write_text(VALUES, encoding="utf-8")
    with pytest.raises(errors.Conflict):
        write_file(known, b"new", 0o644)
    assert dest.read_text(encoding="utf-8") == VALUES


# Options --------------------------------------------------------------------------------------------------------------


def test_the_azure_token_needs_its_path_and_sets_the_label(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="differs between its versions"):
        run(tmp_path / "f", token_source="azure_workload_identity")
    file = "/var/run/secrets/azure/wi/token/azure-identity-token"
    result = run(tmp_path / "f", token_source="azure_workload_identity", token_file=file)
    pod = t.cast("Json", result.facts["pod"])
    assert pod["labels"] == {"azure.workload.identity/use": "true"}
    assert pod["volumes"] == pod["volumeMounts"] == []
    spec = yaml.safe_load((tmp_path / "f").read_text(encoding="utf-8"))["prometheus"]["prometheusSpec"]
    assert spec["podMetadata"] == {"labels": pod["labels"]}
    assert {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": file} in spec["containers"][0]["env"]
    assert "volumes" not in spec


def test_the_pod_that_is_returned_is_the_one_that_is_rendered(tmp_path: Path) -> None:
    pod = t.cast("Json", run(tmp_path / "f", "kustomize").facts["pod"])
    spec = yaml.safe_load((tmp_path / "f").read_text(encoding="utf-8"))["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == pod["serviceAccountName"]
    assert spec["volumes"] == pod["volumes"]
    assert spec["containers"] == [{"name": "prometheus", "env": pod["env"], "volumeMounts": pod["volumeMounts"]}]


@pytest.mark.parametrize(
    ("format_name", "options", "sentence"),
    [
        ("kustomize", {"workload_kind": "Prometheus"}, "The format kustomize is for"),
        ("prometheus_operator", {"workload_kind": "Deployment"}, "The format prometheus_operator is for"),
        ("alloy", {"service_name": "aps"}, "Grafana Alloy's sigv4 has no service_name"),
        ("opentelemetry_collector", {"queue_config": {"max_shards": 1}}, "has no queue_config"),
        ("prometheus", {"service_name": "aps", "prometheus_version": "2.53.3"}, "does not know sigv4.service_name"),
        ("prometheus", {"prometheus_version": "2.20"}, "can't sign requests to AWS"),
        ("prometheus", {"promtool": "/nowhere/promtool"}, "can't be run"),
        ("prometheus", {"remote_write_url": "http://x"}, "is not an https URL"),
        ("prometheus", {"chained_role_arn": ROLE}, "The chained role is the federated role itself"),
        (
            "prometheus_operator",
            {"chained_role_arn": "arn:aws:iam::210987654321:role/W", "external_id": "e", "prometheus_version": "3.10"},
            "prometheus-operator leaves external_id out",
        ),
    ],
)
def test_what_a_format_or_version_lacks_is_refused_before_anything_is_written(
    tmp_path: Path, format_name: str, options: Json, sentence: str
) -> None:
    with pytest.raises((errors.AksAmpError, FederationError), match=sentence):
        run(tmp_path / "f", format_name, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_role_that_is_not_known_yet_is_for_check_mode_only(tmp_path: Path) -> None:
    assert run(tmp_path / "f", check=True, role_arn=KNOWN_AFTER_APPLY).changes
    with pytest.raises(errors.InvalidInput, match="accepted in check mode only"):
        run(tmp_path / "f", role_arn=KNOWN_AFTER_APPLY)


def test_without_a_version_a_setting_that_not_every_one_knows_is_a_warning(tmp_path: Path) -> None:
    assert any("service_name" in warning for warning in run(tmp_path / "f", "prometheus", service_name="aps").warnings)
