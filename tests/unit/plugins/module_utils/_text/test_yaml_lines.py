# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""New lines of YAML and their comparison with nodes: what is written is what any parser reads."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    YamlProblem,
    compose,
    flow,
    item_lines,
    mapping_lines,
    plain,
    refuse_odd_keys,
    replace_scalar,
    says,
    scalar,
    setting,
)

PARSERS: list[t.Any] = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]

_texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("ab01:#-{}[],&*!|>'\"%@` \t\n\u0085\u2028\ufeff", max_size=10),
    st.sampled_from(
        ["y", "No", "null", "~", "", "1", "0x1f", "1e3", "30s", "1m30s", "1:30", "2001-01-01", ".5", "<<", "="]
    ),
    st.sampled_from(["https://x.example/a?b=c", "(.+)-$1", "<known after apply>", "a b", "true", "-", "a:", "é🚀"]),
)
_scalars = st.one_of(_texts, st.booleans(), st.integers(-10, 10**6))
_names = st.text("abcxyz_", min_size=1, max_size=6) | st.sampled_from(["y", "on", "null", "queue_config"])
_flat = st.dictionaries(_names, _scalars, min_size=1, max_size=3)
_mappings = st.dictionaries(
    _names,
    st.one_of(_scalars, st.lists(_scalars, max_size=3), _flat, st.lists(_flat, max_size=2), st.just({})),
    min_size=1,
    max_size=4,
)


def parsed(text: str) -> t.Any:
    """What every parser here reads; they must agree."""
    values = [yaml.load(text, Loader=parser) for parser in PARSERS]  # noqa: S506  # all are safe
    assert values.count(values[0]) == len(values)
    return values[0]


def node(text: str) -> yaml.Node:
    found = compose(text, marks=True)
    assert found is not None
    return found


@settings(deadline=None)
@given(_mappings, st.integers(0, 6), st.sampled_from([2, 4]))
def test_a_mapping_in_block_style(data: dict[str, t.Any], column: int, step: int) -> None:
    assert parsed("\n".join(mapping_lines(data, column, step=step)) + "\n") == data


@settings(deadline=None)
@given(_mappings, st.integers(0, 4), st.integers(2, 5))
def test_an_item_in_block_style(data: dict[str, t.Any], column: int, offset: int) -> None:
    lines = item_lines(data, column, offset)
    assert lines[0].startswith(" " * column + "-")
    assert parsed("\n".join([*lines, *lines]) + "\n") == [data, data]


@settings(deadline=None)
@given(_mappings)
def test_plain_data_in_flow_style(data: dict[str, t.Any]) -> None:
    assert parsed(f"[{flow(data)}, {{a: {flow(data)}}}]") == [data, {"a": data}]


@settings(deadline=None)
@given(_scalars)
@example("30s")
@example("yes")
def test_a_scalar_on_a_line(value: t.Any) -> None:
    assert parsed(f"a: {scalar(value)}\n") == {"a": value}
    assert parsed(f"- {scalar(value)} # behind\n") == [value]


@pytest.mark.parametrize(
    "value", ["eu-west-1", "https://x.example/a/b", "30s", "1h30m", "aws:iam::1:role/x", "<known after apply>"]
)
def test_what_needs_no_quotes_has_none(value: str) -> None:
    assert plain(value) == value


@settings(deadline=None)
@given(_mappings)
def test_a_node_says_what_was_written(data: dict[str, t.Any]) -> None:
    written = node("\n".join(mapping_lines(data, 0)) + "\n")
    assert says(written, data)
    assert says(node(flow(data)), data)
    assert not says(written, {**data, "another": 1})
    name = next(iter(data))
    assert not says(written, {**data, name: "something else entirely"})
    assert not says(written, {key: value for key, value in data.items() if key != name} or {"z z": 1})


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("true", True, True),
        ("yes", True, True),
        ("off", False, True),
        ("'true'", True, False),
        ("true", False, False),
        ("1", True, False),
        ("2500", 2500, True),
        ("'2500'", 2500, False),
        ("2500", "2500", True),
        ("'2500'", "2500", True),
        ("~", None, True),
        ("~", "", False),
        ("''", "", True),
        ("''", None, False),
        ("~", "~", False),
        ("[a, b]", ["a", "b"], True),
        ("[a, b]", ["b", "a"], False),
        ("[a]", "a", False),
        ("a", ["a"], False),
        ("{a: 1}", {"a": 1}, True),
        ("{a: 1}", {}, False),
        ("a", {"a": 1}, False),
        ("[{a: yes}]", [{"a": True}], True),
    ],
)
def test_says(text: str, value: object, *, expected: bool) -> None:
    assert says(node(text), value) is expected
    assert says(None, value) is (value is None)


@settings(deadline=None)
@given(_scalars, st.sampled_from(["old", "'old'", '"old"', "&a old", "!!str 'old'", "12"]), st.booleans())
def test_a_scalar_is_replaced_where_it_stands(value: t.Any, old: str, flow_style: bool) -> None:
    text = f"x: [{{a: {old}}}] # c" if flow_style else f"x:\n- a: {old} # c"
    found = t.cast("yaml.MappingNode", node(text)).value[0][1].value[0].value[0][1]
    edit = replace_scalar(text, found, value, flow=flow_style)
    changed = text[: edit.start] + edit.text + text[edit.end :]
    assert changed.endswith("# c")
    expected = value if not old.startswith("!!str") else parsed(f"!!str {edit.text}")
    assert parsed(changed) == {"x": [{"a": expected}]}


def test_keys_that_are_no_texts_are_refused() -> None:
    refuse_odd_keys(t.cast("yaml.MappingNode", node("{a: 1, 2: b, ~: c}")))
    with pytest.raises(YamlProblem, match="as in a template"):
        refuse_odd_keys(t.cast("yaml.MappingNode", node("a: 1\n? [b]\n: c\n")))


def test_a_settings_text() -> None:
    mapping = t.cast("yaml.MappingNode", node("a: 1\nb: [c]\nd: ~\n"))
    assert [setting(mapping, name) for name in ("a", "b", "d", "e")] == ["1", "", "", ""]
