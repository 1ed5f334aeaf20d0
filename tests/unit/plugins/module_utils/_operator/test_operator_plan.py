# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources of prometheus-operator: what is changed, that nothing else is, and that it is taken back; pure."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ProjectedToken, RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    DAEMON_SET,
    PROMETHEUS,
    PROMETHEUS_AGENT,
    STATEFUL_SET,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import read_record, record_annotation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PodWish, patched
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_entries import (
    Asked,
    merge_entries,
    other_credentials,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_plan import (
    merge_resource,
    remove_from_resource,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import (
    generated_workloads,
    operator_entry,
    pod_template,
    version_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_schema import (
    KnownFields,
    dropped_fields,
    refuse_unknown,
    unknown_in_refusal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from sandbox.kubernetes import kinds
from sandbox.kubernetes.monitoring import definition

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/Writer"
TOKEN = ProjectedToken(ROLE, "eu-west-1", "sts.amazonaws.com", 3600)
PLACE = "Prometheus monitoring/k8s"


def writes(*, labels: t.Mapping[str, str] | None = None, **settings: t.Any) -> RemoteWrites:
    return RemoteWrites((RemoteWrite(URL, "eu-west-1", ROLE, **settings),), labels or {}, None)


def applied(resource: Json, spec: Json, record: Json) -> Json:
    """The resource after a change, with the record as it is stored."""
    annotations = record_annotation(record)
    metadata = {"annotations": {name: value for name, value in annotations.items() if value is not None}}
    return {"metadata": metadata, "spec": patched(resource["spec"], spec)}


def merge(resource: Json, wanted: RemoteWrites, *, pod_label: bool = False) -> t.Any:
    record = read_record(resource["metadata"].get("annotations"))
    return merge_resource(resource, record, wanted, PodWish("prometheus-sa", TOKEN, "prometheus", pod_label), PLACE)


def remove(resource: Json) -> t.Any:
    return remove_from_resource(resource, read_record(resource["metadata"].get("annotations")), None, PLACE)


# --- properties -------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.sampled_from(["", "1", "x"])
VARIABLES = st.builds(
    lambda names, value: [{"name": name, "value": value} for name in names],
    st.lists(st.sampled_from(["GOMEMLIMIT", "AWS_REGION", "TZ"]), unique=True, max_size=3),
    VALUES,
)


@st.composite
def containers(draw: st.DrawFn) -> list[Json]:
    found: list[Json] = [{"name": f"sidecar-{name}", "image": "x:1"} for name in draw(st.lists(NAMES, unique=True))]
    if draw(st.booleans()):
        own: Json = {"name": "prometheus"}
        own |= {"env": draw(VARIABLES)} if draw(st.booleans()) else {}
        own |= {"volumeMounts": [{"name": "own", "mountPath": "/own"}]} if draw(st.booleans()) else {}
        own |= {"image": "registry.example.net/prometheus:v3.5.0"} if draw(st.booleans()) else {}
        found.insert(draw(st.integers(0, len(found))), own)
    # The API server would keep an empty list of variables; the pod's own rules drop it.
    return [{key: value for key, value in item.items() if value} for item in found]


@st.composite
def specs(draw: st.DrawFn) -> Json:
    """The ``spec`` of an ordinary resource, in which all fields that matter may be missing or empty."""
    parts: dict[str, st.SearchStrategy[t.Any]] = {
        "version": st.sampled_from(["v2.53.3", "v3.5.0"]),
        "externalLabels": st.dictionaries(NAMES, VALUES, max_size=2),
        "remoteWrite": st.lists(
            st.fixed_dictionaries(
                {"url": NAMES.map(lambda name: f"https://{name}.example.net/push")},
                optional={"name": NAMES, "queueConfig": st.just({"maxShards": 3}), "bearerToken": VALUES},
            ),
            max_size=3,
        ),
        "volumes": st.lists(NAMES, unique=True, max_size=2).map(
            lambda names: [{"name": name, "emptyDir": {}} for name in names]
        ),
        "volumeMounts": st.lists(NAMES, unique=True, max_size=2).map(
            lambda names: [{"name": name, "mountPath": f"/{name}"} for name in names]
        ),
        "containers": containers(),
        "podMetadata": st.fixed_dictionaries(
            {}, optional={"labels": st.dictionaries(NAMES, VALUES, max_size=2), "annotations": st.just({"x": "y"})}
        ),
        "serviceAccountName": st.sampled_from(["prometheus-k8s", "prometheus-sa"]),
    }
    return draw(st.fixed_dictionaries({}, optional=parts))  # type: ignore[arg-type]  # strategies of several types


@given(spec=specs(), label=st.booleans(), labelled=st.booleans())
def test_merged_once_is_enough_and_removal_gives_back_what_was(spec: Json, label: bool, labelled: bool) -> None:
    resource = {"metadata": {}, "spec": copy.deepcopy(spec)}
    wanted = writes(labels={"team": "metrics"} if labelled else {}, name="amp")
    change = merge(resource, wanted, pod_label=label)
    assert resource["spec"] == spec
    after = applied(resource, change.spec, change.record)
    assert merge(after, wanted, pod_label=label).summaries == ()
    # What is there stays, in its order.
    entries = after["spec"]["remoteWrite"]
    assert entries[:-1] == spec.get("remoteWrite", [])
    assert entries[-1]["url"] == URL
    assert after["spec"]["volumes"][:-1] == spec.get("volumes", [])
    assert set(after["spec"]) - set(spec) <= {
        "remoteWrite",
        "externalLabels",
        "volumes",
        "volumeMounts",
        "containers",
        "podMetadata",
        "serviceAccountName",
    }
    undone = remove(after)
    back = applied(after, undone.spec, undone.record)
    assert back == resource | {"metadata": {"annotations": {}}}
    assert remove(back).summaries == ()


@given(spec=specs(), other=st.sampled_from(["eu-west-1", None]))
def test_the_pod_is_what_the_operator_makes_of_it(spec: Json, other: str | None) -> None:
    """Whatever part says it, the merged container has each variable once, and the token where it points."""
    resource = {"metadata": {}, "spec": spec}
    change = merge(resource, writes(use_fips_sts_endpoint=None if other else False))
    template = pod_template(applied(resource, change.spec, change.record))
    container = next(item for item in template["spec"]["containers"] if item["name"] == "prometheus")
    names = [variable["name"] for variable in container["env"]]
    assert len(names) == len(set(names))
    assert TOKEN.environment().items() <= {item["name"]: item["value"] for item in container["env"]}.items()
    assert {"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "readOnly": True} in container["volumeMounts"]
    assert template["spec"]["serviceAccountName"] == "prometheus-sa"


def test_an_entry_that_somebody_put_beside_ours_keeps_what_is_its_own() -> None:
    """Which of them was added can't be told, so only the signing follows the wish; all of it does for the one named."""
    other = f"{ROLE}-Other"
    ours = merge(
        {"metadata": {}, "spec": {}}, writes(name="amp", chained_role_arn=other, queue_config={"min_shards": 2})
    )
    resource = applied({"metadata": {}, "spec": {}}, ours.spec, ours.record)
    entry = resource["spec"]["remoteWrite"][0]
    theirs = {**entry, "name": "theirs", "sendExemplars": True, "queueConfig": {"minShards": 2}}
    resource["spec"]["remoteWrite"].append(theirs)
    for chained in (f"{ROLE}-Third", None):
        wanted = writes(name="amp", chained_role_arn=chained, queue_config={"max_shards": 9})
        change = merge(resource, wanted)
        resource = applied(resource, change.spec, change.record)
        first, second = resource["spec"]["remoteWrite"]
        assert first["queueConfig"] == {**entry["queueConfig"], "maxShards": 9}
        signing = {"region": "eu-west-1"} | ({"roleArn": chained} if chained else {})
        assert first["sigv4"] == second["sigv4"] == signing
        assert second == {**theirs, "sigv4": signing}
        assert merge(resource, wanted).summaries == ()


# --- spelling ---------------------------------------------------------------------------------------------------------


def test_settings_are_spelled_as_the_definition_names_them() -> None:
    write = RemoteWrite(
        URL,
        "eu-west-1",
        ROLE,
        chained_role_arn="arn:aws:iam::210987654321:role/Other",
        name="amp",
        external_id="x",
        use_fips_sts_endpoint=True,
        queue_config={
            "capacity": 1,
            "max_shards": 2,
            "min_shards": 1,
            "max_samples_per_send": 3,
            "batch_send_deadline": "5s",
            "min_backoff": "1s",
            "max_backoff": "5s",
            "sample_age_limit": "1h",
            "retry_on_http_429": True,
        },
        write_relabel_configs=(
            {"source_labels": ["a"], "separator": ";", "target_label": "b", "regex": True, "modulus": 4},
            {"replacement": 1, "action": "drop"},
        ),
    )
    entry = Asked.of(write, PrometheusVersion(3, 11)).full
    known = KnownFields.of_definition(definition(kinds.PROMETHEUSES), "monitoring.coreos.com/v1")
    assert known is not None
    assert known.unknown({"remoteWrite": [entry]}) == ()
    assert entry["writeRelabelConfigs"] == [
        {
            "action": "replace",
            "sourceLabels": ["a"],
            "separator": ";",
            "targetLabel": "b",
            "regex": "true",
            "modulus": 4,
        },
        {"action": "drop", "replacement": "1"},
    ]
    assert operator_entry({"remote_timeout": "30s", "send_exemplars": True}) == {
        "remoteTimeout": "30s",
        "sendExemplars": True,
    }


# --- definitions ------------------------------------------------------------------------------------------------------


def test_unknown_fields_are_found_by_their_paths() -> None:
    known = KnownFields.of_definition(definition(kinds.PROMETHEUSES, (0, 50)), "monitoring.coreos.com/v1")
    assert known is not None
    assert known.release == "0.50.0"
    spec = {
        "remoteWrite": [
            {"url": "x"},
            {"url": "y", "sigv4": {"region": "z"}, "queueConfig": {"retryOnRateLimit": True}},
        ],
        "podMetadata": {"labels": {"any": "thing"}, "label": {}},
        "storage": {"whatever": 1},
    }
    assert known.unknown(spec) == (
        "spec.remoteWrite[1].sigv4",
        "spec.remoteWrite[1].queueConfig.retryOnRateLimit",
        "spec.podMetadata.label",
    )
    assert KnownFields.of_definition(definition(kinds.PROMETHEUSES), "monitoring.coreos.com/v2") is None


@pytest.mark.parametrize("odd", [True, None, 3, "x", []])
def test_a_definition_that_is_odd_below_its_schema_names_no_field(odd: object) -> None:
    for schema in ({"properties": odd}, {"properties": {"spec": odd}}, {"properties": {"spec": {"properties": odd}}}):
        assert KnownFields(schema).unknown({"retention": "1d"}) == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x:8053?token=hunter2&db=a", "https://x:8053?token=<redacted>&db=a"),
        ("https://me:hunter2#2@x/push", "https://<redacted>@x/push"),
    ],
)
def test_an_entry_of_others_with_our_name_is_told_of_without_the_secrets_of_its_url(url: str, shown: str) -> None:
    asked = Asked.of(RemoteWrite(URL, "eu-west-1", ROLE, name="amp"), None)
    with pytest.raises(errors.Refused) as caught:
        merge_entries([{"name": "amp", "url": url}], [asked], {}, "the resource")
    assert shown in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_parameter_of_the_url_is_no_other_credential() -> None:
    assert other_credentials({"url": "https://x?token=hunter2"}) == {}
    assert other_credentials({"url": "https://me:hunter2@x?token=hunter2"}) == {
        "url": "https://<redacted>@x?token=<redacted>"
    }


def test_other_credentials_are_shown_without_secrets() -> None:
    oauth2 = {"tokenUrl": "https://me:hunter2@x", "endpointParams": {"key": "hunter2"}, "scopes": ["a"]}
    assert other_credentials({"oauth2": oauth2}) == {
        "oauth2": {
            "tokenUrl": "https://<redacted>@x",
            "endpointParams": {"key": "<redacted>"},
            "scopes": ["<redacted>"],
        }
    }


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["spec.remoteWrite[3].sigv4"], "prometheus-operator 0.52.0 or later"),
        (
            ["spec.remoteWrite[0].sigv4", "spec.remoteWrite[0].queueConfig.retryOnRateLimit"],
            "prometheus-operator 0.53.0 or later",
        ),
        (["spec.remoteWrite[0].sigv4.externalID"], "prometheus-operator 0.91.0 or later"),
        (["spec.remoteWrite[0].sigv4.serviceName"], "a later release of prometheus-operator"),
    ],
)
def test_the_release_that_is_needed_is_named(paths: list[str], words: str) -> None:
    with pytest.raises(errors.Refused) as caught:
        refuse_unknown(paths, "Prometheus", "0.50.0")
    assert words in caught.value.fix
    assert "[" not in caught.value.message
    refuse_unknown((), "Prometheus")


def test_fields_that_the_api_server_names_or_dropped() -> None:
    message = (
        'Prometheus.monitoring.coreos.com "k8s" is invalid: patch: Invalid value: "{}": strict decoding error: '
        'unknown field "spec.remoteWrite[0].sigv4", unknown field "spec.x"'
    )
    assert unknown_in_refusal(message) == ("spec.remoteWrite[0].sigv4", "spec.x")
    assert unknown_in_refusal("forbidden") == ()
    known = KnownFields.of_definition(definition(kinds.PROMETHEUSES), "monitoring.coreos.com/v1")
    assert known is not None
    name = "kubectl.kubernetes.io/last-applied-configuration"
    for text, expected in (
        (json.dumps({"spec": {"remotewrite": []}}), ("spec.remotewrite",)),
        ("{", ()),
        ("[]", ()),
        ('{"spec": []}', ()),
    ):
        assert dropped_fields({"metadata": {"annotations": {name: text}}}, known) == expected
    assert dropped_fields({"metadata": {}}, known) == ()


# --- the resource -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        ({}, None),
        ({"version": "v2.53.3"}, "2.53.3"),
        ({"image": "quay.io/prometheus/prometheus:v3.5.0"}, "3.5.0"),
        ({"version": "v3.5.0", "image": "quay.io/prometheus/prometheus:v2.53.3"}, "2.53.3"),
        ({"version": "v2.53.3", "image": "quay.io/prometheus/prometheus@sha256:00"}, "2.53.3"),
        ({"tag": "v2.26.0"}, "2.26.0"),
        ({"version": "latest"}, None),
    ],
)
def test_the_version_of_a_resource(spec: Json, version: str | None) -> None:
    found = version_of({"spec": spec})
    assert (None if found is None else str(found)) == version


def test_what_the_operator_makes() -> None:
    server, agent = PROMETHEUS.at("k8s", "monitoring"), PROMETHEUS_AGENT.at("edge", "monitoring")
    assert generated_workloads(server, {"spec": {}}) == (STATEFUL_SET.at("prometheus-k8s", "monitoring"),)
    assert generated_workloads(server, {"spec": {"shards": 3}}) == tuple(
        STATEFUL_SET.at(f"prometheus-k8s{suffix}", "monitoring") for suffix in ("", "-shard-1", "-shard-2")
    )
    assert generated_workloads(agent, {"spec": {"shards": 0}}) == (STATEFUL_SET.at("prom-agent-edge", "monitoring"),)
    assert generated_workloads(agent, {"spec": {"mode": "DaemonSet"}}) == (
        DAEMON_SET.at("prom-agent-edge", "monitoring"),
    )
