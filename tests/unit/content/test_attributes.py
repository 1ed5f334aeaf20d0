# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules document of themselves as attributes, held against what they do."""

from __future__ import annotations

import ast
import importlib
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace, federation_check
from tests.faults.modules import CASES

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
DESCRIBED: t.Final = ("check_mode", "diff_mode", "idempotent")
SUPPORT: t.Final = ("full", "partial", "none", "N/A")


def _definition(module: str) -> object:
    """What the module runs; None for one whose work is done by its action plugin alone."""
    names = vars(importlib.import_module(f"ansible_collections.crosscloud.aks_amp.plugins.modules.{module}"))
    held = [names.get("DEFINITION"), *(getattr(value, "DEFINITION", None) for value in names.values())]
    return next((found for found in held if found is not None), None)


#: Those of the tests of check mode's contract that change something: they predict it, show it, and do it once.
_READING: t.Final = (amp_workspace.DEFINITION, federation_check.DEFINITION)
_TESTED: t.Final = [case.definition for case in CASES if case.definition not in _READING]
CHANGING: t.Final = [module for module in MODULES if any(_definition(module) is found for found in _TESTED)]


def attributes(module: str) -> dict[str, dict[str, t.Any]]:
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["DOCUMENTATION"]:
            found: dict[str, dict[str, t.Any]] = yaml.safe_load(ast.literal_eval(node.value))["attributes"]
            return found
    raise AssertionError(f"{module} has no documentation")


@pytest.mark.parametrize("module", MODULES)
def test_a_module_says_how_it_runs_in_check_mode_shows_differences_and_is_repeated(module: str) -> None:
    for name in DESCRIBED:
        said = attributes(module)[name]
        assert said["support"] in SUPPORT, name
        assert said["support"] == "full" or said.get("details") or said.get("description"), f"{name}: no reason"


def test_every_kind_of_object_is_among_the_tested() -> None:
    assert len(CHANGING) == len({id(definition) for definition in _TESTED})


@pytest.mark.parametrize("module", CHANGING)
def test_a_module_whose_changes_are_tested_supports_check_mode_and_differences(module: str) -> None:
    assert attributes(module)["check_mode"]["support"] == "full"
    assert attributes(module)["diff_mode"]["support"] == "full"


def test_only_modules_that_read_show_no_differences() -> None:
    silent = {module for module in MODULES if attributes(module)["diff_mode"]["support"] != "full"}
    assert silent == {"amp_workspace_info", "drift_report", "federation_check", "fleet_workspaces_info"}
    assert silent.isdisjoint(CHANGING)
