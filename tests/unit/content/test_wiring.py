# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbooks' wiring and the roles' defaults make of the variables that users set, as Ansible evaluates it."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from demo.runs import ROOT, run_playbook

Json = dict[str, t.Any]


class _Loader(yaml.SafeLoader):
    """YAML as Ansible reads it."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))

ACCOUNT = "123456789012"
URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-{}/api/v1/remote_write"


def evaluate(folder: Path, cases: list[tuple[Json, str]]) -> list[t.Any]:
    """The values of expressions, each with variables of its own, in a play like those of the collection."""
    play: Json = {
        "hosts": "all",
        "gather_facts": False,
        "connection": "local",
        "vars_files": [
            *(str(path) for path in sorted((ROOT / "roles").glob("*/defaults/main.yml"))),
            str(ROOT / "playbooks/vars/wiring.yml"),
        ],
        "tasks": [
            {"ansible.builtin.debug": {"msg": {"value": f"{{{{ {expression} }}}}"}}, "vars": variables}
            for variables, expression in cases
        ],
    }
    playbook, inventory = folder / "play.yml", folder / "hosts.yml"
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    inventory.write_text(yaml.safe_dump({"aks": {"hosts": {"prod": {}}}}), encoding="utf-8")
    run = run_playbook(str(playbook), inventory)
    assert run.exit_code == 0, run.output[-4000:]
    return [task.result["msg"]["value"] for task in run.tasks]


PLACE = "[prometheus_remote_write_namespace, prometheus_remote_write_configmap, prometheus_remote_write_secret]"
SEVERAL: Json = {
    "aks_amp_prometheus": [
        {},
        {"namespace": "shop", "service_account": "watcher.one", "secret": "packed"},
        {"namespace": "shop", "service_account": "watcher.one", "workload_kind": "Prometheus"},
    ],
    "aks_amp_namespace": "observability",
    "aks_amp_prometheus_configmap": "config",
}
MORE: Json = {
    "aks_amp_more_workspaces": [
        {
            "arn": f"arn:aws:aps:eu-central-1:{ACCOUNT}:workspace/ws-1",
            "remote_write_url": URL.format(1),
            "chained_role_arn": f"arn:aws:iam::{ACCOUNT}:role/writer",
            "name": "audit",
            "write_relabel_configs": [{"regex": "a|b", "action": "keep"}],
        },
    ],
    "iam_web_identity_more_workspaces_result": {
        "results": [
            {
                "iam_web_identity_more": {"arn": "arn:of:another", "id": "x", "name": "second"},
                "workspace": {"remote_write_url": URL.format(2), "region": "eu-central-1"},
            }
        ]
    },
}


FOUND: Json = {
    "iam_web_identity_workspace_result": {"workspace": {"region": "r", "remote_write_url": "u"}},
    "iam_web_identity_found_role_result": {"arn": "arn:role"},
}


def test_what_variables_come_to(tmp_path: Path) -> None:
    long = {"namespace": "n" * 63, "service_account": "s" * 100}
    cases: list[tuple[Json, str, t.Any]] = [
        # One Prometheus, as it was before there could be several.
        ({}, "aks_amp_service_accounts", [{"namespace": "monitoring", "service_account": "prometheus-sa"}]),
        ({}, "iam_web_identity_service_accounts", [{"namespace": "monitoring", "name": "prometheus-sa"}]),
        ({}, "entra_federation_credential_name", "aks-prometheus-federation"),
        ({}, "entra_federation_more_service_accounts", []),
        ({}, "prometheus_remote_write_configmap", "prometheus-config"),
        ({}, "prometheus_remote_write_secret", ""),
        ({}, "prometheus_remote_write_additional_remote_writes", []),
        ({}, "iam_web_identity_audience", "sts.amazonaws.com"),
        # The token source says the audience, unless that is given.
        (
            {"aks_amp_token_source": "azure_workload_identity"},
            "iam_web_identity_audience",
            "api://AzureADTokenExchange",
        ),
        ({"aks_amp_token_source": "projected"}, "iam_web_identity_audience", "sts.amazonaws.com"),
        (
            {"aks_amp_token_source": "azure_workload_identity", "aks_amp_audience": "mine"},
            "iam_web_identity_audience",
            "mine",
        ),
        # Several: each service account once.
        (
            SEVERAL,
            "aks_amp_credentials",
            [
                {
                    "namespace": "observability",
                    "service_account": "prometheus-sa",
                    "name": "aks-prometheus-federation-observability_prometheus-sa",
                },
                {
                    "namespace": "shop",
                    "service_account": "watcher.one",
                    "name": "aks-prometheus-federation-shop_watcher_one",
                },
            ],
        ),
        (SEVERAL, "iam_web_identity_service_accounts | map(attribute='name') | list", ["prometheus-sa", "watcher.one"]),
        *(
            (
                {**SEVERAL, "aks_amp_instance": SEVERAL["aks_amp_prometheus"][index]},
                PLACE,
                expected,
            )
            for index, expected in enumerate(
                [["observability", "config", ""], ["shop", "", "packed"], ["shop", "", ""]]
            )
        ),
        # Of this kind, the configuration is where the entry says, whatever is set for all.
        (
            {"aks_amp_prometheus_secret": "all", "aks_amp_instance": {"configmap": "own"}},
            "[prometheus_remote_write_configmap, prometheus_remote_write_secret]",
            ["own", ""],
        ),
        # Further workspaces, given and looked up, before those that are entries already.
        (
            {**MORE, "aks_amp_prometheus_additional_remote_writes": [{"remote_write_url": "u", "region": "r"}]},
            "prometheus_remote_write_additional_remote_writes",
            [
                {
                    "remote_write_url": URL.format(1),
                    "region": "eu-central-1",
                    "chained_role_arn": f"arn:aws:iam::{ACCOUNT}:role/writer",
                    "name": "audit",
                    "write_relabel_configs": [{"regex": "a|b", "action": "keep"}],
                },
                {"remote_write_url": URL.format(2), "region": "eu-central-1", "name": "second"},
                {"remote_write_url": "u", "region": "r"},
            ],
        ),
        # What files were written by, where a teardown found out all of it.
        (FOUND, "aks_amp_teardown_chain", {"role_arn": "arn:role", "region": "r", "url": "u"}),
        (FOUND, "aks_amp_teardown_not_found", []),
        ({}, "aks_amp_teardown_chain", {}),
        *(
            ({**FOUND, name: lost}, "[aks_amp_teardown_chain, aks_amp_teardown_not_found]", [{}, ["It is gone."]])
            for name, lost in (
                ("iam_web_identity_workspace_result", {"msg": "It is gone."}),
                ("iam_web_identity_found_role_result", {"msg": "It is gone."}),
                ("iam_web_identity_more_workspaces_result", {"results": [{"msg": "It is gone."}]}),
            )
        ),
        (
            {"iam_web_identity_more_workspaces_result": {"results": [{"msg": "It is gone."}]}},
            "aks_amp_more_remote_writes",
            [],
        ),
        ({"aks_amp_prometheus": [{}, {"render_to": "a"}]}, "aks_amp_files", ["a"]),
        ({"aks_amp_prometheus_render_to": "b", "aks_amp_prometheus": [{"render_to": ""}, {}]}, "aks_amp_files", ["b"]),
        # What a teardown took the service accounts from.
        ({}, "aks_amp_released", []),
        (
            {
                "prometheus_remote_write_results": [
                    {"changed": True, "workload": "Deployment a/b"},
                    {"changed": True},
                    {"changed": False, "workload": "Deployment c/d"},
                ]
            },
            "aks_amp_released",
            ["Deployment a/b"],
        ),
        ({"aks_amp_prometheus": [{}, long]}, "[aks_amp_credentials[1].name | length]", [120]),
    ]
    found = evaluate(tmp_path, [(variables, expression) for variables, expression, _unused in cases])
    for (variables, expression, expected), value in zip(cases, found, strict=True):
        assert value == expected, (expression, json.dumps(variables)[:200])


def files_named(content: object) -> t.Iterator[str]:
    """The files that playbooks and tasks load, by what their keywords and options say."""
    if isinstance(content, list):
        for entry in content:
            yield from files_named(entry)
    elif isinstance(content, dict):
        for keyword, value in content.items():
            name = keyword.rpartition(".")[2] if isinstance(keyword, str) else ""
            if name == "vars_files":
                yield from value
            elif name in ("import_playbook", "import_tasks", "include_tasks", "include_vars"):
                yield value["file"] if isinstance(value, dict) else value
            else:
                yield from files_named(value)


def test_playbooks_and_roles_load_only_files_of_playbooks_and_roles() -> None:
    """What is called by its name in a collection may count on no other of its folders."""
    seen: set[str] = set()
    for path in (path for part in ("playbooks", "roles") for path in sorted((ROOT / part).rglob("*.yml"))):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\.\./|\b(?:playbook_dir|role_path|collection_dir)\b", text), path
        for named in files_named(yaml.load(text, Loader=_Loader)):  # noqa: S506  # derived from the safe one
            # A file that a condition chooses is named as a text in the template.
            for name in re.findall(r"'([\w/]+\.yml)'", named) if "{{" in named else [named]:
                assert (path.parent / name).is_file(), (path, name)
                seen.add(name)
    assert {"vars/wiring.yml", "vars/awx_objects.yml", "hosts.yml", "shared_reads.yml", "file_back.yml"} <= seen


@pytest.mark.parametrize("count", [2, 5])
def test_names_of_credentials_are_distinct_and_such_as_entra_takes(tmp_path: Path, count: int) -> None:
    """Also where hyphens and dots could be mistaken for the parts' border, and where names are long."""
    accounts = [
        {"namespace": "a-b", "service_account": "c"},
        {"namespace": "a", "service_account": "b-c"},
        {"namespace": "a", "service_account": "b.c"},
        {"namespace": "n" * 63, "service_account": "s" * 200 + "1"},
        {"namespace": "n" * 63, "service_account": "s" * 200 + "2"},
    ][-count:]
    (names,) = evaluate(
        tmp_path, [({"aks_amp_prometheus": accounts}, "aks_amp_credentials | map(attribute='name') | list")]
    )
    assert len(set(names)) == count
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}", name), name
