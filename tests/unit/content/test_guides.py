# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guides: each mistake of the source guide is told in full, and findings and variables are real ones."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from tests.unit.content.test_findings_page import emitted

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "docsite" / "rst" / "source_guide_mistakes.rst"
FIELDS: t.Final = ("Guide", "Happens", "Right", "Collection")

_ENTRY = re.compile(r"^(?P<title>\S[^\n]*)\n\^{3,}\n\n(?P<body>(?::\w+: .*\n(?: +\S.*\n)*)+)", re.MULTILINE)
_FIELD = re.compile(r"^:(?P<name>\w+): (?P<text>.*\n(?: +\S.*\n)*)", re.MULTILINE)


def entries() -> dict[str, dict[str, str]]:
    text = f"{PAGE.read_text(encoding='utf-8')}\n"
    return {
        entry["title"]: {field["name"]: field["text"] for field in _FIELD.finditer(entry["body"])}
        for entry in _ENTRY.finditer(text)
    }


def test_every_entry_is_read() -> None:
    assert len(entries()) == PAGE.read_text(encoding="utf-8").count("\n^^^")
    assert len(entries()) > 25


@pytest.mark.parametrize("title", entries())
def test_an_entry_says_all_of_it_and_names_findings_that_there_are(title: str) -> None:
    told = entries()[title]
    assert tuple(told)[: len(FIELDS)] == FIELDS
    assert set(re.findall(r"``(\w+)``", told.get("Finding", ""))) <= emitted()


#: Where every variable is described.
REFERENCE: t.Final = ("variables", "credentials")
GUIDES: t.Final = (
    "getting_started",
    "multi_account",
    "operator_and_helm",
    "source_guide_mistakes",
    "sovereign_clouds",
    "teardown",
    "token_sources",
    "troubleshooting",
    "trust_chain",
)
#: Names that begin like a variable: the metric that a check writes.
OTHERS: t.Final = frozenset({"aks_amp_federation_check"})


def variables_on(page: str) -> set[str]:
    text = (PAGE.parent / f"{page}.rst").read_text(encoding="utf-8")
    return set(re.findall(r"\baks_amp_\w+", text.replace("crosscloud.aks_amp", ""))) - OTHERS


@pytest.mark.parametrize("guide", GUIDES)
def test_a_variable_of_a_guide_is_described(guide: str) -> None:
    assert variables_on(guide) <= {name for page in REFERENCE for name in variables_on(page)}
