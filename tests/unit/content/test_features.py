# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of features (docs/features.yml): each is covered by tests that exist, or says why it is not."""

from __future__ import annotations

import ast
import functools
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TABLE: t.Final[list[dict[str, t.Any]]] = yaml.safe_load((ROOT / "docs" / "features.yml").read_text(encoding="utf-8"))


@functools.cache
def functions_of(path: Path) -> frozenset[str]:
    """The names of a file's test functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_number_stands_there_once_and_in_order() -> None:
    numbers = [entry["number"] for entry in TABLE]
    assert numbers == sorted(set(numbers))
    assert set(numbers) >= {*range(1, 77)}


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: str(entry["number"]))
def test_a_feature_names_its_tests_or_the_reason_why_it_has_none(entry: dict[str, t.Any]) -> None:
    assert entry["feature"]
    named = entry.get("tests", [])
    assert named or entry.get("reason"), "neither tests nor a reason"
    for test in named:
        file, found, name = test.partition("::")
        path = ROOT / file
        assert path.is_file(), test
        assert not found or name in functions_of(path), test
        assert found or path.suffix == ".yml", f"{test}: a Python file needs the name of a test"
