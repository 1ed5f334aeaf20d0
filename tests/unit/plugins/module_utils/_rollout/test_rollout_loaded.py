# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a loaded configuration is the one that was written."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_loaded import (
    Likeness,
    likeness,
    likeness_of_entries,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    ExpectedEntries,
    ExpectedText,
)

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
ENTRY: t.Final[Json] = {
    "url": URL,
    "sigv4": {"region": "eu-west-1"},
    "queue_config": {"capacity": 2500, "retry_on_http_429": True, "batch_send_deadline": "5000ms"},
}
#: As Prometheus writes it: with defaults, in its own order and its own form of durations.
SHOWN: t.Final[Json] = {
    "url": URL,
    "remote_timeout": "30s",
    "sigv4": {"region": "eu-west-1"},
    "follow_redirects": True,
    "queue_config": {"capacity": 2500, "max_shards": 50, "batch_send_deadline": "5s", "retry_on_http_429": True},
    "metadata_config": {"send": True},
}


def text(*entries: Json, labels: Json | None = None) -> str:
    return yaml.safe_dump({"global": {"external_labels": labels or {}}, "remote_write": list(entries)})


def changed(entry: Json, **changes: t.Any) -> Json:
    return {**entry, **changes}


@pytest.mark.parametrize(
    ("written", "loaded", "found"),
    [
        (text(ENTRY), text(SHOWN), Likeness.SAME),
        (text(ENTRY), text(), Likeness.OTHER),
        (text(), text(SHOWN), Likeness.OTHER),
        (text(ENTRY), text(changed(SHOWN, url=f"{URL}/")), Likeness.OTHER),
        (text(ENTRY), text(changed(SHOWN, sigv4={"region": "us-east-1"})), Likeness.OTHER),
        (text(ENTRY), text(changed(SHOWN, sigv4={"region": "eu-west-1", "role_arn": "r"})), Likeness.OTHER),
        (text(ENTRY), text(changed(SHOWN, queue_config={"capacity": 1})), Likeness.SIMILAR),
        (text(ENTRY, labels={"cluster": "a"}), text(SHOWN, labels={"cluster": "b"}), Likeness.SIMILAR),
        (text(ENTRY, labels={"cluster": "a"}), text(SHOWN, labels={"cluster": "a", "b": "c"}), Likeness.SAME),
        (text(changed(ENTRY, name="n")), text(SHOWN), Likeness.SIMILAR),
        (text(changed(ENTRY, name="n")), text(changed(SHOWN, name="n")), Likeness.SAME),
        (
            text(changed(ENTRY, basic_auth={"password": "x"})),
            text(changed(SHOWN, basic_auth={"password": "<secret>"})),
            Likeness.SAME,
        ),
        (text(changed(ENTRY, send_exemplars=False)), text(SHOWN), Likeness.SAME),
        (text(changed(ENTRY, url="https://u:p@h/")), text(changed(SHOWN, url="https://u:xxxxx@h/")), Likeness.SAME),
        (text(changed(ENTRY, url="https://u:p@p@h/")), text(changed(SHOWN, url="https://u:xxxxx@h/")), Likeness.SAME),
        ("remote_write: 3", "", Likeness.SAME),
        ("", "", Likeness.SAME),
        ("a: [", "", Likeness.OTHER),
        ("", "{", Likeness.OTHER),
        ("- a", "", Likeness.OTHER),
    ],
)
def test_likeness(written: str, loaded: str, found: Likeness) -> None:
    assert likeness(written, loaded) is found


def test_the_order_and_number_of_entries_count() -> None:
    other = changed(ENTRY, url="https://other/")
    assert likeness(text(ENTRY, other), text(SHOWN, changed(SHOWN, url="https://other/"))) is Likeness.SAME
    assert likeness(text(ENTRY), text(SHOWN, changed(SHOWN, url="https://other/"))) is Likeness.OTHER


def test_relabeling_is_compared_rule_by_rule() -> None:
    rule = {"source_labels": ["__name__"], "regex": "up|go_.*", "action": "keep"}
    shown = {**rule, "separator": ";", "replacement": "$1"}
    one = text(changed(ENTRY, write_relabel_configs=[rule]))
    assert likeness(one, text(changed(SHOWN, write_relabel_configs=[shown]))) is Likeness.SAME
    assert likeness(one, text(changed(SHOWN, write_relabel_configs=[{**shown, "regex": "up"}]))) is Likeness.SIMILAR
    assert likeness(one, text(changed(SHOWN, write_relabel_configs=[shown, shown]))) is Likeness.SIMILAR


def test_a_change_that_does_not_show_can_not_be_told_from_what_was_there() -> None:
    without = text(changed(ENTRY, queue_config={"capacity": 2500}))
    assert not ExpectedText(without, text(ENTRY)).is_told_from_former(text(SHOWN))
    assert ExpectedText(text(ENTRY), text()).is_told_from_former(text(SHOWN))
    assert ExpectedText(text(ENTRY)).is_told_from_former(text())


def test_entries_of_an_operator_are_looked_for_among_others() -> None:
    other = changed(SHOWN, url="https://other/")
    assert likeness_of_entries([ENTRY], (), text(other, SHOWN)) is Likeness.SAME
    assert likeness_of_entries([ENTRY], (), text(other)) is Likeness.OTHER
    assert likeness_of_entries([], ("https://other/",), text(other)) is Likeness.OTHER
    assert likeness_of_entries([], ("https://gone/",), text(other)) is Likeness.SAME
    assert likeness_of_entries([ENTRY], (), text(changed(SHOWN, queue_config={}))) is Likeness.SIMILAR
    assert likeness_of_entries([], (), "{") is Likeness.OTHER
    assert ExpectedEntries((ENTRY,)).likeness(text(SHOWN)) is Likeness.SAME


_UNITS = {"ms": 1, "s": 1000, "m": 60000, "h": 3600000}


@given(seconds=st.integers(0, 100000), unit=st.sampled_from(["ms", "s", "m"]))
def test_durations_are_equal_in_any_form(seconds: int, unit: str) -> None:
    whole = seconds * _UNITS[unit]
    parts = f"{whole // 3600000}h{whole % 3600000 // 60000}m{whole % 60000 // 1000}s{whole % 1000}ms"
    one, other = changed(ENTRY, remote_timeout=f"{seconds}{unit}"), changed(SHOWN, remote_timeout=parts)
    assert likeness(text(one), text(other)) is Likeness.SAME
    assert likeness(text(one), text(changed(SHOWN, remote_timeout=f"{whole + 1}ms"))) is Likeness.SIMILAR


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_two_texts_are_compared_without_harm(one: str, other: str) -> None:
    assert likeness(one, other) in Likeness
