# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries and labels that an earlier run added: followed in place, told from what others wrote, taken back exactly."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    Merged,
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    additions_in,
    chosen_by,
    label_key,
    with_additions,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    remove_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
OTHER_URL = URL.replace("ws-1234", "ws-5678")
ROLE = "arn:aws:iam::123456789012:role/Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Writer"
THIRD_ROLE = "arn:aws:iam::210987654321:role/Third"
PLACE = "prometheus.yml in ConfigMap monitoring/prometheus-config"
TEXT = "# mine\nglobal:\n  scrape_interval: 15s\nremote_write:\n  - url: http://old.example/push # keep\n# end\n"

Json = dict[str, t.Any]


def wanted(url: str = URL, **settings: t.Any) -> RemoteWrite:
    return RemoteWrite(url, "eu-central-1", ROLE, **settings)


def merge(
    text: str,
    entry: RemoteWrite | None = None,
    before: Merged | None = None,
    version: PrometheusVersion | None = None,
    **labels: str,
) -> Merged:
    """Merge, with the record as it went through JSON, and merge again, which must change nothing."""
    recorded = stored(before) if before is not None else {}
    entries = (entry or wanted(),)
    merged = merge_remote_writes(text, entries, place=PLACE, external_labels=labels, version=version, recorded=recorded)
    again = merge_remote_writes(
        merged.text, entries, place=PLACE, external_labels=labels, version=version, recorded=stored(merged)
    )
    assert (again.text, again.summaries) == (merged.text, ())
    assert again.additions == merged.additions
    return merged


def stored(merged: Merged) -> Json:
    """The record as it comes back from an annotation."""
    record = json.loads(json.dumps(with_additions({}, "key", merged.additions), sort_keys=True))
    assert list(additions_in(record, "key")) == list(merged.additions)
    return additions_in(record, "key")


def found(merged: Merged, url: str = URL) -> Json:
    entries = [entry for entry in yaml.safe_load(merged.text)["remote_write"] if entry["url"] == url]
    assert len(entries) == 1
    return t.cast("Json", entries[0])


def taken_back(merged: Merged) -> str:
    removed = remove_remote_write(merged.text, stored(merged), place=PLACE)
    assert set(removed.gone) == set(merged.additions)
    return removed.text


# The wish changes -----------------------------------------------------------------------------------------------------

CHANGES: list[tuple[str, Json, Json]] = [
    ("name", {}, {"name": "amp"}),
    ("other name", {"name": "amp"}, {"name": "main: 1"}),
    ("no name", {"name": "amp"}, {}),
    ("chained role", {}, {"chained_role_arn": OTHER_ROLE}),
    ("other chained role", {"chained_role_arn": OTHER_ROLE}, {"chained_role_arn": THIRD_ROLE}),
    ("no chained role", {"chained_role_arn": OTHER_ROLE, "external_id": "x"}, {}),
    ("external ID", {"chained_role_arn": OTHER_ROLE}, {"chained_role_arn": OTHER_ROLE, "external_id": "x y"}),
    ("no external ID", {"chained_role_arn": OTHER_ROLE, "external_id": "x"}, {"chained_role_arn": OTHER_ROLE}),
    ("FIPS", {}, {"use_fips_sts_endpoint": True}),
    ("no FIPS", {"use_fips_sts_endpoint": True}, {}),
    ("service", {"service_name": "aps"}, {"service_name": "aps-2"}),
    ("queue", {}, {"queue_config": {"max_shards": 7, "min_backoff": "30ms"}}),
    ("default queue", {"queue_config": {"max_shards": 7, "min_backoff": "30ms"}}, {}),
    ("part of the queue", {}, {"queue_config": {"capacity": None, "max_shards": None}}),
    ("no queue", {}, {"queue_config": dict.fromkeys(wanted().entry()["queue_config"])}),
    ("relabeling", {}, {"write_relabel_configs": ({"regex": "a.*", "action": "drop"}, {"target_label": "b"})}),
    (
        "other relabeling",
        {"write_relabel_configs": ({"regex": "a.*", "action": "drop"},)},
        {"write_relabel_configs": ({"source_labels": ["x"], "regex": "b: c", "action": "keep"},)},
    ),
    ("no relabeling", {"write_relabel_configs": ({"regex": "a.*", "action": "drop"},)}, {}),
]
TEXTS = {
    "a list": TEXT,
    "no list": "global: {}\n",
    "no list and no newline": "global: {}",
    "CRLF": TEXT.replace("\n", "\r\n"),
    "flow": "global: {}\nremote_write: [{url: http://old.example/push}, ]\n",
    "JSON": '{"global": {}, "remote_write": []}',
    "without indentation": "remote_write:\n- url: http://old.example/push\nglobal: {}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("before", "after"), [change[1:] for change in CHANGES], ids=[change[0] for change in CHANGES])
def test_our_entry_follows_the_wish_in_place(text: str, before: Json, after: Json) -> None:
    first = merge(text, wanted(**before))
    second = merge(first.text, wanted(**after), first)
    assert second.summaries
    assert found(second) == wanted(**after).entry()
    assert list(second.additions) == [URL]
    assert taken_back(second) == text
    third = merge(second.text, wanted(**before), second)
    assert found(third) == wanted(**before).entry()
    assert taken_back(third) == text


def test_another_region_and_a_new_url_of_a_named_entry() -> None:
    first = merge(TEXT, wanted(name="amp"))
    moved = RemoteWrite(OTHER_URL.replace("eu-central-1", "eu-west-1"), "eu-west-1", ROLE, name="amp")
    second = merge(first.text, moved, first)
    assert [entry["url"] for entry in yaml.safe_load(second.text)["remote_write"]] == [
        "http://old.example/push",
        moved.url,
    ]
    assert list(second.additions) == [moved.url]
    assert f"correct the entry's url to {moved.url} (it was {URL})" in second.summaries
    assert taken_back(second) == TEXT


def test_a_stale_record_under_the_new_url_gives_way() -> None:
    both = merge_remote_writes(TEXT, (wanted(name="amp"), wanted(OTHER_URL)), place=PLACE)
    alone = remove_remote_write(both.text, chosen_by(stored(both), OTHER_URL), place=PLACE, recorded=stored(both))
    stale = Merged(alone.text, stored(both))  # somebody removed the second one
    moved = merge(stale.text, wanted(OTHER_URL, name="amp"), stale)
    assert list(moved.additions) == [OTHER_URL]
    assert taken_back(moved) == TEXT


def test_the_record_of_an_older_version_gets_the_defaults_in_place() -> None:
    lines = f"  - url: {URL}\n    sigv4:\n      region: eu-central-1\n      role_arn: {OTHER_ROLE}\n"
    for text, now in (
        (TEXT, lines),
        ("global: {}\n", f"remote_write:\n{lines}"),
        ("global: {}", f"\nremote_write:\n{lines}".rstrip("\n")),
    ):
        old = text.replace("# end\n", f"{lines}# end\n") if text == TEXT else text + now
        record = {"key": {URL: {"was": "", "set": now, "list": text != TEXT}}}
        additions = additions_in(record, "key")
        assert additions[URL].settings == {
            "url": URL,
            "sigv4": {"region": "eu-central-1", "role_arn": OTHER_ROLE},
        }
        merged = merge_remote_write(old, wanted(), place=PLACE, recorded=additions)
        assert found(merged) == wanted().entry()
        assert any("not asked for any more" in summary for summary in merged.summaries)
        assert taken_back(merged) == text
        kept = merge_remote_write(old, wanted(chained_role_arn=OTHER_ROLE), place=PLACE, recorded=additions)
        (summary,) = kept.summaries
        assert summary == (
            f"set queue_config for {URL} (capacity 2500, max_shards 200, max_samples_per_send 1000, "
            "retry_on_http_429 true)"
        )


def test_a_record_that_nobody_can_read_is_no_record_of_settings() -> None:
    for now in ("}: [", f"- url: {OTHER_URL}", "just text", ""):
        additions = additions_in({"key": {URL: {"was": "", "set": now}}}, "key")
        assert additions[URL].settings == {}


# Others write into our entry ------------------------------------------------------------------------------------------


def test_what_others_wrote_into_our_entry_stays_unless_it_is_asked_for() -> None:
    first = merge(TEXT)
    edited = (
        first.text.replace("capacity: 2500", "capacity: 9999 # tuned")
        .replace("      region: eu-central-1\n", "      region: eu-central-1\n    headers: {X-Team: a}\n")
        .replace("max_shards: 200\n", "max_shards: 200\n      min_shards: 4\n")
    )
    assert merge(edited, wanted(), first).text == edited
    second = merge(edited, wanted(name="amp"), first)
    assert found(second) == {
        **wanted(name="amp").entry(),
        "headers": {"X-Team": "a"},
        "queue_config": {**wanted().entry()["queue_config"], "capacity": 9999, "min_shards": 4},
    }
    third = merge(second.text, wanted(queue_config={"capacity": 100}), second)
    assert found(third)["queue_config"]["capacity"] == 100
    assert "capacity: 100 # tuned" in third.text
    assert found(third)["queue_config"]["min_shards"] == 4
    assert "set queue_config.capacity to 100 (it was 9999)" in third.summaries


def test_what_we_set_and_others_changed_is_not_removed() -> None:
    first = merge(TEXT, wanted(name="amp", service_name="aps"))
    edited = first.text.replace("name: amp", "name: theirs").replace("service_name: aps", "service_name: other")
    assert edited.count("theirs") == edited.count("service_name: other") == 1
    assert merge(edited, wanted(), first).text == edited


def test_an_entry_of_others_gets_only_what_is_asked_for_and_keeps_the_rest() -> None:
    text = f"remote_write:\n  - url: {URL}\n    sigv4: {{region: eu-central-1}}\n    queue_config: {{capacity: 1}}\n"
    assert merge(text).text == text
    merged = merge(text, wanted(queue_config={"max_shards": 9}, name="amp"))
    assert found(merged)["queue_config"] == {"capacity": 1, "max_shards": 9}
    assert found(merged)["name"] == "amp"
    assert merged.additions == {}
    assert merge(merged.text).text == merged.text  # no more asked for, but not ours to remove
    relabeled = merge(text, wanted(write_relabel_configs=({"regex": "a", "action": "drop"},)))
    assert found(relabeled)["write_relabel_configs"] == [{"regex": "a", "action": "drop"}]


def test_an_entry_that_somebody_removed_is_added_anew() -> None:
    first = merge(TEXT)
    again = merge(TEXT, wanted(), first)
    assert again.text == first.text
    assert again.additions == first.additions


def test_our_entry_with_other_credentials_is_refused() -> None:
    first = merge(TEXT)
    edited = first.text.replace(
        "    queue_config:", "    basic_auth: {username: u, password: hunter2}\n    queue_config:"
    )
    with pytest.raises(errors.Refused) as caught:
        merge(edited, wanted(), first)
    assert "basic_auth" in caught.value.message
    assert "hunter2" not in caught.value.sentence()


# Names ----------------------------------------------------------------------------------------------------------------


def refused(text: str, entry: RemoteWrite, before: Merged | None = None) -> str:
    with pytest.raises(errors.Refused) as caught:
        merge(text, entry, before)
    assert "\n" not in caught.value.sentence()
    return caught.value.sentence()


def test_a_name_of_others_is_refused_and_both_are_shown() -> None:
    text = "remote_write:\n  - url: https://u:hunter2@other.example/push\n    name: amp\n"
    sentence = refused(text, wanted(name="amp"))
    assert "'amp' (line 2)" in sentence
    assert "other.example/push" in sentence
    assert URL in sentence
    assert "hunter2" not in sentence


def test_a_name_of_another_entry_of_ours_is_refused_while_both_are_there() -> None:
    first = merge(TEXT, wanted(name="amp"))
    both = merge(first.text, wanted(OTHER_URL), first)
    assert OTHER_URL in refused(both.text, wanted(OTHER_URL, name="amp"), both)


def test_which_of_two_entries_gets_the_name_is_not_guessed() -> None:
    entry = f"  - url: {URL}\n    sigv4: {{region: eu-central-1}}\n"
    assert "2 remote_write entries" in refused(f"remote_write:\n{entry}{entry}", wanted(name="amp"))
    named = f"remote_write:\n{entry}{entry}    name: amp\n"
    assert merge(named, wanted(name="amp")).text == named


# External labels ------------------------------------------------------------------------------------------------------

LABEL_TEXTS = {
    "no global": "scrape_configs: []\n",
    "no global and no newline": "scrape_configs: []",
    "empty global": "global:\nscrape_configs: []\n",
    "null global": "global: ~ # none\nscrape_configs: []\n",
    "inline global": "global: {} # none\nscrape_configs: []\n",
    "full inline global": "global: {scrape_interval: 1m}\n",
    "no labels": "global: # ours\n  # why\n  scrape_interval: 1m\nscrape_configs: []\n",
    "empty labels": "global:\n  external_labels: # none\n  scrape_interval: 1m\n",
    "null labels": "global:\n  external_labels: null\n",
    "inline labels": "global:\n  external_labels: {dc: ams}\n",
    "empty inline labels": "global:\n  external_labels: {}\n",
    "labels": "global:\n    external_labels:\n        dc: ams # here\n        # end\n",
    "JSON": '{"global": {"external_labels": {"dc": "ams"}}}',
    "JSON without": '{"scrape_configs": []}',
    "JSON with nothing": "{}",
}


@pytest.mark.parametrize("text", LABEL_TEXTS.values(), ids=LABEL_TEXTS)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_labels_come_follow_and_go(text: str, newline: str) -> None:
    text = text.replace("\n", newline)
    old = ((yaml.safe_load(text) or {}).get("global") or {}).get("external_labels") or {}
    first = merge(text, cluster="aks: 1", y="yes")
    assert yaml.safe_load(first.text)["global"]["external_labels"] == {**old, "cluster": "aks: 1", "y": "yes"}
    second = merge(first.text, None, first, cluster="aks-2", y="yes")
    assert yaml.safe_load(second.text)["global"]["external_labels"] == {**old, "cluster": "aks-2", "y": "yes"}
    assert 'set the external label cluster to "aks-2" (it was "aks: 1")' in second.summaries
    assert taken_back(first) == taken_back(second) == text


def test_a_label_of_others_with_another_value_is_refused() -> None:
    text = "global:\n  external_labels:\n    cluster: theirs\n"
    with pytest.raises(errors.Refused) as caught:
        merge(text, cluster="ours")
    assert '"theirs" (line 3); wanted is "ours"' in caught.value.message
    same = merge(text, cluster="theirs")
    assert label_key("cluster") not in same.additions
    assert taken_back(same) == text


def test_a_label_of_ours_that_others_changed_is_refused_and_kept() -> None:
    first = merge("global: {}\n", cluster="ours")
    edited = first.text.replace('"ours"', '"theirs"')
    assert edited != first.text
    with pytest.raises(errors.Refused, match="theirs"):
        merge(edited, None, first, cluster="ours")
    removed = remove_remote_write(edited, stored(first), place=PLACE)
    assert yaml.safe_load(removed.text)["global"] == {"external_labels": {"cluster": "theirs"}}
    assert removed.warnings == (f"The external label cluster in {PLACE} is kept: it has another value by now.",)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("global:\n  scrape_interval: 1m\n", {"scrape_interval": "1m"}),
        ("global:\n  external_labels: {dc: ams}\n", {"external_labels": {"dc": "ams"}}),
        ("global:\n  external_labels:\n    dc: ams\n", {"external_labels": {"dc": "ams"}}),
        ("global:\n  external_labels:\n", {"external_labels": {}}),
        ("scrape_configs: []\n", None),
    ],
)
def test_a_label_goes_by_its_lines_when_the_text_around_was_edited(text: str, left: Json | None) -> None:
    first = merge(text, cluster="ours")
    edited = first.text.replace("cluster: ours", "cluster:   'ours' # really").replace(
        'cluster: "ours"', "cluster: ours"
    )
    assert edited != first.text
    removed = remove_remote_write(edited, stored(first), place=PLACE)
    after = yaml.safe_load(removed.text)
    assert label_key("cluster") in removed.gone
    assert after.pop("global", None) == left
    assert not after.get("remote_write")


def test_shared_labels_are_not_changed() -> None:
    text = "x: &labels {dc: ams}\nglobal:\n  external_labels: *labels\n"
    with pytest.raises(errors.Refused, match="the external label cluster can't be changed alone"):
        merge(text, cluster="ours")


# Several workspaces ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_one_of_several_goes_and_the_rest_goes_later(text: str) -> None:
    entries = (wanted(name="a"), wanted(OTHER_URL, name="b", chained_role_arn=OTHER_ROLE))
    merged = merge_remote_writes(text, entries, place=PLACE, external_labels={"cluster": "x"})
    for first, second in ((URL, OTHER_URL), (OTHER_URL, URL)):
        chosen = chosen_by(stored(merged), first)
        assert set(chosen) == {first}
        partly = remove_remote_write(merged.text, chosen, place=PLACE, recorded=stored(merged))
        assert partly.gone == (first,)
        left = dict(partly.additions)
        assert set(left) == {second, label_key("cluster")}
        assert [entry["url"] for entry in yaml.safe_load(partly.text)["remote_write"] if "aps" in entry["url"]] == [
            second
        ]
        rest = chosen_by(left, second)
        assert set(rest) == {second, label_key("cluster")}
        after = remove_remote_write(partly.text, rest, place=PLACE).text
        before = yaml.safe_load(text)
        if not before.get("remote_write"):
            before.pop("remote_write", None)
        data = yaml.safe_load(after)
        assert {key: value for key, value in data.items() if value or key in before} == before
    assert remove_remote_write(merged.text, stored(merged), place=PLACE).text == text


def test_an_unknown_setting_is_refused_before_anything_else() -> None:
    old = PrometheusVersion(2, 53, 3)
    with pytest.raises(ValueError, match=r"Prometheus 2\.53\.3 does not know sigv4\.service_name"):
        merge(TEXT, wanted(service_name="aps"), version=old)
    assert "service_name" in merge(TEXT, wanted(service_name="aps"), version=PrometheusVersion(3, 5)).text
    with pytest.raises(ValueError, match=r"Prometheus 2\.20\.0 can't sign requests"):
        merge(TEXT, version=PrometheusVersion(2, 20))


@pytest.mark.parametrize(
    "before", [{}, {"use_fips_sts_endpoint": True}, {"write_relabel_configs": ({"action": "keep"},)}]
)
@pytest.mark.parametrize("text", ["a: true", "a: true\n", TEXT, TEXT.replace("\n", "\r\n")])
def test_what_an_entry_loses_at_its_end_takes_nothing_from_the_next(text: str, before: Json) -> None:
    """Whole lines go with their line break, which may be where the next entry's addition begins."""
    nothing = {"queue_config": dict.fromkeys(("capacity", "max_shards", "max_samples_per_send", "retry_on_http_429"))}
    merged, recorded = text, {}
    for settings in (before, nothing):
        entries = (wanted(**settings), wanted(OTHER_URL))
        result = merge_remote_writes(merged, entries, place=PLACE, recorded=recorded)
        merged, recorded = result.text, stored(result)
    assert "queue_config" not in found(result)
    assert taken_back(result) == text
