# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each format says: components of a collector, Alloy's syntax, resources of the operator, the header."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import WebhookToken
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import FORMATS, document, origin_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import merge_values
from tests.unit.plugins.file_wishes import CHAINED, MAIN, REGION, ROLE, SECOND, URL, file_wish

Json = dict[str, t.Any]

EVERYTHING = dataclasses.replace(
    MAIN,
    chained_role_arn=CHAINED,
    name="amp",
    queue_config={"max_shards": 50, "capacity": None, "sample_age_limit": "1d12h", "min_backoff": "30ms"},
    write_relabel_configs=({"source_labels": ["__name__", "le"], "regex": 'go_"\\d+', "action": "drop"},),
)


def body(wish: FileWish, format_name: str, text: str = "") -> str:
    return FORMATS[format_name](wish, text, "the file").body


def loaded(wish: FileWish, format_name: str, text: str = "") -> Json:
    return t.cast("Json", yaml.safe_load(body(wish, format_name, text)))


# Prometheus and its operator ------------------------------------------------------------------------------------------


def test_prometheus_own_settings_are_spelled_as_it_does() -> None:
    entry = loaded(file_wish(EVERYTHING), "helm_prometheus")["server"]["remoteWrite"][0]
    assert entry == EVERYTHING.entry()
    assert loaded(file_wish(EVERYTHING), "prometheus")["remote_write"] == [entry]


def test_the_operators_settings_are_camel_case_in_the_stack_and_in_the_resource() -> None:
    of_stack = loaded(file_wish(EVERYTHING), "helm_kube_prometheus_stack")["prometheus"]["prometheusSpec"]
    resource = loaded(file_wish(EVERYTHING, workload_kind="PrometheusAgent", workload_name="a"), "prometheus_operator")
    assert resource["apiVersion"] == "monitoring.coreos.com/v1alpha1"
    assert {"serviceAccountName": "prometheus-sa", **of_stack} == resource["spec"]
    assert of_stack["remoteWrite"][0] == {
        "url": URL,
        "name": "amp",
        "sigv4": {"region": REGION, "roleArn": CHAINED},
        "queueConfig": {
            "maxShards": 50,
            "maxSamplesPerSend": 1000,
            "retryOnRateLimit": True,
            "sampleAgeLimit": "1d12h",
            "minBackoff": "30ms",
        },
        "writeRelabelConfigs": [{"sourceLabels": ["__name__", "le"], "regex": 'go_"\\d+', "action": "drop"}],
    }


def test_the_version_decides_what_is_rendered() -> None:
    old = file_wish(version=PrometheusVersion(2, 26))
    assert loaded(old, "prometheus")["remote_write"][0]["queue_config"]["retry_on_http_429"] is True


def test_a_chart_below_another_one_gets_its_values_there() -> None:
    nested = loaded(file_wish(values_path=("platform", "kube-prometheus-stack")), "helm_kube_prometheus_stack")
    assert nested == {"platform": {"kube-prometheus-stack": loaded(file_wish(), "helm_kube_prometheus_stack")}}


def test_a_manifest_of_another_object_is_refused() -> None:
    wish = file_wish(workload_kind="Prometheus", workload_name="k8s")
    fragment = FORMATS["prometheus_operator"](wish, "", "p").fragment
    assert fragment is not None
    with pytest.raises(errors.Refused) as caught:
        merge_values("kind: Prometheus\nmetadata: {name: other}\nspec: {}\n", fragment, place="p")
    assert "apiVersion is missing" in caught.value.message
    assert 'metadata.name is "other" (line 2), wanted is "k8s"' in caught.value.message


# The OpenTelemetry Collector ------------------------------------------------------------------------------------------


def test_a_new_collector_is_complete_and_every_reference_leads_somewhere() -> None:
    config = loaded(file_wish(MAIN, SECOND, external_labels={"price": "$5"}), "opentelemetry_collector")
    assert config["service"]["extensions"] == list(config["extensions"])
    (pipeline,) = config["service"]["pipelines"].values()
    assert pipeline["exporters"] == list(config["exporters"])
    assert set(pipeline["receivers"]) == set(config["receivers"])
    assert set(pipeline["processors"]) == set(config["processors"])
    for exporter in config["exporters"].values():
        assert exporter["auth"]["authenticator"] in config["extensions"]
        assert exporter["external_labels"] == {"price": "$$5"}  # a single one would be expanded
    assert list(config["exporters"]) == ["prometheusremotewrite", "prometheusremotewrite/ws-5678"]


def test_a_chained_role_is_assumed_by_the_extension_and_the_federated_one_never() -> None:
    plain = loaded(file_wish(), "opentelemetry_collector")["extensions"]["sigv4auth"]
    assert plain == {"region": REGION, "service": "aps"}
    entry = dataclasses.replace(MAIN, chained_role_arn=CHAINED, external_id="e")
    chained = loaded(file_wish(entry), "opentelemetry_collector")["extensions"]["sigv4auth"]
    assert chained == {**plain, "assume_role": {"arn": CHAINED, "external_id": "e"}}


COLLECTOR = """\
exporters:
  prometheusremotewrite: {endpoint: https://mimir.example.com/push}
  prometheusremotewrite/amp:
    endpoint: %s/
    auth: {authenticator: sigv4auth/mine}
extensions:
  sigv4auth/mine: {region: us-east-1}
service:
  extensions: [sigv4auth/mine]
  pipelines:
    metrics/apps: {receivers: [otlp], exporters: [prometheusremotewrite]}
"""


def test_components_for_the_same_workspace_are_used_as_they_are_called() -> None:
    text = COLLECTOR % URL
    fragment = FORMATS["opentelemetry_collector"](file_wish(), text, "p").fragment
    assert fragment is not None
    config = yaml.safe_load(merge_values(text, fragment, place="p").text)
    assert config["exporters"]["prometheusremotewrite/amp"]["endpoint"] == URL
    assert config["extensions"] == {"sigv4auth/mine": {"region": REGION, "service": "aps"}}
    assert config["service"]["pipelines"]["metrics/apps"]["exporters"] == [
        "prometheusremotewrite",
        "prometheusremotewrite/amp",
    ]


def test_a_component_of_others_keeps_its_name_and_ours_gets_another() -> None:
    config = loaded(file_wish(), "opentelemetry_collector", COLLECTOR % "https://elsewhere.example.com")
    assert list(config["exporters"]) == ["prometheusremotewrite/ws-1234"]
    named = loaded(file_wish(dataclasses.replace(MAIN, name="to amp")), "opentelemetry_collector", COLLECTOR % "x")
    assert list(named["exporters"]) == ["prometheusremotewrite/to-amp"]


def test_an_exporter_with_another_authenticator_is_refused() -> None:
    text = (COLLECTOR % URL).replace("sigv4auth/mine}", "basicauth}")
    fragment = FORMATS["opentelemetry_collector"](file_wish(), text, "p").fragment
    assert fragment is not None
    with pytest.raises(errors.Refused, match=r'auth\.authenticator is "basicauth"'):
        merge_values(text, fragment, place="p")


@pytest.mark.parametrize(
    ("pipelines", "asked", "chosen"),
    [
        ("{metrics: {}, metrics/b: {}}", None, "metrics"),
        ("{metrics/b: {}, traces: {}}", None, "metrics/b"),
        ("{metrics/a: {}, metrics/b: {}}", "metrics/a", "metrics/a"),
    ],
)
def test_the_pipeline_is_the_usual_one_the_only_one_or_the_named_one(
    pipelines: str, asked: str | None, chosen: str
) -> None:
    text = f"service: {{pipelines: {pipelines}}}\n"
    config = loaded(file_wish(pipeline=asked), "opentelemetry_collector", text)
    assert list(config["service"]["pipelines"]) == [chosen]
    assert "receivers" not in config


@pytest.mark.parametrize(
    ("pipelines", "asked", "error", "sentence"),
    [
        (
            "{metrics/a: {}, metrics/b: {}}",
            None,
            errors.Ambiguous,
            "several pipelines for metrics: metrics/a, metrics/b",
        ),
        ("{traces: {}}", None, errors.NotFound, "has no pipeline for metrics that could feed the exporter"),
        ("{metrics: {}}", "metrics/x", errors.NotFound, "has no pipeline metrics/x"),
    ],
)
def test_a_pipeline_that_can_t_be_told_is_an_error(
    pipelines: str, asked: str | None, error: type[errors.AksAmpError], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        body(file_wish(pipeline=asked), "opentelemetry_collector", f"service: {{pipelines: {pipelines}}}\n")


def test_the_collectors_chart_keeps_its_own_extension() -> None:
    values = loaded(file_wish(), "helm_opentelemetry_collector")
    assert values["config"]["service"]["extensions"] == ["health_check", "sigv4auth"]
    assert values["image"]["repository"].endswith("-contrib")
    assert {item["name"] for item in values["extraEnvs"]} >= {"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}


# Alloy ----------------------------------------------------------------------------------------------------------------

#: A token of Alloy's syntax; what no pattern takes is a mistake.
_TOKENS = re.compile(
    r'\s+|//[^\n]*|(?P<token>"(?:[^"\\\n]|\\(?:[abfnrtv\\"\']|u[0-9a-f]{4}))*"|[A-Za-z_][\w.]*|-?\d+(?:\.\d+)?|[{}\[\]=,])'
)


def parse_alloy(text: str) -> list[tuple[str, t.Any]]:
    """Alloy's syntax as (name, value) pairs, blocks as lists of such; fails on what is not Alloy."""
    tokens: list[str] = []
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        assert match is not None, text[position : position + 40]
        if match["token"] is not None:
            tokens.append(match["token"])
        position = match.end()
    pairs = _block(tokens)
    assert not tokens
    return pairs


def _block(tokens: list[str]) -> list[tuple[str, t.Any]]:
    pairs: list[tuple[str, t.Any]] = []
    while tokens and tokens[0] != "}":
        name = tokens.pop(0)
        if tokens[0] == "=":
            tokens.pop(0)
            pairs.append((name, _expression(tokens)))
            continue
        label = f" {tokens.pop(0)}" if tokens[0].startswith('"') else ""
        assert tokens.pop(0) == "{"
        pairs.append((name + label, _block(tokens)))
        assert tokens.pop(0) == "}"
    return pairs


def _expression(tokens: list[str]) -> t.Any:
    token = tokens.pop(0)
    if token not in "{[":
        return yaml.safe_load(token)
    values: list[t.Any] = []
    while tokens[0] not in "}]":
        name = tokens.pop(0) if token == "{" else None
        if name is not None:
            assert tokens.pop(0) == "="
        value = _expression(tokens)
        values.append(value if name is None else (yaml.safe_load(name), value))
        if tokens[0] == ",":
            tokens.pop(0)
    tokens.pop(0)
    return dict(values) if token == "{" else values


def test_alloy_says_the_same_in_its_own_syntax() -> None:
    labels = {"cluster": 'a "b" \\ c\n\t', "é": "ü"}
    text = document(FORMATS["alloy"](file_wish(EVERYTHING, SECOND, external_labels=labels), "", "p"), "alloy")
    ((component, inner),) = parse_alloy(text)
    assert component == 'prometheus.remote_write "amp"'
    first, second, (name, shown) = inner
    assert (name, shown) == ("external_labels", labels)
    assert first == (
        "endpoint",
        [
            ("url", URL),
            ("name", "amp"),
            ("sigv4", [("region", REGION), ("role_arn", CHAINED)]),
            (
                "queue_config",
                [
                    ("max_shards", 50),
                    ("max_samples_per_send", 1000),
                    ("retry_on_http_429", True),
                    ("sample_age_limit", "36h"),
                    ("min_backoff", "30ms"),
                ],
            ),
            (
                "write_relabel_config",
                [("source_labels", ["__name__", "le"]), ("regex", 'go_"\\d+'), ("action", "drop")],
            ),
        ],
    )
    assert second[1][1] == ("sigv4", [("region", "eu-west-1")])


def test_alloy_takes_texts_for_what_yaml_reads_as_numbers() -> None:
    rules = ({"target_label": "tenant", "replacement": 7}, {"modulus": 2, "action": "hashmod", "target_label": "x"})
    ((_name, ((_endpoint, settings),)),) = parse_alloy(
        body(file_wish(dataclasses.replace(MAIN, write_relabel_configs=rules)), "alloy")
    )
    blocks = [dict(value) for name, value in settings if name == "write_relabel_config"]
    assert blocks == [
        {"target_label": "tenant", "replacement": "7"},
        {"modulus": 2, "action": "hashmod", "target_label": "x"},
    ]


# The header -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", sorted(FORMATS))
def test_a_rendered_file_is_known_again_until_it_is_edited(format_name: str) -> None:
    wish = file_wish(workload_kind="Prometheus" if format_name == "prometheus_operator" else "Deployment")
    text = document(FORMATS[format_name](wish, "", "p"), format_name)
    assert origin_of(text).intact
    assert origin_of(text.replace("\n", "\r\n")).intact
    for edited in (text + "\n", text.replace(REGION, "us-east-1"), text.replace("As long", "So long")):
        assert origin_of(edited).ours
        assert not origin_of(edited).intact
    assert not origin_of(text.partition("\n")[2]).ours


@pytest.mark.parametrize("format_name", sorted(set(FORMATS) - {"alloy"}))
def test_what_is_rendered_is_yaml_and_needs_no_merging(format_name: str) -> None:
    wish = file_wish(
        EVERYTHING if "collector" not in format_name else MAIN,
        SECOND,
        external_labels={"n": "no", "number": "012", "odd": "a: b # c", "empty": "", "line": "x\ny"},
        workload_kind="Prometheus" if format_name == "prometheus_operator" else "Deployment",
        workload_name="p",
        token=WebhookToken(ROLE, REGION, "/var/run/secrets/azure/wi/token/azure-identity-token"),
    )
    rendering = FORMATS[format_name](wish, "", "p")
    text = document(rendering, format_name)
    assert isinstance(yaml.safe_load(text), dict)
    merged = FORMATS[format_name](wish, text, "p").merged_into(text, "p")
    assert merged is not None
    assert (merged.text, merged.summaries) == (text, ())
