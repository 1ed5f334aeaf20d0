# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which Ansible's community takes collections in, as far as files tell; and what a repository shows."""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[3]
GALAXY: t.Final[dict[str, t.Any]] = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
RELEASES: t.Final[dict[str, t.Any]] = yaml.safe_load(
    (ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8")
)["releases"]
#: Galaxy wants at least one of these among the tags.
CATEGORIES = {
    *("application", "cloud", "database", "eda", "infrastructure", "linux", "monitoring", "networking", "security"),
    *("storage", "tools", "windows"),
}
PLUGINS = sorted(
    path for kind in ("modules", "inventory", "callback") for path in (ROOT / "plugins" / kind).glob("[!_]*.py")
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted((ROOT / "roles").glob("*/README.md")),
]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def documentation(plugin: Path, part: str = "DOCUMENTATION") -> t.Any:
    found = re.search(rf'^{part} = r?"""(.*?)"""', plugin.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found, plugin
    return yaml.safe_load(found.group(1))


def values_of(key: str, tree: t.Any) -> list[str]:
    """All values of a key, wherever in the tree it is."""
    if isinstance(tree, dict):
        own = [str(tree[key])] if key in tree and not isinstance(tree[key], dict) else []
        return own + [value for below in tree.values() for value in values_of(key, below)]
    if isinstance(tree, list):
        return [value for below in tree for value in values_of(key, below)]
    return []


def keys_of(tree: t.Any) -> set[str]:
    if isinstance(tree, dict):
        return set(tree).union(*(keys_of(below) for below in tree.values()))
    return set().union(*(keys_of(below) for below in tree)) if isinstance(tree, list) else set()


def test_the_version_is_a_semantic_one_that_promises_something() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", GALAXY["version"])
    assert Version(GALAXY["version"]) >= Version("1.0.0")


def test_galaxy_yml_says_all_that_users_and_galaxy_ask_for() -> None:
    assert GALAXY["dependencies"] == {}
    assert GALAXY["license"] == ["GPL-3.0-or-later"]
    assert "license_file" not in GALAXY  # one excludes the other
    assert set(GALAXY["tags"]) & CATEGORIES
    assert all(re.fullmatch(r"[a-z][a-z0-9]{0,63}", tag) for tag in GALAXY["tags"])
    assert len(GALAXY["tags"]) <= 20
    assert all(GALAXY[key].startswith("https://") for key in ("repository", "documentation", "homepage", "issues"))
    assert (ROOT / GALAXY["readme"]).is_file()
    assert GALAXY["authors"]


def test_the_licence_is_there_as_text_and_said_by_the_same_name() -> None:
    text = (ROOT / "COPYING").read_text(encoding="utf-8")
    assert text.lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert text == (ROOT / "LICENSES" / "GPL-3.0-or-later.txt").read_text(encoding="utf-8")


def test_the_versions_of_ansible_core_are_said_alike() -> None:
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    needed = [Requirement(line) for line in lines_of("requirements.txt") if line.startswith("ansible-core")]
    (lowest,) = re.fullmatch(r">=(\d+\.\d+)\.0", runtime["requires_ansible"]).groups()  # type: ignore[union-attr]
    assert [str(requirement.specifier) for requirement in needed] == [f">={lowest}"]


def lines_of(name: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("name", ["requirements.txt", "sandbox/requirements.txt", "tests/release/requirements.txt"])
def test_what_is_needed_has_a_lower_bound_and_is_no_single_version(name: str) -> None:
    for line in lines_of(name):
        operators = {specifier.operator for specifier in Requirement(line).specifier}
        assert ">=" in operators, line
        assert not operators & {"==", "===", "~="}, line


@pytest.mark.parametrize("plugin", PLUGINS, ids=relative)
def test_a_plugin_says_since_when_it_is_there_and_who_made_it(plugin: Path) -> None:
    page = documentation(plugin)
    assert page["author"]
    assert page["short_description"]
    assert not page["short_description"].endswith(".")
    since = values_of("version_added", page)
    assert page["version_added"] in since
    assert all(known_version(version) for version in since)


@pytest.mark.parametrize("specs", sorted(ROOT.glob("roles/*/meta/argument_specs.yml")), ids=relative)
def test_a_role_says_since_when_it_and_its_variables_are_there(specs: Path) -> None:
    entry_points = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]
    for name, entry in entry_points.items():
        assert entry["version_added"], name
    assert all(known_version(version) for version in values_of("version_added", entry_points))


def known_version(version: str) -> bool:
    """Whether it was released or is the one that is going to be."""
    return version == GALAXY["version"] or version in RELEASES


def test_the_changelogs_releases_follow_each_other_up_to_this_version() -> None:
    versions = [Version(version) for version in RELEASES]
    assert versions == sorted(versions)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in RELEASES)
    assert all(version <= Version(GALAXY["version"]) for version in versions)


def test_a_release_that_is_in_the_changelog_is_in_the_pages_made_of_it() -> None:
    for page in ("CHANGELOG.md", "CHANGELOG.rst"):
        text = (ROOT / page).read_text(encoding="utf-8") if RELEASES else ""
        assert all(f"v{version}" in text.replace("\\", "") for version in RELEASES), page


def test_the_fragments_of_the_changelog_are_valid() -> None:
    pytest.importorskip("antsibull_changelog", reason="the oldest versions are tested without the tools of releases")
    command = (str(Path(sys.executable).parent / "antsibull-changelog"), "lint")
    linted = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603  # our own tool
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    "module", [path for path in PLUGINS if path.parent.name == "modules" and path.stem.endswith("_info")], ids=relative
)
def test_an_info_module_changes_nothing(module: Path) -> None:
    attributes = documentation(module)["attributes"]
    assert attributes["check_mode"]["support"] == "full"
    assert "state" not in documentation(module).get("options", {})
    assert "changed" not in (documentation(module, "RETURN") or {})


@pytest.mark.parametrize(
    "module", [path for path in PLUGINS if path.parent.name == "modules"], ids=lambda path: path.stem
)
def test_examples_name_modules_in_full(module: Path) -> None:
    used = keys_of(documentation(module, "EXAMPLES"))
    assert f"crosscloud.aks_amp.{module.stem}" in used
    assert not used & {path.stem for path in PLUGINS}


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert not [target for target in local if not (page.parent / target).exists()]


def test_the_ways_to_the_project_are_on_its_pages() -> None:
    assert "code_of_conduct.html" in (ROOT / "CODE_OF_CONDUCT.md").read_text(encoding="utf-8")
    for page in ("CONTRIBUTING.md", "SECURITY.md", "MAINTAINERS.md"):
        assert (ROOT / page).is_file()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=relative)
def test_a_workflow_has_few_rights_and_trusts_nothing_that_moves(workflow: Path) -> None:
    text = workflow.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert content["permissions"] == {}
    for job in content["jobs"].values():
        assert all(right == "read" for right in job["permissions"].values())
        for step in job["steps"]:
            assert "uses" not in step or re.search(r"@[0-9a-f]{40}$", step["uses"]), step
            # What an event says would become part of the command.
            assert "${{" not in step.get("run", ""), step


def test_there_is_a_workflow_that_runs_what_continuous_integration_runs() -> None:
    assert any(".ci/run" in path.read_text(encoding="utf-8") for path in WORKFLOWS)


@pytest.mark.parametrize("form", FORMS, ids=relative)
def test_an_issue_form_is_one_that_can_be_shown(form: Path) -> None:
    content = yaml.safe_load(form.read_text(encoding="utf-8"))
    assert set(content) == {"name", "description", "labels", "body"}
    asked = [entry for entry in content["body"] if entry["type"] != "markdown"]
    assert asked
    assert len({entry["id"] for entry in asked}) == len(asked)
    for entry in content["body"]:
        assert entry["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert entry["attributes"].get("value" if entry["type"] == "markdown" else "label")
        assert (entry["type"] in {"dropdown", "checkboxes"}) == bool(entry["attributes"].get("options"))


def test_no_sanity_error_is_ignored() -> None:
    assert not list((ROOT / "tests" / "sanity").glob("ignore-*.txt"))
