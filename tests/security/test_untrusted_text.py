# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of clouds and clusters are plain wherever a module, an action or a report hands them on."""

from __future__ import annotations

import json
import typing as t
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.files import (
    FORMATS,
    earlier_report,
    write_report,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import Report
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    Context,
    Ended,
    ModuleDefinition,
    Result,
    perform,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import all_plain, plain
from tests.security.hostile import HOSTILE, UNFIT, unfit_in
from tests.unit.plugins.module_utils._drift.reports import NOW, drifted

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("character", UNFIT, ids=lambda one: f"U+{ord(one):04X}")
def test_no_unfit_character_comes_through(character: str) -> None:
    assert plain(f"a{character}b") == "a\N{REPLACEMENT CHARACTER}b"


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Z"), exclude_characters="\u2028\u2029")))
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(f"{text}\t\n\r\n") == f"{text}\t\n\r\n"


@given(st.text(st.characters()))
def test_whatever_a_text_is_what_comes_of_it_can_be_shown_and_written(text: str) -> None:
    shown = plain(text)
    shown.encode()
    assert len(shown) == len(text)
    assert not [one for one in shown.replace("\r\n", "\n") if unicodedata.category(one) == "Cc" and one not in "\t\n"]


def test_keys_lists_and_other_values_come_through() -> None:
    assert all_plain({"a\x1b": ["\x9b", ("\u202e",), 1, None, True, 1.5]}) == {
        "a\N{REPLACEMENT CHARACTER}": ["\N{REPLACEMENT CHARACTER}", ["\N{REPLACEMENT CHARACTER}"], 1, None, True, 1.5]
    }


def _ended(run: t.Callable[[Params, Context], Result]) -> Ended:
    return perform(ModuleDefinition(ArgumentSpec({}), run), Params({}), Context(check_mode=True))


def test_a_result_with_its_diff_changes_and_warnings_is_plain() -> None:
    last = LastChange(HOSTILE, "", Told.TAG)
    change = Change(Action.UPDATE, "ConfigMap", HOSTILE, HOSTILE, f"before: {HOSTILE}", {HOSTILE: HOSTILE}, None, last)
    ended = _ended(lambda _params, _context: Result({"tags": {HOSTILE: [HOSTILE]}}, (change,), (HOSTILE,)))
    assert unfit_in(json.dumps([ended.values, ended.warnings], ensure_ascii=False)) == set()
    assert "{{ 61*97 }}" in json.dumps(ended.values)


@pytest.mark.parametrize(
    "error",
    [
        errors.CloudError(service="ARM", action="reading", code=HOSTILE, detail=HOSTILE, request_id=HOSTILE),
        errors.CheckFailed(HOSTILE, facts={"text": HOSTILE, "links": [{"found": HOSTILE}]}),
        errors.Refused(HOSTILE, fix=HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_is_plain(error: errors.AksAmpError) -> None:
    def fail(_params: Params, _context: Context) -> Result:
        raise error

    ended = _ended(fail)
    assert ended.failed
    assert unfit_in(json.dumps(ended.values, ensure_ascii=False)) == set()


def test_a_report_of_somebody_else_is_plain_when_it_has_been_read(tmp_path: Path) -> None:
    """It may come from another machine, and half a character in it would end the writing of the new one."""
    values = Report(NOW, (drifted("one"),)).to_json()
    values["clusters"][0]["name"] = f"{HOSTILE}\ud800"
    values["clusters"][0]["steps"][0]["note"] = f"{HOSTILE}\ud800"
    (tmp_path / "drift-report.json").write_text(json.dumps(values), encoding="utf-8")
    earlier = earlier_report(str(tmp_path / "drift-report.json"))
    assert earlier is not None
    paths = write_report(earlier, str(tmp_path / "new"), sorted(FORMATS))
    for name in paths.values():
        text = (tmp_path / "new" / name).read_text(encoding="utf-8")
        assert "61*97" in text.replace("\\*", "*").replace("&#x27;", "'"), name
        assert unfit_in(text) == set(), name
