# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties that hold for every configuration: what was there stays, the entry is added, and once is enough."""

from __future__ import annotations

import copy
import json
import typing as t

import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    merge_remote_writes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import (
    Addition,
    additions_in,
    with_additions,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_removal import (
    remove_remote_write,
)
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Writer"
REGION = "eu-central-1"
WANTED = RemoteWrite(URL, REGION, ROLE)
QUEUE = {"capacity": 2500, "max_shards": 200, "max_samples_per_send": 1000, "retry_on_http_429": True}
ENTRY = {"url": URL, "sigv4": {"region": REGION}, "queue_config": QUEUE}

ABSENT: t.Final = "absent"

Data = dict[str, t.Any]

_words = st.text("abcxyz019_ -.:#'\"é", min_size=1, max_size=12)
_scalars = st.one_of(_words, st.booleans(), st.integers(), st.none(), st.sampled_from(["two\nlines\n", "", "30s", "~"]))
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=8,
)
_entries = st.builds(
    lambda number, rest: {"url": f"http://h{number}.example/push", **rest},
    st.integers(0, 9),
    st.fixed_dictionaries({}, optional={"queue_config": _values}),
)


class _IndentedLists(yaml.SafeDumper):
    """Lists stand deeper than their key, as many people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


@st.composite
def configurations(draw: st.DrawFn, remote_write: st.SearchStrategy[t.Any]) -> str:
    """A configuration as people leave it: sections in any order and style, comments, any kind of line break."""
    inline: st.SearchStrategy[bool | None] = st.sampled_from([False, False, False, None])
    data: Data = draw(st.dictionaries(st.text("abcdef_", min_size=1, max_size=8), _values, max_size=4))
    section = draw(remote_write)
    if section != ABSENT:
        data["remote_write"] = section
    names = draw(st.permutations(sorted(data)))
    sections = [
        yaml.dump(
            {name: data[name]},
            Dumper=draw(st.sampled_from([yaml.SafeDumper, _IndentedLists])),
            default_flow_style=draw(inline),
            indent=draw(st.sampled_from([2, 2, 4])),
            width=10_000,
            allow_unicode=True,
            sort_keys=False,
        )
        for name in names
    ]
    lines = [line for section in sections for line in section.splitlines()]
    comments = st.sampled_from(["", "# comment", "  # indented: comment", "    # - url: x", "\t"])
    for _unused in range(draw(st.integers(0, 4))):
        lines.insert(draw(st.integers(0, len(lines))), draw(comments))
    if draw(st.booleans()) and lines:
        at = draw(st.integers(0, len(lines) - 1))
        lines[at] += draw(st.sampled_from(["  # behind", "\t# behind", "   "]))
    head = draw(st.sampled_from(["", "", "\ufeff", "---\n", "%YAML 1.1\n---\n"]))
    tail = draw(st.sampled_from(["\n", "\n", "", "\n...\n", "\n# end", "\n\n\n"]))
    return (head + "\n".join(lines) + tail).replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


def parsed(text: str) -> t.Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe


def loaded(text: str) -> Data:
    """The generated configuration's data; skips examples that are no configuration at all."""
    try:
        data = parsed(text)
    except (yaml.YAMLError, ValueError, TypeError):
        data = None
    assume(isinstance(data, dict))
    return t.cast("Data", data)


def assert_entry_added(text: str, merged: str) -> None:
    """The data are the old ones plus the entry, and a second run changes nothing."""
    before, after = loaded(text), parsed(merged)
    items = after["remote_write"]
    assert items.count(ENTRY) == 1
    items.remove(ENTRY)
    if not items and not before.get("remote_write"):
        before.pop("remote_write", None)
        del after["remote_write"]
    assert after == before
    assert merge_remote_write(merged, WANTED, place="it").text == merged


def assert_only_lines_added(text: str, merged: str) -> None:
    """Every old line is still there, in the old order, and at most the entry's nine lines are new."""
    remaining = iter(merged.splitlines())
    assert all(line in remaining for line in text.splitlines())
    assert len(merged.splitlines()) - len(text.splitlines()) <= 9
    assert merged.count("\r\n") == merged.count("\n") or "\r\n" not in merged


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configurations(st.just(ABSENT) | st.lists(_entries, min_size=1, max_size=3)))
@example("remote_write:\n- url: http://a\n  name: |\n    x")
@example("a: |\r\n  x")
@example("remote_write:\r\n  - {url: http://a}\r\n  # b\r\n\r\n# c")
def test_an_entry_is_added_and_nothing_else(text: str) -> None:
    loaded(text)
    merged = merge_remote_write(text, WANTED, place="it").text
    assert_entry_added(text, merged)
    if not _has_inline_list(text):
        assert_only_lines_added(text, merged)
    assert_removed_again(text)


def assert_removed_again(text: str) -> None:
    """Removal gives back the text, character by character; and the data, when somebody changed the entry since."""
    merged = merge_remote_write(text, WANTED, place="it")
    addition = merged.additions[URL]
    removed = remove_remote_write(merged.text, {URL: addition}, place="it")
    assert removed.text == text
    assert removed.gone == (URL,)
    assert remove_remote_write(text, {URL: addition}, place="it").text == text
    moved = RemoteWrite(URL, "us-east-1", ROLE)
    repaired_merge = merge_remote_write(merged.text, moved, place="it", recorded=merged.additions)
    assert remove_remote_write(repaired_merge.text, repaired_merge.additions, place="it").text == text
    assert_data_without_the_entry(text, repaired_merge.text, addition)


def assert_data_without_the_entry(text: str, changed: str, addition: Addition) -> None:
    """Where the recorded stretch is not there any more, either the data are right or nothing is done."""
    before = loaded(text)
    try:
        after = parsed(remove_remote_write(changed, {URL: addition}, place="it").text)
    except errors.Refused:
        return
    if not before.get("remote_write"):
        before.pop("remote_write", None)
        assert not after.pop("remote_write", None)
    assert after == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configurations(st.sampled_from([None, []])))
def test_an_empty_list_is_filled(text: str) -> None:
    loaded(text)
    assert_entry_added(text, merge_remote_write(text, WANTED, place="it").text)
    assert_removed_again(text)


def _has_inline_list(text: str) -> bool:
    node = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert isinstance(node, yaml.MappingNode)
    return bool(node.flow_style) or any(
        key.value == "remote_write" and value.flow_style
        for key, value in node.value
        if isinstance(key, yaml.ScalarNode)
    )


_scalars_of_settings = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
_rules = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["drop", "keep", "replace"])},
        optional={
            "source_labels": st.lists(_words, min_size=1, max_size=2),
            "regex": _scalars_of_settings,
            "replacement": _scalars_of_settings,
        },
    ),
    max_size=2,
).map(tuple)
_queues = st.dictionaries(
    st.sampled_from(["capacity", "max_shards", "min_shards", "max_samples_per_send"]),
    st.none() | st.integers(1, 10**6),
    max_size=3,
)
_labels = st.dictionaries(st.sampled_from(["cluster", "y", "__replica__", "dc"]), _scalars_of_settings, max_size=3)


@st.composite
def _wishes(draw: st.DrawFn) -> list[RemoteWrite]:
    """One to three workspaces with any settings."""
    wishes = []
    for number in range(draw(st.integers(1, 3))):
        chained = draw(st.none() | st.just(OTHER_ROLE))
        wishes.append(
            RemoteWrite(
                f"{URL}/{number}",
                REGION,
                ROLE,
                chained,
                name=draw(st.none() | st.sampled_from([f"amp {number}", f"n{number}"])),
                external_id=draw(st.none() | st.just("fleet 1")) if chained else None,
                use_fips_sts_endpoint=draw(st.none() | st.just(True)),
                queue_config=draw(st.none() | _queues),
                write_relabel_configs=draw(st.none() | _rules),
            )
        )
    return wishes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(
    configurations(st.just(ABSENT) | st.sampled_from([None, []]) | st.lists(_entries, max_size=2)),
    _wishes(),
    _wishes(),
    _labels,
)
def test_any_wish_comes_changes_and_goes(
    text: str, first: list[RemoteWrite], second: list[RemoteWrite], labels: dict[str, str]
) -> None:
    """Several entries and labels: added, changed into any other wish, and taken back, character by character."""
    before = loaded(text)
    assume(not before.get("global"))
    recorded: dict[str, Addition] = {}
    merged = text
    for wishes in (first, second):
        result = merge_remote_writes(merged, wishes, place="it", external_labels=labels, recorded=recorded)
        # The record goes through an annotation between two runs.
        record = json.loads(json.dumps(with_additions({}, "key", result.additions), sort_keys=True))
        merged, recorded = result.text, additions_in(record, "key")
        assert recorded == dict(result.additions)
        after = parsed(merged)
        assert [item for item in after["remote_write"] if item in (before.get("remote_write") or [])] == (
            before.get("remote_write") or []
        )
        for wish in wishes:
            assert wish.entry() in after["remote_write"]
        assert {**(after.get("global") or {})}.get("external_labels", {}) == labels
        again = merge_remote_writes(merged, wishes, place="it", external_labels=labels, recorded=recorded)
        assert (again.text, again.summaries) == (merged, ())
    removed = remove_remote_write(merged, recorded, place="it")
    assert removed.text == text
    assert removed.additions == {}


_mistakes = st.fixed_dictionaries(
    {},
    optional={
        "region": st.sampled_from([REGION, "us-east-1", "", None]),
        "role_arn": st.sampled_from([ROLE, "", None]),
        "external_id": st.just("abc"),
        "use_fips_sts_endpoint": st.booleans(),
        "access_key": st.sampled_from(["", None]),
    },
)
_broken_entries = st.builds(
    lambda url, sigv4, rest: {"url": url, **({} if sigv4 == ABSENT else {"sigv4": sigv4}), **rest},
    st.sampled_from([URL, URL + "/"]),
    st.one_of(st.sampled_from([ABSENT, None]), _mistakes),
    st.fixed_dictionaries({}, optional={"name": st.just("amp"), "queue_config": _values, "basic_auth": st.none()}),
)


def repaired(entry: Data) -> Data:
    """The entry as it should be."""
    entry = copy.deepcopy(entry)
    entry["url"] = URL
    sigv4 = entry["sigv4"] = dict(entry.get("sigv4") or {})
    sigv4["region"] = REGION
    if sigv4.get("role_arn") == ROLE:
        del sigv4["role_arn"]
        sigv4.pop("external_id", None)
    return entry


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(configurations(st.lists(_broken_entries | _entries, min_size=1, max_size=3)))
@example(f"remote_write:\n- url: {URL}/\n- url: {URL}\n  sigv4: {{region: us-east-1}}\n")
def test_an_entry_is_repaired_and_nothing_else(text: str) -> None:
    before = loaded(text)
    items = before.get("remote_write")
    assume(isinstance(items, list) and any(item["url"].startswith(URL) for item in items))
    own = [repaired(item) for item in before["remote_write"] if item["url"].startswith(URL)]
    merged, refused = "", ""
    try:
        merged = merge_remote_write(text, WANTED, place="it").text
    except errors.Refused as refusal:
        refused = refusal.kind
    if not merged:  # Prometheus would not start with the result
        assert (refused, len(own) > 1) == ("duplicate_entries", True)
        return
    assert not any(entry in own[:number] for number, entry in enumerate(own))
    expected = {
        **before,
        "remote_write": [repaired(item) if item["url"].startswith(URL) else item for item in before["remote_write"]],
    }
    assert parsed(merged) == expected
    assert merge_remote_write(merged, WANTED, place="it").text == merged


_FRAGMENTS = (
    *("remote_write", "url", URL, "sigv4", "role_arn", ROLE, "a", "c", "<<"),
    *(": ", ":\n", "- ", "? ", "\n", "\n  ", "\r\n", "\t", " ", "# c", "|\n"),
    *("{", "}", "[", "]", ", ", "'", '"', "&x ", "*x", "!!str ", "---\n", "...\n"),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(_FRAGMENTS),
        max_size=25,
    )
)
def test_no_text_breaks_it(parts: list[str]) -> None:
    """Whatever a text is: it is refused in a sentence, or what comes back is the old data and a sound entry."""
    text = "".join(parts)
    try:
        merged = merge_remote_write(text, WANTED, place="it")
    except errors.Refused:
        return
    before, after = loaded(text), parsed(merged.text)
    others = [{key: value for key, value in data.items() if key != "remote_write"} for data in (before, after)]
    assert others[0] == others[1]
    assert any(item["url"] == URL for item in after["remote_write"] if isinstance(item, dict))
    assert merge_remote_write(merged.text, WANTED, place="it").text == merged.text
