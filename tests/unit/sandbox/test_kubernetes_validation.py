# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server refuses, warns of, drops and fills in."""

from __future__ import annotations

import copy
import typing as t

import pytest

from tests.unit.sandbox.kubernetes_support import (
    DEPLOYMENTS,
    MERGE,
    MONITORING,
    STATEFUL_SETS,
    Api,
    config_map,
    deployment,
    new_api,
    pod_spec,
    service_account,
    stateful_set,
    token_volume,
)

MAPS = f"{MONITORING}/configmaps"
ACCOUNTS = f"{MONITORING}/serviceaccounts"
SECRETS = f"{MONITORING}/secrets"
PODS = f"{MONITORING}/pods"
TEMPLATE = "spec.template.spec"
Json = dict[str, t.Any]


@pytest.fixture
def api() -> Api:
    return new_api()


def with_pod_spec(**changes: t.Any) -> Json:
    """A deployment whose pods' specification has these fields."""
    body = deployment()
    body["spec"]["template"]["spec"] |= changes
    return body


def with_container(**changes: t.Any) -> Json:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0] |= changes
    return body


def causes_of(api: Api, body: Json, path: str = DEPLOYMENTS) -> dict[str, str]:
    causes = api.invalid(api.call("POST", path, body))
    assert api.writes() == []
    return causes


# --- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Prometheus", "a_b", "-a", "a-", "a..b", "a\n", "ä", "a" * 254, "a/b"])
def test_names_are_dns_subdomains(api: Api, name: str) -> None:
    assert list(causes_of(api, config_map(name), MAPS)) == ["metadata.name"]


def test_a_refused_name_is_explained(api: Api) -> None:
    status = api.refused(api.call("POST", ACCOUNTS, service_account("Prom")), 422, "Invalid")
    text = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start"
        " and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
        r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    assert status["message"] == f'ServiceAccount "Prom" is invalid: metadata.name: Invalid value: "Prom": {text}'
    assert status["details"] == {
        "name": "Prom",
        "kind": "ServiceAccount",
        "causes": [
            {"reason": "FieldValueInvalid", "message": f'Invalid value: "Prom": {text}', "field": "metadata.name"}
        ],
    }


def test_a_name_must_be_there(api: Api) -> None:
    assert causes_of(api, {"metadata": {}}, MAPS) == {
        "metadata.name": "Required value: name or generateName is required"
    }


@pytest.mark.parametrize("name", ["a.b", "a" * 64])
def test_names_of_namespaces_are_labels(api: Api, name: str) -> None:
    assert "metadata.name" in causes_of(api, {"metadata": {"name": name}}, "/api/v1/namespaces")


@pytest.mark.parametrize(
    "labels",
    [
        {"a b": "x"},
        {"": "x"},
        {"/x": "x"},
        {"a/b/c": "x"},
        {"Example.com/x": "x"},
        {"a" * 64: "x"},
        {"a": "x y"},
        {"a": "-x"},
        {"a": "x" * 64},
    ],
)
def test_bad_labels(api: Api, labels: dict[str, str]) -> None:
    body = service_account()
    body["metadata"]["labels"] = labels
    assert set(causes_of(api, body, ACCOUNTS)) == {"metadata.labels"}


def test_good_labels_and_annotations(api: Api) -> None:
    body = service_account()
    body["metadata"]["labels"] = {"azure.workload.identity/use": "true", "A_b.C": "", "x": "a.b_C-1"}
    body["metadata"]["annotations"] = {"azure.workload.identity/client-id": "any text\n is fine", "Example.com/A": ""}
    created = api.post(ACCOUNTS, body)
    assert created["metadata"]["labels"] == body["metadata"]["labels"]
    assert created["metadata"]["annotations"] == body["metadata"]["annotations"]


def test_annotations_have_a_limit(api: Api) -> None:
    body = service_account()
    body["metadata"]["annotations"] = {"text": "x" * (256 * 1024)}
    causes = causes_of(api, body, ACCOUNTS)
    assert causes == {"metadata.annotations": "Too long: may not be more than 262144 bytes"}


def test_owners_must_be_complete_and_have_one_controller(api: Api) -> None:
    body = config_map()
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    body["metadata"]["ownerReferences"] = [
        owner,
        owner | {"uid": "v"},
        {"kind": "Pod", "name": "p", "apiVersion": "v1"},
    ]
    assert set(causes_of(api, body, MAPS)) == {"metadata.ownerReferences", "metadata.ownerReferences[2].uid"}


def test_several_causes_are_listed(api: Api) -> None:
    body = config_map("NO", **{"bad key": "x"})
    status = api.refused(api.call("POST", MAPS, body), 422, "Invalid")
    assert status["message"].startswith('ConfigMap "NO" is invalid: [metadata.name: ')
    assert len(status["details"]["causes"]) == 2


# --- decoding ---------------------------------------------------------------------------------------------------------


def test_labels_and_annotations_are_strings(api: Api) -> None:
    body = service_account()
    body["metadata"]["annotations"] = {"enabled": True}
    status = api.refused(api.call("POST", ACCOUNTS, body), 400, "BadRequest")
    assert status["message"] == (
        'ServiceAccount in version "v1" cannot be handled as a ServiceAccount: json: cannot unmarshal bool into Go'
        " struct field ObjectMeta.metadata.annotations of type string"
    )


def test_values_of_environment_variables_are_strings(api: Api) -> None:
    body = with_container(env=[{"name": "PORT", "value": 9090}])
    status = api.refused(api.call("POST", DEPLOYMENTS, body), 400, "BadRequest")
    assert status["message"].endswith(
        "json: cannot unmarshal number into Go struct field"
        " EnvVar.spec.template.spec.containers.env.value of type string"
    )


@pytest.mark.parametrize(
    "body",
    [
        deployment(replicas="1"),
        deployment(replicas=1.5),
        deployment(replicas=2**31),
        deployment(paused="no"),
        deployment(template=[]),
        with_pod_spec(containers={}),
        with_pod_spec(volumes=["config"]),
        with_container(resources={"limits": {"cpu": "much"}}),
        with_container(ports=[{"containerPort": True}]),
    ],
)
def test_wrong_types_are_refused(api: Api, body: Json) -> None:
    api.refused(api.call("POST", DEPLOYMENTS, body), 400, "BadRequest")


def test_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    body = with_container(imagePullPolice="Always")
    body["speck"] = {}
    response = api.call("POST", DEPLOYMENTS, body)
    created = api.good(response, 201)
    assert response.headers.getlist("Warning") == [
        '299 - "unknown field \\"speck\\""',
        '299 - "unknown field \\"spec.template.spec.containers[0].imagePullPolice\\""',
    ]
    assert "speck" not in created
    assert "imagePullPolice" not in created["spec"]["template"]["spec"]["containers"][0]


def test_unknown_fields_are_refused_when_that_is_asked_for(api: Api) -> None:
    response = api.call("POST", f"{MAPS}?fieldValidation=Strict", config_map() | {"dato": {}})
    status = api.refused(response, 400, "BadRequest")
    assert status["message"].endswith('strict decoding error: unknown field "dato"')


def test_unknown_fields_are_dropped_in_silence_when_that_is_asked_for(api: Api) -> None:
    response = api.call("POST", f"{MAPS}?fieldValidation=Ignore", config_map() | {"dato": {}})
    assert "dato" not in api.good(response, 201)
    assert "Warning" not in response.headers


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "kind: ConfigMap"])
def test_a_body_must_be_a_json_object(api: Api, body: str) -> None:
    api.refused(api.call("POST", MAPS, body), 400, "BadRequest")


def test_a_body_must_be_json_by_its_type(api: Api) -> None:
    status = api.refused(api.call("POST", MAPS, "{}", Content_Type="text/plain"), 415, "UnsupportedMediaType")
    assert status["message"].endswith("accepted media types include: application/json")


def test_a_body_has_a_limit(api: Api) -> None:
    response = api.call("POST", MAPS, config_map(text="x" * (3 * 1024 * 1024)))
    api.refused(response, 413, "RequestEntityTooLarge")


def test_empty_values_are_left_out(api: Api) -> None:
    body = with_container(env=[{"name": "EMPTY", "value": ""}], args=[], volumeMounts=None)
    body["metadata"] |= {"labels": {}, "annotations": None}
    body["spec"]["template"]["spec"] |= {"hostNetwork": False, "automountServiceAccountToken": False}
    created = api.post(DEPLOYMENTS, body)
    spec = created["spec"]["template"]["spec"]
    assert spec["containers"][0]["env"] == [{"name": "EMPTY"}]
    assert "args" not in spec["containers"][0]
    assert "labels" not in created["metadata"]
    assert "hostNetwork" not in spec
    assert spec["automountServiceAccountToken"] is False


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["a b", "", "a/b", "..", "x" * 254])
def test_bad_keys_of_config_maps(api: Api, key: str) -> None:
    assert set(causes_of(api, config_map(**{key: "x"}), MAPS)) == {f"data[{key}]"}


def test_config_maps_have_a_limit(api: Api) -> None:
    causes = causes_of(api, config_map(text="x" * (1024 * 1024 + 1)), MAPS)
    assert list(causes.values()) == ["Too long: may not be more than 1048576 bytes"]


def test_an_immutable_config_map_stays(api: Api) -> None:
    api.post(MAPS, config_map() | {"immutable": True})
    path = f"{MAPS}/settings"
    text = "Forbidden: field is immutable when `immutable` is set"
    changed = api.call("PATCH", path, {"data": {"key": "other"}}, Content_Type=MERGE)
    assert api.invalid(changed) == {"data": text}
    opened = api.call("PATCH", path, {"immutable": False}, Content_Type=MERGE)
    assert api.invalid(opened) == {"immutable": text}
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["labels"] == {"a": "b"}


def test_secrets_hold_base64(api: Api) -> None:
    body: Json = {"metadata": {"name": "s"}, "stringData": {"password": "geheim"}, "data": {"user": "bWU="}}
    created = api.post(SECRETS, body)
    assert created["data"] == {"password": "Z2VoZWlt", "user": "bWU="}
    assert created["type"] == "Opaque"
    assert "stringData" not in created
    bad = api.call("POST", SECRETS, {"metadata": {"name": "bad"}, "data": {"a": "x!yz"}})
    assert "illegal base64 data at input byte 1" in api.refused(bad, 400, "BadRequest")["message"]
    retyped = api.call("PATCH", f"{SECRETS}/s", {"type": "other"}, Content_Type=MERGE)
    assert api.invalid(retyped) == {"type": 'Invalid value: "other": field is immutable'}


# --- workloads --------------------------------------------------------------------------------------------------------


def test_the_template_must_match_the_selector(api: Api) -> None:
    body = deployment()
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert causes_of(api, body) == {
        "spec.template.metadata.labels": 'Invalid value: {"app":"other"}: `selector` does not match template `labels`'
    }


def test_selectors_may_have_expressions(api: Api) -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["prometheus", "thanos"]}]}
    api.post(DEPLOYMENTS, deployment(selector=selector))
    selector["matchExpressions"][0]["values"] = ["thanos"]
    causes = api.invalid(api.call("POST", DEPLOYMENTS, deployment("other", selector=selector)))
    assert list(causes) == ["spec.template.metadata.labels"]


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [(DEPLOYMENTS, "Deployment", deployment()), (STATEFUL_SETS, "StatefulSet", stateful_set())],
)
def test_selectors_stay(api: Api, path: str, kind: str, body: Json) -> None:
    api.post(path, body)
    patch = {
        "spec": {
            "selector": {"matchLabels": {"app": "prometheus", "x": "y"}},
            "template": {"metadata": {"labels": {"x": "y"}}},
        }
    }
    status = api.refused(api.call("PATCH", f"{path}/prometheus", patch, Content_Type=MERGE), 422, "Invalid")
    assert status["details"]["kind"] == kind
    assert status["details"]["group"] == "apps"
    assert "field is immutable" in status["message"] or "updates to statefulset spec" in status["message"]
    assert status["message"].startswith(f'{kind}.apps "prometheus" is invalid: spec')


def test_a_stateful_sets_service_name_stays(api: Api) -> None:
    api.post(STATEFUL_SETS, stateful_set())
    patch = {"spec": {"serviceName": "other"}}
    causes = api.invalid(api.call("PATCH", f"{STATEFUL_SETS}/prometheus", patch, Content_Type=MERGE))
    assert causes["spec"].startswith(
        "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals'"
    )


def test_a_selector_is_required(api: Api) -> None:
    body = deployment()
    del body["spec"]["selector"]
    assert causes_of(api, body) == {"spec.selector": "Required value"}
    assert "empty selector" in causes_of(api, deployment(selector={}))["spec.selector"]


def test_mounts_need_their_volume(api: Api) -> None:
    body = with_container(volumeMounts=[{"name": "nothing", "mountPath": "/a"}])
    assert causes_of(api, body) == {f"{TEMPLATE}.containers[0].volumeMounts[0].name": 'Not found: "nothing"'}


def test_a_stateful_set_mounts_its_claims(api: Api) -> None:
    body = stateful_set(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}])
    mounts = body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    mounts.append({"name": "data", "mountPath": "/data"})
    api.post(STATEFUL_SETS, body)
    pod = api.get(f"{PODS}/prometheus-0")
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-prometheus-0"}} in pod["spec"]["volumes"]


@pytest.mark.parametrize(
    ("mount", "field", "message"),
    [
        ({"name": "config", "mountPath": "/etc/prometheus"}, "mountPath", "must be unique"),
        ({"name": "config"}, "mountPath", "Required value"),
        ({"name": "config", "mountPath": "/a", "subPath": "/b"}, "subPath", "must be a relative path"),
        ({"name": "config", "mountPath": "/a", "subPath": "b/../c"}, "subPath", "must not contain '..'"),
    ],
)
def test_bad_mounts(api: Api, mount: Json, field: str, message: str) -> None:
    body = deployment()
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].append(mount)
    causes = causes_of(api, body)
    assert message in causes[f"{TEMPLATE}.containers[0].volumeMounts[1].{field}"]


@pytest.mark.parametrize(
    ("volume", "field", "message"),
    [
        ({"name": "config", "emptyDir": {}}, "volumes[1].name", 'Duplicate value: "config"'),
        ({"name": "No", "emptyDir": {}}, "volumes[1].name", "a lowercase RFC 1123 label"),
        ({"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}, "volumes[1].hostPath", "more than 1 volume type"),
        ({"name": "a", "configMap": {}}, "volumes[1].configMap.name", "Required value"),
        ({"name": "a", "secret": {}}, "volumes[1].secret.secretName", "Required value"),
        (
            {"name": "a", "configMap": {"name": "x", "defaultMode": 512}},
            "volumes[1].configMap.defaultMode",
            "must be a number between 0 and 0777 (octal), both inclusive",
        ),
        (
            token_volume(expirationSeconds=599),
            "volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds",
            "Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            token_volume(expirationSeconds=2**32 + 1),
            "volumes[1].projected.sources[0].serviceAccountToken.expirationSeconds",
            "may not specify a duration larger than 2^32 seconds",
        ),
        (token_volume(path=""), "volumes[1].projected.path", "Required value"),
        (token_volume(path="/token"), "volumes[1].projected.path", "must be a relative path"),
        (token_volume(path="../token"), "volumes[1].projected.path", "must not contain '..'"),
    ],
)
def test_bad_volumes(api: Api, volume: Json, field: str, message: str) -> None:
    causes = causes_of(api, with_pod_spec(volumes=[*pod_spec()["volumes"], volume]))
    assert message in causes[f"{TEMPLATE}.{field}"]


def test_projected_paths_do_not_collide(api: Api) -> None:
    volume = token_volume()
    volume["projected"]["sources"] *= 2
    causes = causes_of(api, with_pod_spec(volumes=[*pod_spec()["volumes"], volume]))
    assert causes == {f"{TEMPLATE}.volumes[1].projected": 'Invalid value: "token": conflicting duplicate paths'}


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (with_pod_spec(containers=[]), f"{TEMPLATE}.containers", "Required value"),
        (with_container(name=""), f"{TEMPLATE}.containers[0].name", "Required value"),
        (with_container(image=""), f"{TEMPLATE}.containers[0].image", "Required value"),
        (with_container(image=" x"), f"{TEMPLATE}.containers[0].image", "leading or trailing whitespace"),
        (with_container(imagePullPolicy="Maybe"), f"{TEMPLATE}.containers[0].imagePullPolicy", "Unsupported value"),
        (with_container(env=[{"value": "x"}]), f"{TEMPLATE}.containers[0].env[0].name", "Required value"),
        (with_container(env=[{"name": "a=b"}]), f"{TEMPLATE}.containers[0].env[0].name", "printable ASCII"),
        (
            with_container(env=[{"name": "a", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]),
            f"{TEMPLATE}.containers[0].env[0].valueFrom",
            "may not be specified when `value` is not empty",
        ),
        (
            with_container(env=[{"name": "a", "valueFrom": {}}]),
            f"{TEMPLATE}.containers[0].env[0].valueFrom",
            "must specify one of: `fieldRef`",
        ),
        (
            with_container(env=[{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s"}}}]),
            f"{TEMPLATE}.containers[0].env[0].valueFrom.secretKeyRef.key",
            "Required value",
        ),
        (
            with_container(ports=[{"containerPort": 70000}]),
            f"{TEMPLATE}.containers[0].ports[0].containerPort",
            "must be between 1 and 65535, inclusive",
        ),
        (
            with_container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "1500m"}}),
            f"{TEMPLATE}.containers[0].resources.requests",
            'Invalid value: "1500m": must be less than or equal to cpu limit of 1',
        ),
        (with_container(livenessProbe={}), f"{TEMPLATE}.containers[0].livenessProbe", "must specify a handler type"),
        (with_pod_spec(serviceAccountName="No"), f"{TEMPLATE}.serviceAccountName", "RFC 1123 subdomain"),
        (with_pod_spec(restartPolicy="Never"), f"{TEMPLATE}.restartPolicy", 'supported values: "Always"'),
        (with_pod_spec(dnsPolicy="None of them"), f"{TEMPLATE}.dnsPolicy", "Unsupported value"),
        (deployment(replicas=-1), "spec.replicas", "must be greater than or equal to 0"),
        (deployment(strategy={"type": "Big bang"}), "spec.strategy.type", "Unsupported value"),
        (
            deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            "spec.strategy.rollingUpdate.maxUnavailable",
            "may not be 0 when `maxSurge` is 0",
        ),
    ],
)
def test_bad_workloads(api: Api, body: Json, field: str, message: str) -> None:
    assert message in causes_of(api, body)[field]


def test_container_names_are_unique(api: Api) -> None:
    container = pod_spec()["containers"][0]
    body = with_pod_spec(containers=[container, container], initContainers=[container])
    causes = causes_of(api, body)
    assert causes == {
        f"{TEMPLATE}.containers[0].name": 'Duplicate value: "prometheus"',
        f"{TEMPLATE}.containers[1].name": 'Duplicate value: "prometheus"',
    }


def test_a_repeated_variable_is_only_warned_of(api: Api) -> None:
    env = [{"name": "PATH", "value": "a"}, {"name": "PATH", "value": "$(PATH):b"}, {"name": "PATH", "value": "c"}]
    response = api.call("POST", DEPLOYMENTS, with_container(env=env))
    assert len(api.good(response, 201)["spec"]["template"]["spec"]["containers"][0]["env"]) == 3
    (warning,) = response.headers.getlist("Warning")
    place = f"{TEMPLATE}.containers[0].env[2]"
    text = 'hides previous definition of \\"PATH\\", which may be dropped when using apply'
    assert warning == f'299 - "{place}: {text}"'


def test_a_pod_is_mostly_fixed(api: Api) -> None:
    api.post(PODS, {"metadata": {"name": "one"}, "spec": pod_spec()})
    pod = api.get(f"{PODS}/one")
    pod["spec"]["containers"][0]["image"] = "example.com/new:2"
    changed = api.put(f"{PODS}/one", pod)
    assert changed["spec"]["containers"][0]["image"] == "example.com/new:2"
    changed["spec"]["containers"][0]["args"] = ["--new"]
    causes = api.invalid(api.call("PUT", f"{PODS}/one", changed))
    assert causes["spec"].startswith("Forbidden: pod updates may not change fields other than")


def test_an_event_is_about_its_namespace(api: Api) -> None:
    path = f"{MONITORING}/events"
    body: Json = {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default", "kind": "Pod", "name": "p"}}
    assert list(causes_of(api, body, path)) == ["involvedObject.namespace"]
    body["involvedObject"]["namespace"] = "monitoring"
    body |= {"eventTime": "2026-01-02T03:04:05.678901Z", "firstTimestamp": "2026-01-02T04:04:05+01:00"}
    created = api.post(path, body)
    assert created["eventTime"] == "2026-01-02T03:04:05.678901Z"
    assert created["firstTimestamp"] == "2026-01-02T03:04:05Z"
    bad = api.call("POST", path, body | {"firstTimestamp": "yesterday"})
    assert 'parsing time "yesterday"' in api.refused(bad, 400, "BadRequest")["message"]


def test_webhooks_are_checked_and_completed(api: Api) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    webhook: Json = {
        "name": "mutation.azure-workload-identity.io",
        "admissionReviewVersions": ["v1", "v1beta1"],
        "sideEffects": "None",
        "clientConfig": {"service": {"name": "azure-wi-webhook-webhook-service", "namespace": "kube-system"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    created = api.post(path, {"metadata": {"name": "good"}, "webhooks": [webhook]})["webhooks"][0]
    assert (created["failurePolicy"], created["timeoutSeconds"], created["matchPolicy"]) == ("Fail", 10, "Equivalent")
    assert created["clientConfig"]["service"]["port"] == 443
    assert created["rules"][0]["scope"] == "*"
    bad = webhook | {"name": "short", "sideEffects": "Some", "timeoutSeconds": 31, "clientConfig": {}}
    causes = api.invalid(api.call("POST", path, {"metadata": {"name": "bad"}, "webhooks": [bad]}))
    assert set(causes) == {f"webhooks[0].{name}" for name in ("name", "sideEffects", "timeoutSeconds", "clientConfig")}


# --- defaults ---------------------------------------------------------------------------------------------------------


def test_a_deployment_is_completed(api: Api) -> None:
    body = with_pod_spec(volumes=[*pod_spec()["volumes"], token_volume(), {"name": "scratch"}])
    spec = api.post(DEPLOYMENTS, body)["spec"]
    assert spec["replicas"] == 1
    assert spec["revisionHistoryLimit"] == 10
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert (pod["schedulerName"], pod["terminationGracePeriodSeconds"]) == ("default-scheduler", 30)
    assert pod["securityContext"] == {}
    container = pod["containers"][0]
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["terminationMessagePolicy"] == "File"
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["resources"] == {}
    config, token, scratch = pod["volumes"]
    assert config["configMap"] == {"name": "settings", "defaultMode": 420}
    assert token["projected"]["defaultMode"] == 420
    assert token["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600
    assert scratch == {"name": "scratch", "emptyDir": {}}


def test_a_stateful_set_is_completed(api: Api) -> None:
    spec = api.post(STATEFUL_SETS, stateful_set())["spec"]
    assert spec["podManagementPolicy"] == "OrderedReady"
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("prometheus", "Always"),
        ("registry:5000/prometheus", "Always"),
        ("prometheus:latest", "Always"),
        ("registry:5000/prometheus:v3", "IfNotPresent"),
        ("prometheus@sha256:0a", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(api: Api, image: str, policy: str) -> None:
    created = api.post(DEPLOYMENTS, with_container(image=image))
    assert created["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize("field", ["serviceAccountName", "serviceAccount"])
def test_both_names_of_the_service_account_agree(api: Api, field: str) -> None:
    spec = api.post(DEPLOYMENTS, with_pod_spec(**{field: "prometheus-sa"}))["spec"]["template"]["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("prometheus-sa", "prometheus-sa")


def test_what_the_server_stores_it_takes_back_unchanged(api: Api) -> None:
    """Whoever writes back what was read changes nothing."""
    body = with_container(
        resources={"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": "0.5"}},
        ports=[{"containerPort": 9090}],
        readinessProbe={"httpGet": {"port": "http"}},
        env=[{"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
    )
    created = api.post(DEPLOYMENTS, body)
    container = created["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    stored = api.get(f"{DEPLOYMENTS}/prometheus")
    assert api.put(f"{DEPLOYMENTS}/prometheus", copy.deepcopy(stored)) == stored
    for path in (f"{PODS}", "/api/v1/namespaces", f"{MONITORING}/serviceaccounts", "/apis/apps/v1/replicasets"):
        for item in api.get(path)["items"]:
            namespace = item["metadata"].get("namespace")
            base = (
                path
                if namespace is None
                else path.replace("/v1/replicasets", f"/v1/namespaces/{namespace}/replicasets")
            )
            one = f"{base}/{item['metadata']['name']}"
            before = api.get(one)
            assert api.put(one, before) == before
