# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an action imports is imported in the controller, before its workers are forked: the SDKs that it needs, no
others, and nothing that a fork must not share."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

ROOT: t.Final = Path(__file__).resolve().parents[4]
ACTIONS: t.Final = "ansible_collections.crosscloud.aks_amp.plugins.action"
SDKS: t.Final = frozenset({"boto3", "azure.identity", "azure.mgmt.containerservice", "msgraph", "kubernetes"})

NEEDED: t.Final = {
    "aks_oidc_issuer": {"azure.identity", "azure.mgmt.containerservice"},
    "amp_resource_policy": {"boto3"},
    "amp_workspace_info": {"boto3"},
    "entra_federated_credential": {"azure.identity", "msgraph"},
    "federated_service_account": {"kubernetes"},
    "federation_check": {"boto3", "kubernetes"},
    "iam_oidc_provider_thumbprint": {"boto3"},
    "iam_web_identity_role": {"boto3"},
    "prometheus_remote_write": {"kubernetes"},
    "remote_write_file": set[str](),
}

#: Prints what importing an action led to.
IMPORT: t.Final = """
import importlib, json, os, sys, threading

events = []
sys.addaudithook(lambda event, _arguments: events.append(event))
importlib.import_module(sys.argv[1])
opened = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name != "3"]
print(json.dumps({
    "modules": sorted(sys.modules),
    "connected": [event for event in events if event in ("socket.connect", "socket.sendto", "ssl.wrap_socket")],
    "sockets": [name for name in opened if name.startswith("socket:")],
    "threads": threading.active_count(),
}))
"""

#: Fails to import an SDK, as where it is not installed, and runs a module's work.
WITHOUT_SDK: t.Final = """
import importlib, json, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2].split(","):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)

sys.meta_path.insert(0, Missing())
definition = importlib.import_module(sys.argv[1]).ActionModule.definition
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, perform

arguments = definition.spec.module_arguments()
validated = ArgumentSpecValidator(arguments.pop("argument_spec"), **arguments).validate(json.loads(sys.argv[3]))
assert not validated.error_messages, validated.error_messages
print(json.dumps(perform(definition, Params(validated.validated_parameters), Context(check_mode=True)).values))
"""

ISSUER: t.Final = "https://northeurope.oic.prod-aks.azure.com/tenant/cluster/"
ACCOUNT: t.Final = {"namespace": "monitoring", "name": "prometheus-sa"}
AKS: t.Final = {"subscription_id": "0b1f6471-1bf0-4dda-aec3-cb9272f09590", "resource_group": "rg", "name": "aks"}
ENTRA: t.Final = {
    "name": "aks-prometheus",
    "display_name": "b",
    "issuer": ISSUER,
    "namespace": "monitoring",
    "service_account": "prometheus-sa",
}
ROLE: t.Final = {"name": "a", "state": "absent", "issuer": ISSUER}
CHECK: t.Final = {
    "issuer": ISSUER,
    "namespace": "monitoring",
    "service_account": "prometheus-sa",
    "role_arn": "arn:aws:iam::123456789012:role/Writer",
    "scope": "token_exchange",
    "region": "eu-west-1",
}
PROMETHEUS: t.Final = {
    "namespace": "monitoring",
    "configmap": "prometheus-config",
    "workload_name": "prometheus",
    "service_account": "prometheus-sa",
    "role_arn": "arn:aws:iam::123456789012:role/Writer",
    "region": "eu-west-1",
    "remote_write_url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
}


def run(code: str, *arguments: str) -> dict[str, t.Any]:
    command = (sys.executable, "-W", "ignore", "-c", code, *arguments)
    environment = {"PYTHONPATH": str(ROOT / ".collections"), "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    finished = subprocess.run(  # noqa: S603  # this interpreter
        command, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, t.Any] = json.loads(finished.stdout)
    return found


def test_each_direct_action_is_looked_at() -> None:
    actions = (ROOT / "plugins" / "action").glob("*.py")
    assert {path.stem for path in actions if "DirectAction" in path.read_text(encoding="utf-8")} == set(NEEDED)


@pytest.mark.parametrize("action", NEEDED)
def test_an_action_loads_the_sdks_that_it_needs_and_opens_nothing(action: str) -> None:
    found = run(IMPORT, f"{ACTIONS}.{action}")
    assert SDKS & set(found["modules"]) == NEEDED[action]
    assert (found["connected"], found["sockets"], found["threads"]) == ([], [], 1)


@pytest.mark.parametrize(
    ("action", "library", "options"),
    [
        ("aks_oidc_issuer", "azure", AKS),
        ("amp_resource_policy", "boto3", {"alias": "a", "principals": ["arn:aws:iam::123456789012:role/a"]}),
        ("amp_workspace_info", "boto3", {"alias": "a"}),
        ("entra_federated_credential", "msgraph", ENTRA),
        ("federated_service_account", "kubernetes", ACCOUNT),
        ("federation_check", "kubernetes", CHECK),
        ("iam_oidc_provider_thumbprint", "boto3", {"issuer": ISSUER}),
        ("iam_web_identity_role", "boto3", ROLE),
        ("prometheus_remote_write", "kubernetes", PROMETHEUS),
    ],
)
def test_a_missing_sdk_is_said_by_the_task_and_not_by_the_import(
    action: str, library: str, options: dict[str, t.Any]
) -> None:
    found = run(WITHOUT_SDK, f"{ACTIONS}.{action}", library, json.dumps(options))
    assert f"No module named '{library}" in found["msg"]
    assert "Install" in found["msg"]
