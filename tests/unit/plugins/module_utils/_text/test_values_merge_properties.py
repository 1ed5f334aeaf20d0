# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of every values file: what others wrote stays, once is enough, and what was added can be taken out."""

from __future__ import annotations

import typing as t

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.helm import kube_prometheus_stack
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import Block, plain_data
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import merge_values, remove_values
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_emit import Style, block_lines
from tests.unit.plugins.file_wishes import file_wish

Data = dict[str, t.Any]

FRAGMENT = kube_prometheus_stack(file_wish(external_labels={"cluster": "payments"})).fragment or Block({})
OURS = plain_data(FRAGMENT)

_words = st.text("abcxyz019_ -.:#'\"é{}[],&*!|>%@`", min_size=1, max_size=12)
_scalars = st.one_of(_words, st.booleans(), st.integers(), st.none(), st.sampled_from(["two\nlines\n", "", "30s", "~"]))
_values = st.recursive(
    _scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=8,
)
_keys = st.text("abcdef", min_size=1, max_size=6)
_others = st.dictionaries(_keys, _values, max_size=3)


def _rows(key: str, prefix: str) -> st.SearchStrategy[list[Data]]:
    row = st.builds(lambda number, rest: {key: f"{prefix}{number}", **rest}, st.integers(0, 9), _others)
    return st.lists(row, max_size=3, unique_by=lambda item: str(item[key]))


_specs = st.builds(
    lambda parts, rest: {**rest, **parts},
    st.fixed_dictionaries(
        {},
        optional={
            "remoteWrite": st.one_of(st.none(), _rows("url", "http://h.example/")),
            "volumes": _rows("name", "v"),
            "volumeMounts": _rows("mountPath", "/m/"),
            "containers": _rows("name", "c"),
            "externalLabels": st.one_of(st.none(), st.dictionaries(st.sampled_from("xyz"), _words, max_size=2)),
        },
    ),
    _others,
)
_stacks = st.one_of(
    st.none(), st.builds(lambda spec, rest: {**rest, "prometheusSpec": spec}, st.one_of(st.none(), _specs), _others)
)


class _IndentedLists(yaml.SafeDumper):
    """Lists stand deeper than their key, as most people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        del indentless
        super().increase_indent(flow, False)


@st.composite
def values_files(draw: st.DrawFn) -> str:
    """A values file as people leave it: in any style, with comments and any kind of line break."""
    data: Data = draw(_others)
    if draw(st.booleans()):
        data["prometheus"] = draw(_stacks)
    if draw(st.booleans()):
        data = dict(reversed(data.items()))
    text = yaml.dump(
        data,
        Dumper=draw(st.sampled_from([yaml.SafeDumper, _IndentedLists])),
        default_flow_style=draw(st.sampled_from([False, False, False, None, True])),
        sort_keys=False,
        allow_unicode=True,
        indent=draw(st.sampled_from([2, 4])),
        width=draw(st.sampled_from([40, 10_000])),
    )
    lines = text.splitlines()
    for index in sorted(draw(st.sets(st.integers(0, len(lines)), max_size=3)), reverse=True):
        indentation = draw(st.integers(0, 6))
        if not any("two" in line or line.count("'") % 2 or line.count('"') % 2 for line in lines):
            lines.insert(index, " " * indentation + "# a comment")
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    return ending.join(lines) + draw(st.sampled_from([ending, ending, ""]))


def _load(text: str) -> t.Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe ones


def _without_ours(data: t.Any, ours: t.Any) -> t.Any:
    """The data without what the fragment says; what is empty then counts as nothing."""
    if isinstance(data, dict) and isinstance(ours, dict):
        rest = {key: _without_ours(value, ours[key]) if key in ours else value for key, value in data.items()}
        return {key: value for key, value in rest.items() if key not in ours or value} or None
    if isinstance(data, list) and isinstance(ours, list):
        return [item for item in data if item not in ours] or None
    return None if data == ours else data


def _contains(data: t.Any, ours: t.Any) -> bool:
    if isinstance(ours, dict):
        return isinstance(data, dict) and all(key in data and _contains(data[key], ours[key]) for key in ours)
    if isinstance(ours, list):
        return isinstance(data, list) and all(item in data for item in ours)
    return bool(data == ours)


_SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_SETTINGS
@given(values_files())
@example("prometheus: {prometheusSpec: {remoteWrite: [], volumes: [{name: v}]}}\n")
@example("a: |+\n  x\n\nprometheus:\n  prometheusSpec:\n    b: >-\n      y\n# the end")
def test_what_others_wrote_stays_and_ours_is_there(text: str) -> None:
    merged = merge_values(text, FRAGMENT, place="values.yaml")
    after = _load(merged.text)
    assert _contains(after, OURS)
    assert _without_ours(after, OURS) == _without_ours(_load(text) or {}, OURS)
    assert [line for line in text.splitlines() if "# a comment" in line] == [
        line for line in merged.text.splitlines() if "# a comment" in line
    ]


@_SETTINGS
@given(values_files())
def test_once_is_enough_and_it_goes_again(text: str) -> None:
    merged = merge_values(text, FRAGMENT, place="values.yaml")
    again = merge_values(merged.text, FRAGMENT, place="values.yaml")
    assert again.text == merged.text
    assert not again.summaries
    removed = remove_values(merged.text, FRAGMENT, place="values.yaml")
    assert _without_ours(_load(removed.text) or {}, OURS) == _without_ours(_load(text) or {}, OURS)
    assert not remove_values(removed.text, FRAGMENT, place="values.yaml").summaries


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_plain = st.recursive(
    st.one_of(
        _words, _texts, st.booleans(), st.integers(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words | _texts, inner, max_size=3)),
    max_leaves=12,
)


@_SETTINGS
@given(
    st.dictionaries(_words | _texts, _plain, min_size=1, max_size=3),
    st.builds(Style, st.integers(1, 8), st.integers(0, 6)),
)
@example({"a": 1e-05, "b": 1e16, "c": [-2.5e-07, {"d": 1e300}], "e": float("-inf")}, Style())
def test_what_is_written_is_read_back_in_every_indentation(data: Data, style: Style) -> None:
    assert _load("\n".join(block_lines(data, style))) == data
