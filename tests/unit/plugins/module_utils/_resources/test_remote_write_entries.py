# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several workspaces, labels, versions and promtool, through the module and against the sandbox's API server."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import DEFAULT_QUEUE, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-{}/api/v1/remote_write"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Writer"
OPTIONS: Json = {
    "namespace": "monitoring",
    "configmap": "prometheus-config",
    "workload_name": "prometheus",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": URL.format(1),
    "rollout": "none",
}
SUBOPTIONS: Json = resource.DEFINITION.spec.options["additional_remote_writes"]["options"]
AUDIT: Json = {
    **dict.fromkeys(SUBOPTIONS),
    "region": "eu-west-1",
    "remote_write_url": URL.format(2),
    "name": "audit",
    "chained_role_arn": OTHER_ROLE,
}
ALL: Json = {
    "name": "main",
    "queue_config": {"max_shards": 20},
    "write_relabel_configs": [{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}],
    "additional_remote_writes": [AUDIT],
    "external_labels": {"cluster": "fresh"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    metadata = {"name": "prometheus-sa", "namespace": "monitoring"}
    running.api_server("fresh").seed({"kind": "ServiceAccount", "apiVersion": "v1", "metadata": metadata})
    return running


def run(sandbox: Sandbox, *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {**OPTIONS, "kubeconfig": str(sandbox.kubeconfig), "context": "fresh", **options}
    return resource.DEFINITION.run(
        params_of(resource.DEFINITION, values), Context(check_mode=check_mode, sleep=lambda _: None)
    )


def stored(api_server: ApiServer) -> Json:
    found = api_server.get("ConfigMap", "monitoring", "prometheus-config")
    assert found is not None
    return found


def text(api_server: ApiServer) -> str:
    return str(stored(api_server)["data"]["prometheus.yml"])


def entries(api_server: ApiServer) -> list[Json]:
    return [entry for entry in yaml.safe_load(text(api_server))["remote_write"] if "aps-workspaces" in entry["url"]]


def set_image(api_server: ApiServer, image: str) -> None:
    workload = api_server.get("Deployment", "monitoring", "prometheus")
    assert workload is not None
    container = next(
        item for item in workload["spec"]["template"]["spec"]["containers"] if item["name"] == "prometheus"
    )
    container["image"] = image
    api_server.seed(workload)


def test_two_workspaces_and_a_label_come_change_and_go(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    before = text(api_server)
    checked = run(sandbox, check_mode=True, **ALL)
    assert text(api_server) == before
    applied = run(sandbox, **ALL)
    assert [change.diff() for change in checked.changes] == [change.diff() for change in applied.changes]
    main, audit = entries(api_server)
    assert main == applied.facts["remote_write"]
    assert [audit] == applied.facts["additional_remote_writes"]
    assert (main["name"], main["queue_config"]["max_shards"]) == ("main", 20)
    assert audit["sigv4"] == {"region": "eu-west-1", "role_arn": OTHER_ROLE}
    assert yaml.safe_load(text(api_server))["global"]["external_labels"]["cluster"] == "fresh"
    assert run(sandbox, **ALL).changes == ()
    changed = run(sandbox, **{**ALL, "queue_config": None, "write_relabel_configs": None})
    assert [change.kind for change in changed.changes] == ["ConfigMap"]
    assert entries(api_server)[0] == changed.facts["remote_write"]
    assert "write_relabel_configs" not in entries(api_server)[0]
    gone = run(sandbox, state="absent", remote_write_url=None)
    assert text(api_server) == before
    assert RECORD_ANNOTATION not in (stored(api_server)["metadata"].get("annotations") or {})
    assert gone.facts["kept"] == []


def test_the_identity_stays_while_another_workspace_needs_it(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    before = text(api_server)
    run(sandbox, **ALL)
    partly = run(sandbox, state="absent")
    assert [entry["name"] for entry in entries(api_server)] == ["audit"]
    assert any(URL.format(2) in sentence for sentence in partly.facts["kept"])
    assert [change.kind for change in partly.changes] == ["ConfigMap"]
    rest = run(sandbox, state="absent", remote_write_url=URL.format(2))
    assert [change.kind for change in rest.changes] == ["ConfigMap", "Deployment"]
    assert text(api_server) == before


def test_an_entry_of_an_older_version_gets_its_queue_in_place(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    before = text(api_server)
    run(sandbox, queue_config=dict.fromkeys(DEFAULT_QUEUE))
    found = stored(api_server)
    record = json.loads(found["metadata"]["annotations"][RECORD_ANNOTATION])
    assert "queue_config" not in entries(api_server)[0]
    for addition in record["prometheus.yml"].values():  # neither was recorded then
        del addition["entry"], addition["order"]
    found["metadata"]["annotations"][RECORD_ANNOTATION] = json.dumps(record)
    api_server.seed(found)
    assert [change.kind for change in run(sandbox).changes] == ["ConfigMap"]
    (entry,) = entries(api_server)
    assert entry["queue_config"]["retry_on_http_429"] is True
    assert run(sandbox).changes == ()
    run(sandbox, state="absent")
    assert text(api_server) == before


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        ("quay.io/prometheus/prometheus:v2.25.2", {}, "Prometheus 2.25.2 can't sign requests"),
        ("prom/prometheus:v2.53.3", {"service_name": "aps"}, "Prometheus 2.53.3 does not know sigv4.service_name"),
        ("prom/prometheus:v2.54.0", {"use_fips_sts_endpoint": True}, "which came with 3.1.0"),
        ("prom/prometheus:latest", {"prometheus_version": "v2.25.0"}, "Prometheus 2.25.0 can't sign requests"),
        (
            "prom/prometheus:v3.5.0",
            {"chained_role_arn": OTHER_ROLE, "external_id": "x"},
            "Prometheus 3.5.0 does not know sigv4.external_id, which came with 3.10.0",
        ),
    ],
)
def test_what_the_version_does_not_know_is_refused_before_any_write(
    sandbox: Sandbox, image: str, options: Json, words: str
) -> None:
    set_image(sandbox.api_server("fresh"), image)
    before = stored(sandbox.api_server("fresh"))
    for check_mode in (True, False):
        with pytest.raises(FederationError) as caught:
            run(sandbox, check_mode=check_mode, **options)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
    assert stored(sandbox.api_server("fresh")) == before


def test_an_unknown_version_is_a_warning_only_where_it_matters(sandbox: Sandbox) -> None:
    set_image(sandbox.api_server("fresh"), "prom/prometheus@sha256:" + "0" * 64)
    plain = run(sandbox, check_mode=True)
    assert plain.facts["prometheus_version"] is None
    assert not any("version of this Prometheus" in warning for warning in plain.warnings)
    gated = run(sandbox, check_mode=True, service_name="aps")
    (warning,) = [warning for warning in gated.warnings if "version of this Prometheus" in warning]
    assert "sigv4.service_name needs 3.5.0" in warning
    given = run(sandbox, check_mode=True, service_name="aps", prometheus_version="3.5.0")
    assert given.facts["prometheus_version"] == "3.5.0"
    assert not any("version of this Prometheus" in warning for warning in given.warnings)


@pytest.fixture
def refusing_promtool(tmp_path: Path) -> Path:
    """Refuses a text with our entry, as the real one does with a mistake in it."""
    program = tmp_path / "promtool"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "promtool, version 3.5.0"; exit; fi\n'
        'if grep -q aps-workspaces "$4"; then echo "  FAILED: this entry" >&2; exit 1; fi\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("check_mode", [True, False])
def test_what_promtool_refuses_is_not_written(sandbox: Sandbox, refusing_promtool: Path, *, check_mode: bool) -> None:
    before = stored(sandbox.api_server("fresh"))
    with pytest.raises(errors.Refused, match=r"promtool refuses prometheus\.yml in ConfigMap .* this entry"):
        run(sandbox, check_mode=check_mode, promtool=str(refusing_promtool))
    assert stored(sandbox.api_server("fresh")) == before


def test_a_converged_configuration_is_not_checked_again(sandbox: Sandbox, refusing_promtool: Path) -> None:
    run(sandbox)
    assert run(sandbox, promtool=str(refusing_promtool)).changes == ()
    with pytest.raises(errors.InvalidInput, match="can't be run"):
        run(sandbox, name="amp", promtool=str(refusing_promtool.with_name("nothing")))
