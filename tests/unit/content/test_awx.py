# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made in AWX fits the playbooks, the roles and itself."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import GUIDES

ROOT = Path(__file__).resolve().parents[3]
#: The variables that the report's playbooks take, which belong to no role.
OF_PLAYBOOKS = r"\b(?:aks_amp|tower|awx)_\w+"


class _Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


def _unsafe(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_constructor("!unsafe", _unsafe)


def load(name: str) -> t.Any:
    text = (ROOT / name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=_Loader)  # noqa: S506  # derived from the safe one


OBJECTS: t.Final[dict[str, t.Any]] = load("playbooks/vars/awx_objects.yml")
SETTINGS: t.Final[dict[str, t.Any]] = load("playbooks/vars/awx_settings.yml")
TEMPLATES: t.Final[list[dict[str, t.Any]]] = OBJECTS["aks_amp_awx_job_templates"]


def taken() -> set[str]:
    """The variables that playbooks and roles read."""
    files = [*(ROOT / "playbooks").rglob("*.yml"), *(ROOT / "roles").glob("*/defaults/main.yml")]
    texts = [path.read_text(encoding="utf-8") for path in files if "awx" not in path.name]
    return {name for text in texts for name in re.findall(OF_PLAYBOOKS, text)}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["playbook"])
def test_a_template_names_a_playbook_that_there_is(template: dict[str, t.Any]) -> None:
    assert (ROOT / template["playbook"]).is_file()
    assert template["job_type"] == ("check" if template["playbook"] == "playbooks/drift.yml" else "run")


def test_every_playbook_for_clusters_has_a_template() -> None:
    playbooks = {f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")}
    parts = {"playbooks/apply_awx.yml", "playbooks/shared_reads.yml"}
    assert {one["playbook"] for one in TEMPLATES} == playbooks - parts


def test_what_is_asked_or_set_is_taken_by_playbooks_or_roles() -> None:
    asked = {question["variable"] for question in OBJECTS["aks_amp_awx_questions"]}
    assert SETTINGS["aks_amp_awx_survey"].keys() == asked
    given = {name for one in TEMPLATES if isinstance(one["extra_vars"], dict) for name in one["extra_vars"]}
    named = asked | given | {OBJECTS["aks_amp_awx_teardown_question"]["variable"]}
    for part in ("slice", "part"):
        named |= OBJECTS[f"aks_amp_awx_{part}_vars"].keys()
    assert named - taken() == set()
    # The playbooks' own documentation: each is in the manual.
    pages = ("fleet_and_awx", "variables", "drift_reports")
    manual = "".join((GUIDES / f"{page}.rst").read_text(encoding="utf-8") for page in pages)
    assert {name for name in named if f"``{name}``" not in manual} == set()


def test_a_suggested_answer_is_one_of_the_choices() -> None:
    for question in OBJECTS["aks_amp_awx_questions"]:
        suggested = SETTINGS["aks_amp_awx_survey"][question["variable"]]
        assert isinstance(suggested, str)
        assert suggested in question.get("choices", [suggested])


def test_a_workflow_runs_templates_that_there_are_in_an_order_that_there_is() -> None:
    names = {one["name"] for one in TEMPLATES}
    for workflow in OBJECTS["aks_amp_awx_workflows"]:
        seen: list[str] = []
        for node in workflow["nodes"]:
            assert node["template"] in names
            following = node.get("success_nodes", []) + node.get("always_nodes", [])
            assert not set(following) & set(seen), "a node comes before those that follow it"
            assert set(following) <= {one["identifier"] for one in workflow["nodes"]}
            seen.append(node["identifier"])
    workflows = {one["name"] for one in OBJECTS["aks_amp_awx_workflows"]}
    assert {one["unified_job_template"] for one in OBJECTS["aks_amp_awx_schedules"]} <= workflows


def test_every_setting_is_used_and_documented_and_none_is_a_secret() -> None:
    used = (ROOT / "playbooks" / "vars" / "awx_objects.yml").read_text(encoding="utf-8")
    used += (ROOT / "playbooks" / "apply_awx.yml").read_text(encoding="utf-8")
    manual = (GUIDES / "fleet_and_awx.rst").read_text(encoding="utf-8")
    for name in SETTINGS:
        assert name in used, name
        assert f"``{name}``" in manual, name
    for one in (*OBJECTS["aks_amp_awx_cloud_credentials"], *OBJECTS["aks_amp_awx_cluster_credentials"]):
        assert one.keys() == {"name", "description", "credential_type"}


def test_the_credentials_are_of_types_that_awx_has() -> None:
    types = [
        one["credential_type"] for group in ("cloud", "cluster") for one in OBJECTS[f"aks_amp_awx_{group}_credentials"]
    ]
    assert types == [
        "Amazon Web Services",
        "Microsoft Azure Resource Manager",
        "OpenShift or Kubernetes API Bearer Token",
    ]


def test_the_manual_says_what_awx_injects_and_the_modules_take_it() -> None:
    """The names are those of AWX's injectors; which options take them is said by the options' fallbacks."""
    options = (ROOT / "plugins" / "module_utils" / "_options.py").read_text(encoding="utf-8")
    manual = (GUIDES / "fleet_and_awx.rst").read_text(encoding="utf-8")
    of_options = {"AZURE_CLIENT_ID", "AZURE_TENANT", "AZURE_SECRET", "AZURE_SUBSCRIPTION_ID", "AZURE_CLOUD_ENVIRONMENT"}
    of_options |= {"K8S_AUTH_HOST", "K8S_AUTH_API_KEY", "K8S_AUTH_VERIFY_SSL", "K8S_AUTH_SSL_CA_CERT"}
    of_boto3 = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"}
    for name in of_options | of_boto3:
        assert f"``{name}``" in manual, name
    for name in of_options:
        assert f'"{name}"' in options, name
