# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the artifact: all that is meant to be published, and nothing that a folder of development holds beside."""

from __future__ import annotations

import fnmatch
import json
import re
import tarfile
import typing as t

import pytest
import yaml

from tests.release.conftest import names_of_git
from tests.release.environment import ROOT

if t.TYPE_CHECKING:
    from pathlib import Path

MEGABYTE = 1024 * 1024
#: Galaxy refuses more than 20 MB; users and mirrors have to load it.
LARGEST_ARTIFACT = 5 * MEGABYTE
LARGEST_FILE = MEGABYTE

#: Patterns of paths, or of the name of any folder or file.
NEVER = (
    *(".git", ".github", ".gitignore", ".ci", ".venv", ".cache", ".collections", ".sandbox", ".ansible", ".nox"),
    *("__pycache__", "*.pyc", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".coverage*"),
    *("tests/output", "integration_config.yml", "context", "ansible.cfg"),
    *("*.retry", "*.log", "*.tar", "*.tar.gz", "*.whl", "node_modules"),
    *("*.pem", "*.key", "*.pfx", "*.p12", "*.kubeconfig", "kubeconfig", ".env", ".vault*", "id_rsa*", "id_ed25519*"),
    *("*.swp", "*.orig", "*.rej", "*~", ".DS_Store", ".idea", ".vscode"),
)
#: The parts that somebody who installs the artifact looks for.
ALWAYS = (
    *("README.md", "COPYING", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSES/GPL-3.0-or-later.txt"),
    *("changelogs/changelog.yaml", "changelogs/config.yaml", "meta/runtime.yml", "meta/execution-environment.yml"),
    *("requirements.txt", "sandbox/requirements.txt", "bindep.txt", "demo/__main__.py", "execution-environment.yml"),
    *("docs/docsite/extra-docs.yml", "tests/config.yml", "MANIFEST.json", "FILES.json"),
)
#: Keys that open something somewhere. The sandbox has one that opens nothing, and says so; providers publish examples.
SECRETS = (
    re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{100,}"),
    re.compile(rb"\b(?:AKIA|ASIA)(?!SANDBOX|[A-Z0-9]*EXAMPLE)[A-Z2-7]{16}\b"),
    re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    re.compile(rb"\b[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{34}\b"),
)


def members(artifact: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(artifact) as packed:
        return {member.name.removeprefix("./"): member for member in packed.getmembers()}


def files(artifact: Path) -> set[str]:
    return {name for name, member in members(artifact).items() if not member.isdir()}


def forbidden(name: str) -> list[str]:
    """The patterns that a path meets."""
    return [
        pattern
        for pattern in NEVER
        if fnmatch.fnmatchcase(name, f"{pattern}/*")
        or any(fnmatch.fnmatchcase(part, pattern) for part in (name, *name.split("/")))
    ]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("roles/x/.venv/lib/site.py", ".venv"),
        ("plugins/modules/__pycache__", "__pycache__"),
        ("tests/output/junit/a.xml", "tests/output"),
        ("sandbox/kubeconfig", "kubeconfig"),
        ("playbooks/ansible.cfg", "ansible.cfg"),
    ],
)
def test_what_must_not_be_published_is_recognised(name: str, pattern: str) -> None:
    assert forbidden(name) == [pattern]


@pytest.mark.parametrize("which", ["artifact", "artifact_of_this_folder"])
def test_nothing_is_published_that_must_not_be(which: str, request: pytest.FixtureRequest) -> None:
    found = {name: forbidden(name) for name in members(request.getfixturevalue(which)) if forbidden(name)}
    assert not found


def test_a_folder_of_development_adds_nothing_to_what_git_knows(artifact_of_this_folder: Path) -> None:
    known = names_of_git("ls-files", "--cached", "--others", "--exclude-standard")
    assert files(artifact_of_this_folder) - known == {"MANIFEST.json", "FILES.json"}


def test_only_what_galaxy_yml_leaves_out_is_left_out(artifact: Path) -> None:
    left_out = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"]
    unexplained = {
        name
        for name in names_of_git("ls-tree", "-r", "--name-only", "HEAD") - files(artifact)
        if not any(fnmatch.fnmatchcase(name, pattern) or name.startswith(f"{pattern}/") for pattern in left_out)
    }
    assert unexplained == {"galaxy.yml"}  # what it said is in MANIFEST.json


@pytest.mark.parametrize("name", ALWAYS)
def test_what_users_look_for_is_there(name: str, artifact: Path) -> None:
    assert name in files(artifact)


def test_the_artifact_and_its_files_are_small(artifact: Path) -> None:
    assert artifact.stat().st_size < LARGEST_ARTIFACT
    assert not [name for name, member in members(artifact).items() if member.size > LARGEST_FILE]


def test_every_member_is_a_plain_file_or_folder_below_the_collection(artifact: Path) -> None:
    # A link or a path that leads out would be refused, or worse, when somebody unpacks it.
    for name, member in members(artifact).items():
        assert member.isfile() or member.isdir(), name
        assert not name.startswith("/"), name
        assert ".." not in name.split("/"), name


def test_binary_files_are_the_pictures_of_the_documentation(artifact: Path) -> None:
    with tarfile.open(artifact) as packed:
        contents = {member.name: _read(packed, member) for member in packed.getmembers() if member.isfile()}
    binary = {name for name, content in contents.items() if b"\0" in content}
    assert binary
    assert all(name.startswith("docs/images/") and name.endswith(".png") for name in binary)


def _read(packed: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = packed.extractfile(member)
    assert stream is not None
    return stream.read()


def leaked(content: bytes) -> list[str]:
    return [found.group().decode()[:60] for pattern in SECRETS for found in pattern.finditer(content)]


def test_a_key_is_recognised() -> None:
    # Put together here, so that this file does not hold what it looks for.
    key = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA" * 8
    access_key, token = "AKI" + "AQWERTYUIOPASDFGH", "gh" + "p_" + "a1B2" * 9
    text = f"{key}\n{access_key} AKIAIOSFODNN7EXAMPLE {token}".encode()
    assert leaked(text) == [key[:60], access_key, token]


def test_no_file_holds_a_key(artifact: Path) -> None:
    with tarfile.open(artifact) as packed:
        found = {member.name: leaked(_read(packed, member)) for member in packed.getmembers() if member.isfile()}
    assert not {name: keys for name, keys in found.items() if keys}


def test_the_manifest_describes_the_collection(artifact: Path) -> None:
    with tarfile.open(artifact) as packed:
        manifest: dict[str, t.Any] = json.loads(_read(packed, packed.getmember("MANIFEST.json")))
    described = manifest["collection_info"]
    assert (described["namespace"], described["name"]) == ("crosscloud", "aks_amp")
    assert artifact.name == f"crosscloud-aks_amp-{described['version']}.tar.gz"
    assert described["dependencies"] == {}
