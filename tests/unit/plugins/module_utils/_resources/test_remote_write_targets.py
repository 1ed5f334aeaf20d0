# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write in every kind of workload and place of the configuration, against the sandbox's API servers."""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import NAMESPACE, ObjectReference
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_removal import (
    RemovalResource,
    RemovalWish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_wish import Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    EXPECTED,
    Context,
    Result,
    failure_values,
    result_values,
)
from sandbox.kubernetes import Rule, Webhook
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import params_of
from tests.unit.plugins.module_utils._resources.prometheus_targets import TARGETS, Target

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
SECRET = "hunter2"
TEXT = f"""\
# Owner: platform team
scrape_configs:
  - job_name: a  # keep
    basic_auth: {{username: u, password: {SECRET}}}
remote_write:
  - url: https://metrics.example.net/api/v1/push
    basic_auth:
      username: fleet
      password: {SECRET}
"""
OPTIONS: Json = {
    "namespace": "monitoring",
    "service_account": "prometheus-sa",
    "role_arn": f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh",
    "region": "eu-west-1",
    "remote_write_url": URL,
}
DEPLOYMENT = Target("Deployment", "ConfigMap")
STATEFUL_SET = Target("StatefulSet", "Secret", "packed")
DAEMON_SET = Target("DaemonSet", "ConfigMap", "binary")
#: One of each kind of workload and of source.
SOME = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


class Cluster:
    """The cluster ``fresh`` with one Prometheus, and the module run on it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.api: ApiServer = sandbox.api_server("fresh")
        self.target = DEPLOYMENT
        self.log_start = 0

    def prepare(
        self, target: Target, text: str = TEXT, change: Callable[[Json, Json], None] = lambda _config, _workload: None
    ) -> None:
        """Let the Prometheus run in one way; ``change`` may alter both manifests."""
        self.target = target
        config, workload = target.config(text), target.workload()
        change(config, workload)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus-sa"}}
        account["metadata"]["namespace"] = "monitoring"  # type: ignore[index]  # a literal of mixed types
        for manifest in (account, config, workload):
            self.api.seed(manifest)
        self.log_start = self.last_request()

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Result:
        given = {**OPTIONS, **self.target.options, **self.access, **options}
        return resource.DEFINITION.run(
            params_of(resource.DEFINITION, given), Context(check_mode=check_mode, sleep=lambda _seconds: None)
        )

    def refused(self, *, check_mode: bool = False, **options: t.Any) -> str:
        """The message of a run that must fail without any write."""
        with pytest.raises(EXPECTED) as caught:
            self.run(check_mode=check_mode, **options)
        assert self.writes() == []
        message = str(failure_values(caught.value)["msg"])
        assert "\n" not in message
        assert SECRET not in message
        return message

    @property
    def access(self) -> Json:
        return {"kubeconfig": str(self.sandbox.kubeconfig), "context": "fresh"}

    @property
    def auth(self) -> KubeAuth:
        return KubeAuth(kubeconfig=str(self.sandbox.kubeconfig), context="fresh")

    def wish(self, **options: t.Any) -> Wish:
        given = {**OPTIONS, **self.target.options, **options}
        return Wish.from_params(params_of(resource.DEFINITION, given), check_mode=False)

    def removal(self) -> RemovalWish:
        given = {"namespace": "monitoring", "state": "absent", **self.target.options}
        return RemovalWish.from_params(params_of(resource.DEFINITION, given))

    def last_request(self) -> int:
        requests = self.sandbox.world.log.since()
        return requests[-1].number if requests else 0

    def writes(self) -> list[str]:
        requests = self.sandbox.world.log.since(self.log_start)
        return [request.operation for request in requests if request.write]

    @property
    def config(self) -> Json:
        return self._stored(self.target.source, "prometheus-config")

    @property
    def workload(self) -> Json:
        return self._stored(self.target.kind, "prometheus")

    def _stored(self, kind: str, name: str) -> Json:
        found = self.api.get(kind, "monitoring", name)
        assert found is not None
        return found

    @property
    def text(self) -> str:
        return self.target.text(self.config)


@pytest.fixture
def cluster(running: Sandbox) -> Cluster:
    running.reset()
    return Cluster(running)


def reports(result: Result) -> list[dict[str, str]]:
    return [change.report() for change in result.changes]


def lasting(result: Result) -> Json:
    """What a result says of the objects; what was seen of the pods is not for check mode."""
    return {name: value for name, value in result.facts.items() if name != "rollout_status"}


def diffs(result: Result) -> list[dict[str, object]]:
    return [change.diff() for change in result.changes]


# --- every kind -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_present_and_absent_are_predicted_done_once_and_undone(cluster: Cluster, target: Target) -> None:
    cluster.prepare(target)
    before = copy.deepcopy((cluster.config, cluster.workload["spec"]))
    for state, options in (("present", {}), ("absent", {"state": "absent"})):
        checked = cluster.run(check_mode=True, **options)
        assert cluster.writes() == [], state
        applied = cluster.run(**options)
        assert [report["kind"] for report in reports(applied)] == [target.source, target.kind]
        assert reports(applied) == reports(checked)
        assert diffs(applied) == diffs(checked)
        assert lasting(applied) == lasting(checked)
        assert applied.warnings == checked.warnings == ()
        for check_mode in (True, False):
            again = cluster.run(check_mode=check_mode, **options)
            assert (again.changes, again.warnings) == ((), ())
        assert SECRET not in json.dumps([result_values(checked), result_values(applied)])
        if state == "present":
            assert cluster.text.startswith(TEXT)
            assert cluster.text.count(URL) == 1
            pod = cluster.workload["spec"]["template"]["spec"]
            assert pod["serviceAccountName"] == "prometheus-sa"
            assert SECRET not in json.dumps(cluster.config["metadata"])
        cluster.log_start = cluster.last_request()
    assert cluster.text == TEXT
    assert cluster.workload["spec"] == before[1]
    assert {k: v for k, v in cluster.config.items() if k in ("data", "binaryData")}.keys() == {
        k: v for k, v in before[0].items() if k in ("data", "binaryData")
    }.keys()
    for found in (cluster.config, cluster.workload):
        assert RECORD_ANNOTATION not in found["metadata"].get("annotations", {})


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_prediction_is_exactly_what_the_api_server_then_stores(cluster: Cluster, target: Target) -> None:
    """The plan's own prediction, without the API server's help: pod template, content and record."""
    cluster.prepare(target)
    for make in (
        lambda: resource.RemoteWriteResource(cluster.wish(), KubeClient(cluster.auth), check_mode=False),
        lambda: RemovalResource(cluster.removal(), KubeClient(cluster.auth)),
    ):
        planned: t.Any = make()
        plan = planned.plan(planned.read())
        rehearsed = planned.rehearse(plan)
        assert rehearsed.warnings == plan.warnings == ()
        Context(check_mode=False, sleep=lambda _seconds: None).converge(make())
        for predicted in (plan.predicted, rehearsed.predicted):
            assert predicted.workload["spec"]["template"] == cluster.workload["spec"]["template"]
            for field in ("data", "binaryData"):
                assert predicted.config.get(field) == cluster.config.get(field)
            assert predicted.config["metadata"].get("annotations") == cluster.config["metadata"].get("annotations")


def test_packed_text_that_needs_no_change_is_not_packed_anew(cluster: Cluster) -> None:
    cluster.prepare(STATEFUL_SET)
    cluster.run()
    content = cluster.config["data"]
    cluster.run(role_arn=f"arn:aws:iam::{AWS_ACCOUNT}:role/Another")
    assert cluster.config["data"] == content


@pytest.mark.parametrize("target", SOME, ids=str)
def test_the_result_names_the_objects(cluster: Cluster, target: Target) -> None:
    cluster.prepare(target)
    facts = cluster.run().facts
    of_map = target.source == "ConfigMap"
    assert facts["configmap"] == ("monitoring/prometheus-config" if of_map else None)
    assert facts["config_secret"] == (None if of_map else "monitoring/prometheus-config")
    assert facts["workload"] == f"{target.kind} monitoring/prometheus"
    assert facts["rollout"] == "restart"


# --- the rehearsal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["source", "kind"])
@pytest.mark.parametrize("target", SOME, ids=str)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_mode_hears_admission(cluster: Cluster, target: Target, kind: str, state: str) -> None:
    cluster.prepare(target)
    if state == "absent":
        cluster.run()
        cluster.log_start = cluster.last_request()
    judged = getattr(target, kind)
    cluster.api.add_webhook(Webhook("policy.example.com", judged, lambda _obj: "no changes on Fridays"))
    message = cluster.refused(check_mode=True, state=state)
    assert 'admission webhook "policy.example.com" denied the request: no changes on Fridays' in message
    assert "Satisfy the admission webhook policy.example.com" in message


def test_what_admission_changes_further_is_said_by_its_place_and_predicted(cluster: Cluster) -> None:
    def add(obj: Json) -> None:
        template = obj["spec"]["template"]
        template["metadata"].setdefault("annotations", {})["injected"] = SECRET
        template["spec"]["hostNetwork"] = True

    cluster.prepare(DEPLOYMENT)
    cluster.api.add_webhook(Webhook("inject.example.com", "Deployment", add))
    checked = cluster.run(check_mode=True)
    (warning,) = checked.warnings
    assert "more of Deployment monitoring/prometheus than is asked for" in warning
    assert "spec.template.metadata.annotations.injected, spec.template.spec.hostNetwork" in warning
    assert SECRET not in warning
    assert cluster.run().warnings == ()
    assert cluster.run(check_mode=True).changes == ()


def test_a_webhook_that_takes_no_part_in_dry_runs_is_a_warning(cluster: Cluster) -> None:
    cluster.prepare(DEPLOYMENT)
    cluster.api.add_webhook(Webhook("ledger.example.com", "ConfigMap", lambda _obj: None, side_effects=True))
    checked = cluster.run(check_mode=True)
    (warning,) = checked.warnings
    assert "The change of ConfigMap monitoring/prometheus-config could not be rehearsed" in warning
    assert '"ledger.example.com" does not support dry run' in warning
    assert reports(cluster.run()) == reports(checked)


@pytest.mark.parametrize("target", SOME, ids=str)
def test_who_may_only_read_sees_the_plan_and_which_rights_are_missing(cluster: Cluster, target: Target) -> None:
    cluster.prepare(target)
    plurals = {"ConfigMap": "configmaps", "Secret": "secrets"}
    rules = [
        Rule(("get",), ("configmaps", "secrets", "serviceaccounts")),
        Rule(("get",), (f"{target.kind.lower()}s",), ("apps",)),
    ]
    cluster.api.grant("reader", rules, "reader")
    checked = cluster.run(check_mode=True, api_key="reader")
    assert [report["kind"] for report in reports(checked)] == [target.source, target.kind]
    of_config, of_workload = checked.warnings
    source = plurals[target.source]
    assert f"could not be rehearsed and can't be made: Grant the right 'patch' on '{source}'" in of_config
    assert f"'patch' on '{target.kind.lower()}s' of the API group 'apps' in namespace 'monitoring'" in of_workload
    message = cluster.refused(api_key="reader")
    assert f"Grant the right 'patch' on '{source}' in namespace 'monitoring' by an RBAC role" in message
    assert "Nothing was changed." in message


@pytest.mark.parametrize("target", SOME, ids=str)
def test_a_missing_right_to_read_names_the_rule(cluster: Cluster, target: Target) -> None:
    cluster.prepare(target)
    cluster.api.grant("nobody", [], "nobody")
    plural = {"ConfigMap": "configmaps", "Secret": "secrets"}[target.source]
    assert f"'get' on '{plural}' in namespace 'monitoring'" in cluster.refused(api_key="nobody")
    cluster.api.grant("nobody", [Rule(("get",), (plural,))])
    assert f"'get' on '{target.kind.lower()}s' of the API group 'apps'" in cluster.refused(api_key="nobody")


class Overtaken(KubeClient):
    """A client before whose first rehearsal or write of an object somebody else changes that object."""

    def __init__(self, auth: KubeAuth, kind: str, change: Callable[[Json], Json]) -> None:
        super().__init__(auth)
        self._kind = kind
        self._change: Callable[[Json], Json] | None = change

    def merge_patch(self, reference: ObjectReference, body: Json, *, resource_version: str, **how: bool) -> Json:
        if self._change is not None and reference.kind.name == self._kind:
            found = self.get(reference)
            assert found is not None
            change, self._change = self._change(found), None
            super().merge_patch(reference, change, resource_version=found["metadata"]["resourceVersion"])
        return super().merge_patch(reference, body, resource_version=resource_version, **how)


def _edit_of(target: Target) -> Callable[[Json], Json]:
    """Somebody adds a line to the configuration, in the form in which it is stored."""

    def edit(found: Json) -> Json:
        changed = target.config(f"# outside\n{target.text(found)}")
        return {field: changed[field] for field in ("data", "binaryData") if field in changed}

    return edit


def _scale(_found: Json) -> Json:
    return {"spec": {"minReadySeconds": 7}}


@pytest.mark.parametrize("of_source", [True, False], ids=["source", "workload"])
@pytest.mark.parametrize("check_mode", [True, False], ids=["check", "apply"])
@pytest.mark.parametrize("target", SOME, ids=str)
def test_an_outside_writer_is_never_overwritten(
    cluster: Cluster, target: Target, *, check_mode: bool, of_source: bool
) -> None:
    kind, change = (target.source, _edit_of(target)) if of_source else (target.kind, _scale)
    cluster.prepare(target)
    contested = resource.RemoteWriteResource(
        cluster.wish(), Overtaken(cluster.auth, kind, change), check_mode=check_mode
    )
    outcome = Context(check_mode=check_mode, sleep=lambda _seconds: None).converge(contested)
    assert [one.kind for one in outcome.changes] == [target.source, target.kind]
    assert len(cluster.writes()) == (1 if check_mode else 3)
    config, workload = (
        (outcome.state.config, outcome.state.workload) if check_mode else (cluster.config, cluster.workload)
    )
    assert target.text(config).startswith("# outside\n" if of_source else TEXT)
    assert target.text(config).count(URL) == 1
    assert workload["spec"].get("minReadySeconds", 0) == (0 if of_source else 7)
    assert workload["spec"]["template"]["spec"]["serviceAccountName"] == "prometheus-sa"


@pytest.mark.parametrize("of_source", [True, False], ids=["source", "workload"])
@pytest.mark.parametrize("target", SOME, ids=str)
def test_an_outside_writer_is_not_overwritten_by_a_removal_either(
    cluster: Cluster, target: Target, *, of_source: bool
) -> None:
    kind, change = (target.source, _edit_of(target)) if of_source else (target.kind, _scale)
    cluster.prepare(target)
    cluster.run()
    removal = RemovalResource(cluster.removal(), Overtaken(cluster.auth, kind, change))
    Context(check_mode=False, sleep=lambda _seconds: None).converge(removal)
    assert cluster.text == (f"# outside\n{TEXT}" if of_source else TEXT)
    assert cluster.workload["spec"].get("minReadySeconds", 0) == (0 if of_source else 7)


# --- variables from elsewhere -----------------------------------------------------------------------------------------


def _load_from(*bundles: Json) -> Callable[[Json, Json], None]:
    def change(_config: Json, workload: Json) -> None:
        workload["spec"]["template"]["spec"]["containers"][0]["envFrom"] = list(bundles)

    return change


def test_credentials_from_a_secret_stop_the_run(cluster: Cluster) -> None:
    keys = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-keys", "namespace": "monitoring"}}
    cluster.api.seed({**keys, "stringData": {"ACCESS_KEY_ID": SECRET}})
    cluster.prepare(DEPLOYMENT, change=_load_from({"prefix": "AWS_", "secretRef": {"name": "aws-keys"}}))
    for check_mode in (True, False):
        message = cluster.refused(check_mode=check_mode)
        assert "loads AWS_ACCESS_KEY_ID from Secret monitoring/aws-keys into the container prometheus" in message


def test_a_secret_that_may_not_be_read_is_a_warning_with_the_right(cluster: Cluster) -> None:
    cluster.prepare(
        DEPLOYMENT,
        change=_load_from({"secretRef": {"name": "aws-keys"}}, {"configMapRef": {"name": "nowhere", "optional": True}}),
    )
    rules = [
        Rule(("get", "patch"), ("configmaps", "serviceaccounts", "namespaces")),
        Rule(("get", "patch"), ("deployments",), ("apps",)),
    ]
    cluster.api.grant("narrow", rules, "narrow")
    (warning,) = cluster.run(check_mode=True, api_key="narrow").warnings
    assert "loads variables from Secret monitoring/aws-keys into the container prometheus" in warning
    assert "Grant the right 'get' on 'secrets' in namespace 'monitoring'" in warning


def test_settings_from_elsewhere_are_fine(cluster: Cluster) -> None:
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "monitoring"}}
    cluster.api.seed({**settings, "data": {"AWS_CONFIG_FILE": "/etc/aws/config", "TZ": "UTC"}})
    cluster.prepare(DEPLOYMENT, change=_load_from({"configMapRef": {"name": "settings"}}))
    assert cluster.run().warnings == ()


# --- who keeps the objects --------------------------------------------------------------------------------------------


def test_a_tool_that_will_undo_it_is_named_for_each_changed_object(cluster: Cluster) -> None:
    def mark(config: Json, workload: Json) -> None:
        config["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "metrics:/ConfigMap:monitoring/x"}
        workload["metadata"]["labels"]["kustomize.toolkit.fluxcd.io/name"] = "apps"

    cluster.prepare(DEPLOYMENT, change=mark)
    for state in ("present", "absent"):
        of_config, of_workload = cluster.run(state=state).warnings
        assert of_config.startswith("ConfigMap monitoring/prometheus-config is kept by the Argo CD application metrics")
        assert of_workload.startswith("Deployment monitoring/prometheus is kept by Flux (the Kustomization apps)")
        assert "remote_write_file" in of_config
        again = cluster.run(state=state)
        assert (again.changes, again.warnings, again.facts["kept"]) == ((), (), [])


# --- bad input --------------------------------------------------------------------------------------------------------


def _immutable(config: Json, _workload: Json) -> None:
    config["immutable"] = True


def _paused(_config: Json, workload: Json) -> None:
    workload["spec"]["paused"] = True


def _own(name: str) -> Callable[[Json, Json], None]:
    def change(config: Json, workload: Json) -> None:
        owned = {"config": config, "workload": workload}[name]
        owned["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "Prometheus",
                "name": "k8s",
                "uid": "0b4b5b0c-4f6e-4a3a-9d0e-6c1b1f1e9a11",
                "controller": True,
            }
        ]

    return change


def _old_image(_config: Json, workload: Json) -> None:
    workload["spec"]["template"]["spec"]["containers"][0]["image"] = "quay.io/prometheus/prometheus:v2.25.2"


@pytest.mark.parametrize(
    ("target", "change", "options", "words"),
    [
        (STATEFUL_SET, _immutable, {}, "Secret monitoring/prometheus-config is immutable"),
        (DAEMON_SET, _immutable, {}, "ConfigMap monitoring/prometheus-config is immutable"),
        (DEPLOYMENT, _paused, {}, "Deployment monitoring/prometheus is paused"),
        (STATEFUL_SET, None, {"config_secret": "nowhere"}, "There is no Secret monitoring/nowhere"),
        (STATEFUL_SET, None, {"key": "prometheus.yaml.gz"}, "has no key 'prometheus.yaml.gz'; its keys are: other, p"),
        (DAEMON_SET, None, {"key": "other.yml"}, "its keys are: alerts.yml, prometheus.yml"),
        (DAEMON_SET, None, {"workload_name": "nowhere"}, "There is no DaemonSet monitoring/nowhere"),
        (STATEFUL_SET, None, {"workload_kind": "DaemonSet"}, "There is no DaemonSet monitoring/prometheus"),
        (DEPLOYMENT, None, {"container": "nowhere"}, "has no container 'nowhere', but prometheus, config-reloader"),
        (DEPLOYMENT, _old_image, {}, "Prometheus 2.25.2 can't sign requests to AWS"),
    ],
    ids=lambda value: str(value) if isinstance(value, (Target, str)) else "",
)
def test_what_can_not_be_is_one_sentence_and_nothing_is_written(
    cluster: Cluster, target: Target, change: Callable[[Json, Json], None] | None, options: Json, words: str
) -> None:
    cluster.prepare(target, change=change or (lambda _config, _workload: None))
    for check_mode in (True, False):
        assert words in cluster.refused(check_mode=check_mode, **options)


@pytest.mark.parametrize("target", SOME, ids=str)
@pytest.mark.parametrize("owned", ["config", "workload"])
def test_what_a_controller_generates_is_refused(cluster: Cluster, target: Target, owned: str) -> None:
    cluster.prepare(target)
    plan = resource.RemoteWriteResource(cluster.wish(), KubeClient(cluster.auth), check_mode=True)
    current = plan.read()
    found = copy.deepcopy(getattr(current, owned))
    _own("config")(found, found)
    with pytest.raises(errors.Refused, match="is generated from Prometheus k8s"):
        plan.plan(dataclasses.replace(current, **{owned: found}))


@pytest.mark.parametrize("target", SOME, ids=str)
@pytest.mark.parametrize("text", ["global:\n  a: [\n", "- a\n", "\ta: b\n"])
def test_what_is_no_configuration_is_one_sentence(cluster: Cluster, target: Target, text: str) -> None:
    cluster.prepare(target, text=text)
    message = cluster.refused()
    assert f"prometheus.yml in {target.source} monitoring/prometheus-config is not a usable" in message


def test_a_namespace_that_is_being_deleted_is_left_alone(cluster: Cluster) -> None:
    def hold(config: Json, workload: Json) -> None:
        for item in (config, workload):
            item["metadata"]["finalizers"] = ["example.com/hold"]

    cluster.prepare(DEPLOYMENT, change=hold)
    namespace = cluster.api.get("Namespace", None, "monitoring")
    assert namespace is not None
    client = KubeClient(cluster.auth)
    wish = cluster.wish()
    current = resource.RemoteWriteResource(wish, client, check_mode=False).read()
    plan = resource.RemoteWriteResource(wish, client, check_mode=False).plan(current)
    client.delete(
        NAMESPACE.at("monitoring"),
        uid=namespace["metadata"]["uid"],
        resource_version=namespace["metadata"]["resourceVersion"],
    )
    cluster.log_start = cluster.last_request()
    for check_mode in (True, False):
        assert "ConfigMap monitoring/prometheus-config is being deleted" in cluster.refused(check_mode=check_mode)
    # Its objects are marked one after the other, so the namespace itself is asked too.
    with pytest.raises(errors.Refused, match="Namespace monitoring is being deleted"):
        resource.RemoteWriteResource(wish, client, check_mode=True).rehearse(plan)
    with pytest.raises(errors.Refused, match="Namespace monitoring is being deleted"):
        resource.RemoteWriteResource(wish, client, check_mode=False).apply(plan.changes[0], current)
    assert cluster.writes() == []


def test_a_failure_of_the_second_write_tells_of_the_first(cluster: Cluster) -> None:
    cluster.prepare(STATEFUL_SET)
    cluster.api.add_webhook(Webhook("policy.example.com", "StatefulSet", lambda _obj: "frozen"))
    with pytest.raises(ApplyFailed) as caught:
        cluster.run()
    values = failure_values(caught.value)
    assert "Satisfy the admission webhook policy.example.com" in str(values["msg"])
    assert "Already done in this run: In prometheus.yml in Secret monitoring/prometheus-config" in str(values["msg"])
    assert values["changed"] is True
    cluster.sandbox.api_server("fresh")._registry.admission.clear()
    assert [report["kind"] for report in reports(cluster.run())] == ["StatefulSet"]


@pytest.mark.parametrize(
    "options",
    [
        {"configmap": "a", "config_secret": "b"},
        {"configmap": None, "config_secret": None},
        {"configmap": "", "config_secret": ""},
    ],
)
def test_exactly_one_place_of_the_configuration_must_be_given(options: Json) -> None:
    given = {**OPTIONS, "workload_name": "prometheus", **{k: v for k, v in options.items() if v is not None}}
    with pytest.raises((AssertionError, errors.InvalidInput)):
        Wish.from_params(params_of(resource.DEFINITION, given), check_mode=True)
