# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threat model: each row says what protects and names tests that exist, and no test of security is left out."""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE: t.Final = (ROOT / "docs" / "docsite" / "rst" / "threat_model.rst").read_text(encoding="utf-8")
HEADER: t.Final = ["Threat", "What protects", "Shown by"]
_TEST: t.Final = re.compile(r"``(tests/[\w/]+\.py)::(test_\w+)``")


def rows_of(page: str) -> list[list[str]]:
    """The rows of all tables, as the texts of their cells."""
    rows: list[list[str]] = []
    for line in page.splitlines():
        if line.startswith("   * - "):
            rows.append([line[7:]])
        elif line.startswith("     - "):
            rows[-1].append(line[7:])
        elif line.startswith("       ") and rows:
            rows[-1][-1] += f" {line.strip()}"
    return rows


ROWS: t.Final = rows_of(PAGE)


@functools.cache
def names_in(path: Path) -> frozenset[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def test_tables_have_the_same_columns() -> None:
    assert PAGE.count(".. list-table::") == ROWS.count(HEADER) >= 5
    assert {len(row) for row in ROWS} == {len(HEADER)}


@pytest.mark.parametrize("row", [row for row in ROWS if row != HEADER], ids=lambda row: row[0][:60])
def test_a_threat_is_answered_by_tests_that_there_are(row: list[str]) -> None:
    threat, protection, shown = row
    assert threat.endswith(".")
    assert protection.endswith(".")
    named = _TEST.findall(shown)
    assert named, "no test is named"
    assert _TEST.sub("", shown).strip(" ,") == "", "something else than tests is named"
    for file, name in named:
        assert (ROOT / file).is_file(), file
        assert name in names_in(ROOT / file), f"{file}::{name}"


def test_every_file_of_security_tests_has_its_row() -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "security").glob("test_*.py")}
    assert files == {file for file, _unused in _TEST.findall(PAGE) if file.startswith("tests/security/")}
