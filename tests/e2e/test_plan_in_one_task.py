# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one task plans for a cluster is what the roles plan, task by task, in check mode."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.collect import RESULTS, reported
from sandbox.faults import Fault, Kind

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

#: The modules whose tasks register results under these names.
MODULES = {
    "aks_oidc_issuer_result": ("aks_oidc_issuer",),
    "iam_web_identity_workspace_result": ("amp_workspace_info",),
    "iam_web_identity_provider_result": ("iam_oidc_provider_thumbprint",),
    "iam_web_identity_role_result": ("iam_web_identity_role",),
    "iam_web_identity_resource_policy_result": ("amp_resource_policy",),
    "entra_federation_result": ("entra_federated_credential",),
    "service_account_result": ("federated_service_account",),
    "prometheus_remote_write_result": ("prometheus_remote_write", "remote_write_file"),
    "federation_check_result": ("federation_check",),
}
HOSTS = ("fresh", "halfdone", "finished")


def planned(run: PlaybookRun, host: str) -> dict[str, list[Json]]:
    """What the one task found, by the names of results: of a step for several the whole list; not what was skipped."""
    steps: Json = run.result(host, "federation_plan")["steps"]
    found: dict[str, list[Json]] = {}
    for name in (name for name in MODULES if name in steps and not steps[name].get("skipped")):
        several = steps.get(f"{name}s", [])  # without the one that failed
        found[name] = _stable(several if steps[name] in several else [*several, steps[name]])
    return found


def by_roles(run: PlaybookRun, host: str) -> dict[str, list[Json]]:
    """What the roles' tasks found, the same way; of the check also what it found before step 5."""
    found: dict[str, list[Json]] = {}
    for task in run.tasks:
        module = task.action.rpartition(".")[2]
        name = next((name for name, modules in MODULES.items() if module in modules), None)
        if task.host == host and name is not None:
            told = {**task.result, **({"failed": True} if task.status == "failed" else {})}
            found.setdefault(name, []).append(_stable(reported({name: told})[name]))
    return found


def _stable(result: t.Any) -> t.Any:
    """Request IDs of clouds differ from request to request; whether a failure says that it changed nothing may, too."""
    if isinstance(result, list):
        return [_stable(one) for one in result]
    if result.get("failed"):
        result = {"changed": False, **result}
    text = json.dumps(result, sort_keys=True)
    for entry in _texts(result):
        if "RequestId" in entry or "request id" in entry.lower() or "Trace ID" in entry:
            text = text.replace(json.dumps(entry), '"~"')
    return json.loads(text)


def _texts(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _texts(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry)


TWO_PROMETHEUS = json.dumps(
    {
        "aks_amp_prometheus": [
            {"workload_name": "prometheus"},
            {"workload_name": "other", "service_account": "other-sa", "configmap": "prometheus-config"},
        ]
    }
)
TEMPLATES_OF_A_USER = json.dumps(
    {
        "aks_amp_prefix": "r",
        "aks_amp_permissions_boundary": "{{ aks_amp_no_boundary | default(omit) }}",
        "aks_amp_role_name": "{{ aks_amp_prefix }}-{{ inventory_hostname }}",
        "aks_amp_tags": {"cluster": "{{ aks_amp_cluster_name | upper }}", "suffix": "{{ aks_amp_suffix }}"},
    }
)
VARIANTS: dict[str, tuple[str, ...]] = {
    "all steps": (),
    "in processes": ("-e", "aks_amp_direct=false"),
    "late steps, earlier ones looked up": ("--tags", "service_account,prometheus_remote_write,federation_check"),
    "no Entra": ("-e", "aks_amp_entra_enabled=false", "--skip-tags", "federation_check"),
    "templates of a user": ("-e", TEMPLATES_OF_A_USER, "-e", "aks_amp_resource_policy=true"),
    "two Prometheus": ("-e", TWO_PROMETHEUS),
    "hosts by a pattern": ("-e", json.dumps({"aks_amp_hosts": ["fresh,halfdone", "finished"]})),
    "a bad argument": ("-e", "aks_amp_poll_interval=often"),
    "an unknown workspace": ("-e", "aks_amp_workspace_alias=none-of-that-name", "-e", "aks_amp_workspace_id="),
    "tags name the cluster": ("-e", '{"aks_amp_cluster_name": "", "aks_amp_cluster_tags": {"none": "such"}}'),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_one_task_plans_what_the_roles_plan(estate: Estate, variant: str) -> None:
    arguments = VARIANTS[variant]
    roles = estate.federate("--check", "--diff", *arguments)
    at_once = estate.play("drift", "--diff", *arguments)
    assert estate.writes() == []
    for host in HOSTS:
        shown = at_once.result(host, "federation_plan").get("diff") or []
        assert len(shown) == len({json.dumps(diff, sort_keys=True) for diff in shown}), "each difference is shown once"
        expected, found = by_roles(roles, host), planned(at_once, host)
        assert found == {name: results[-len(found[name]) :] for name, results in expected.items()}, host
        failed = next((task for task in roles.tasks if task.host == host and task.status == "failed"), None)
        failure = at_once.result(host, "federation_plan").get("failure")
        assert (failure is None) == (failed is None), (failure, failed)
        if failed is not None:
            assert failure is not None
            assert failed.task.rpartition(" : ")[2] == failure["task"]
            if "RequestId" not in failed.msg:
                assert failed.msg == failure["message"]


def test_a_cloud_that_refuses_fails_the_task_that_asked_it(estate: Estate) -> None:
    estate.sandbox.faults.add(Fault(Kind.EXPIRED_TOKEN, service="iam", operation="GetRole", times=None))
    run = estate.play("drift", "--limit", "finished")
    failure = run.result("finished", "federation_plan")["failure"]
    assert failure["task"] == "Ensure the IAM role that the service accounts may assume"
    assert "expired" in failure["message"].lower()


def test_names_of_results_are_those_of_the_report() -> None:
    assert set(MODULES) == {name for names in RESULTS.values() for name in names}
