# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, kept, repaired and hidden when something is merged into a values file."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, ProjectedToken
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import FORMATS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import Block, Leaf, Rows
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import (
    MergedText,
    merge_values,
    remove_values,
)
from tests.unit.plugins.file_wishes import CHAINED, MAIN, REGION, ROLE, SECOND, URL, file_wish

STACK = "helm_kube_prometheus_stack"
CHART = "helm_prometheus"


def merge(text: str, wish: FileWish | None = None, format_name: str = STACK) -> MergedText:
    fragment = FORMATS[format_name](wish or file_wish(), text, "values.yaml").fragment
    assert fragment is not None
    return merge_values(text, fragment, place="values.yaml")


def remove(text: str, wish: FileWish | None = None, format_name: str = STACK) -> MergedText:
    fragment = FORMATS[format_name](wish or file_wish(), text, "values.yaml").fragment
    assert fragment is not None
    return remove_values(text, fragment, place="values.yaml")


def refusal(text: str, wish: FileWish | None = None, format_name: str = STACK) -> str:
    with pytest.raises(errors.Refused) as caught:
        merge(text, wish, format_name)
    return caught.value.sentence()


def spec(merged: MergedText) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", yaml.safe_load(merged.text)["prometheus"]["prometheusSpec"])


def stack(**parts: t.Any) -> str:
    return yaml.safe_dump({"prometheus": {"prometheusSpec": parts}}, sort_keys=False)


def entry(**settings: t.Any) -> str:
    return stack(remoteWrite=[{"url": URL, **settings}])


# What contradicts -----------------------------------------------------------------------------------------------------


def test_all_contradictions_are_one_error_that_shows_what_is_there_and_what_is_wanted() -> None:
    text = (
        "prometheus:\n"
        "  serviceAccount:\n"
        "    name: kps\n"
        "  prometheusSpec:\n"
        "    externalLabels: {cluster: other}\n"
        "    remoteWrite:\n"
        f"      - url: {URL}\n"
        f"        sigv4: {{roleArn: '{CHAINED}'}}\n"
        "        basicAuth: {username: {name: s, key: u}}\n"
        "    containers:\n"
        "      - name: prometheus\n"
        "        env:\n"
        "          - {name: AWS_ROLE_ARN, value: 'arn:aws:iam::1:role/x'}\n"
        "          - {name: AWS_ACCESS_KEY_ID, value: AKIAEXAMPLE}\n"
        "          - {name: AWS_REGION, valueFrom: {configMapKeyRef: {name: c, key: r}}}\n"
    )
    said = refusal(text, file_wish(external_labels={"cluster": "payments"}))
    assert 'prometheus.serviceAccount.name is "kps" (line 3), wanted is "prometheus-sa"' in said
    assert 'externalLabels.cluster is "other" (line 5), wanted is "payments"' in said
    assert f'remoteWrite[0].sigv4.roleArn "{CHAINED}" is set (line 8)' in said
    assert "remoteWrite[0].basicAuth is set (line 9)" in said
    assert f'value is "arn:aws:iam::1:role/x" (line 13), wanted is "{ROLE}"' in said
    assert "env sets AWS_ACCESS_KEY_ID (line 14)" in said
    assert "AKIAEXAMPLE" not in said
    assert "env[2].valueFrom is set (line 15)" in said
    assert said.endswith("nothing was changed.")


@pytest.mark.parametrize(
    "setting",
    ["authorization", "azureAd", "basicAuth", "bearerToken", "bearerTokenFile", "oauth2"],
)
def test_other_credentials_for_the_same_workspace_are_refused(setting: str) -> None:
    said = refusal(entry(**{setting: {"secret": "hunter2"}}))
    assert f"remoteWrite[0].{setting} is set" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("setting", ["accessKey", "secretKey", "profile"])
def test_other_credentials_in_sigv4_are_refused(setting: str) -> None:
    assert f"sigv4.{setting} is set" in refusal(entry(sigv4={"region": REGION, setting: "x"}))


def test_an_entry_in_the_charts_second_list_is_refused() -> None:
    said = refusal(stack(additionalRemoteWrite=[{"url": URL + "/"}]))
    assert f"additionalRemoteWrite sets {URL}/ (line 4)" in said


def test_the_prometheus_charts_other_way_to_remote_write_is_refused() -> None:
    text = "serverFiles:\n  prometheus.yml:\n    remote_write:\n      - url: http://h\n"
    assert "serverFiles.prometheus.yml.remote_write is set (line 3)" in refusal(text, format_name=CHART)
    assert merge("serverFiles:\n  prometheus.yml:\n    remote_write: []\n", format_name=CHART).summaries


def test_a_stray_variable_that_is_empty_is_none() -> None:
    env = [{"name": "AWS_PROFILE"}, {"name": "AWS_ACCESS_KEY_ID", "value": ""}]
    assert merge(stack(containers=[{"name": "prometheus", "env": env}])).summaries


def test_a_volume_of_our_name_with_other_content_is_refused() -> None:
    assert "volumes[0].secret is set" in refusal(stack(volumes=[{"name": "aws-iam-token", "secret": {"a": "b"}}]))
    two = {"sources": [{"secret": {"name": "x"}}, {"configMap": {"name": "y"}}]}
    assert "has other content" in refusal(stack(volumes=[{"name": "aws-iam-token", "projected": two}]))


def test_another_volume_at_the_tokens_path_is_refused() -> None:
    said = refusal(stack(volumeMounts=[{"name": "x", "mountPath": "/var/run/secrets/aws/"}]))
    assert 'volumeMounts[0].name is "x"' in said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\n---\nb: 2\n", "more than one YAML document (line 2"),
        ("- a\n", "it is not a mapping (line 1"),
        ("a: [1\nb: 2\n", "(line"),
        (
            "prometheus:\n  prometheusSpec: {}\n  prometheusSpec: {}\n",
            "the key 'prometheusSpec' is there twice (line 3",
        ),
        ("a: \x01\n", "a character that YAML does not allow"),
    ],
)
def test_what_is_no_single_mapping_is_refused_with_its_place(text: str, problem: str) -> None:
    said = refusal(text)
    assert said.startswith("values.yaml is not one YAML document with a mapping: ")
    assert problem in said


def test_a_list_or_mapping_where_the_other_is_needed_is_refused() -> None:
    said = refusal("prometheus:\n  prometheusSpec:\n    remoteWrite: {url: x}\n    containers: text\n")
    assert "remoteWrite is no list (line 3)" in said
    assert "containers is no list (line 4)" in said
    assert "prometheus.prometheusSpec is no mapping" in refusal("prometheus: {prometheusSpec: [a]}\n")


@pytest.mark.parametrize(
    "text",
    [
        "x: &spec\n  replicas: 1\nprometheus:\n  prometheusSpec: *spec\n",
        "x: &a {containers: [{name: prometheus}]}\nprometheus:\n  prometheusSpec:\n    <<: *a\n",
        "x: &w\n  - url: http://h\nprometheus:\n  prometheusSpec:\n    remoteWrite: *w\n",
        "prometheus:\n  prometheusSpec:\n    externalLabels: &l {a: b}\n  other: *l\n",
    ],
)
def test_what_aliases_use_elsewhere_too_is_refused_with_what_to_write_by_hand(text: str) -> None:
    said = refusal(text, file_wish(external_labels={"cluster": "payments"}))
    assert "is used by an anchor's aliases or a merge elsewhere" in said
    assert f'"url": "{URL}"' in said


# What is kept, repaired and updated -----------------------------------------------------------------------------------


def test_the_guides_mistakes_are_repaired_and_other_settings_stay() -> None:
    sigv4 = {"region": "us-east-1", "roleArn": ROLE}
    merged = merge(entry(sigv4=sigv4, remoteTimeout="5s", queueConfig={"maxShards": 5}))
    assert spec(merged)["remoteWrite"] == [
        {"url": URL, "sigv4": {"region": REGION}, "remoteTimeout": "5s", "queueConfig": {"maxShards": 5}}
    ]
    assert any("a role can't assume itself" in summary for summary in merged.summaries)
    assert any('(it was "us-east-1")' in summary for summary in merged.summaries)


def test_an_entry_that_was_there_gets_a_queue_only_when_it_is_asked_for() -> None:
    bare = entry(sigv4={"region": REGION})
    assert spec(merge(bare))["remoteWrite"] == [{"url": URL, "sigv4": {"region": REGION}}]
    asked = file_wish(dataclasses.replace(MAIN, queue_config={"max_shards": 50}))
    assert spec(merge(bare, asked))["remoteWrite"][0]["queueConfig"] == {"maxShards": 50}
    tuned = entry(sigv4={"region": REGION}, queueConfig={"maxShards": 7, "capacity": 1})
    assert spec(merge(tuned, asked))["remoteWrite"][0]["queueConfig"] == {"maxShards": 50, "capacity": 1}


def test_relabeling_that_is_asked_for_takes_the_place_of_the_old_one() -> None:
    rules = ({"source_labels": ["a"], "action": "drop"},)
    asked = file_wish(dataclasses.replace(MAIN, write_relabel_configs=rules))
    old = entry(sigv4={"region": REGION}, writeRelabelConfigs=[{"regex": "x", "action": "keep"}, {"regex": "y"}])
    merged = merge(old, asked)
    assert spec(merged)["remoteWrite"][0]["writeRelabelConfigs"] == [{"sourceLabels": ["a"], "action": "drop"}]
    assert merge(merged.text, asked).summaries == ()
    assert spec(merge(old))["remoteWrite"][0]["writeRelabelConfigs"][1] == {"regex": "y"}


def test_a_chained_role_takes_the_place_of_the_federated_one_only() -> None:
    chained = file_wish(dataclasses.replace(MAIN, chained_role_arn=CHAINED))
    merged = merge(entry(sigv4={"region": REGION, "roleArn": ROLE}), chained)
    assert spec(merged)["remoteWrite"][0]["sigv4"] == {"region": REGION, "roleArn": CHAINED}
    other = "arn:aws:iam::333333333333:role/Other"
    assert other in refusal(entry(sigv4={"region": REGION, "roleArn": other}), chained)


def test_a_chart_that_makes_the_service_account_goes_on_making_it() -> None:
    merged = merge("prometheus:\n  serviceAccount:\n    create: true\n")
    assert yaml.safe_load(merged.text)["prometheus"]["serviceAccount"] == {"create": True, "name": "prometheus-sa"}


def test_our_volume_follows_audience_and_lifetime() -> None:
    once = merge("").text
    longer = file_wish(token=ProjectedToken(ROLE, REGION, "sts.example", 7200))
    merged = merge(once, longer)
    source = spec(merged)["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    assert source == {"audience": "sts.example", "expirationSeconds": 7200, "path": "token"}
    assert len(merged.summaries) == 2


def test_several_workspaces_are_entries_of_their_own() -> None:
    both = file_wish(MAIN, SECOND)
    merged = merge(stack(remoteWrite=[{"url": "http://h"}]), both)
    assert [item["url"] for item in spec(merged)["remoteWrite"]] == ["http://h", MAIN.url, SECOND.url]
    assert [item["url"] for item in spec(remove(merged.text, both))["remoteWrite"]] == ["http://h"]


def test_a_role_that_only_a_write_makes_known_contradicts_nothing() -> None:
    unknown = file_wish(
        dataclasses.replace(MAIN, role_arn=KNOWN_AFTER_APPLY), token=ProjectedToken(KNOWN_AFTER_APPLY, REGION)
    )
    assert merge(merge("").text, unknown).summaries == ()


# What goes ------------------------------------------------------------------------------------------------------------


def test_what_differs_is_kept_and_named() -> None:
    text = merge("").text.replace("maxShards: 200", "maxShards: 20").replace("regional", "legacy")
    removed = remove(text)
    assert any("remoteWrite keeps" in sentence for sentence in removed.kept)
    assert any("env keeps AWS_STS_REGIONAL_ENDPOINTS" in sentence for sentence in removed.kept)
    left = yaml.safe_load(removed.text)["prometheus"]["prometheusSpec"]
    assert left.keys() == {"remoteWrite", "containers"}
    assert left["containers"] == [
        {"name": "prometheus", "env": [{"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "legacy"}]}
    ]
    assert not removed.empty


def test_a_document_of_ours_alone_is_empty_afterwards() -> None:
    removed = remove("# ours\n" + merge("").text)
    assert removed.empty
    assert removed.text == "# ours\n"


def test_nothing_to_remove_is_no_change() -> None:
    for text in ("", "a: 1\n", "prometheus: {}\n", "# c\n"):
        removed = remove(text)
        assert (removed.text, removed.summaries) == (text, ())


def test_what_aliases_use_elsewhere_is_not_removed() -> None:
    text = merge("prometheus:\n  prometheusSpec: {}\n").text.replace("env:", "env: &env") + "x: *env\n"
    with pytest.raises(errors.Refused) as caught:
        remove(text)
    assert "nothing can be removed without touching other settings" in caught.value.sentence()


# What is shown --------------------------------------------------------------------------------------------------------


def test_secrets_are_blotted_out_and_everything_else_is_shown_as_it_is() -> None:
    text = (
        "grafana:\n"
        "  adminPassword: hunter2  # secret\n"
        "  env: [{name: GF_SMTP_PASSWORD, value: hunter2}, {name: TZ, value: UTC}]\n"
        "  grafana.ini: |\n"
        "    password = hunter2\n"
        "  notes: |\n"
        "    harmless\n"
        "alertmanager: {config: {slack_api_url: 'https://h/hunter2', proxy: 'https://u:hunter2@h/x', token: hunter2}}\n"
        "thanos: {objstore: {private_key: hunter2, encryptionKey: 2024-12-31}, webhook_url: https://u@h/hunter2}\n"
        "newrelic: {licenseKey: hunter2, ingestKey: hunter2, config: {url: 'https://h/x?X-License-Key=hunter2&db=a'}}\n"
        "env: [{name: NEW_RELIC_LICENSE_KEY, value: hunter2}]\n"
        "agent.yml: |\n"
        "  license_key: hunter2\n"
        "remoteWrite: [{oauth2: {endpointParams: {a: hunter2}}, proxyConnectHeader: {a: hunter2}}]\n"
        "automountServiceAccountToken: true  # smtp_password: hunter2\n"
        "receivers:\n"
        "  - webhook_configs: [{url: https://h/hunter2, send_resolved: true, max_alerts: 7}]\n"
        "    pushover_configs: [{user_key: hunter2}]\n"
        "    rocketchat_configs: [{token_id: hunter2}]\n"
        "datasources: [{url: https://graf.example, secureJsonData: {httpHeaderValue1: hunter2, b: {c: hunter2}}}]\n"
        "extraObjects: [{kind: Secret, data: {a: hunter2}, stringData: {b: hunter2}}, {kind: X, data: {b: seen}}]\n"
        "args: [--auth-token=hunter2, --client-secret, hunter2, --log-level=warn, --token-file=/etc/t, --try, '3']\n"
    )
    merged = merge(text)
    assert not [secret for secret in ("hunter2", "12-31") if secret in merged.shown_before + merged.shown_after]
    assert "harmless" in merged.shown_after
    assert "value: UTC" in merged.shown_after
    assert "https://h/x?X-License-Key=<redacted>&db=a" in merged.shown_after
    assert "automountServiceAccountToken: true" in merged.shown_after
    assert "adminPassword: <redacted>  # secret" in merged.shown_after
    assert "webhook_configs: [{url: <redacted>, send_resolved: true, max_alerts: 7}]" in merged.shown_after
    assert "{url: https://graf.example, secureJsonData: {" in merged.shown_after
    assert "{kind: X, data: {b: seen}}" in merged.shown_after
    assert "args: [<redacted>, --client-secret, <redacted>, --log-level=warn, --token-file=/etc/t, --try, '3']" in (
        merged.shown_after
    )
    clean = "a: 1\n"
    assert (merge(clean).shown_before, merge(clean).shown_after) == (clean, merge(clean).text)


# Size and shape -------------------------------------------------------------------------------------------------------


def test_a_very_long_file_keeps_every_line() -> None:
    lines = [f"  key{number}: value {number}  # comment {number}" for number in range(5000)]
    text = "others:\n" + "\n".join(lines) + "\nprometheus:\n  prometheusSpec:\n    replicas: 2\n"
    merged = merge(text)
    assert merged.text.startswith(text)
    assert remove(merged.text).text == text


def test_an_item_that_is_no_mapping_is_passed_over() -> None:
    rows = Block({"list": Rows("name", (Block({"name": Leaf("a")}),))})
    assert merge_values("list:\n- text\n- [x]\n", rows, place="p").text == "list:\n- text\n- [x]\n- name: a\n"
