# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.excerpts import excerpts

LINES = [f"line {number}\n" for number in range(1, 21)]
TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c: d\n", "\n"]), max_size=40).map("".join)


def test_what_differs_is_shown_with_three_lines_around_it() -> None:
    before, after = excerpts("".join(LINES), "".join([*LINES[:9], "new\n", *LINES[9:]]))
    assert before == "[6 lines stay]\n" + "".join(LINES[6:12]) + "[8 lines stay]\n"
    assert after == "[6 lines stay]\n" + "".join([*LINES[6:9], "new\n", *LINES[9:12]]) + "[8 lines stay]\n"


def test_a_single_line_and_two_places() -> None:
    changed = [LINES[0], "new\n", *LINES[2:14], "other\n", *LINES[15:19]]
    before, after = excerpts("".join(LINES[:19]), "".join(changed))
    assert after == "".join([LINES[0], "new\n", *LINES[2:5], "[6 lines stay]\n", *changed[11:18], "[1 line stays]\n"])
    assert before == "".join([*LINES[:5], "[6 lines stay]\n", *LINES[11:18], "[1 line stays]\n"])


def test_equal_texts_show_nothing_of_themselves() -> None:
    assert excerpts("a: hunter2\nb: c\n", "a: hunter2\nb: c\n") == ("[2 lines stay]\n", "[2 lines stay]\n")


def test_an_empty_text_beside_another() -> None:
    assert excerpts("", "a\nb\n") == ("", "a\nb\n")


def test_the_last_line_without_its_end() -> None:
    assert excerpts("a\nb", "a\nc") == ("a\nb", "a\nc")


@given(TEXTS, TEXTS)
def test_what_is_left_out_is_the_same_in_both(before: str, after: str) -> None:
    short = excerpts(before, after)
    markers = [re.findall(r"\[(\d+) lines? stays?\]", text) for text in short]
    assert markers[0] == markers[1]
    for whole, text in zip((before, after), short, strict=True):
        kept = Counter(line for line in text.splitlines() if not line.startswith("["))
        assert not kept - Counter(whole.splitlines())
        left_out = sum(int(number) for number in markers[0])
        assert kept.total() + left_out == len(whole.splitlines())
