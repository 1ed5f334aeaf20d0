# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running Prometheus follows, or the cause is said, or what was there is put back: against the sandbox."""

from __future__ import annotations

import copy
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_rollout import RolloutFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import (
    RELOAD_ANNOTATION,
    RESTART_ANNOTATION,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result, failure_values
from sandbox import manifests
from sandbox.estate import RESOURCE_GROUP
from sandbox.faults import Fault, Kind
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.kubernetes.monitoring import definitions
from sandbox.testing import running_sandbox
from sandbox.world import (
    AWS_ACCOUNT,
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
)
from tests.unit.plugins.module_utils._resources.aws_modules import Clock, params_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
OPTIONS: Json = {
    "namespace": "monitoring",
    "configmap": "prometheus-config",
    "workload_name": "prometheus",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": URL,
}
DENIED = (
    'time=2026-01-01T10:00:00.000Z level=INFO source=main.go:700 msg="Starting Prometheus Server"\n'
    'time=2026-01-01T10:00:01.000Z level=ERROR source=main.go:1598 msg="Failed to apply configuration" err="could not '
    "get SigV4 credentials: operation error STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, "
    "RequestID: 5c3f, api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity; token "
    'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"\n'
    'time=2026-01-01T10:00:01.000Z level=ERROR source=main.go:1600 msg="Error loading config" err="one or more errors '
    'occurred while applying the new configuration (--config.file=\\"/etc/prometheus/prometheus.yml\\")"\n'
)


class BusyClock(Clock):
    """A clock at whose first tick after some seconds something happens."""

    def __init__(self, *events: tuple[float, Callable[[], object]]) -> None:
        super().__init__()
        self._events = list(events)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        while self._events and self._events[0][0] <= self.now:
            self._events.pop(0)[1]()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    running.faults.clear()
    server = running.api_server("fresh")
    for name in ("prometheus-sa", "other-sa"):
        server.seed(
            {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name, "namespace": "monitoring"}}
        )
    return running


@pytest.fixture
def server(sandbox: Sandbox) -> ApiServer:
    return sandbox.api_server("fresh")


def run(sandbox: Sandbox, clock: Clock | None = None, *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {**OPTIONS, "kubeconfig": str(sandbox.kubeconfig), "context": "fresh", **options}
    values = {name: value for name, value in values.items() if value is not None}
    clock = clock or Clock()
    context = Context(check_mode=check_mode, sleep=clock.sleep, monotonic=clock.monotonic)
    return resource.DEFINITION.run(params_of(resource.DEFINITION, values), context)


def failing(sandbox: Sandbox, clock: Clock | None = None, **options: t.Any) -> Json:
    """The failed result of a run."""
    with pytest.raises(RolloutFailed) as caught:
        run(sandbox, clock, **options)
    values = failure_values(caught.value)
    assert "\n" not in str(values["msg"])
    return values


def stored(server: ApiServer, kind: str = "Deployment", name: str = "prometheus") -> Json:
    found = server.get(kind, "monitoring", name)
    assert found is not None
    return found


def config(server: ApiServer) -> Json:
    return stored(server, "ConfigMap", "prometheus-config")


def text(server: ApiServer) -> str:
    return str(config(server)["data"]["prometheus.yml"])


def pods(server: ApiServer) -> list[Json]:
    return [pod for pod in server.running_pods() if pod["name"].startswith("prometheus")]


def loads(server: ApiServer) -> list[bool]:
    """Whether each pod's Prometheus has loaded an entry for the workspace in the region."""
    return [
        any(
            entry["url"] == URL and entry["sigv4"]["region"] == "eu-west-1"
            for entry in (yaml.safe_load(pod["configuration"]) or {}).get("remote_write") or ()
        )
        for pod in pods(server)
    ]


def seed(
    server: ApiServer, kind: str = "Deployment", *, reloader: bool = False, lifecycle: bool = True, **spec: t.Any
) -> None:
    """Prometheus in a workload of this kind; ``mount`` replaces how its configuration is mounted."""
    mount = spec.pop("mount", None)
    body = copy.deepcopy(manifests.deployment())
    del body["status"]
    for name in ("strategy", "progressDeadlineSeconds", "revisionHistoryLimit"):
        if kind != "Deployment" or name == "strategy":
            del body["spec"][name]
    if kind == "DaemonSet":
        del body["spec"]["replicas"]
    if kind == "StatefulSet":
        body["spec"]["serviceName"] = "prometheus"
    pod = body["spec"]["template"]["spec"]
    if not reloader:
        pod["containers"] = pod["containers"][:1]
    if not lifecycle:
        pod["containers"][0]["args"].remove("--web.enable-lifecycle")
    if mount is not None:
        pod["containers"][0]["volumeMounts"][0] = {"name": "config", **mount}
    if kind != "Deployment":
        delete(server, "/apis/apps/v1/namespaces/monitoring/deployments/prometheus")
    server.seed({**body, "kind": kind, "spec": {**body["spec"], **spec}})


def delete(server: ApiServer, path: str) -> None:
    headers = {"Authorization": f"Bearer {server.controller_token}"}
    assert server.app.test_client().delete(path, headers=headers).status_code == 200


def spoil(server: ApiServer) -> None:
    """Somebody writes another region into our entry, with which new pods run then."""
    body = config(server)
    body["data"]["prometheus.yml"] = text(server).replace("region: eu-west-1", "region: eu-west-2")
    server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "data")})
    for pod in pods(server):
        delete(server, f"/api/v1/namespaces/monitoring/pods/{pod['name']}")
    assert not any(loads(server))


def status(result: Result) -> Json:
    return t.cast("Json", result.facts["rollout_status"])


# --- pods that are replaced -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_the_run_ends_when_all_pods_are_new_and_ready(sandbox: Sandbox, server: ApiServer, kind: str) -> None:
    seed(server, kind)
    result = run(sandbox, workload_kind=kind)
    wanted = 1 if kind != "DaemonSet" else len(pods(server))
    assert status(result) == {
        "state": "complete",
        "ready": wanted,
        "wanted": wanted,
        "done": "The pods were replaced and are ready.",
    }
    assert loads(server) == [True] * wanted
    again = run(sandbox, workload_kind=kind)
    assert (again.changes, again.warnings, status(again)["state"]) == ((), (), "complete")


def test_check_mode_follows_nothing(sandbox: Sandbox) -> None:
    clock = Clock()
    assert status(run(sandbox, clock, check_mode=True))["state"] == "skipped"
    assert clock.now == 0


@pytest.mark.parametrize("kind", [FateKind.UNREADY, FateKind.UNSCHEDULABLE, FateKind.MOUNT, FateKind.IMAGE])
def test_a_pod_that_comes_late_is_waited_for(sandbox: Sandbox, server: ApiServer, kind: FateKind) -> None:
    server.set_fate(Fate(kind, text=ROLE, message="later"))
    clock = BusyClock((45, server.clear_fates))
    result = run(sandbox, clock)
    assert status(result)["state"] == "complete"
    assert clock.now >= 45


def test_a_pod_that_ends_fails_the_run_with_its_last_words(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    clock = Clock()
    values = failing(sandbox, clock)
    message = str(values["msg"])
    assert message.startswith("Prometheus does not start: could not get SigV4 credentials: operation error STS")
    assert "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" in message.partition(". ")[0]
    # What it means, with the values of this cluster, and what to do.
    assert f"The trust policy of {ROLE} does not allow system:serviceaccount:monitoring:prometheus-sa" in message
    # The issuer is asked for only now; until it is enabled, no provider can be made for it.
    issuer = next(cluster for cluster in sandbox.world.clusters if cluster.name == "fresh").token_issuer
    assert f":oidc-provider/{issuer.removeprefix('https://')}" in message
    assert "the step iam_web_identity does" in message
    assert "with state: absent the change is taken back" in message
    assert "1 pod of Deployment monitoring/prometheus is ready" in message
    assert "eyJ" not in str(values)
    assert values["changed"] is True
    assert [change["kind"] for change in values["changes"]] == ["ConfigMap", "Deployment"]
    assert values["diff"]
    found = values["rollout_status"]
    assert (found["state"], found["rolled_back"], found["ready"]) == ("failed", False, 1)
    assert found["events"][0].startswith("BackOff: Back-off restarting failed container")
    assert any("<redacted>" in line for line in found["log"])
    assert clock.now < 10  # it was clear at once


def test_the_same_run_continues_when_the_cause_is_mended(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    failing(sandbox)
    values = failing(sandbox)  # as long as it is not, it is said
    assert (values["changed"], values["changes"], values["diff"]) == (False, [], [])
    assert str(values["msg"]).startswith("Prometheus does not start: could not get SigV4 credentials")
    server.clear_fates()
    assert status(run(sandbox))["state"] == "complete"
    assert loads(server) == [True]


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_pods_that_come_into_trouble_later_are_no_concern_of_a_run_without_changes(
    sandbox: Sandbox, server: ApiServer, kind: str
) -> None:
    seed(server, kind)
    run(sandbox, workload_kind=kind)
    server.set_fate(Fate(FateKind.UNREADY))
    delete(server, f"/api/v1/namespaces/monitoring/pods/{pods(server)[0]['name']}")
    assert not all(pod["ready"] for pod in pods(server))
    clock = Clock()
    result = run(sandbox, clock, workload_kind=kind)
    assert (status(result)["state"], status(result)["done"]) == ("complete", "No rollout is under way.")
    assert status(result)["ready"] == status(result)["wanted"] - 1
    assert clock.now == 0


def test_a_removal_that_changes_nothing_does_not_look(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    run(sandbox, wait=False)
    values: Json = {"state": "absent", "remote_write_url": URL.replace("ws-1234", "ws-none")}
    result = run(sandbox, **values)
    assert (result.changes, status(result)["state"]) == ((), "skipped")


CAUSES: t.Final = (
    (FateKind.IMAGE, "NotFound", "ImagePullBackOff", 60, "Failed"),
    (FateKind.CONFIG_ERROR, 'secret "gone" not found', 'secret "gone" not found', 60, "Failed"),
    (
        FateKind.UNSCHEDULABLE,
        "0/3 nodes are available: 3 Insufficient memory.",
        "Insufficient memory",
        600,
        "FailedSch",
    ),
    (FateKind.MOUNT, 'MountVolume.SetUp failed for volume "v": no', 'failed for volume "v"', 600, "FailedMount"),
    (FateKind.UNREADY, "Readiness probe failed: 503", "does not become ready", 600, "Unhealthy"),
)


@pytest.mark.parametrize(("kind", "message", "words", "seconds", "event"), CAUSES)
def test_each_cause_is_in_the_first_sentence(
    sandbox: Sandbox, server: ApiServer, kind: FateKind, message: str, words: str, seconds: float, event: str
) -> None:
    seed(server)
    server.set_fate(Fate(kind, text=ROLE, message=message))
    clock = Clock()
    values = failing(sandbox, clock)
    first = str(values["msg"]).partition(". ")[0]
    assert first.startswith("Prometheus does not ")
    assert words in first
    assert values["rollout_status"]["events"][0].startswith(event)
    assert seconds <= clock.now <= seconds + 10


def test_a_quota_that_keeps_pods_from_being_made_is_named(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.REFUSED, text=ROLE))
    clock = Clock()
    values = failing(sandbox, clock)
    assert str(values["msg"]).startswith("The pods of Deployment monitoring/prometheus can't be made")
    assert "exceeded quota: compute" in str(values["msg"]).partition(". ")[0]
    assert 60 <= clock.now <= 80


def test_a_stateful_set_that_can_make_no_pods_tells_by_its_events(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, "StatefulSet")
    server.set_fate(Fate(FateKind.REFUSED, text=ROLE))
    values = failing(sandbox, workload_kind="StatefulSet", wait_timeout=2)
    assert "after 2 minutes" in str(values["msg"]).partition(". ")[0]
    assert "exceeded quota" in values["rollout_status"]["events"][0]


def test_control_characters_of_a_log_reach_nobody(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    evil = 'level=error err="bad \x1b[31mred\x1b[0m \x07 {{ lookup(1) }} \u202e"\n'
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=evil))
    shown = str(failing(sandbox))
    assert "bad red" in shown
    assert not any(character in shown for character in ("\x1b", "\x07", "\\x1b", "\\x07", "\u202e"))


# --- putting back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_failing_rollout_is_put_back(sandbox: Sandbox, server: ApiServer, kind: str) -> None:
    seed(server, kind)
    before = {"data": config(server)["data"], "spec": stored(server, kind)["spec"]}
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    values = failing(sandbox, workload_kind=kind, rollback=True)
    message = str(values["msg"])
    assert message.startswith("Prometheus does not start: could not get SigV4 credentials")
    assert "What was there before is put back. The pods were replaced and are ready." in message
    assert "state: absent" not in message
    assert values["rollout_status"]["rolled_back"] is True
    assert (values["changed"], values["changes"], values["diff"]) == (False, [], [])
    assert {"data": config(server)["data"], "spec": stored(server, kind)["spec"]} == before
    assert all(pod["ready"] for pod in pods(server))
    for found in (config(server), stored(server, kind)):
        assert not [name for name in found["metadata"].get("annotations", {}) if "crosscloud" in name]
    # Nothing is left of it: the next run does all of it again.
    server.clear_fates()
    assert len(run(sandbox, workload_kind=kind).changes) == 2


@pytest.mark.parametrize("operation", ["patch configmaps", "patch deployments"])
def test_what_is_put_back_without_a_clear_answer_is_not_taken_for_somebody_elses(
    sandbox: Sandbox, server: ApiServer, operation: str
) -> None:
    seed(server)
    before = {"data": config(server)["data"], "spec": stored(server, "Deployment")["spec"]}
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    armed = sandbox.faults.add(Fault(Kind.ERROR_AFTER, operation=operation, nth=2))
    values = failing(sandbox, rollback=True)
    assert armed.struck == 1
    assert "What was there before is put back." in str(values["msg"])
    assert {"data": config(server)["data"], "spec": stored(server, "Deployment")["spec"]} == before


def test_what_somebody_has_changed_since_is_not_put_back(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.UNREADY, text=ROLE))
    own = stored(server)["spec"]["template"]

    def edit() -> None:
        body = config(server)
        body["data"]["prometheus.yml"] += "# by hand\n"
        server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "data")})

    values = failing(sandbox, BusyClock((5, edit)), rollback=True, wait_timeout=1)
    message = str(values["msg"])
    assert "ConfigMap monitoring/prometheus-config was changed by somebody since and is left as it is" in message
    assert text(server).endswith("# by hand\n")
    assert URL in text(server)
    assert stored(server)["spec"]["template"] == own
    assert values["rollout_status"]["rolled_back"] is False
    assert values["changed"] is True


def test_what_others_have_changed_elsewhere_in_the_object_stays(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    before = text(server)
    server.set_fate(Fate(FateKind.UNREADY, text=ROLE))

    def edit() -> None:
        body = config(server)
        body["data"]["alerts.yml"] = "groups: [] # newer\n"
        server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "data")})

    values = failing(sandbox, BusyClock((5, edit)), rollback=True, wait_timeout=1)
    assert values["rollout_status"]["rolled_back"] is True
    assert text(server) == before
    assert config(server)["data"]["alerts.yml"] == "groups: [] # newer\n"


def test_a_race_while_putting_back_is_repeated(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    before = text(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    sandbox.faults.add(
        Fault(Kind.CONFLICT, service="kubernetes/fresh", method="PATCH", path="*prometheus-config", nth=2)
    )
    values = failing(sandbox, rollback=True)
    assert values["rollout_status"]["rolled_back"] is True
    assert text(server) == before


def test_without_the_right_to_delete_pods_it_says_which_one_is_in_the_way(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, "StatefulSet")
    server.grant("limited", [Rule(verbs=("get", "list", "patch", "create"), resources=("*",), api_groups=("*",))])
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    values = failing(sandbox, workload_kind="StatefulSet", rollback=True, api_key="limited", wait_timeout=2)
    message = str(values["msg"])
    assert "Pod monitoring/prometheus-0 keeps StatefulSet monitoring/prometheus from going back" in message
    assert "'delete' on 'pods'" in message


# --- a configuration that changes alone -------------------------------------------------------------------------------


def test_prometheus_is_asked_to_reload(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    result = run(sandbox)
    assert [change.kind for change in result.changes] == ["ConfigMap"]
    assert (result.facts["rollout"], status(result)["state"], result.warnings) == ("reload", "complete", ())
    assert status(result)["done"] == "Prometheus has loaded the configuration."
    assert loads(server) == [True]
    assert RELOAD_ANNOTATION not in config(server)["metadata"].get("annotations", {})


def test_a_reloader_is_looked_at_and_not_asked(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, reloader=True)
    run(sandbox)
    spoil(server)
    since = len(sandbox.world.log.since())
    result = run(sandbox)
    assert status(result)["state"] == "complete"
    asked = [one for one in sandbox.world.log.since()[since:] if "/proxy/" in one.path]
    assert {one.method for one in asked} == {"GET"}


def test_the_kubelet_may_take_its_time(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    server.set_fate(Fate(FateKind.UNSYNCED))
    marks: list[str | None] = []

    def later() -> None:
        marks.append(config(server)["metadata"]["annotations"].get(RELOAD_ANNOTATION))
        server.clear_fates()

    result = run(sandbox, BusyClock((70, later)))
    assert status(result)["state"] == "complete"
    assert loads(server) == [True]
    # A run that is killed meanwhile leaves a mark for the next one.
    assert marks == ["due"]
    assert RELOAD_ANNOTATION not in config(server)["metadata"]["annotations"]


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.DROP_AFTER])
def test_a_mark_that_was_turned_away_is_written_at_the_next_look(
    sandbox: Sandbox, server: ApiServer, kind: Kind
) -> None:
    """One whose answer is lost is there, and removed in the end like any other."""
    seed(server)
    run(sandbox)
    spoil(server)
    server.set_fate(Fate(FateKind.UNSYNCED))
    armed = sandbox.faults.add(Fault(kind, operation="patch configmaps", nth=2, status=503))
    marks: list[str | None] = []

    def later() -> None:
        marks.append(config(server)["metadata"]["annotations"].get(RELOAD_ANNOTATION))
        server.clear_fates()

    result = run(sandbox, BusyClock((70, later)))
    assert (armed.struck, marks, status(result)["state"]) == (1, ["due"], "complete")
    assert RELOAD_ANNOTATION not in config(server)["metadata"]["annotations"]


def test_a_refused_reload_is_the_failure_and_the_next_run_continues(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    why = "could not get SigV4 credentials: InvalidIdentityToken: Incorrect token audience"
    server.set_fate(Fate(FateKind.RELOAD, message=why))
    clock = Clock()
    values = failing(sandbox, clock)
    message = str(values["msg"])
    assert message.startswith("Prometheus refuses its new configuration: failed to reload config")
    assert "Incorrect token audience" in message.partition(". ")[0]
    assert "is not a client ID of the IAM OIDC provider" in message
    assert 60 <= clock.now <= 80
    assert values["changed"] is True
    server.clear_fates()
    again = run(sandbox)
    assert (again.changes, status(again)["done"]) == ((), "Prometheus has loaded the configuration.")
    assert loads(server) == [True]
    assert RELOAD_ANNOTATION not in config(server)["metadata"]["annotations"]


def test_a_refused_reload_is_put_back(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    before = text(server)
    server.set_fate(Fate(FateKind.RELOAD, message="no credentials"))
    values = failing(sandbox, rollback=True)
    assert values["rollout_status"]["rolled_back"] is True
    assert text(server) == before
    assert RELOAD_ANNOTATION not in config(server)["metadata"]["annotations"]


def test_a_prometheus_that_never_shows_the_configuration_is_a_failure(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    server.set_fate(Fate(FateKind.UNSYNCED))
    values = failing(sandbox, wait_timeout=4)
    assert "has not loaded the configuration" in str(values["msg"]).partition(". ")[0]
    assert config(server)["metadata"]["annotations"][RELOAD_ANNOTATION] == "due"


@pytest.mark.parametrize("reloader", [True, False])
def test_a_prometheus_that_can_not_be_reached_is_a_warning(sandbox: Sandbox, server: ApiServer, reloader: bool) -> None:
    seed(server, reloader=reloader)
    run(sandbox)
    spoil(server)
    server.set_fate(Fate(FateKind.SILENT))
    result = run(sandbox)
    assert status(result)["state"] == ("complete" if reloader else "waiting")
    (warning,) = result.warnings
    assert "does not answer through the API server" in warning
    assert "connection refused" in warning


def test_a_missing_right_is_a_warning_that_names_it(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    server.grant("limited", [Rule(verbs=("get", "list", "patch"), resources=("*",), api_groups=("*",))])
    result = run(sandbox, api_key="limited")
    assert status(result)["state"] == "waiting"
    (warning,) = result.warnings
    assert "'create' on 'pods/proxy' in namespace 'monitoring'" in warning
    assert "/-/reload" in warning
    # With the right, the next run continues.
    again = run(sandbox)
    assert (again.changes, status(again)["done"]) == ((), "Prometheus has loaded the configuration.")


def test_a_prometheus_behind_the_loopback_address_is_not_asked(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    body = stored(server)
    body["spec"]["template"]["spec"]["containers"][0]["args"].append("--web.listen-address=127.0.0.1:9090")
    server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "spec")})
    run(sandbox)
    spoil(server)
    (warning,) = run(sandbox).warnings
    assert "loopback" in warning


# --- pods that must be replaced to load it ----------------------------------------------------------------------------


SINGLE = {"mountPath": "/etc/prometheus/prometheus.yml", "subPath": "prometheus.yml"}


@pytest.mark.parametrize("how", [{"lifecycle": False}, {"mount": SINGLE}, {"mount": SINGLE, "reloader": True}])
def test_new_pods_load_it_where_nothing_else_does(sandbox: Sandbox, server: ApiServer, how: Json) -> None:
    seed(server, **how)
    run(sandbox)
    names = {pod["name"] for pod in pods(server)}
    spoil(server)
    checked = run(sandbox, check_mode=True)
    result = run(sandbox)
    assert [change.kind for change in result.changes] == ["ConfigMap", "Deployment"]
    assert [change.diff() for change in result.changes] == [change.diff() for change in checked.changes]
    assert "replace the pods" in result.changes[1].summary
    assert (result.facts["rollout"], status(result)["state"]) == ("restart", "complete")
    assert not names & {pod["name"] for pod in pods(server)}
    assert loads(server) == [True]
    again = run(sandbox)
    assert (again.changes, again.warnings) == ((), ())


def test_pods_are_replaced_for_each_change_though_it_be_the_same_again(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    run(sandbox)
    marks = set()
    for _unused in range(3):
        spoil(server)
        run(sandbox)
        marks.add(stored(server)["spec"]["template"]["metadata"]["annotations"][RESTART_ANNOTATION])
    assert len(marks) == 3


def test_a_run_that_ended_between_both_writes_is_continued(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    run(sandbox)
    spoil(server)
    sandbox.faults.add(
        Fault(Kind.ERROR, service="kubernetes/fresh", method="PATCH", path="*/deployments/*", status=500, times=None)
    )
    with pytest.raises(Exception, match=r"replace the pods"):
        run(sandbox)
    sandbox.faults.clear()
    assert loads(server) == [False]
    result = run(sandbox)
    assert [change.kind for change in result.changes] == ["Deployment"]
    assert loads(server) == [True]
    assert run(sandbox).changes == ()


def test_nothing_is_replaced_because_others_edit_the_configuration(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    run(sandbox)
    body = config(server)
    body["data"]["prometheus.yml"] += "# by hand\n"
    server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "data")})
    assert run(sandbox).changes == ()


def test_a_removal_takes_the_annotations_away_too(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    before = (text(server), stored(server)["spec"]["template"])
    run(sandbox)
    spoil(server)
    run(sandbox)
    result = run(sandbox, state="absent")
    assert status(result)["state"] == "complete"
    assert (text(server), stored(server)["spec"]["template"]) == before
    assert not [name for name in config(server)["metadata"].get("annotations", {}) if "crosscloud" in name]
    again = run(sandbox, state="absent")
    assert (again.changes, again.warnings) == ((), ())


def test_an_entry_that_is_removed_alone_is_followed_too(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    second = URL.replace("ws-1234", "ws-5678")
    run(sandbox)
    run(sandbox, remote_write_url=second)
    result = run(sandbox, state="absent", remote_write_url=second)
    assert [change.kind for change in result.changes] == ["ConfigMap", "Deployment"]
    assert all(second not in pod["configuration"] for pod in pods(server))


# --- who does not want it, or must act --------------------------------------------------------------------------------


def test_without_waiting_the_run_ends_after_its_last_write(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    clock = Clock()
    result = run(sandbox, clock, wait=False)
    assert (status(result)["state"], clock.now) == ("waiting", 0)
    assert "kubectl rollout status deployment/prometheus --namespace monitoring" in status(result)["done"]


def test_running_pods_can_be_left_alone(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, lifecycle=False)
    run(sandbox)
    spoil(server)
    result = run(sandbox, rollout="none")
    assert [change.kind for change in result.changes] == ["ConfigMap"]
    assert (result.facts["rollout"], status(result)["state"]) == ("reload", "skipped")
    (warning,) = result.warnings
    assert "its pods are not replaced" in warning
    assert loads(server) == [False]


def test_pods_that_somebody_must_delete_are_not_waited_for(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server, "StatefulSet", updateStrategy={"type": "OnDelete"})
    clock = Clock()
    result = run(sandbox, clock, workload_kind="StatefulSet")
    assert (status(result)["state"], status(result)["ready"]) == ("waiting", 0)
    assert "delete its 1 old pods" in status(result)["done"]
    assert clock.now < 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rollback": True, "wait": False}, "wait is false"),
        ({"rollback": True, "rollout": "none"}, "rollout is none"),
        ({"wait_timeout": 0}, "wait_timeout is 0"),
        ({"wait_timeout": -1.5, "state": "absent"}, "wait_timeout is -1.5"),
    ],
)
def test_options_that_make_no_sense_are_refused(sandbox: Sandbox, options: Json, words: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        run(sandbox, **options)
    assert words in str(caught.value)


# --- an API server in trouble, and missing rights ---------------------------------------------------------------------


def test_an_api_server_that_is_away_for_a_while_is_waited_for(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.UNREADY, text=ROLE))
    away = Fault(Kind.ERROR, service="kubernetes/fresh", method="GET", status=503, times=None)
    clock = BusyClock((5, lambda: sandbox.faults.add(away)), (60, sandbox.faults.clear), (70, server.clear_fates))
    assert status(run(sandbox, clock))["state"] == "complete"


def test_one_that_stays_away_ends_the_run_with_what_was_done(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.UNREADY, text=ROLE))
    away = Fault(Kind.ERROR, service="kubernetes/fresh", method="GET", status=503, times=None)
    clock = BusyClock((5, lambda: sandbox.faults.add(away)))
    values = failing(sandbox, clock, wait_timeout=1)
    sandbox.faults.clear()
    assert (
        "The changes were made, but the rollout of Deployment monitoring/prometheus can't be followed" in values["msg"]
    )
    assert (values["changed"], values["rollout_status"]["state"]) == (True, "unknown")


def test_without_rights_to_look_the_status_alone_tells(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    rules = [
        Rule(verbs=("get", "patch"), resources=("configmaps", "serviceaccounts", "namespaces")),
        Rule(verbs=("get", "patch"), resources=("deployments",), api_groups=("apps",)),
    ]
    server.grant("narrow", rules)
    assert status(run(sandbox, api_key="narrow"))["state"] == "complete"
    server.set_fate(Fate(FateKind.CRASH, text="Another", message=DENIED))
    values = failing(sandbox, api_key="narrow", role_arn=f"arn:aws:iam::{AWS_ACCOUNT}:role/Another", wait_timeout=1)
    message = str(values["msg"])
    assert "The rollout of Deployment monitoring/prometheus is not finished after 1 minute:" in message
    assert "'list' on 'pods'" in message
    assert "'list' on 'events'" in message


def test_without_the_log_the_pod_s_state_tells(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.grant("blind", [Rule(verbs=("get", "list", "patch"), resources=("pods", "configmaps", "serviceaccounts"))])
    server.grant("blind", [Rule(verbs=("get", "list", "patch"), resources=("*",), api_groups=("apps",))])
    server.grant("blind", [Rule(verbs=("get", "list"), resources=("namespaces",))])
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    message = str(failing(sandbox, api_key="blind")["msg"])
    assert message.startswith("Prometheus does not start: the container prometheus of pod prometheus-")
    assert "exit code 1, 4 restarts" in message
    assert "'get' on 'pods/log'" in message


# --- by run commands --------------------------------------------------------------------------------------------------


def through_azure(sandbox: Sandbox) -> Json:
    """Options by which Azure runs each request as a command in the cluster."""
    sandbox.world.settings.aks_run_command_seconds = 0.0
    access = {
        "access": "run_command",
        "subscription_id": AZURE_SUBSCRIPTION,
        "resource_group": RESOURCE_GROUP,
        "name": "fresh",
        "poll_interval": 0.01,
        "tenant": AZURE_TENANT,
        "client_id": CONTROLLER_CLIENT_ID,
        "secret": CONTROLLER_CLIENT_SECRET,
        "https_proxy": sandbox.proxy_url,
        "ca_bundle": str(sandbox.ca_file),
    }
    return {"aks": access, "kubeconfig": None, "context": None}


def test_a_reload_and_its_refusal_come_through_a_run_command(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    run(sandbox)
    spoil(server)
    server.set_fate(Fate(FateKind.RELOAD, message="could not get SigV4 credentials: no token"))
    message = str(failing(sandbox, **through_azure(sandbox))["msg"])
    assert message.startswith("Prometheus refuses its new configuration")
    assert "could not get SigV4 credentials: no token" in message.partition(". ")[0]
    server.clear_fates()
    assert status(run(sandbox, **through_azure(sandbox)))["done"] == "Prometheus has loaded the configuration."
    assert loads(server) == [True]


def test_a_log_comes_through_a_run_command(sandbox: Sandbox, server: ApiServer) -> None:
    seed(server)
    server.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    message = str(failing(sandbox, **through_azure(sandbox))["msg"])
    assert message.startswith("Prometheus does not start: could not get SigV4 credentials")


# --- what an operator runs --------------------------------------------------------------------------------------------


@pytest.fixture
def operated(server: ApiServer) -> ApiServer:
    """A Prometheus of the operator's, with two shards."""
    for definition in definitions():
        server.seed(definition)
    spec: Json = {"version": "v3.5.0", "shards": 2, "serviceAccountName": "other-sa"}
    metadata = {"name": "k8s", "namespace": "monitoring"}
    server.seed({"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus", "metadata": metadata, "spec": spec})
    delete(server, "/apis/apps/v1/namespaces/monitoring/deployments/prometheus")
    return server


OPERATED: t.Final[Json] = {"workload_kind": "Prometheus", "workload_name": "k8s", "configmap": None}


def test_the_shards_of_an_operator_are_followed(sandbox: Sandbox, operated: ApiServer) -> None:
    result = run(sandbox, **OPERATED)
    assert status(result) == {
        "state": "complete",
        "ready": 2,
        "wanted": 2,
        "done": "The pods were replaced and are ready.",
    }
    assert [pod["ready"] for pod in pods(operated)] == [True, True]


def test_a_resource_of_an_operator_is_put_back(sandbox: Sandbox, operated: ApiServer) -> None:
    before = stored(operated, "Prometheus", "k8s")["spec"]
    operated.set_fate(Fate(FateKind.CRASH, text=ROLE, message=DENIED))
    values = failing(sandbox, rollback=True, **OPERATED)
    assert str(values["msg"]).startswith("Prometheus does not start: could not get SigV4 credentials")
    assert values["rollout_status"]["rolled_back"] is True
    assert stored(operated, "Prometheus", "k8s")["spec"] == before
    assert [pod["ready"] for pod in pods(operated)] == [True, True]


def test_a_setting_that_is_taken_away_is_seen_to_be_gone(sandbox: Sandbox, server: ApiServer) -> None:
    """What Prometheus has loaded says all that is asked for already, and more."""
    seed(server)
    run(sandbox, name="amp")
    server.set_fate(Fate(FateKind.UNSYNCED))
    result = run(sandbox, BusyClock((30, server.clear_fates)))
    assert [change.kind for change in result.changes] == ["ConfigMap"]
    assert status(result)["done"] == "Prometheus has loaded the configuration."
    (pod,) = pods(server)
    assert "amp" not in [entry.get("name") for entry in yaml.safe_load(pod["configuration"])["remote_write"]]
