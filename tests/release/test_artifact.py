# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artifact where somebody installs it: an environment with nothing but what it declares, and no clone in sight."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import typing as t
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from demo.runs import clean_environment
from tests.release.conftest import ansible
from tests.release.environment import ROOT, declared, install, run
from tests.release.sbom import complete, of_environment, written

if t.TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "crosscloud.aks_amp"
KINDS = {"module": "modules", "inventory": "inventory", "callback": "callback"}
#: What a playbook needs that is no dependency of the collection, and where that is declared.
OF_OTHERS = {"apply_awx": "awx.awx"}


def names(folder: str, suffix: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / folder).glob(f"*{suffix}"))


def distributions(environment: Path) -> dict[str, importlib.metadata.Distribution]:
    (packages,) = environment.glob("lib/python3*/site-packages")
    found = importlib.metadata.distributions(path=[str(packages)])
    return {canonicalize_name(distribution.metadata["Name"]): distribution for distribution in found}


@pytest.fixture(scope="session")
def root(installed: Path) -> Path:
    return installed / "ansible_collections" / "crosscloud" / "aks_amp"


@pytest.fixture(scope="session")
def parts(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where there is nothing of the collection but what its content may use."""
    path = tmp_path_factory.mktemp("parts")
    for part in ("meta", "playbooks", "plugins", "roles"):
        shutil.copytree(root / part, path / "ansible_collections" / "crosscloud" / "aks_amp" / part)
    return path


@pytest.fixture(scope="session")
def with_sandbox(environment: Path, needed: Path) -> Path:
    """The same environment with what the sandbox needs, for the tests at the end of this file."""
    install(environment, needed / "sandbox" / "requirements.txt")
    return environment


@pytest.mark.parametrize("kind", KINDS)
def test_every_plugin_has_its_documentation(kind: str, environment: Path, installed: Path, tmp_path: Path) -> None:
    plugins = [f"{NAME}.{name}" for name in names(f"plugins/{KINDS[kind]}", ".py")]
    code, output, errors = ansible(environment, installed, tmp_path, ["ansible-doc", "-t", kind, "--json", *plugins])
    assert code == 0, errors
    documented: dict[str, t.Any] = json.loads(output)
    assert sorted(documented) == plugins
    assert all(page["doc"]["version_added_collection"] == NAME for page in documented.values())


def test_every_role_has_its_documentation(environment: Path, installed: Path, tmp_path: Path) -> None:
    roles = [f"{NAME}.{name}" for name in names("roles", "")]
    code, output, errors = ansible(environment, installed, tmp_path, ["ansible-doc", "-t", "role", "--json", *roles])
    assert code == 0, errors
    assert sorted(json.loads(output)) == roles


@pytest.mark.parametrize("playbook", names("playbooks", ".yml"))
def test_every_playbook_is_found_by_its_name(
    playbook: str, environment: Path, installed: Path, root: Path, tmp_path: Path
) -> None:
    command = ["ansible-playbook", "-i", "localhost,", "--syntax-check", f"{NAME}.{playbook}"]
    code, output, errors = ansible(environment, installed, tmp_path, command)
    if playbook in OF_OTHERS:
        assert f"'{OF_OTHERS[playbook]}." in errors
        assert OF_OTHERS[playbook] in (ROOT / "awx" / "requirements.yml").read_text(encoding="utf-8")
    else:
        assert code == 0, output + errors
        assert f"playbook: {root / 'playbooks' / playbook}.yml" in output


def test_the_environment_holds_what_was_declared_and_no_test_tool(environment: Path, needed: Path) -> None:
    there = distributions(environment)
    for requirement in declared(needed / "requirements.txt"):
        assert requirement.specifier.contains(there[canonicalize_name(requirement.name)].version), requirement
    assert not {"pytest", "moto", "flask", "ruff", "mypy"} & set(there)


def test_the_parts_list_names_every_package_and_is_valid(environment: Path, needed: Path) -> None:
    listed = json.loads(written(complete(of_environment(environment), needed / "requirements.txt")))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    parts = {canonicalize_name(part["name"]): part for part in listed["components"]}
    there = distributions(environment)
    assert set(parts) == set(there) - {"pip"}
    assert {name: part["version"] for name, part in parts.items()} == {name: there[name].version for name in parts}
    assert all(part["purl"] == f"pkg:pypi/{name}@{part['version']}" for name, part in parts.items())
    top = listed["metadata"]["component"]
    assert top["name"] == NAME
    needs = {entry["ref"]: set(entry.get("dependsOn", ())) for entry in listed["dependencies"]}
    direct = {canonicalize_name(requirement.name) for requirement in declared(needed / "requirements.txt")}
    assert needs[top["bom-ref"]] == {parts[name]["bom-ref"] for name in direct}
    assert len(parts) > len(direct)


def test_the_demonstration_runs_to_its_end(with_sandbox: Path, root: Path, tmp_path: Path) -> None:
    shown = run(
        *(str(with_sandbox / "bin" / "python"), "-m", "demo"),
        folder=root,
        environment=clean_environment() | {"HOME": str(tmp_path)},
    )
    assert shown.returncode == 0, shown.stdout[-3000:] + shown.stderr
    assert "PROBLEM" not in shown.stdout
    assert shown.stdout.count("PLAY RECAP") == 4
    assert not (root / ".sandbox").exists()


@pytest.fixture
def inventory(with_sandbox: Path, root: Path, tmp_path: Path) -> Iterator[Path]:
    """The inventory of a sandbox that the installed collection starts, as its documentation says."""
    state = tmp_path / "state"

    def sandbox(command: str) -> None:
        done = run(
            *(str(with_sandbox / "bin" / "python"), "-m", "sandbox", command, "--state", str(state)),
            folder=root,
            environment=clean_environment(),
        )
        assert done.returncode == 0, done.stdout + done.stderr

    sandbox("up")
    try:
        yield state / "inventory"
    finally:
        sandbox("down")


def test_a_playbook_runs_by_its_name_from_any_folder(
    inventory: Path, with_sandbox: Path, parts: Path, tmp_path: Path
) -> None:
    command = ["ansible-playbook", "-i", str(inventory), "--check", "--limit", "fresh", f"{NAME}.federate"]
    code, output, errors = ansible(with_sandbox, parts, tmp_path, command)
    assert code == 0, output[-3000:] + errors
    (recap,) = (line for line in output.splitlines() if line.startswith("fresh ") and "changed=" in line)
    assert "failed=0" in recap
    assert "changed=0" not in recap
