# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All examples of the documentation, and those of a kind as parameters of tests."""

from __future__ import annotations

import ast
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.docs import kinds
from tests.docs.kinds import Kind, Verdict
from tests.docs.pages import GUIDES, ROOT, Block, blocks

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PAGES: t.Final = (
    *sorted(GUIDES.glob("*.rst")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
)
INVENTORIES: t.Final = (ROOT / "inventories" / "sample" / "hosts.yml",)
#: What a comment would say above EXAMPLES, which are shown to users as they are.
NOTES: t.Final = {
    "drift_report": "validated: it takes what drift.yml has registered on every host; tests/e2e/test_drift.py runs it",
    "federation_plan": "validated: it walks through the tasks of the playbook around it; drift.yml has that play",
}


def _of_plugin(path: Path) -> Iterator[Block]:
    """The EXAMPLES of a plugin, one block for each document."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="EXAMPLES")], value=ast.Constant(value=str() as text)):
                page = path.relative_to(ROOT).as_posix()
                for number, document in enumerate(text.split("\n---\n")):
                    yield Block(page, node.lineno + number, "yaml+jinja", document, NOTES.get(path.stem, ""))


def _all() -> Iterator[Block]:
    for page in PAGES:
        yield from blocks(page)
    for folder in ("modules", "inventory"):
        for path in sorted((ROOT / "plugins" / folder).glob("*.py")):
            yield from _of_plugin(path)
    for path in INVENTORIES:
        yield Block(path.relative_to(ROOT).as_posix(), 1, "yaml", path.read_text(encoding="utf-8"))


EXAMPLES: t.Final = tuple(_all())


def parameters(*wanted: Kind) -> list[t.Any]:
    """The blocks of these kinds that are more than shown. A block of no kind fails another test."""
    return [pytest.param(block, id=block.name) for block in EXAMPLES if _is_one(block, wanted)]


def _is_one(block: Block, wanted: tuple[Kind, ...]) -> bool:
    try:
        return kinds.verdict(block)[0] is not Verdict.SHOWN and kinds.kind(block) in wanted
    except (kinds.UnknownExample, yaml.YAMLError):
        return False
