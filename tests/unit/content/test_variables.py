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


def set_by_themselves(value: object) -> t.Iterator[str]:
    """The names that roles and playbooks give something: variables, facts, results and items of loops."""
    if isinstance(value, dict):
        yield from (name for name in value if isinstance(name, str))
        yield from (value[keyword] for keyword in ("register", "loop_var") if keyword in value)
        for entry in value.values():
            yield from set_by_themselves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from set_by_themselves(entry)


def variables_of_users() -> set[str]:
    """What begins with ``aks_amp_``, is read and set nowhere. What is made in AWX has its own page and test."""
    playbooks = [path for path in (ROOT / "playbooks").rglob("*.yml") if "awx" not in path.name]
    roles = [path for part in ("defaults", "tasks") for path in (ROOT / "roles").glob(f"*/{part}/*.yml")]
    read: set[str] = set()
    own: set[str] = set()
    for path in (*playbooks, *roles):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        # Without comments; a name that is part of a pattern ends in an underscore.
        read |= set(re.findall(r"\baks_amp_\w*[a-z0-9]\b", yaml.safe_dump(content, width=10_000)))
        own |= set(set_by_themselves(content))
    return read - own


def test_every_variable_that_users_set_is_on_the_page_of_variables() -> None:
    found = variables_of_users()
    assert {"aks_amp_drift_report_dest", "aks_amp_fail_on_unknown", "aks_amp_python_interpreter"} <= found
    assert {name for name in found if f"``{name}``" not in PAGES} == set()


def test_no_variable_that_the_playbooks_set_themselves_is_on_the_page_of_variables() -> None:
    shown = set(re.findall(r"``(aks_amp_\w+)``", (GUIDES / "variables.rst").read_text(encoding="utf-8")))
    assert shown - variables_of_users() == set()
