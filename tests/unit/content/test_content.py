# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles, playbooks and metadata agree with each other and with the modules."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
STEPS = [
    "aks_oidc_issuer",
    "iam_web_identity",
    "entra_federation",
    "service_account",
    "prometheus_remote_write",
    "federation_check",
]


def load(path: Path) -> t.Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def requirements(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def test_there_is_one_role_a_step() -> None:
    assert sorted(STEPS) == ROLES
    assert load(ROOT / "playbooks" / "vars" / "wiring.yml")["aks_amp_steps"] == STEPS


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_defaults_argument_spec_and_readme_name_the_same_variables(role: str) -> None:
    folder = ROOT / "roles" / role
    specs = load(folder / "meta" / "argument_specs.yml")["argument_specs"]
    readme = (folder / "README.md").read_text(encoding="utf-8")
    entry_points = {path.stem for path in (folder / "tasks").glob("*.yml")}
    assert specs.keys() == entry_points
    for spec in specs.values():
        assert load(folder / "defaults" / "main.yml").keys() <= spec["options"].keys()
        for name in spec["options"]:
            assert name.startswith(f"{role}_")
            assert f"`{name}`" in readme, name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_uses_every_variable_that_it_documents(role: str) -> None:
    folder = ROOT / "roles" / role
    for name, spec in load(folder / "meta" / "argument_specs.yml")["argument_specs"].items():
        tasks = "".join(path.read_text(encoding="utf-8") for path in (folder / "tasks").glob("*.yml"))
        for option in spec["options"]:
            assert option in tasks, (name, option)


@pytest.mark.parametrize("role", ROLES)
def test_secrets_are_declared_as_such(role: str) -> None:
    options = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    for name, option in options.items():
        if name.endswith(("client_secret", "secret_key", "session_token", "api_key")):
            assert option["no_log"] is True, name


def test_the_action_group_holds_every_module() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    # Those that call no cloud know none of the options that the group carries, and would refuse them.
    calling = modules - {"drift_report", "federation_plan", "fleet_workspaces_info", "remote_write_file"}
    assert set(load(ROOT / "meta" / "runtime.yml")["action_groups"]["aks_amp"]) == calling


def test_exactly_the_members_of_the_action_group_are_documented_as_such() -> None:
    fragment = "  - crosscloud.aks_amp.attributes.action_group\n"
    modules = (ROOT / "plugins" / "modules").glob("*.py")
    documented = {path.stem for path in modules if fragment in path.read_text(encoding="utf-8")}
    assert documented == set(load(ROOT / "meta" / "runtime.yml")["action_groups"]["aks_amp"])


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")))
def test_every_module_has_an_integration_target(module: str) -> None:
    # A target is run as a role, so it must not carry the name of one of the collection's own.
    name = f"module_{module}" if module in ROLES else module
    assert (ROOT / "tests" / "integration" / "targets" / name / "tasks" / "main.yml").is_file()


@pytest.mark.parametrize("plugin", sorted(path.stem for path in (ROOT / "plugins" / "inventory").glob("*.py")))
def test_every_inventory_plugin_has_an_integration_target(plugin: str) -> None:
    target = ROOT / "tests" / "integration" / "targets" / f"inventory_{plugin}"
    assert (target / "tasks" / "main.yml").is_file()


def test_the_sdks_are_named_alike_wherever_they_are_named() -> None:
    wanted = requirements(ROOT / "requirements.txt")
    assert {line.split()[0] for line in wanted} == {
        "ansible-core",
        "boto3",
        "azure-identity",
        "azure-mgmt-containerservice",
        "msgraph-sdk",
        "kubernetes",
        "cryptography",
    }
    sdks = {line for line in wanted if not line.startswith("ansible-core")}
    assert requirements(ROOT / "tests" / "integration" / "requirements.txt") == sdks


def _stated(path: Path) -> dict[str, Requirement]:
    """What the documentation in a file of Python says it requires, by name; other conditions are left out."""
    found: dict[str, Requirement] = {}
    for text in re.findall(r'= r"""\n(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL):
        page = next((page for page in yaml.safe_load_all(text) if isinstance(page, dict)), {})
        for line in page.get("requirements", ()):
            # A package, its bound, and for which option it is needed.
            if named := re.match(r"[A-Za-z0-9-]+(?: *>= *[0-9.]+)?(?=,|$)", line):
                found[Requirement(named[0]).name] = Requirement(named[0])
    return found


FRAGMENTS: t.Final = sorted((ROOT / "plugins" / "doc_fragments").glob("*.py"))
PLUGINS: t.Final = [
    path for kind in ("modules", "inventory", "callback") for path in sorted((ROOT / "plugins" / kind).glob("[!_]*.py"))
]


def test_the_fragments_name_all_that_is_installed() -> None:
    assert _stated(ROOT / "plugins" / "doc_fragments" / "aws.py").keys() == {"boto3"}
    declared = {Requirement(line).name for line in requirements(ROOT / "requirements.txt")}
    assert {name for path in FRAGMENTS for name in _stated(path)} == declared - {"ansible-core"} | {"python"}


@pytest.mark.parametrize("path", [*FRAGMENTS, *PLUGINS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_documented_bounds_are_those_of_what_is_installed(path: Path) -> None:
    wanted = {one.name: one.specifier for one in map(Requirement, requirements(ROOT / "requirements.txt"))}
    wanted["python"] = SpecifierSet(load(ROOT / "tests" / "config.yml")["modules"]["python_requires"])
    if path.stem == "amp_resource_policy":  # its operation is younger than all that the others call
        wanted["boto3"] = SpecifierSet(">=1.41")
    stated = _stated(path)
    for name in stated.keys() & wanted.keys():
        assert stated[name].specifier == wanted[name], name


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.stem)
def test_a_plugin_says_which_python_it_needs(path: Path) -> None:
    by_fragment = "  - crosscloud.aks_amp.attributes\n" in path.read_text(encoding="utf-8")
    assert by_fragment or "python" in _stated(path)


@pytest.mark.parametrize("playbook", ["federate", "verify", "drift", "shared_reads", "teardown"])
def test_playbooks_run_locally_with_ansibles_own_interpreter_unless_told_otherwise(playbook: str) -> None:
    play, *others = [one for one in load(ROOT / "playbooks" / f"{playbook}.yml") if "hosts" in one]
    assert {one["connection"] for one in (play, *others)} == {"local"}
    assert "ansible_playbook_python" in play["vars"]["ansible_python_interpreter"]
    assert "sandbox" not in (ROOT / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")


def _keys_given_twice(node: yaml.Node) -> list[str]:
    """Keys that stand in a mapping and in one that is merged into it, of which Ansible warns."""
    if isinstance(node, yaml.SequenceNode):
        return [key for item in node.value for key in _keys_given_twice(item)]
    if not isinstance(node, yaml.MappingNode):
        return []
    keys = [key.value for key, _value in node.value if key.value != "<<"]
    merged = [value for key, value in node.value if key.value == "<<"]
    keys += [key.value for mapping in merged for key, _value in mapping.value]
    below = [key for _key, value in node.value for key in _keys_given_twice(value)]
    return [key for key in set(keys) if keys.count(key) > 1] + below


def test_a_key_that_is_given_twice_is_found() -> None:
    assert _keys_given_twice(yaml.compose("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n")) == ["x"]


@pytest.mark.parametrize("path", sorted((ROOT / "roles").rglob("*.yml")), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_key_of_a_role_is_given_twice(path: Path) -> None:
    assert _keys_given_twice(yaml.compose(path.read_text(encoding="utf-8"))) == []
