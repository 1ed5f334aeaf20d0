# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports point down only: read off the code, type checking's imports included."""

from __future__ import annotations

import ast
import graphlib
import typing as t

import pytest

from demo.runs import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

PLUGINS: t.Final = ROOT / "plugins"
MODULE_UTILS: t.Final = PLUGINS / "module_utils"
PACKAGE: t.Final = "ansible_collections.crosscloud.aks_amp.plugins."
#: Folders of module_utils that know data only: no client, no module, no SDK.
PURE: t.Final = (
    "_azure",
    "_diagnosis",
    "_iam",
    "_kube",
    "_operator",
    "_prometheus",
    "_refusals",
    "_render",
    "_rollout",
    "_text",
)
SDKS: t.Final = ("azure", "boto3", "botocore", "kubernetes", "msgraph", "kiota_abstractions", "requests", "urllib3")


def _imports(path: Path) -> set[str]:
    """The dotted names that a file imports; what comes from a package is named with it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _part(parts: t.Sequence[str]) -> str:
    """A folder of module_utils, or one of the files that lie in it directly."""
    return f"module_utils/{parts[1]}" if parts[0] == "module_utils" else parts[0]


def _layers() -> dict[str, set[str]]:
    """What each part of the plugins imports of the others."""
    graph: dict[str, set[str]] = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        own = _part(path.relative_to(PLUGINS).with_suffix("").parts)
        others = {_part(name.removeprefix(PACKAGE).split(".")) for name in _imports(path) if name.startswith(PACKAGE)}
        graph.setdefault(own, set()).update(others - {own})
    return graph


def test_imports_point_down_only() -> None:
    """There is an order of folders in which each imports only what comes before it."""
    order = list(graphlib.TopologicalSorter(_layers()).static_order())
    assert (
        order.index("module_utils/_errors") < order.index("module_utils/_text") < order.index("module_utils/_resources")
    )
    assert order.index("module_utils/_resources") < order.index("modules")


def test_nothing_is_imported_from_what_uses_module_utils() -> None:
    above = {"modules", "action", "callback", "inventory", "plugin_utils"}
    upwards = {
        part: found for part, used in _layers().items() if part.startswith("module_utils/") and (found := used & above)
    }
    assert not upwards


@pytest.mark.parametrize("folder", PURE)
def test_what_is_pure_imports_neither_clients_nor_sdks(folder: str) -> None:
    files = sorted((MODULE_UTILS / folder).rglob("*.py"))
    assert files
    above = tuple(f"{PACKAGE}module_utils.{name}" for name in ("_clients", "_resources", "_runner"))
    wrong = {
        f"{path.name}: {name}"
        for path in files
        for name in _imports(path)
        if name.startswith(above) or name.partition(".")[0] in SDKS
    }
    assert not wrong


def test_what_only_the_collection_uses_has_a_leading_underscore() -> None:
    """So the rules of the community collections have it."""
    for folder in (MODULE_UTILS, PLUGINS / "plugin_utils"):
        public = {path.relative_to(folder).parts[0] for path in folder.rglob("*.py")}
        assert public
        assert {name for name in public if not name.startswith("_")} == set()
