# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment as ansible-builder makes it, from a clone and from an installed collection."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from demo.runs import ROOT, clean_environment

pytest.importorskip("ansible_builder", reason="the oldest versions are tested without the tools of AWX")


def run(*command: str, folder: Path) -> str:
    program = str(Path(sys.executable).parent / command[0])
    finished = subprocess.run(  # noqa: S603  # the project's own
        (program, *command[1:]), cwd=folder, check=False, capture_output=True, text=True, env=clean_environment()
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.parametrize("origin", ["clone", "installed"])
def test_the_build_context_installs_the_collection_with_all_it_needs(
    origin: str, installed: Path, tmp_path: Path
) -> None:
    source = ROOT if origin == "clone" else installed / "ansible_collections" / "crosscloud" / "aks_amp"
    context = tmp_path / "context"
    run("ansible-builder", "create", "-f", "execution-environment.yml", "-c", str(context), folder=source)
    build = context / "_build"
    # What the recipe's stage "galaxy" does with it, and then its stage "builder".
    target = tmp_path / "share"
    run(
        *("ansible-galaxy", "collection", "install", "--offline", "--force"),
        *("-r", "requirements.yml", "-p", str(target)),
        folder=build,
    )
    found = yaml.safe_load(run("ansible-builder", "introspect", str(target), folder=tmp_path))
    needs = [line.partition("#")[0].strip() for line in found["python"]]
    stated = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line[:1] > "#"]
    assert ["ansible-core >= 2.16", *needs] == stated
    assert any(line.startswith("ca-certificates [platform:rpm]") for line in found["system"])
    collection = target / "ansible_collections" / "crosscloud" / "aks_amp"
    for file in (
        "playbooks/federate.yml",
        "playbooks/vars/awx_objects.yml",
        "plugins/inventory/aks_clusters.py",
        "MANIFEST.json",
    ):
        assert (collection / file).is_file(), file
    # Nothing of a development tree is in the image.
    assert not [path for path in build.rglob("*") if path.name in {".venv", ".git", "tests", "sandbox"}]


def test_the_recipe_asks_pip_for_words_that_a_shell_leaves_whole(tmp_path: Path) -> None:
    run("ansible-builder", "create", "-f", "execution-environment.yml", "-c", str(tmp_path / "context"), folder=ROOT)
    recipe = next(path for path in (tmp_path / "context").iterdir() if path.is_file()).read_text(encoding="utf-8")
    (wanted,) = re.findall(r'ARG ANSIBLE_INSTALL_REFS="([^"]*)"', recipe)
    assert wanted.split() == ["ansible-core>=2.16", "ansible-runner>=2.4"]
