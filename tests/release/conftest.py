# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tarfile
import typing as t
from pathlib import Path

import pytest

from demo.runs import clean_environment
from tests.release.environment import ROOT, fresh, program, run

if t.TYPE_CHECKING:
    from collections.abc import Sequence


def build(source: Path, destination: Path) -> Path:
    """The artifact that ``ansible-galaxy`` makes of a folder."""
    built = run(
        *(program("ansible-galaxy"), "collection", "build", "--output-path", str(destination), str(source)),
        folder=destination,
        environment=clean_environment(),
    )
    assert built.returncode == 0, built.stderr
    (artifact,) = destination.glob("crosscloud-aks_amp-*.tar.gz")
    return artifact


def names_of_git(*command: str) -> set[str]:
    """The names that a command of git lists."""
    listed = run("git", *command, "-z", folder=ROOT)
    assert listed.returncode == 0, listed.stderr
    return {name for name in listed.stdout.split("\0") if name}


def export(destination: Path) -> Path:
    """The files of the last commit, in a folder that is there."""
    archive = destination.with_suffix(".tar")
    exported = run("git", "archive", "--output", str(archive), "HEAD", folder=ROOT)
    assert exported.returncode == 0, exported.stderr
    with tarfile.open(archive) as packed:
        packed.extractall(destination, filter="data")
    return destination


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the last commit, as a release is."""
    return build(export(tmp_path_factory.mktemp("export")), tmp_path_factory.mktemp("artifact"))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The last commit as somebody has it who cloned it: with ``ansible.cfg`` and the link to itself."""
    folder = tmp_path / "clone"
    folder.mkdir()
    return export(folder)


@pytest.fixture(scope="session")
def artifact_of_this_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built where development and tests leave their traces."""
    return build(ROOT, tmp_path_factory.mktemp("working-tree"))


@pytest.fixture(scope="session")
def needed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The requirements files of the artifact, unpacked."""
    folder = tmp_path_factory.mktemp("requirements")
    with tarfile.open(artifact) as packed:
        for name in ("requirements.txt", "sandbox/requirements.txt"):
            packed.extract(name, folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def environment(needed: Path) -> Path:
    """A virtual environment with nothing but what the artifact declares."""
    return fresh("artifact", needed / "requirements.txt")


@pytest.fixture(scope="session")
def installed(artifact: Path, environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which that environment has installed the artifact, beside nothing else."""
    folder = tmp_path_factory.mktemp("collections")
    done = run(
        *(str(environment / "bin" / "ansible-galaxy"), "collection", "install", str(artifact), "-p", str(folder)),
        folder=folder,
        environment=clean_environment() | {"HOME": str(folder)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def ansible(
    environment: Path, installed: Path, folder: Path, command: Sequence[str], **variables: str
) -> tuple[int, str, str]:
    """Run one of Ansible's programs in ``folder``, with the installed collection and nothing of this clone."""
    settings = {"HOME": str(folder), "ANSIBLE_COLLECTIONS_PATH": str(installed), "COLUMNS": "120"} | variables
    finished = run(
        *(str(environment / "bin" / command[0]), *command[1:]),
        folder=folder,
        environment=clean_environment() | settings,
    )
    return finished.returncode, finished.stdout, finished.stderr
