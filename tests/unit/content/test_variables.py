# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of roles and playbooks: what a module offers can be said, and what can be said is documented."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    prometheus_remote_write,
    remote_write_file,
)
from tests.docs.pages import GUIDES, section

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
WIRING: t.Final[dict[str, t.Any]] = yaml.safe_load((ROOT / "playbooks/vars/wiring.yml").read_text(encoding="utf-8"))
PAGES: t.Final = "".join((GUIDES / f"{name}.rst").read_text(encoding="utf-8") for name in ("variables", "credentials"))
#: Options of a file that its own values make superfluous.
FILES_OWN = {"backup", "mode", "pipeline"}


def role_text(role: str, part: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "roles" / role / part).glob("*.yml")))


def task_arguments(file: str, module: str) -> dict[str, t.Any]:
    tasks = yaml.safe_load((ROOT / "roles" / file).read_text(encoding="utf-8"))
    (found,) = [task[f"crosscloud.aks_amp.{module}"] for task in tasks]
    return t.cast("dict[str, t.Any]", found)


def test_the_keys_of_one_of_several_are_those_that_the_roles_read() -> None:
    read = {key for role in ROLES for key in re.findall(r"aks_amp_instance\.(\w+)", role_text(role, "defaults"))}
    assert read == set(WIRING["aks_amp_prometheus_keys"])
    assert WIRING["aks_amp_prometheus_keys"] == sorted(read)


def test_each_key_of_one_of_several_is_named_on_the_page_of_variables() -> None:
    described = section(PAGES, "Several Prometheus in a cluster")
    for key in WIRING["aks_amp_prometheus_keys"]:
        assert f"``{key}``" in described, key


def test_the_settings_of_a_further_workspace_are_those_of_a_further_entry() -> None:
    options = prometheus_remote_write.ARGUMENT_SPEC.options["additional_remote_writes"]["options"]
    own = {"region", "remote_write_url"}
    assert set(WIRING["aks_amp_remote_write_settings"]) == options.keys() - own
    specs = yaml.safe_load((ROOT / "roles/iam_web_identity/meta/argument_specs.yml").read_text(encoding="utf-8"))
    said = specs["argument_specs"]["main"]["options"]["iam_web_identity_more_workspaces"]["options"].keys()
    looked_up = {"arn", "remote_write_url", "assume_role_arn", "assume_role_external_id"}
    assert said == set(WIRING["aks_amp_remote_write_settings"]) | looked_up
    described = section(PAGES, "Several workspaces")
    for key in said:
        assert key in described, key


@pytest.mark.parametrize(
    ("file", "module", "options", "left_out"),
    [
        ("main.yml", "prometheus_remote_write", prometheus_remote_write.ARGUMENT_SPEC.options, {"state"}),
        ("render.yml", "remote_write_file", remote_write_file.ARGUMENT_SPEC.options, {"state", *FILES_OWN}),
    ],
)
def test_the_role_passes_every_option_on(
    file: str, module: str, options: t.Mapping[str, t.Any], left_out: set[str]
) -> None:
    connection = {"no_proxy", "proxy_headers"}  # options that kubeconfigs hold
    passed = task_arguments(f"prometheus_remote_write/tasks/{file}", module).keys()
    assert passed == options.keys() - left_out - connection


def test_every_variable_that_users_set_is_on_the_page_of_variables() -> None:
    """What begins with ``aks_amp_`` in the roles' defaults comes from an inventory or from the playbooks."""
    used = {
        name
        for role in ROLES
        for name in re.findall(r"\baks_amp_\w+", role_text(role, "defaults") + role_text(role, "tasks"))
    }
    given = {name for name in used if name not in WIRING and name != "aks_amp_instance"}
    assert {name for name in given if f"``{name}``" not in PAGES} == set()
