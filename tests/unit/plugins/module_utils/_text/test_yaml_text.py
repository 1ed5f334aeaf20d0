# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Positions and edits in YAML text."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    Edit,
    Fingerprints,
    YamlProblem,
    apply_edits,
    compose,
    data_of,
    insert_lines_after,
    insert_lines_at,
    is_mapping,
    plain,
    position,
)


@pytest.mark.parametrize(
    "text", ["a:\t1\n", "a: 1\t# c\n", "a: b\tc\n", "a: [1,\t2]\n", "a: 'b'\t# c\r\n", "a:\n- b\t\n"]
)
def test_tabs_are_read_as_libyaml_reads_them(text: str) -> None:
    fast, exact = compose(text, marks=False), compose(text, marks=True)
    assert fast is not None
    assert exact is not None
    numbers = Fingerprints()
    assert numbers.of(fast) == numbers.of(exact)


def test_a_tab_as_indentation_is_a_problem() -> None:
    with pytest.raises(YamlProblem) as caught:
        compose("a: 1\n\tb: 1\n", marks=True)
    assert (caught.value.line, caught.value.column) == (2, 1)


def test_marks_count_every_character() -> None:
    root = compose("\ufeffé: 1\r\nb: x\r\n", marks=True)
    assert root is not None
    assert is_mapping(root)
    assert [(key.start_mark.index, key.start_mark.column) for key, _unused in root.value] == [(1, 0), (7, 0)]


@pytest.mark.parametrize("marks", [True, False])
def test_data_are_plain_with_merges_as_prometheus_resolves_them(marks: bool) -> None:
    text = (
        "a: &a {x: 1, y: yes, z: ~}\nb: &b {x: 2, w: [on, null]}\n"
        "c: {<<: [*a, *b], y: own}\nd: {x: own, <<: *a}\n? [odd]\n: 1\n"
    )
    root = compose(text, marks=marks)
    assert root is not None
    assert data_of(root) == {
        "a": {"x": "1", "y": "yes", "z": None},
        "b": {"x": "2", "w": ["on", None]},
        "c": {"x": "1", "y": "own", "z": None, "w": ["on", None]},
        "d": {"x": "own", "y": "yes", "z": None},
    }


def test_data_of_an_alias_inside_its_own_anchor_end() -> None:
    root = compose("a: &a [1, *a, {b: *a}]\n", marks=True)
    assert root is not None
    items = data_of(root)["a"]
    assert items[1] is items
    assert items[2]["b"] is items


def test_fingerprints_are_equal_for_equal_content_only() -> None:
    numbers = Fingerprints()

    def number(text: str) -> int:
        node = compose(text, marks=False)
        assert node is not None
        return numbers.of(node)

    assert number("a: {b: [1, x]}") == number("a:\n  b:\n  - 1\n  - 'x'\n")
    assert number("x: &x [1]\ny: *x") == number("x: [1]\ny: [1]")
    assert len({number(text) for text in ("a: 1", "a: '1'", "a: [1]", "{a: 1, b: 1}", "{b: 1, a: 1}", "[a, 1]")}) == 6


def test_fingerprints_of_nested_aliases_are_quick() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    node = compose("\n".join(lines), marks=False)
    assert node is not None
    Fingerprints().of(node)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("eu-central-1", "eu-central-1"),
        ("https://a.b/c_d", "https://a.b/c_d"),
        ("arn:aws:iam::123456789012:role/p/a+b=c,d@e", "arn:aws:iam::123456789012:role/p/a+b=c,d@e"),
        ("no", '"no"'),
        ("1e3", '"1e3"'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ("", '""'),
        ("<known after apply>", "<known after apply>"),
    ],
)
def test_strings_are_quoted_when_they_must_be(value: str, written: str) -> None:
    assert plain(value) == written
    node = compose(f"a: {written}\n", marks=False)
    assert node is not None
    assert node.value[0][1].value == value
    assert node.value[0][1].tag == "tag:yaml.org,2002:str"


def test_edits() -> None:
    assert apply_edits("abcdef", [Edit(4, 5, "X"), Edit(1, 3), Edit(1, 1, "-"), Edit(2, 4)]) == "a-Xf"
    with pytest.raises(ValueError, match="same characters"):
        apply_edits("abcdef", [Edit(1, 4, "X"), Edit(2, 3, "Y")])


@pytest.mark.parametrize(
    ("text", "after"),
    [("a\nb", "a\nx\nb"), ("a\r\nb", "a\r\nx\r\nb"), ("a\rb", "a\rx\rb"), ("a", "a\nx"), ("a\r\n", "a\r\nx\r\n")],
)
def test_lines_are_inserted_with_the_line_breaks_around_them(text: str, after: str) -> None:
    assert apply_edits(text, [insert_lines_after(text, 0, ["x"])]) == after


def test_lines_behind_a_last_line_without_line_break() -> None:
    assert apply_edits("a\r\nb", [insert_lines_at("a\r\nb", 4, ["x", "y"])]) == "a\r\nb\r\nx\r\ny"


def test_positions_count_from_one_over_any_line_break() -> None:
    assert position("a\r\nb\nc\rde", 8) == (4, 2)
