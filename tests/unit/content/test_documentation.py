# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation as a whole: what it leads to is there, and what is there can be found."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import GUIDES, ROOT

LABEL: t.Final = "ansible_collections.crosscloud.aks_amp.docsite."
BLOB: t.Final = "https://github.com/crosscloud/aks_amp/blob/main/"
EXTRA: t.Final = yaml.safe_load((ROOT / "docs" / "docsite" / "extra-docs.yml").read_text(encoding="utf-8"))
PAGES: t.Final = [page for section in EXTRA["sections"] for page in section["toctree"]]
MARKDOWN: t.Final = (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_every_guide_is_on_the_docsite_once() -> None:
    assert sorted(PAGES) == sorted(path.stem for path in GUIDES.glob("*.rst"))


def test_the_readme_leads_to_every_guide() -> None:
    readme = text_of(ROOT / "README.md")
    assert [page for page in PAGES if f"docs/docsite/rst/{page}.rst" not in readme and page != "contributing"] == []
    assert "CONTRIBUTING.md" in readme


@pytest.mark.parametrize("page", PAGES)
def test_a_guide_begins_with_its_label(page: str) -> None:
    assert f"\n.. _{LABEL}{page}:\n\n" in text_of(GUIDES / f"{page}.rst")


@pytest.mark.parametrize("path", sorted(GUIDES.glob("*.rst")), ids=lambda path: path.stem)
def test_the_files_that_a_guide_links_to_are_there(path: Path) -> None:
    for link in re.findall(rf"{re.escape(BLOB)}([\w./-]+)", text_of(path)):
        assert (ROOT / link).exists(), link
    for image in re.findall(r"^\.\. image:: \S+/main/(\S+)$", text_of(path), re.MULTILINE):
        assert (ROOT / image).exists(), image


@pytest.mark.parametrize("path", sorted(MARKDOWN), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_that_a_markdown_page_links_to_are_there(path: Path) -> None:
    for link in re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", text_of(path)):
        assert (path.parent / link).exists(), link


def test_make_help_names_every_target() -> None:
    makefile = text_of(ROOT / "Makefile").replace("\\\n", " ")
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert targets is not None
    shown = "\n".join(re.findall(r'^\t@echo "(make .+)"$', makefile, re.MULTILINE))
    parts = {"lint", "types", "unit", "sanity", "integration", "molecule", "help", "down"}
    assert [name for name in targets[1].split() if name not in parts and not re.search(rf"\b{name}\b", shown)] == []


def test_the_readme_is_short() -> None:
    assert len(text_of(ROOT / "README.md").splitlines()) <= 160
