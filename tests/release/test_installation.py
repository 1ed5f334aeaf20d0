# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installation as the documentation says it: in a clone, into the home of who does it."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest

from demo.runs import clean_environment
from tests.docs.pages import GUIDES, ROOT, blocks
from tests.release.environment import program, run

#: Where a user reads how to install.
PAGES: t.Final = (ROOT / "README.md", GUIDES / "getting_started.rst")


def documented(page: Path) -> str:
    """The commands of a page, from the first that builds the artifact on, as a user pastes them."""
    (text,) = [block.text for block in blocks(page) if "collection build" in block.text]
    lines = [line.removeprefix("$ ") for line in text.splitlines()]
    return "\n".join(line for line in lines if " pip install " not in line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_installed_in_a_clone_is_found_from_any_folder(page: Path, clone: Path, tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    path = os.pathsep.join((str(Path(program("ansible-galaxy")).parent), os.environ["PATH"]))
    environment = clean_environment() | {"HOME": str(home), "PATH": path, "COLUMNS": "120"}
    done = run("bash", "-euc", documented(page), folder=clone, environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was installed successfully" in done.stdout
    root = home / ".ansible" / "collections" / "ansible_collections" / "crosscloud" / "aks_amp"
    command = (program("ansible-playbook"), "-i", "localhost,", "--syntax-check", "crosscloud.aks_amp.federate")
    checked = run(*command, folder=elsewhere, environment=environment)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"playbook: {root / 'playbooks' / 'federate.yml'}" in checked.stdout
