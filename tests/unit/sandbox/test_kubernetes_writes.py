# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creation, replacement and deletion of objects: versions, identities, conflicts, dry runs."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.kubernetes_support import (
    DEPLOYMENTS,
    MONITORING,
    Api,
    config_map,
    deployment,
    new_api,
    service_account,
)

MAPS = f"{MONITORING}/configmaps"
SETTINGS = f"{MAPS}/settings"
STALE = "the object has been modified; please apply your changes to the latest version and try again"


@pytest.fixture
def api() -> Api:
    return new_api()


def version(api: Api, path: str = SETTINGS) -> int:
    return int(api.get(path)["metadata"]["resourceVersion"])


# --- create -----------------------------------------------------------------------------------------------------------


def test_a_created_object_gets_an_identity(api: Api) -> None:
    created = api.post(MAPS, config_map())
    metadata = created["metadata"]
    assert (created["kind"], created["apiVersion"]) == ("ConfigMap", "v1")
    assert (metadata["name"], metadata["namespace"]) == ("settings", "monitoring")
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert int(metadata["resourceVersion"]) > 0
    assert api.get(SETTINGS) == created


def test_system_fields_of_a_new_object_are_the_servers(api: Api) -> None:
    body = config_map()
    body["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7}
    metadata = api.post(MAPS, body)["metadata"]
    assert metadata["uid"] != "mine"
    assert not metadata["creationTimestamp"].startswith("2001")
    assert "generation" not in metadata


def test_a_new_object_may_not_carry_a_version(api: Api) -> None:
    body = config_map()
    body["metadata"]["resourceVersion"] = "1"
    response = api.call("POST", MAPS, body)
    assert response.status_code == 500
    assert response.get_json()["message"] == "resourceVersion should not be set on objects to be created"


def test_a_name_is_generated(api: Api) -> None:
    names = {
        api.post(MAPS, {"metadata": {"generateName": "part-"}, "data": {"a": "b"}})["metadata"]["name"]
        for _unused in "ab"
    }
    assert len(names) == 2
    assert all(name.startswith("part-") and len(name) == 10 for name in names)


def test_an_object_exists_once(api: Api) -> None:
    api.post(MAPS, config_map())
    status = api.refused(api.call("POST", MAPS, config_map()), 409, "AlreadyExists")
    assert status["message"] == 'configmaps "settings" already exists'
    assert status["details"] == {"name": "settings", "kind": "configmaps"}


def test_a_missing_namespace_is_named(api: Api) -> None:
    response = api.call("POST", "/api/v1/namespaces/nowhere/configmaps", config_map())
    status = api.refused(response, 404, "NotFound")
    assert status["message"] == 'namespaces "nowhere" not found'
    assert status["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_a_dry_run_needs_the_namespace_too(api: Api) -> None:
    response = api.call("POST", "/api/v1/namespaces/nowhere/configmaps?dryRun=All", config_map())
    api.refused(response, 404, "NotFound")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("apiVersion", "v2", "the API version in the data (v2) does not match the expected API version (v1)"),
        ("kind", "Secret", 'Secret in version "v1" cannot be handled as a ConfigMap'),
    ],
)
def test_another_kind_of_object_is_refused(api: Api, field: str, value: str, message: str) -> None:
    status = api.refused(api.call("POST", MAPS, config_map() | {field: value}), 400, "BadRequest")
    assert status["message"] == message


def test_a_contradicting_namespace_is_refused(api: Api) -> None:
    body = config_map()
    body["metadata"]["namespace"] = "default"
    status = api.refused(api.call("POST", MAPS, body), 400, "BadRequest")
    assert status["message"].startswith("the namespace of the provided object does not match the namespace")


def test_a_new_namespace_is_furnished(api: Api) -> None:
    created = api.post("/api/v1/namespaces", {"metadata": {"name": "fresh"}})
    assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "fresh"}
    assert created["spec"] == {"finalizers": ["kubernetes"]}
    assert created["status"] == {"phase": "Active"}
    assert api.get("/api/v1/namespaces/fresh/serviceaccounts/default")["metadata"]["uid"]
    bundle = api.get("/api/v1/namespaces/fresh/configmaps/kube-root-ca.crt")
    assert bundle["data"] == {"ca.crt": api.cluster.api_server_ca}


def test_the_default_service_account_comes_back(api: Api) -> None:
    before = api.get(f"{MONITORING}/serviceaccounts/default")["metadata"]["uid"]
    api.delete(f"{MONITORING}/serviceaccounts/default")
    assert api.get(f"{MONITORING}/serviceaccounts/default")["metadata"]["uid"] != before


# --- replace ----------------------------------------------------------------------------------------------------------


def test_a_replacement_raises_the_version_and_keeps_the_identity(api: Api) -> None:
    created = api.post(MAPS, config_map())
    replaced = api.put(SETTINGS, config_map(other="text"))
    assert replaced["data"] == {"other": "text"}
    assert int(replaced["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
    assert replaced["metadata"]["uid"] == created["metadata"]["uid"]
    assert replaced["metadata"]["creationTimestamp"] == created["metadata"]["creationTimestamp"]


def test_versions_are_the_clusters(api: Api) -> None:
    first = api.post(MAPS, config_map("one"))
    second = api.post("/api/v1/namespaces/default/configmaps", config_map("two"))
    assert int(second["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])


def test_a_stale_replacement_is_a_conflict(api: Api) -> None:
    stale = api.post(MAPS, config_map())
    api.put(SETTINGS, config_map(other="text"))
    stale["data"] = {"mine": "text"}
    status = api.refused(api.call("PUT", SETTINGS, stale), 409, "Conflict")
    assert status["message"] == f'Operation cannot be fulfilled on configmaps "settings": {STALE}'
    assert status["details"] == {"name": "settings", "kind": "configmaps"}
    assert api.get(SETTINGS)["data"] == {"other": "text"}


def test_a_stale_replacement_that_changes_nothing_is_a_conflict_too(api: Api) -> None:
    stale = api.post(MAPS, config_map())
    api.put(SETTINGS, config_map(other="text"))
    stale["data"] = {"other": "text"}
    api.refused(api.call("PUT", SETTINGS, stale), 409, "Conflict")


def test_conflicts_name_the_group(api: Api) -> None:
    api.server.seed(deployment())
    body = api.get(f"{DEPLOYMENTS}/prometheus")
    body["metadata"]["resourceVersion"] = "1"
    status = api.refused(api.call("PUT", f"{DEPLOYMENTS}/prometheus", body), 409, "Conflict")
    assert status["message"] == f'Operation cannot be fulfilled on deployments.apps "prometheus": {STALE}'
    assert status["details"] == {"name": "prometheus", "group": "apps", "kind": "deployments"}


def test_what_changes_nothing_keeps_the_version(api: Api) -> None:
    created = api.post(MAPS, config_map())
    assert api.put(SETTINGS, config_map()) == created
    assert api.patch(SETTINGS, {"data": {"key": "value"}}) == created
    assert api.get(SETTINGS) == created
    assert api.writes() == ["create configmaps"]


def test_a_replacement_of_nothing_is_not_found(api: Api) -> None:
    status = api.refused(api.call("PUT", SETTINGS, config_map()), 404, "NotFound")
    assert status["message"] == 'configmaps "settings" not found'


def test_a_replacement_means_the_object_of_its_uid(api: Api) -> None:
    old = api.post(MAPS, config_map())
    api.delete(SETTINGS)
    old["metadata"].pop("resourceVersion")
    gone = api.refused(api.call("PUT", SETTINGS, old), 409, "Conflict")
    assert gone["message"].endswith(f"UID in precondition: {old['metadata']['uid']}, UID in object meta: ")
    api.post(MAPS, config_map())
    api.refused(api.call("PUT", SETTINGS, old), 409, "Conflict")


def test_a_replacement_cannot_rename(api: Api) -> None:
    api.post(MAPS, config_map())
    status = api.refused(api.call("PUT", SETTINGS, config_map("other")), 400, "BadRequest")
    assert status["message"] == "the name of the object (other) does not match the name on the URL (settings)"


def test_the_creation_time_cannot_be_changed(api: Api) -> None:
    body = api.post(MAPS, config_map())
    body["metadata"]["creationTimestamp"] = "2001-01-01T00:00:00Z"
    causes = api.invalid(api.call("PUT", SETTINGS, body))
    assert causes["metadata.creationTimestamp"] == 'Invalid value: "2001-01-01T00:00:00Z": field is immutable'


def test_a_webhook_configuration_is_only_replaced_with_its_version(api: Api) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    body = {"metadata": {"name": "hooks"}}
    created = api.post(path, body)
    assert created["metadata"]["generation"] == 1
    causes = api.invalid(api.call("PUT", f"{path}/hooks", body))
    assert causes == {"metadata.resourceVersion": "Invalid value: 0: must be specified for an update"}
    api.put(f"{path}/hooks", created)


# --- generations ------------------------------------------------------------------------------------------------------


def test_a_generation_counts_changes_of_the_specification(api: Api) -> None:
    path = f"{DEPLOYMENTS}/prometheus"
    api.post(DEPLOYMENTS, deployment())
    assert api.get(path)["metadata"]["generation"] == 1
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 1
    assert api.patch(path, {"spec": {"replicas": 2}})["metadata"]["generation"] == 2
    assert api.patch(path, {"metadata": {"annotations": {"a": "b"}}})["metadata"]["generation"] == 3


def test_a_status_in_a_request_is_ignored(api: Api) -> None:
    path = f"{DEPLOYMENTS}/prometheus"
    api.post(DEPLOYMENTS, deployment() | {"status": {"readyReplicas": 9}})
    assert api.get(path)["status"]["readyReplicas"] == 1
    before = api.get(path)
    assert api.patch(path, {"status": {"readyReplicas": 9}}) == before


# --- dry runs ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_creates_nothing(api: Api) -> None:
    answer = api.good(api.call("POST", f"{MAPS}?dryRun=All", config_map()), 201)
    assert answer["metadata"]["uid"]
    assert "resourceVersion" not in answer["metadata"]
    api.refused(api.call("GET", SETTINGS), 404, "NotFound")
    assert api.writes() == []


def test_a_dry_run_changes_nothing(api: Api) -> None:
    api.post(DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/prometheus"
    before = api.get(path)
    response = api.call(
        "PATCH", f"{path}?dryRun=All", {"spec": {"replicas": 3}}, Content_Type="application/merge-patch+json"
    )
    answer = api.good(response, 200)
    assert answer["spec"]["replicas"] == 3
    assert answer["metadata"]["generation"] == 2
    assert answer["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert api.get(path) == before
    assert api.writes() == ["create deployments"]


def test_a_dry_run_deletes_nothing(api: Api) -> None:
    api.post(MAPS, config_map())
    assert api.delete(f"{SETTINGS}?dryRun=All")["status"] == "Success"
    assert api.delete("/api/v1/namespaces/monitoring?dryRun=All")["status"] == {"phase": "Terminating"}
    assert api.get(SETTINGS)["data"]
    assert api.get("/api/v1/namespaces/monitoring")["status"] == {"phase": "Active"}
    assert api.writes() == ["create configmaps"]


def test_a_dry_run_is_refused_like_the_real_run(api: Api) -> None:
    api.post(MAPS, config_map())
    api.refused(api.call("POST", f"{MAPS}?dryRun=All", config_map()), 409, "AlreadyExists")
    api.refused(api.call("POST", f"{MAPS}?dryRun=All", config_map("NO")), 422, "Invalid")


def test_options_have_few_values(api: Api) -> None:
    status = api.refused(api.call("POST", f"{MAPS}?dryRun=Some&fieldValidation=No", config_map()), 422, "Invalid")
    assert status["details"]["kind"] == "CreateOptions"
    assert {cause["field"] for cause in status["details"]["causes"]} == {"dryRun", "fieldValidation"}


# --- delete -----------------------------------------------------------------------------------------------------------


def test_a_deletion_is_answered_with_a_status(api: Api) -> None:
    uid = api.post(MAPS, config_map())["metadata"]["uid"]
    assert api.delete(SETTINGS) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {"name": "settings", "kind": "configmaps", "uid": uid},
    }
    api.refused(api.call("DELETE", SETTINGS), 404, "NotFound")
    assert api.writes() == ["create configmaps", "delete configmaps"]


def test_a_deleted_service_account_is_shown(api: Api) -> None:
    api.post(f"{MONITORING}/serviceaccounts", service_account())
    assert api.delete(f"{MONITORING}/serviceaccounts/prometheus-sa")["kind"] == "ServiceAccount"


def test_a_deletion_can_be_conditional(api: Api) -> None:
    metadata = api.post(MAPS, config_map())["metadata"]
    wrong = {"preconditions": {"uid": "other"}}
    api.refused(api.call("DELETE", SETTINGS, wrong), 409, "Conflict")
    stale = {"preconditions": {"resourceVersion": "1"}}
    api.refused(api.call("DELETE", SETTINGS, stale), 409, "Conflict")
    right = {"preconditions": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}}
    api.good(api.call("DELETE", SETTINGS, right), 200)


def test_finalizers_hold_a_deletion_up(api: Api) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    api.post(MAPS, body)
    assert api.delete(SETTINGS)["metadata"]["deletionTimestamp"]
    assert "deletionTimestamp" in api.get(SETTINGS)["metadata"]
    added = {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}
    response = api.call("PATCH", SETTINGS, added, Content_Type="application/merge-patch+json")
    assert "metadata.finalizers" in api.invalid(response)
    api.patch(SETTINGS, {"metadata": {"finalizers": None}})
    api.refused(api.call("GET", SETTINGS), 404, "NotFound")


def test_a_namespace_goes_with_its_content(api: Api) -> None:
    api.post(MAPS, config_map())
    answer = api.delete("/api/v1/namespaces/monitoring")
    assert answer["status"] == {"phase": "Terminating"}
    api.refused(api.call("GET", "/api/v1/namespaces/monitoring"), 404, "NotFound")
    api.refused(api.call("GET", SETTINGS), 404, "NotFound")
    api.post("/api/v1/namespaces", {"metadata": {"name": "monitoring"}})
    assert [item["metadata"]["name"] for item in api.get(MAPS)["items"]] == ["kube-root-ca.crt"]


def test_a_terminating_namespace_takes_nothing_new(api: Api) -> None:
    body = config_map()
    body["metadata"]["finalizers"] = ["example.com/hold"]
    api.post(MAPS, body)
    api.delete("/api/v1/namespaces/monitoring")
    status = api.refused(api.call("POST", MAPS, config_map("late")), 403, "Forbidden")
    assert "because it is being terminated" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    api.patch(SETTINGS, {"metadata": {"finalizers": None}})
    api.refused(api.call("GET", "/api/v1/namespaces/monitoring"), 404, "NotFound")


def test_the_systems_namespaces_stay(api: Api) -> None:
    status = api.refused(api.call("DELETE", "/api/v1/namespaces/kube-system"), 403, "Forbidden")
    assert status["message"] == 'namespaces "kube-system" is forbidden: this namespace may not be deleted'


# --- what tests use ---------------------------------------------------------------------------------------------------


def test_a_seeded_object_looks_as_if_it_had_been_there(api: Api) -> None:
    seeded = api.server.seed(
        config_map() | {"metadata": {"name": "old", "namespace": "past", "creationTimestamp": "2020-02-02T02:02:02Z"}}
    )
    assert seeded["metadata"]["creationTimestamp"] == "2020-02-02T02:02:02Z"
    assert api.get("/api/v1/namespaces/past/configmaps/old") == seeded
    assert api.server.get("ConfigMap", "past", "old") == seeded
    assert api.server.get("Namespace", None, "past") is not None
    assert api.writes() == []


def test_a_seeded_object_replaces_one_of_its_name(api: Api) -> None:
    before = api.server.seed(service_account())
    after = api.server.seed(service_account() | {"automountServiceAccountToken": False})
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["automountServiceAccountToken"] is False


def test_only_valid_objects_can_be_seeded(api: Api) -> None:
    with pytest.raises(ValueError, match="unknown field"):
        api.server.seed(config_map() | {"dato": {}})
    with pytest.raises(ValueError, match="is invalid"):
        api.server.seed(config_map("NO"))
    with pytest.raises(ValueError, match="has no v1 Unicorn"):
        api.server.seed({"apiVersion": "v1", "kind": "Unicorn"})


def test_a_reset_leaves_a_new_cluster(api: Api) -> None:
    api.post(MAPS, config_map())
    before = version(api)
    api.server.reset()
    api.refused(api.call("GET", SETTINGS), 404, "NotFound")
    names = [item["metadata"]["name"] for item in api.get("/api/v1/namespaces")["items"]]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert int(api.get("/api/v1/namespaces")["metadata"]["resourceVersion"]) > before


def test_what_tests_get_is_their_own(api: Api) -> None:
    api.server.seed(service_account())
    mine = api.server.get("ServiceAccount", "monitoring", "prometheus-sa")
    assert mine is not None
    mine["metadata"]["labels"] = {"changed": "true"}
    assert "labels" not in api.get(f"{MONITORING}/serviceaccounts/prometheus-sa")["metadata"]
