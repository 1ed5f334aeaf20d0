# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the documentation's pages: code blocks, list tables and sections of RST, code blocks of Markdown."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import typing as t
from pathlib import Path

ROOT: t.Final = Path(__file__).resolve().parents[2]
GUIDES: t.Final = ROOT / "docs" / "docsite" / "rst"

_RST_BLOCK = re.compile(r"^(?P<indent> *)\.\. code-block:: *(?P<language>\S*)$")
_RST_NOTE = re.compile(r"^ *\.\. example: (?P<note>.+)$")
_MD_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\S*)$")
_MD_NOTE = re.compile(r"^ *<!-- example: (?P<note>.+) -->$")
_UNDERLINE = re.compile(r"([-=^~])\1{2,}")


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block. ``note`` is what the comment above it says about the example, empty without one."""

    page: str  # the file's path below the project's folder
    line: int
    language: str
    text: str
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """The code blocks of a page, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    find = _rst_blocks if path.suffix == ".rst" else _markdown_blocks
    return list(find(path.relative_to(ROOT).as_posix(), lines))


def _rst_blocks(page: str, lines: list[str]) -> t.Iterator[Block]:
    note = ""
    for number, line in enumerate(lines):
        if said := _RST_NOTE.match(line):
            note = said["note"]
        elif found := _RST_BLOCK.match(line):
            body = _indented(lines[number + 1 :], len(found["indent"]))
            yield Block(page, number + 1, found["language"], _dedented(body), note)
            note = ""
        elif line.strip():
            note = ""


def _indented(lines: list[str], indent: int) -> list[str]:
    """The lines that stand further to the right, up to the first that does not."""
    end = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith(" " * (indent + 1))), None)
    return lines[:end]


def _dedented(lines: list[str]) -> str:
    return textwrap.dedent("\n".join(lines)).strip("\n") + "\n"


def _markdown_blocks(page: str, lines: list[str]) -> t.Iterator[Block]:
    note, start, language = "", None, ""
    for number, line in enumerate(lines):
        if start is not None:
            if line.strip() == "```":
                yield Block(page, start, language, _dedented(lines[start:number]), note)
                note, start = "", None
        elif found := _MD_BLOCK.match(line):
            start, language = number + 1, found["language"]
        elif said := _MD_NOTE.match(line):
            note = said["note"]
        elif line.strip():
            note = ""


def list_tables(text: str) -> list[list[list[str]]]:
    """The list tables of an RST text as rows of cells, headers included; a cell's lines are joined by spaces."""
    lines = text.splitlines()
    return [_rows(_indented(lines[n + 1 :], 0)) for n, line in enumerate(lines) if line.strip() == ".. list-table::"]


def _rows(lines: list[str]) -> list[list[str]]:
    rows: list[list[str]] = []
    for line in lines:
        item = re.match(r"^ +(\* -|-)(?: (?P<text>.*))?$", line)
        if item:
            if item[1] == "* -":
                rows.append([])
            rows[-1].append(item["text"] or "")
        elif rows and line.strip():
            rows[-1][-1] = f"{rows[-1][-1]} {line.strip()}".strip()
    return rows


def section(text: str, title: str) -> str:
    """What stands below a title of an RST text, up to the next title of the same rank."""
    lines = text.splitlines()
    start = lines.index(title)
    rank = lines[start + 1][0]
    end = next(
        (
            n
            for n in range(start + 2, len(lines) - 1)
            if _UNDERLINE.fullmatch(lines[n + 1]) and lines[n + 1][0] == rank and lines[n].strip()
        ),
        len(lines),
    )
    return "\n".join(lines[start + 2 : end])
