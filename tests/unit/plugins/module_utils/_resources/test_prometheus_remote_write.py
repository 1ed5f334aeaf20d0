# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write as a planned resource: its decisions, and against the sandbox's API servers."""

from __future__ import annotations

import copy
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP, ObjectReference
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Plan, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import rollout
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_remote_write import (
    Current,
    plan_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_wish import Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result, failure_values
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
CONFIG = CONFIG_MAP.at("prometheus-config", "monitoring")
OPTIONS: Json = {
    "namespace": "monitoring",
    "configmap": "prometheus-config",
    "workload_name": "prometheus",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": URL,
}
TEXT = "scrape_configs:\n  - job_name: a # keep\n    basic_auth: {username: u, password: hunter2}\n"


def wish(*, check_mode: bool = False, **options: t.Any) -> Wish:
    return Wish.from_params(params_of(resource.DEFINITION, {**OPTIONS, **options}), check_mode=check_mode)


def current(*, text: str = TEXT, kind: str = "Deployment", **workload: t.Any) -> Current:
    """An ordinary Prometheus as an API server gives it; ``workload`` are fields of its spec."""
    config_map = {"kind": "ConfigMap", "metadata": {"resourceVersion": "1"}, "data": {"prometheus.yml": text}}
    volumes = [{"name": "config", "configMap": {"name": "prometheus-config"}}]
    mounts = [{"name": "config", "mountPath": "/etc/prometheus"}]
    containers = [{"name": "prometheus", "args": ["--web.enable-lifecycle"], "volumeMounts": mounts}]
    template = {"metadata": {}, "spec": {"containers": containers, "volumes": volumes}}
    return Current(
        config_map,
        {"kind": kind, "metadata": {"resourceVersion": "2"}, "spec": {"template": template, **workload}},
        account_exists=None,
    )


def converged() -> Current:
    return plan_remote_write(current(), wish()).predicted


def lasting(result: Result) -> Json:
    """The return values but for what became of the rollout, which no check mode can know."""
    return {name: value for name, value in result.facts.items() if name != "rollout_status"}


def kinds(plan: Plan[t.Any, t.Any]) -> list[str]:
    return [change.kind for change in plan.changes]


# --- decisions --------------------------------------------------------------------------------------------------------


def test_changes_name_who_wrote_the_configuration_and_the_workload() -> None:
    found = current()
    fields = {"f:data": {"f:prometheus.yml": {}}}
    found.config["metadata"]["managedFields"] = [{"manager": "helm", "time": "t", "fieldsV1": fields}]
    found.workload["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "time": "u", "fieldsV1": {"f:spec": {}}}]
    assert [change.last_changed_by for change in plan_remote_write(found, wish()).changes] == [
        LastChange("helm", "t", Told.FIELD),
        LastChange("kubectl-edit", "u", Told.OBJECT),
    ]


def test_both_objects_are_changed_the_configuration_first() -> None:
    plan = plan_remote_write(current(), wish())
    assert kinds(plan) == ["ConfigMap", "Deployment"]
    assert rollout(plan.changes).value == "restart"
    assert plan.warnings == ()
    again = plan_remote_write(plan.predicted, wish())
    assert (again.changes, again.warnings) == ((), ())
    assert again.predicted == plan.predicted
    assert rollout(again.changes).value == "none"


def test_rights_to_find_targets_stay_with_the_old_service_account() -> None:
    found = current(text=f"{TEXT}    kubernetes_sd_configs: [{{role: pod}}]\n")
    plan = plan_remote_write(found, wish())
    (warning,) = plan.warnings
    assert warning.startswith("Deployment monitoring/prometheus finds targets by the rights of its service account (")
    assert warning.endswith(": see that prometheus-sa has those of default (RBAC).")
    assert plan_remote_write(plan.predicted, wish()).warnings == ()


def test_diffs_show_text_and_parts_but_no_secret() -> None:
    config_map, workload = (change.diff() for change in plan_remote_write(current(), wish()).changes)
    assert str(config_map["after"]).startswith(str(config_map["before"]))
    assert "password: <redacted>" in str(config_map["before"])
    assert "hunter2" not in f"{config_map}{workload}"
    assert workload["before"] == {}
    assert set(t.cast("Json", workload["after"])) == {"serviceAccountName", "volumes", "containers"}


def test_a_configuration_alone_asks_for_a_reload() -> None:
    state = converged()
    state.config["data"]["prometheus.yml"] = TEXT
    plan = plan_remote_write(state, wish())
    assert kinds(plan) == ["ConfigMap"]
    assert rollout(plan.changes).value == "reload"
    assert plan.warnings == ()  # the run asks for it itself
    for options in ({"wait": False}, {"rollout": "none"}):
        (warning,) = plan_remote_write(state, wish(**options)).warnings
        assert "reload Prometheus" in warning


def test_a_single_file_mount_asks_for_a_restart_instead() -> None:
    state = converged()
    state.config["data"]["prometheus.yml"] = TEXT
    state.template["spec"]["containers"][0]["volumeMounts"][0]["subPath"] = "prometheus.yml"
    (warning,) = plan_remote_write(state, wish(rollout="none")).warnings
    assert "restart its pods" in warning
    plan = plan_remote_write(state, wish())
    assert (kinds(plan), rollout(plan.changes).value, plan.warnings) == (["ConfigMap", "Deployment"], "restart", ())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"updateStrategy": {"type": "OnDelete"}}, "OnDelete"),
        ({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}, "partition 2"),
    ],
)
def test_pods_that_are_not_replaced_by_themselves_are_warned_of(spec: Json, words: str) -> None:
    (warning,) = plan_remote_write(current(**spec), wish()).warnings
    assert words in warning


def test_a_paused_workload_whose_pods_must_change_is_refused() -> None:
    with pytest.raises(errors.Refused, match="Deployment monitoring/prometheus is paused") as caught:
        plan_remote_write(current(paused=True), wish())
    assert "kubectl rollout resume deployment/prometheus --namespace monitoring" in caught.value.fix
    done = converged()
    done.workload["spec"]["paused"] = True
    assert plan_remote_write(done, wish()).changes == ()


@pytest.mark.parametrize("which", ["config", "workload"])
def test_what_is_being_deleted_is_not_changed(which: str) -> None:
    state = current()
    getattr(state, which)["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    with pytest.raises(errors.Refused, match="is being deleted"):
        plan_remote_write(state, wish())


def test_a_config_map_that_prometheus_does_not_mount_is_warned_of() -> None:
    state = current()
    state.template["spec"]["volumes"][0]["configMap"]["name"] = "another"
    assert any("does not mount ConfigMap" in warning for warning in plan_remote_write(state, wish()).warnings)


def test_an_immutable_config_map_is_refused_only_when_it_must_change() -> None:
    state = current()
    state.config["immutable"] = True
    with pytest.raises(errors.Refused, match="ConfigMap monitoring/prometheus-config is immutable"):
        plan_remote_write(state, wish())
    done = converged()
    done.config["immutable"] = True
    assert plan_remote_write(done, wish()).changes == ()


@pytest.mark.parametrize("which", ["config", "workload"])
def test_what_a_controller_generates_is_refused(which: str) -> None:
    state = current()
    owner = {"kind": "Prometheus", "name": "k8s", "controller": True}
    getattr(state, which)["metadata"]["ownerReferences"] = [owner]
    with pytest.raises(errors.Refused, match="is generated from Prometheus k8s"):
        plan_remote_write(state, wish())


def test_a_missing_service_account_is_found_before_any_write() -> None:
    state = Current(current().config, current().workload, account_exists=False)
    with pytest.raises(errors.NotFound, match="no ServiceAccount monitoring/prometheus-sa") as caught:
        plan_remote_write(state, wish())
    assert "--tags service_account" in caught.value.fix


def test_a_role_that_is_not_known_yet_is_planned_in_check_mode() -> None:
    plan = plan_remote_write(current(), wish(check_mode=True, role_arn=KNOWN_AFTER_APPLY))
    after = t.cast("Json", plan.changes[1].after)
    assert after["containers"]["prometheus"]["env"]["AWS_ROLE_ARN"] == KNOWN_AFTER_APPLY


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["role_arn", "region", "remote_write_url"])
def test_unknown_values_are_taken_in_check_mode_only(option: str) -> None:
    options: Json = {option: KNOWN_AFTER_APPLY}
    wish(check_mode=True, **options)
    with pytest.raises(errors.InvalidInput, match=f"'{option}' is '<known after apply>'"):
        wish(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"chained_role_arn": ROLE}, "The chained role is the federated role itself"),
        ({"chained_role_arn": "writer"}, "is not the ARN of an IAM role"),
        ({"role_arn": "arn:aws:iam::1:user/x"}, "is not the ARN of an IAM role"),
        ({"remote_write_url": "http://x/api/v1/remote_write"}, "not an https URL"),
        ({"remote_write_url": "https://me:hunter2@x/api/v1/remote_write"}, "without credentials"),
        ({"region": "eu-central-1"}, "is that of a workspace in eu-west-1"),
        ({"token_expiration_seconds": 599}, "token_expiration_seconds is 599"),
        ({"token_expiration_seconds": 86401}, "token_expiration_seconds is 86401"),
        ({"audience": "a b"}, "The audience 'a b' is malformed"),
        ({"namespace": "Monitoring"}, "is not a Kubernetes name"),
        ({"service_account": "*"}, "is not a Kubernetes name"),
        ({"configmap": ""}, "'configmap' is empty"),
    ],
)
def test_bad_input_is_one_sentence(options: Json, words: str) -> None:
    with pytest.raises((errors.InvalidInput, FederationError)) as caught:
        wish(**options)
    message = str(failure_values(caught.value)["msg"])
    assert words in message
    assert "hunter2" not in message
    assert "\n" not in message


# --- against the sandbox ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    for cluster in ("fresh", "halfdone", "finished"):
        account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "prometheus-sa"}}
        account["metadata"]["namespace"] = "monitoring"  # type: ignore[index]  # a literal of mixed types
        running.api_server(cluster).seed(account)
    return running


def run(sandbox: Sandbox, cluster: str = "fresh", *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {**OPTIONS, "kubeconfig": str(sandbox.kubeconfig), "context": cluster, **options}
    return resource.DEFINITION.run(
        params_of(resource.DEFINITION, values), Context(check_mode=check_mode, sleep=lambda _: None)
    )


def stored_text(api_server: ApiServer) -> str:
    stored = api_server.get("ConfigMap", "monitoring", "prometheus-config")
    assert stored is not None
    return str(stored["data"]["prometheus.yml"])


def stored_workload(api_server: ApiServer, kind: str = "Deployment") -> Json:
    stored = api_server.get(kind, "monitoring", "prometheus")
    assert stored is not None
    return stored


def reports(result: Result) -> list[dict[str, str]]:
    return [change.report() for change in result.changes]


def test_what_is_checked_is_what_is_applied_and_only_once(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    text, workload = stored_text(api_server), stored_workload(api_server)
    checked = run(sandbox, check_mode=True)
    assert not any(request.write for request in sandbox.world.log.since())
    applied = run(sandbox)
    assert reports(applied) == reports(checked)
    assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
    assert lasting(applied) == lasting(checked)
    assert lasting(applied) == {
        "configmap": "monitoring/prometheus-config",
        "config_secret": None,
        "workload": "Deployment monitoring/prometheus",
        "container": "prometheus",
        "remote_write": wish().entry.entry(),
        "additional_remote_writes": [],
        "prometheus_version": "3.5.0",
        "rollout": "restart",
        "kept": [],
    }
    assert stored_text(api_server).startswith(f"{text}  - url: {URL}\n    sigv4:\n      region: eu-west-1\n")
    assert yaml.safe_load(stored_text(api_server))["remote_write"][-1] == wish().entry.entry()
    # Everything of the pod that was there is there still.
    pod, before = (item["spec"]["template"]["spec"] for item in (stored_workload(api_server), workload))
    assert pod["containers"][1] == before["containers"][1]
    assert pod["volumes"][:2] == before["volumes"]
    assert pod["containers"][0]["env"][:2] == before["containers"][0]["env"]
    same = [key for key in before["containers"][0] if key not in ("env", "volumeMounts")]
    assert {key: pod["containers"][0][key] for key in same} == {key: before["containers"][0][key] for key in same}
    assert stored_workload(api_server)["metadata"]["labels"] == workload["metadata"]["labels"]
    again = run(sandbox)
    assert (again.changes, again.warnings, again.facts["rollout"]) == ((), (), "none")


def test_a_converged_cluster_costs_two_reads(sandbox: Sandbox) -> None:
    run(sandbox)
    before = len(sandbox.world.log.since())
    run(sandbox)
    requests = sandbox.world.log.since()[before:]
    assert [(request.operation, request.write) for request in requests] == [
        ("get configmaps", False),
        ("get deployments", False),
    ]


def amp_url(sandbox: Sandbox, cluster: str) -> str:
    return str(yaml.safe_load(stored_text(sandbox.api_server(cluster)))["remote_write"][0]["url"])


def test_the_guides_own_entry_is_repaired(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("halfdone")
    text = stored_text(api_server)
    role = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-halfdone"
    result = run(sandbox, "halfdone", role_arn=role, remote_write_url=amp_url(sandbox, "halfdone"))
    assert stored_text(api_server) == text.replace(f"    role_arn: {role}\n", "")
    assert [change.kind for change in result.changes] == ["ConfigMap", "Deployment"]
    assert f"remove sigv4.role_arn {role}" in result.changes[0].summary
    # It ran as the service account already.
    assert "serviceAccountName" not in t.cast("Json", result.changes[1].after)


def test_a_finished_cluster_needs_nothing(sandbox: Sandbox) -> None:
    role = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-finished"
    result = run(sandbox, "finished", role_arn=role, remote_write_url=amp_url(sandbox, "finished"))
    assert result.changes == ()


def test_a_stateful_set(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    deployment = stored_workload(api_server)
    spec = {key: deployment["spec"][key] for key in ("replicas", "selector", "template")}
    metadata = {"name": "prometheus", "namespace": "monitoring"}
    api_server.seed(
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {**spec, "serviceName": "p"}}
    )
    checked = run(sandbox, check_mode=True, workload_kind="StatefulSet", pod_label=True)
    applied = run(sandbox, workload_kind="StatefulSet", pod_label=True)
    assert reports(applied) == reports(checked)
    assert applied.facts["workload"] == "StatefulSet monitoring/prometheus"
    template = stored_workload(api_server, "StatefulSet")["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert run(sandbox, workload_kind="StatefulSet", pod_label=True).changes == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"configmap": "nowhere"}, "There is no ConfigMap monitoring/nowhere"),
        ({"key": "server.yml"}, "has no key 'server.yml'; its keys are: alerts.yml, prometheus.yml"),
        ({"workload_name": "nowhere"}, "There is no Deployment monitoring/nowhere"),
        ({"workload_kind": "StatefulSet"}, "There is no StatefulSet monitoring/prometheus"),
        ({"container": "nowhere"}, "has no container 'nowhere', but prometheus, config-reloader"),
        ({"key": "alerts.yml", "service_account": "nobody"}, "There is no ServiceAccount monitoring/nobody"),
    ],
)
def test_what_is_missing_is_named_before_any_write(sandbox: Sandbox, options: Json, words: str) -> None:
    with pytest.raises(errors.NotFound) as caught:
        run(sandbox, **options)
    assert words in caught.value.sentence()
    assert not any(request.write for request in sandbox.world.log.since())


def test_a_configuration_that_is_not_yaml_is_refused_before_any_write(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("fresh")
    config_map = api_server.get("ConfigMap", "monitoring", "prometheus-config")
    assert config_map is not None
    api_server.seed({**config_map, "data": {"prometheus.yml": "global:\n  a: [\n"}})
    with pytest.raises(errors.Refused, match=r"line 3, column 1"):
        run(sandbox)
    assert not any(request.write for request in sandbox.world.log.since())


class Rival(KubeClient):
    """A client before whose first writes somebody else changes the ConfigMap."""

    def __init__(self, auth: KubeAuth, races: int) -> None:
        super().__init__(auth)
        self._races = races

    def merge_patch(self, reference: ObjectReference, body: Json, *, resource_version: str, **how: bool) -> Json:
        if self._races and reference == CONFIG:
            self._races -= 1
            found = self.get(CONFIG)
            assert found is not None
            text = f"# edit {self._races}\n" + found["data"]["prometheus.yml"]
            version = found["metadata"]["resourceVersion"]
            super().merge_patch(CONFIG, {"data": {"prometheus.yml": text}}, resource_version=version)
        return super().merge_patch(reference, body, resource_version=resource_version, **how)


def test_a_lost_race_is_planned_anew_and_keeps_the_others_change(sandbox: Sandbox) -> None:
    auth = KubeAuth(kubeconfig=str(sandbox.kubeconfig), context="fresh")
    contested = resource.RemoteWriteResource(wish(), Rival(auth, 2), check_mode=False)
    outcome = Context(check_mode=False, sleep=lambda _: None).converge(contested)
    assert [change.kind for change in outcome.changes] == ["ConfigMap", "Deployment"]
    text = stored_text(sandbox.api_server("fresh"))
    assert text.startswith("# edit 0\n# edit 1\n")
    assert text.count(URL) == 1


def test_a_missing_right_names_the_rule(sandbox: Sandbox) -> None:
    sandbox.api_server("fresh").grant("reader", [], "reader")
    with pytest.raises(errors.Forbidden) as caught:
        run(sandbox, api_key="reader")
    assert "'get' on 'configmaps' in namespace 'monitoring'" in caught.value.fix


def test_the_state_that_was_read_is_never_changed(sandbox: Sandbox) -> None:
    auth = KubeAuth(kubeconfig=str(sandbox.kubeconfig), context="fresh")
    state = resource.RemoteWriteResource(wish(), KubeClient(auth), check_mode=True).read()
    before = copy.deepcopy(state)
    plan_remote_write(state, wish())
    assert state == before
