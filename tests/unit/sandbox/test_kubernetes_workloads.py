# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster does by itself: rollouts, pods, garbage collection."""

from __future__ import annotations

import typing as t

import pytest

from tests.unit.sandbox.kubernetes_support import (
    DEPLOYMENTS,
    MONITORING,
    STATEFUL_SETS,
    Api,
    deployment,
    new_api,
    pod_spec,
    service_account,
    stateful_set,
)

PROMETHEUS = f"{DEPLOYMENTS}/prometheus"
PODS = f"{MONITORING}/pods"
REPLICA_SETS = "/apis/apps/v1/namespaces/monitoring/replicasets"
Json = dict[str, t.Any]

USE_ACCOUNT: Json = {"spec": {"template": {"spec": {"serviceAccountName": "prometheus-sa"}}}}
FORBIDDEN = (
    'is forbidden: error looking up service account monitoring/prometheus-sa: serviceaccount "prometheus-sa" not found'
)


@pytest.fixture
def api() -> Api:
    return new_api()


def pods(api: Api) -> list[Json]:
    items: list[Json] = api.get(PODS)["items"]
    return items


def conditions(obj: Json) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in obj["status"]["conditions"]}


# --- deployments ------------------------------------------------------------------------------------------------------


def test_a_deployment_rolls_out_at_once(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment(replicas=2))
    stored = api.get(PROMETHEUS)
    counts = {name: value for name, value in stored["status"].items() if name != "conditions"}
    assert counts == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    assert conditions(stored) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert stored["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}


def test_the_answer_is_older_than_the_rollout(api: Api) -> None:
    """As with a real cluster, the version of the answer to a write is soon stale."""
    created = api.post(DEPLOYMENTS, deployment())
    assert created["status"] == {}
    assert created["metadata"]["resourceVersion"] != api.get(PROMETHEUS)["metadata"]["resourceVersion"]
    api.refused(api.call("PUT", PROMETHEUS, created), 409, "Conflict")


def test_pods_run_and_belong_to_a_replica_set(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment(replicas=2))
    (replica_set,) = api.get(REPLICA_SETS)["items"]
    owner = replica_set["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Deployment", api.get(PROMETHEUS)["metadata"]["uid"])
    mark = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"prometheus-{mark}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "prometheus", "pod-template-hash": mark}
    assert len(pods(api)) == 2
    for pod in pods(api):
        assert pod["metadata"]["name"].startswith(f"prometheus-{mark}-")
        assert pod["metadata"]["labels"] == {"app": "prometheus", "pod-template-hash": mark}
        assert pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
        assert pod["status"]["phase"] == "Running"
        assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
        assert pod["status"]["containerStatuses"][0]["ready"] is True
        assert pod["spec"]["nodeName"].startswith("aks-system-")


def test_pods_carry_the_token_of_their_service_account(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    (pod,) = pods(api)
    assert pod["spec"]["serviceAccountName"] == pod["spec"]["serviceAccount"] == "default"
    volume = next(v for v in pod["spec"]["volumes"] if v["name"].startswith("kube-api-access-"))
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token == {"expirationSeconds": 3607, "path": "token"}
    mounts = {m["name"]: m for m in pod["spec"]["containers"][0]["volumeMounts"]}
    assert mounts[volume["name"]]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_pods_need_not_carry_a_token(api: Api) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["automountServiceAccountToken"] = False
    api.post(DEPLOYMENTS, body)
    assert [v["name"] for v in pods(api)[0]["spec"]["volumes"]] == ["config"]


@pytest.mark.parametrize("strategy", ["RollingUpdate", "Recreate"])
def test_a_changed_template_replaces_the_pods(api: Api, strategy: str) -> None:
    api.server.seed(service_account())
    api.post(DEPLOYMENTS, deployment(strategy={"type": strategy}, replicas=2))
    before = {pod["metadata"]["uid"] for pod in pods(api)}
    api.patch(PROMETHEUS, USE_ACCOUNT)
    after = pods(api)
    assert len(after) == 2
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in after)
    assert {pod["spec"]["serviceAccountName"] for pod in after} == {"prometheus-sa"}
    stored = api.get(PROMETHEUS)
    assert stored["status"]["observedGeneration"] == stored["metadata"]["generation"] == 2
    assert stored["status"]["updatedReplicas"] == 2
    assert stored["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert sorted(rs["spec"]["replicas"] for rs in api.get(REPLICA_SETS)["items"]) == [0, 2]


def test_a_change_outside_of_the_template_keeps_the_pods(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    before = pods(api)
    api.patch(PROMETHEUS, {"metadata": {"labels": {"a": "b"}}, "spec": {"revisionHistoryLimit": 3}})
    assert pods(api) == before


def test_scaling_adds_and_removes_pods(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    kept = pods(api)[0]["metadata"]["uid"]
    api.patch(PROMETHEUS, {"spec": {"replicas": 3}})
    assert len(pods(api)) == 3
    assert kept in {pod["metadata"]["uid"] for pod in pods(api)}
    api.patch(PROMETHEUS, {"spec": {"replicas": 0}})
    assert pods(api) == []
    assert "replicas" not in api.get(PROMETHEUS)["status"]


def test_going_back_takes_the_old_replica_set_up_again(api: Api) -> None:
    api.server.seed(service_account())
    api.post(DEPLOYMENTS, deployment())
    first = pods(api)[0]["metadata"]["labels"]["pod-template-hash"]
    api.patch(PROMETHEUS, USE_ACCOUNT)
    api.patch(PROMETHEUS, {"spec": {"template": {"spec": {"serviceAccountName": None, "serviceAccount": None}}}})
    assert pods(api)[0]["metadata"]["labels"]["pod-template-hash"] == first
    assert len(api.get(REPLICA_SETS)["items"]) == 2
    assert api.get(PROMETHEUS)["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"


def test_old_replica_sets_are_kept_up_to_the_limit(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment(revisionHistoryLimit=1))
    for number in range(3):
        api.patch(PROMETHEUS, {"spec": {"template": {"metadata": {"labels": {"round": str(number)}}}}})
    replica_sets = api.get(REPLICA_SETS)["items"]
    assert sorted(rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] for rs in replica_sets) == [
        "3",
        "4",
    ]


def test_a_paused_deployment_does_not_roll_out(api: Api) -> None:
    api.server.seed(service_account())
    api.post(DEPLOYMENTS, deployment())
    before = {pod["metadata"]["uid"] for pod in pods(api)}
    api.patch(PROMETHEUS, {"spec": {"paused": True, **USE_ACCOUNT["spec"]}})
    assert {pod["metadata"]["uid"] for pod in pods(api)} == before
    assert conditions(api.get(PROMETHEUS))["Progressing"] == ("Unknown", "DeploymentPaused")
    api.patch(PROMETHEUS, {"spec": {"paused": False}})
    assert {pod["spec"]["serviceAccountName"] for pod in pods(api)} == {"prometheus-sa"}


def test_a_deleted_pod_is_replaced(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    (pod,) = pods(api)
    answer = api.delete(f"{PODS}/{pod['metadata']['name']}")
    assert answer["kind"] == "Pod"
    assert answer["metadata"]["deletionTimestamp"]
    (new,) = pods(api)
    assert new["metadata"]["uid"] != pod["metadata"]["uid"]


# --- without the service account --------------------------------------------------------------------------------------


def test_a_rolling_update_without_its_service_account_keeps_the_old_pods(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    before = pods(api)
    api.patch(PROMETHEUS, USE_ACCOUNT)
    assert pods(api) == before
    stored = api.get(PROMETHEUS)
    assert stored["status"]["observedGeneration"] == 2
    assert stored["status"]["replicas"] == 1
    assert "updatedReplicas" not in stored["status"]
    assert conditions(stored) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "ReplicaSetUpdated"),
        "ReplicaFailure": ("True", "FailedCreate"),
    }
    failure = next(c for c in stored["status"]["conditions"] if c["type"] == "ReplicaFailure")
    assert failure["message"].endswith(FORBIDDEN)


def test_recreating_without_the_service_account_leaves_no_pod(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
    api.patch(PROMETHEUS, USE_ACCOUNT)
    assert pods(api) == []
    stored = api.get(PROMETHEUS)
    assert stored["status"]["unavailableReplicas"] == 1
    assert conditions(stored)["Available"] == ("False", "MinimumReplicasUnavailable")


def test_the_rollout_goes_on_when_the_service_account_appears(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.patch(PROMETHEUS, USE_ACCOUNT)
    api.post(f"{MONITORING}/serviceaccounts", service_account())
    assert {pod["spec"]["serviceAccountName"] for pod in pods(api)} == {"prometheus-sa"}
    stored = api.get(PROMETHEUS)
    assert stored["status"]["updatedReplicas"] == stored["status"]["replicas"] == 1
    assert "ReplicaFailure" not in conditions(stored)


def test_an_event_tells_of_the_refusal_once(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.patch(PROMETHEUS, USE_ACCOUNT)
    api.patch(PROMETHEUS, {"metadata": {"labels": {"a": "b"}}})
    (event,) = api.get(f"{MONITORING}/events?fieldSelector=reason=FailedCreate")["items"]
    assert event["type"] == "Warning"
    assert event["message"].startswith("Error creating: pods ")
    assert event["message"].endswith(FORBIDDEN)
    assert event["involvedObject"]["kind"] == "ReplicaSet"


def test_a_pod_without_its_service_account_is_forbidden(api: Api) -> None:
    body: Json = {"metadata": {"name": "one"}, "spec": pod_spec() | {"serviceAccountName": "prometheus-sa"}}
    status = api.refused(api.call("POST", PODS, body), 403, "Forbidden")
    assert status["message"] == f'pods "one" {FORBIDDEN}'
    assert status["details"] == {"name": "one", "kind": "pods"}


def test_a_name_in_a_template_means_nothing(api: Api) -> None:
    template = deployment()["spec"]["template"]
    template["metadata"] |= {"name": "same", "namespace": "default", "annotations": {"a": "b"}}
    api.post(DEPLOYMENTS, deployment(replicas=2, template=template))
    assert len({pod["metadata"]["name"] for pod in pods(api)} - {"same"}) == 2
    assert {pod["metadata"]["annotations"]["a"] for pod in pods(api)} == {"b"}


def test_a_cluster_has_room_for_so_many_pods(api: Api) -> None:
    api.cluster.body["properties"]["agentPoolProfiles"] = [{"name": "system", "count": 2, "maxPods": 2}]
    api.post(DEPLOYMENTS, deployment(replicas=2**31 - 1))
    assert len(pods(api)) == 4
    stored = api.get(PROMETHEUS)
    assert stored["status"]["readyReplicas"] == 4
    failure = next(c for c in stored["status"]["conditions"] if c["type"] == "ReplicaFailure")
    assert failure["message"].endswith("exceeded quota: nodes, requested: pods=1, used: pods=4, limited: pods=4")
    api.delete(PROMETHEUS)
    api.post(STATEFUL_SETS, stateful_set(replicas=2**31 - 1))
    assert len(pods(api)) == 4


# --- stateful sets ----------------------------------------------------------------------------------------------------


def test_a_stateful_set_numbers_its_pods(api: Api) -> None:
    api.post(STATEFUL_SETS, stateful_set(replicas=2))
    assert [pod["metadata"]["name"] for pod in pods(api)] == ["prometheus-0", "prometheus-1"]
    stored = api.get(f"{STATEFUL_SETS}/prometheus")
    status = stored["status"]
    assert status["observedGeneration"] == 1
    assert {status[f"{name}eplicas"] for name in ("r", "readyR", "currentR", "updatedR", "availableR")} == {2}
    assert status["currentRevision"] == status["updateRevision"]
    labels = pods(api)[1]["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "prometheus-1"
    assert labels["controller-revision-hash"] == status["updateRevision"]


def test_a_stateful_sets_pods_are_replaced_under_their_names(api: Api) -> None:
    api.server.seed(service_account())
    api.post(STATEFUL_SETS, stateful_set(replicas=2))
    before = {pod["metadata"]["uid"] for pod in pods(api)}
    api.patch(f"{STATEFUL_SETS}/prometheus", USE_ACCOUNT)
    assert [pod["metadata"]["name"] for pod in pods(api)] == ["prometheus-0", "prometheus-1"]
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in pods(api))
    status = api.get(f"{STATEFUL_SETS}/prometheus")["status"]
    assert status["updatedReplicas"] == 2
    assert status["currentRevision"] == status["updateRevision"]


def test_a_partition_holds_the_first_pods_back(api: Api) -> None:
    api.server.seed(service_account())
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    api.post(STATEFUL_SETS, stateful_set(replicas=2, updateStrategy=strategy))
    api.patch(f"{STATEFUL_SETS}/prometheus", USE_ACCOUNT)
    assert [pod["spec"]["serviceAccountName"] for pod in pods(api)] == ["default", "prometheus-sa"]
    status = api.get(f"{STATEFUL_SETS}/prometheus")["status"]
    assert (status["updatedReplicas"], status["currentReplicas"]) == (1, 1)
    assert status["currentRevision"] != status["updateRevision"]


def test_on_delete_waits_for_the_deletion(api: Api) -> None:
    api.server.seed(service_account())
    api.post(STATEFUL_SETS, stateful_set(updateStrategy={"type": "OnDelete"}))
    api.patch(f"{STATEFUL_SETS}/prometheus", USE_ACCOUNT)
    assert pods(api)[0]["spec"]["serviceAccountName"] == "default"
    api.delete(f"{PODS}/prometheus-0")
    assert pods(api)[0]["spec"]["serviceAccountName"] == "prometheus-sa"


def test_a_stateful_set_stops_at_the_pod_that_cannot_be_made(api: Api) -> None:
    api.post(STATEFUL_SETS, stateful_set(replicas=3))
    api.patch(f"{STATEFUL_SETS}/prometheus", USE_ACCOUNT)
    assert [pod["metadata"]["name"] for pod in pods(api)] == ["prometheus-0", "prometheus-1"]
    assert api.get(f"{STATEFUL_SETS}/prometheus")["status"]["readyReplicas"] == 2
    api.server.seed(service_account())
    assert [pod["spec"]["serviceAccountName"] for pod in pods(api)] == ["prometheus-sa"] * 3


# --- daemon sets, jobs, pods, services --------------------------------------------------------------------------------


def test_a_daemon_set_runs_on_each_node(api: Api) -> None:
    path = "/apis/apps/v1/namespaces/monitoring/daemonsets"
    body = deployment("agent") | {"kind": "DaemonSet"}
    api.post(path, body)
    nodes = {pod["spec"]["nodeName"] for pod in pods(api)}
    assert len(nodes) == len(pods(api)) == 2
    before = {pod["metadata"]["uid"] for pod in pods(api)}
    api.patch(f"{path}/agent", {"spec": {"template": {"metadata": {"labels": {"x": "y"}}}}})
    assert {pod["spec"]["nodeName"] for pod in pods(api)} == nodes
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in pods(api))
    status = api.get(f"{path}/agent")["status"]
    assert status["desiredNumberScheduled"] == status["numberReady"] == status["updatedNumberScheduled"] == 2


def test_a_job_runs_and_never_pretends_to_succeed(api: Api) -> None:
    path = "/apis/batch/v1/namespaces/monitoring/jobs"
    template = {"spec": pod_spec() | {"restartPolicy": "Never"}}
    created = api.post(path, {"metadata": {"name": "once"}, "spec": {"template": template}})
    uid = created["metadata"]["uid"]
    assert created["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    status = api.get(f"{path}/once")["status"]
    assert (status["active"], status.get("succeeded")) == (1, None)
    (pod,) = pods(api)
    assert pod["metadata"]["labels"]["job-name"] == "once"
    bad = {"metadata": {"name": "bad"}, "spec": {"template": {"spec": pod_spec()}}}
    assert list(api.invalid(api.call("POST", path, bad))) == ["spec.template.spec.restartPolicy"]


def test_logs_hold_what_a_test_wrote(api: Api) -> None:
    container = pod_spec()["containers"][0]
    spec = pod_spec() | {"containers": [container, {"name": "reloader", "image": "x:1"}]}
    api.post(PODS, {"metadata": {"name": "one"}, "spec": spec})
    api.server.write_log("monitoring", "one", "first\nsecond\nthird\n", "prometheus")
    log = f"{PODS}/one/log"
    assert api.call("GET", f"{log}?container=prometheus").text == "first\nsecond\nthird\n"
    assert api.call("GET", f"{log}?container=prometheus&tailLines=2").text == "second\nthird\n"
    assert api.call("GET", f"{log}?container=prometheus&limitBytes=4").text == "firs"
    assert api.call("GET", f"{log}?container=reloader").text == ""
    status = api.refused(api.call("GET", log), 400, "BadRequest")
    assert status["message"] == ("a container name must be specified for pod one, choose one of: [prometheus reloader]")
    status = api.refused(api.call("GET", f"{log}?container=other"), 400, "BadRequest")
    assert status["message"] == "container other is not valid for pod one"
    api.refused(api.call("GET", f"{log}?container=prometheus&previous=true"), 400, "BadRequest")
    api.refused(api.call("GET", f"{PODS}/two/log"), 404, "NotFound")
    with pytest.raises(ValueError, match="no pod"):
        api.server.write_log("monitoring", "two", "text")


def test_a_service_gets_an_address_and_keeps_it(api: Api) -> None:
    path = f"{MONITORING}/services"
    body = {"metadata": {"name": "prometheus"}, "spec": {"ports": [{"port": 9090}], "selector": {"app": "prometheus"}}}
    spec = api.post(path, body)["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ports"] == [{"port": 9090, "protocol": "TCP", "targetPort": 9090}]
    assert api.put(f"{path}/prometheus", body)["spec"] == spec
    changed = api.call(
        "PATCH", f"{path}/prometheus", {"spec": {"clusterIP": "10.0.0.9"}}, Content_Type="application/merge-patch+json"
    )
    assert list(api.invalid(changed)) == ["spec.clusterIP"]


# --- garbage ----------------------------------------------------------------------------------------------------------


def test_deleting_a_deployment_deletes_its_replica_sets_and_pods(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.delete(PROMETHEUS)
    assert pods(api) == []
    assert api.get(REPLICA_SETS)["items"] == []


def test_orphans_stay(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    api.good(api.call("DELETE", PROMETHEUS, {"propagationPolicy": "Orphan"}), 200)
    (replica_set,) = api.get(REPLICA_SETS)["items"]
    assert "ownerReferences" not in replica_set["metadata"]
    assert len(pods(api)) == 1
    wrong = api.call("DELETE", f"{REPLICA_SETS}/x", {"propagationPolicy": "Sometimes"})
    assert list(api.invalid(wrong)) == ["propagationPolicy"]


def test_an_object_of_a_missing_owner_is_garbage(api: Api) -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "gone", "uid": "6f1de2b2-0000-4000-8000-000000000000"}
    body = {"metadata": {"name": "left", "ownerReferences": [owner]}}
    api.post(f"{MONITORING}/configmaps", body)
    api.refused(api.call("GET", f"{MONITORING}/configmaps/left"), 404, "NotFound")
