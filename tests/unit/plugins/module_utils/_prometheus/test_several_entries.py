# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several entries for one workspace: one rule for a configuration, an operator's resource and the values of charts."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_entries import (
    Asked,
    merge_entries,
    remove_entries,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import operator_entry
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import shortcomings
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    remove_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.several_entries import (
    for_each,
    only_for_all,
    refuse_alike,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import FORMATS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import remove_values
from tests.unit.plugins.file_wishes import CHAINED, MAIN, OTHER_URL, REGION, URL, file_wish
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

Json = dict[str, t.Any]

PLACE = "the place"
SIGNED: Json = {"url": URL, "sigv4": {"region": REGION}}
NODES = [{"source_labels": ["__name__"], "regex": "node_.*", "action": "keep"}]
KUBE = [{"source_labels": ["__name__"], "regex": "kube_.*", "action": "keep"}]
WANTED_RULES = ({"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},)


# The mergers ----------------------------------------------------------------------------------------------------------


def _in_text(entries: list[Json], wanted: RemoteWrite) -> list[Json]:
    merged = merge_remote_write(yaml.safe_dump({"remote_write": entries}), wanted, place=PLACE)
    return t.cast("list[Json]", yaml.safe_load(merged.text)["remote_write"])


def _in_resource(entries: list[Json], wanted: RemoteWrite) -> list[Json]:
    return t.cast("list[Json]", merge_entries(entries, [Asked.of(wanted, None)], {}, PLACE).value)


def _in_values(format_name: str, path: tuple[str, ...]) -> t.Callable[[list[Json], RemoteWrite], list[Json]]:
    def merge(entries: list[Json], wanted: RemoteWrite) -> list[Json]:
        data: t.Any = entries
        for name in reversed(path):
            data = {name: data}
        text = yaml.safe_dump(data)
        merged = FORMATS[format_name](file_wish(wanted), text, PLACE).merged_into(text, PLACE)
        assert merged is not None
        found = yaml.safe_load(merged.text)
        for name in path:
            found = found[name]
        return t.cast("list[Json]", found)

    return merge


@dataclasses.dataclass(frozen=True)
class Merger:
    """``spelled`` turns an entry of Prometheus into one of the place."""

    merge: t.Callable[[list[Json], RemoteWrite], list[Json]]
    spelled: t.Callable[[Json], Json] = dict

    def merged(self, entries: list[Json], wanted: RemoteWrite = MAIN) -> list[Json]:
        """Merged twice: the second time nothing changes."""
        once = self.merge([self.spelled(entry) for entry in entries], wanted)
        assert self.merge(once, wanted) == once
        return once

    def refused(self, entries: list[Json], wanted: RemoteWrite = MAIN) -> errors.Refused:
        with pytest.raises(errors.Refused) as caught:
            self.merge([self.spelled(entry) for entry in entries], wanted)
        assert caught.value.message.startswith(f"{PLACE} has ")
        assert caught.value.fix
        assert "\n" not in caught.value.sentence()
        return caught.value


MERGERS = {
    "configuration": Merger(_in_text),
    "resource": Merger(_in_resource, operator_entry),
    "kube-prometheus-stack": Merger(
        _in_values("helm_kube_prometheus_stack", ("prometheus", "prometheusSpec", "remoteWrite")), operator_entry
    ),
    "chart prometheus": Merger(_in_values("helm_prometheus", ("server", "remoteWrite"))),
}
every_merger = pytest.mark.parametrize("merger", MERGERS.values(), ids=MERGERS)


# Equal entries --------------------------------------------------------------------------------------------------------


@every_merger
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"url": f"{URL}/"}, SIGNED, id="a failed attempt beside a good entry"),
        pytest.param(SIGNED, SIGNED, id="equal already"),
        pytest.param(SIGNED, {**SIGNED, "sigv4": {"region": "us-east-1"}}, id="another region"),
        pytest.param(SIGNED, {**SIGNED, "sigv4": {"region": REGION, "role_arn": MAIN.role_arn}}, id="the guide's role"),
        pytest.param(SIGNED, {**SIGNED, "remote_timeout": "30s", "send_exemplars": False}, id="a default"),
        pytest.param(
            {**SIGNED, "queue_config": {"capacity": 7}},
            {**SIGNED, "queue_config": {"capacity": 7, "min_shards": 1}, "headers": {}, "name": ""},
            id="a default inside, and nothing",
        ),
        pytest.param(
            {**SIGNED, "write_relabel_configs": [{"target_label": "a", "replacement": "b"}]},
            {**SIGNED, "write_relabel_configs": [{"action": "replace", "replacement": "b", "target_label": "a"}]},
            id="a default of a rule",
        ),
    ],
)
def test_what_would_be_equal_is_refused_with_advice(merger: Merger, one: Json, other: Json) -> None:
    for entries in ([one, other], [other, {"url": "https://other.example/push"}, one]):
        refusal = merger.refused(entries)
        assert f"(numbers 1 and {len(entries)} of its list) that are equal" in refusal.message
        assert URL in refusal.message
        assert "Remove one of the two" in refusal.fix
        assert refusal.kind == "duplicate_entries"


@every_merger
@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"name": "a"}, {"name": "b"}, id="names"),
        pytest.param({}, {"name": "b"}, id="one name"),
        pytest.param({"write_relabel_configs": NODES}, {"write_relabel_configs": KUBE}, id="rules"),
        pytest.param({"write_relabel_configs": NODES + KUBE}, {"write_relabel_configs": KUBE + NODES}, id="order"),
        pytest.param({"queue_config": {"max_shards": 3}}, {}, id="queue"),
        pytest.param({"follow_redirects": False}, {}, id="not the default"),
        pytest.param({"headers": {"x-scope": "1"}}, {"headers": {"x-scope": "2"}}, id="headers"),
    ],
)
def test_what_differs_is_repaired_and_keeps_what_tells_it_apart(merger: Merger, one: Json, other: Json) -> None:
    entries = [{"url": f"{URL}/", **one}, {**SIGNED, "sigv4": {"region": "us-east-1"}, **other}]
    expected = [merger.spelled({**SIGNED, **one}), merger.spelled({**SIGNED, **other})]
    assert merger.merged(entries) == expected


@every_merger
def test_the_chained_role_is_for_all_of_them(merger: Merger) -> None:
    chained = dataclasses.replace(MAIN, chained_role_arn=CHAINED)
    signing = {"url": URL, "sigv4": {"region": REGION, "role_arn": CHAINED}}
    entries = [{"url": URL, "name": "a"}, {**SIGNED, "name": "b"}]
    assert merger.merged(entries, chained) == [merger.spelled({**signing, "name": name}) for name in "ab"]


# Which of them is meant -----------------------------------------------------------------------------------------------

SPLIT = [{**SIGNED, "write_relabel_configs": NODES}, {**SIGNED, "write_relabel_configs": KUBE}]


@every_merger
@pytest.mark.parametrize(
    "asked",
    [
        {"write_relabel_configs": WANTED_RULES},
        {"queue_config": {"max_shards": 3}},
        {"write_relabel_configs": WANTED_RULES, "queue_config": {"max_shards": 3}},
    ],
)
def test_settings_for_one_of_them_are_not_guessed_without_a_name(merger: Merger, asked: Json) -> None:
    refusal = merger.refused(SPLIT, dataclasses.replace(MAIN, **asked))
    names = " and ".join(merger.spelled(asked))
    assert f"2 remote_write entries for {URL}, and which of them gets {names} can't be told" in refusal.message
    assert "ask for it by that name" in refusal.fix


@every_merger
def test_settings_are_for_the_one_that_has_the_name_and_the_other_is_only_repaired(merger: Merger) -> None:
    entries = [{**SPLIT[0], "name": "nodes", "sigv4": {"region": "us-east-1"}}, {**SPLIT[1], "url": f"{URL}/"}]
    wanted = dataclasses.replace(MAIN, name="nodes", write_relabel_configs=WANTED_RULES, queue_config={"max_shards": 3})
    changed = {
        **SIGNED,
        "name": "nodes",
        "write_relabel_configs": list(WANTED_RULES),
        "queue_config": {"max_shards": 3},
    }
    assert merger.merged(entries, wanted) == [merger.spelled(changed), merger.spelled(SPLIT[1])]


@every_merger
def test_a_name_is_not_given_to_a_second_one(merger: Merger) -> None:
    named = dataclasses.replace(MAIN, name="amp")
    entries = [{**SPLIT[0], "name": "amp"}, SPLIT[1]]
    assert merger.merged(entries, named) == [merger.spelled(entry) for entry in entries]
    assert "which of them shall be called 'amp' can't be told" in merger.refused(SPLIT, named).message
    both = [{**entry, "name": "amp"} for entry in SPLIT]
    for wanted in (named, MAIN):
        refusal = merger.refused(both, wanted)
        assert "two remote_write entries called 'amp' (numbers 1 and 2 of its list)" in refusal.message
        assert refusal.kind == "duplicate_entries"


@every_merger
def test_what_each_of_them_has_already_need_not_be_told(merger: Merger) -> None:
    entries = [{**entry, "queue_config": {"max_shards": 3, "capacity": 9}} for entry in SPLIT]
    wanted = dataclasses.replace(MAIN, queue_config={"max_shards": 3})
    assert merger.merged(entries, wanted) == [merger.spelled(entry) for entry in entries]
    one = [entries[0], SPLIT[1]]
    assert merger.merged(one, wanted) == [merger.spelled(entry) for entry in one], "it is the one that is meant"
    merger.refused(SPLIT, wanted)


@every_merger
def test_a_name_of_another_workspaces_entry_is_refused(merger: Merger) -> None:
    other = {"url": OTHER_URL, "name": "amp"}
    with pytest.raises(errors.Refused, match="'amp'"):
        merger.merge([merger.spelled(other), merger.spelled(SIGNED)], dataclasses.replace(MAIN, name="amp"))


def test_what_is_for_all_is_the_same_for_an_entry_and_for_plain_data() -> None:
    everything = dataclasses.replace(
        MAIN,
        chained_role_arn=CHAINED,
        name="amp",
        external_id="x",
        use_fips_sts_endpoint=True,
        service_name="aps",
        queue_config={"max_shards": 3},
        write_relabel_configs=WANTED_RULES,
    )
    assert all(getattr(everything, field.name) is not None for field in dataclasses.fields(everything))
    assert for_each(everything).asked_for() == only_for_all(everything.asked_for())


# Whatever there is ----------------------------------------------------------------------------------------------------

_present = st.fixed_dictionaries(
    {"url": st.sampled_from([URL, f"{URL}/"])},
    optional={
        "name": st.sampled_from(["amp", "nodes"]),
        "sigv4": st.sampled_from([{"region": REGION}, {"region": "us-east-1"}, {"role_arn": MAIN.role_arn}]),
        "remote_timeout": st.sampled_from(["30s", "10s"]),
        "send_exemplars": st.booleans(),
        "queue_config": st.sampled_from([{"min_shards": 1}, {"max_shards": 3}, {"max_shards": 3, "min_shards": 1}]),
        "write_relabel_configs": st.sampled_from([NODES, KUBE]),
    },
)
_asked = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["amp", "nodes"]),
        "queue_config": st.just({"max_shards": 3}),
        "write_relabel_configs": st.just(WANTED_RULES),
    },
)


def _as_loaded(entry: Json) -> Json:
    """An entry with the defaults of Prometheus, of all that is generated here."""
    queue = {"min_shards": 1, "minShards": 1, **entry.get("queue_config", {}), **entry.get("queueConfig", {})}
    plain = {name: value for name, value in entry.items() if name not in ("queue_config", "queueConfig")}
    spelled = {"remote_timeout": "30s", "remoteTimeout": "30s", "send_exemplars": False, "sendExemplars": False}
    return {**spelled, **plain, "queue": queue}


@every_merger
@settings(max_examples=60, deadline=None)
@given(entries=st.lists(_present, min_size=1, max_size=3), asked=_asked)
def test_prometheus_takes_what_comes_out_or_it_is_refused(merger: Merger, entries: list[Json], asked: Json) -> None:
    try:
        merged = merger.merged(entries, dataclasses.replace(MAIN, **asked))
    except errors.Refused:
        assert len(entries) > 1
        return
    assert len(merged) == len(entries)
    assert all((entry["url"], entry["sigv4"]["region"]) == (URL, REGION) for entry in merged)
    loaded = [_as_loaded(entry) for entry in merged]
    assert not any(one in loaded[:number] for number, one in enumerate(loaded))
    names = [entry["name"] for entry in merged if "name" in entry]
    assert len(names) == len(set(names))


def test_a_list_in_which_aliases_repeat_each_other_takes_no_time() -> None:
    lines = ["x0: &x0 [a, a]", *(f"x{n}: &x{n} [*x{n - 1}, *x{n - 1}]" for n in range(1, 40))]
    entry = f"- {{url: '{URL}', sigv4: {{region: {REGION}}}, headers: {{a: *x39}}, remote_timeout: %s}}"
    text = "\n".join([*lines, "remote_write:", entry % "1s", entry % "2s", ""])
    assert merge_remote_write(text, MAIN, place=PLACE).summaries == ()
    with pytest.raises(errors.Refused, match="that are equal"):
        merge_remote_write(text.replace("2s", "1s"), MAIN, place=PLACE)


@pytest.mark.parametrize("depth", [60, 300])
def test_what_is_nested_deeply_is_no_mishap(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    entry = f"- {{url: '{URL}', sigv4: {{region: {REGION}}}, headers: {nested}, remote_timeout: %s}}\n"
    text = "remote_write:\n" + entry % "1s" + entry % "2s"
    assert merge_remote_write(text, MAIN, place=PLACE).summaries == ()


def test_what_a_merge_brings_in_counts() -> None:
    entry = f"- {{<<: *a, url: '{URL}'%s}}\n"
    text = f"x: &a {{sigv4: {{region: {REGION}}}, remote_timeout: 10s}}\nremote_write:\n{entry % ''}"
    other = f"- {{url: '{URL}', sigv4: {{region: {REGION}}}, remote_timeout: %s}}\n"
    assert merge_remote_write(text + other % "11s", MAIN, place=PLACE).summaries == ()
    assert merge_remote_write(text + entry % ", remote_timeout: 11s", MAIN, place=PLACE).summaries == ()
    with pytest.raises(errors.Refused, match="that are equal"):
        merge_remote_write(text + other % "10s", MAIN, place=PLACE)


def test_entries_of_others_are_nobodys_concern() -> None:
    others = [{"url": OTHER_URL, "name": "x"}, {"url": OTHER_URL, "name": "x"}, None, "text", SIGNED]
    refuse_alike(others, URL, "amp", PLACE)


# Looking and removal --------------------------------------------------------------------------------------------------


def test_the_check_tells_of_equal_entries() -> None:
    text = yaml.safe_dump({"remote_write": [SIGNED, SIGNED]}, default_flow_style=False)
    with pytest.raises(errors.Refused) as caught:
        shortcomings(text, (MAIN,), place=PLACE)
    assert caught.value.kind == "duplicate_entries"


def test_equal_entries_do_not_keep_the_rest_from_being_removed() -> None:
    text = "scrape_configs: []\n"
    merged = merge_remote_write(text, MAIN, place=PLACE)
    (entry,) = yaml.safe_load(merged.text)["remote_write"]
    twice = yaml.safe_dump({"remote_write": [entry, dict(entry)]})
    removed = remove_remote_write(twice, merged.additions, place=PLACE)
    assert removed.text == twice
    assert "there are 2 of them" in removed.warnings[0]

    ours = merge_entries([], [Asked.of(MAIN, None)], {}, PLACE)
    change = remove_entries([*ours.value, *ours.value], ours.record, None, PLACE).change
    assert "there are 2 of them" in change.warnings[0]

    fragment = FORMATS["helm_prometheus"](file_wish(), "", PLACE).fragment
    assert fragment is not None
    values = yaml.safe_dump({"server": {"remoteWrite": [entry, dict(entry)], "replicas": 2}})
    assert yaml.safe_load(remove_values(values, fragment, place=PLACE).text) == {"server": {"replicas": 2}}
