# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three modules that need a cluster's API server, by each access through Azure: no kubeconfig is given."""

from __future__ import annotations

import dataclasses
import json
import re
import time
import typing as t

import pytest
import requests
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.crosscloud.aks_amp.plugins.doc_fragments import kubernetes
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import AksAmpError, Forbidden, InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KUBERNETES, KubeAuth, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    federated_service_account,
    federation_check,
    prometheus_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import failure_values, result_values
from sandbox import kubectl
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT, AZURE_SUBSCRIPTION, AZURE_TENANT, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate
from tests.unit.plugins.azure_estate import context as quick_context
from tests.unit.plugins.module_utils._resources.aws_modules import params_of
from tests.unit.plugins.module_utils._resources.federation_proof import Proof, link, statuses

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import ModuleDefinition, Result
    from sandbox.server import Sandbox

    Json = dict[str, t.Any]

EVERY = ["user", "admin", "run_command"]
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
#: What no result may show: a token of any kind, a key, a kubeconfig.
SECRET = re.compile(r"eyJ[\w-]+\.|PRIVATE KEY|certificate-authority-data|apiVersion: v1")


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """Nothing of the machine that runs the tests leads to a cluster."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "KUBECONFIG", "K8S_AUTH_KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    running.reset()
    running.world.settings.aks_run_command_seconds = 0.0
    return running


def aks(sandbox: Sandbox, access: str, cluster: str = "fresh", **changes: t.Any) -> Json:
    return {
        "access": access,
        "subscription_id": AZURE_SUBSCRIPTION,
        "resource_group": RESOURCE_GROUP,
        "name": cluster,
        "poll_interval": 0.01,
        "tenant": AZURE_TENANT,
        "client_id": CONTROLLER_CLIENT_ID,
        "secret": CONTROLLER_CLIENT_SECRET,
        "https_proxy": sandbox.proxy_url,
        "ca_bundle": str(sandbox.ca_file),
        **changes,
    }


ACCOUNT: t.Final[Json] = {"namespace": "monitoring", "name": "prometheus-sa", "client_id": "an-id"}
PROMETHEUS: t.Final[Json] = {
    "namespace": "monitoring",
    "configmap": "prometheus-config",
    "workload_name": "prometheus",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
}


def run(definition: ModuleDefinition, options: Json, *, check_mode: bool = False) -> Result:
    return definition.run(params_of(definition, options), quick_context(check_mode=check_mode))


@pytest.mark.parametrize("access", EVERY)
def test_the_objects_are_planned_written_and_found_again(sandbox: Sandbox, access: str) -> None:
    estate = AzureEstate(sandbox)
    steps = [
        (federated_service_account.DEFINITION, {**ACCOUNT, "aks": aks(sandbox, access)}),
        (prometheus_remote_write.DEFINITION, {**PROMETHEUS, "aks": aks(sandbox, access)}),
    ]
    for definition, options in steps:
        before = len(estate.writes())
        checked = run(definition, options, check_mode=True)
        assert checked.changes
        assert len(estate.writes()) == before
        applied = run(definition, options)
        assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
        assert len(estate.writes()) > before
        written = len(estate.writes())
        for check_mode in (True, False):
            again = run(definition, options, check_mode=check_mode)
            assert again.changes == ()
        assert len(estate.writes()) == written
        for result in (checked, applied, again):
            assert_no_secret(sandbox, result_values(result))
    assert {one.service for one in estate.requests() if one.write} == {"kubernetes/fresh"}


def assert_no_secret(sandbox: Sandbox, values: t.Mapping[str, object]) -> None:
    shown = json.dumps(values)
    assert SECRET.search(shown) is None
    assert CONTROLLER_CLIENT_SECRET not in shown
    assert sandbox.cluster("fresh").admin_token not in shown


@pytest.mark.parametrize("access", ["user", "admin"])
def test_the_chain_is_proven_through_azure(sandbox: Sandbox, access: str) -> None:
    through = aks(sandbox, access, "finished")
    result = Proof(sandbox).run("finished", kubeconfig=None, context=None, aks=through)
    assert result.facts["healthy"] is True
    assert_no_secret(sandbox, result_values(result))


def test_a_run_command_leaves_the_token_unknown_and_stores_none(sandbox: Sandbox) -> None:
    proof = Proof(sandbox)
    result = proof.run("finished", kubeconfig=None, context=None, aks=aks(sandbox, "run_command", "finished"))
    facts = result.facts
    assert statuses(facts)[:5] == ["ok", "unknown", "ok", "ok", "unknown"]
    assert "neither a token nor a secret must be stored there" in link(facts, "token")["summary"]
    assert link(facts, "token")["fix"].endswith("with aks.access set to user.")
    assert facts["healthy"] is False
    assert result.warnings
    assert not any(one.path.endswith("/token") for one in AzureEstate(sandbox).requests("kubernetes/finished"))


def test_a_cluster_that_azure_does_not_open_is_a_link_of_the_chain(sandbox: Sandbox) -> None:
    sandbox.cluster("finished").body["properties"]["disableLocalAccounts"] = True
    through = aks(sandbox, "admin", "finished")
    facts = Proof(sandbox).look("finished", kubeconfig=None, context=None, aks=through)
    assert statuses(facts)[:4] == ["ok", "broken", "ok", "ok"]
    assert link(facts, "token")["fix"] == "Set aks.access to user, which logs in by Microsoft Entra."
    without_login = aks(sandbox, "user", "finished", secret="wrong-secret")
    facts = Proof(sandbox).look("finished", kubeconfig=None, context=None, aks=without_login)
    assert "AADSTS7000215" in link(facts, "token")["summary"]
    assert "wrong-secret" not in json.dumps(facts)


def test_a_configuration_in_a_secret_is_not_asked_for_by_a_run_command(sandbox: Sandbox) -> None:
    estate = AzureEstate(sandbox)
    options = {name: value for name, value in PROMETHEUS.items() if name != "configmap"}
    for check_mode in (True, False):
        with pytest.raises(Forbidden) as caught:
            run(
                prometheus_remote_write.DEFINITION,
                {**options, "config_secret": "prometheus-config", "aks": aks(sandbox, "run_command")},
                check_mode=check_mode,
            )
        assert "neither a token nor a secret must be stored there" in caught.value.message
        assert caught.value.fix.endswith("with aks.access set to user.")
    assert not any("/secrets/" in one.path for one in estate.requests("kubernetes/fresh"))


def test_what_azure_keeps_of_run_commands_holds_no_credential(sandbox: Sandbox) -> None:
    estate = AzureEstate(sandbox)
    through = aks(sandbox, "run_command")
    run(federated_service_account.DEFINITION, {**ACCOUNT, "aks": through})
    run(prometheus_remote_write.DEFINITION, {**PROMETHEUS, "aks": through})
    token = estate.session().credential.get_token("https://management.azure.com/.default").token
    results = sorted({one.path for one in estate.requests("arm") if "/commandResults/" in one.path})
    assert results
    for path in results:
        answer = requests.get(
            f"https://management.azure.com{path}?api-version=2026-05-01",
            headers={"Authorization": f"Bearer {token}"},
            proxies={"https": sandbox.proxy_url},
            verify=str(sandbox.ca_file),
            timeout=10,
        )
        assert answer.status_code == 200
        assert SECRET.search(answer.json()["properties"]["logs"]) is None


def test_a_kubeconfig_beside_it_is_not_looked_at(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", "/nowhere")
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "none")
    options = {**ACCOUNT, "aks": aks(sandbox, "user")}
    assert run(federated_service_account.DEFINITION, options, check_mode=True).changes


def test_what_the_environment_supplies(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AZURE_SUBSCRIPTION_ID": AZURE_SUBSCRIPTION,
        "AZURE_TENANT_ID": AZURE_TENANT,
        "AZURE_CLIENT_ID": CONTROLLER_CLIENT_ID,
        "AZURE_CLIENT_SECRET": CONTROLLER_CLIENT_SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    given = aks(sandbox, "user")
    through = {name: given[name] for name in ("resource_group", "name", "https_proxy", "ca_bundle")}
    assert run(federated_service_account.DEFINITION, {**ACCOUNT, "aks": through}, check_mode=True).changes


def through_azure(**values: t.Any) -> KubeAuth:
    result = ModuleArgumentSpecValidator(dict(KUBERNETES.options)).validate({"aks": values})
    assert not result.error_messages, result.error_messages
    return KubeAuth.from_params(Params(result.validated_parameters))


RESOURCE_ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/n"


@pytest.mark.parametrize(
    "values",
    [
        {"subscription_id": "s", "resource_group": "g", "name": "n"},
        {"resource_id": RESOURCE_ID},
        {"resource_id": RESOURCE_ID, "subscription_id": "of-the-environment", "resource_group": "G", "name": "N"},
    ],
)
def test_ways_to_name_the_cluster(values: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    access = through_azure(**values).aks
    assert access is not None
    assert (access.ref.subscription_id, access.ref.resource_group, access.ref.name) == ("s", "g", "n")
    assert access.credential.value == "user"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "subscription_id and resource_group and name are not given"),
        ({"subscription_id": "s", "resource_group": "g", "name": ""}, "aks: name is not given"),
        ({"resource_id": RESOURCE_ID, "name": "other"}, "name another one"),
        ({"resource_id": "/subscriptions/s"}, r"aks\.resource_id is '/subscriptions/s'"),
        ({"resource_id": RESOURCE_ID, "poll_interval": 0}, "greater than zero"),
        ({"resource_id": RESOURCE_ID, "wait_timeout": -1}, "greater than zero"),
    ],
)
def test_what_names_no_cluster_is_said_before_anything_is_sent(
    values: Json, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    with pytest.raises(InvalidInput, match=message):
        through_azure(**values)


def test_the_secrets_of_the_login_are_hidden() -> None:
    hidden = {name for name, option in KUBERNETES.options["aks"]["options"].items() if option.get("no_log")}
    assert {"secret", "x509_certificate_password"} <= hidden


def test_the_three_modules_take_it() -> None:
    for module in (federated_service_account, prometheus_remote_write, federation_check):
        assert "aks" in module.DEFINITION.spec.options


# --- what goes wrong on the way ---------------------------------------------------------------------------------------

FAULTS = [
    Fault(Kind.THROTTLED, "arm", retry_after=1),
    Fault(Kind.ERROR, "arm", status=503),
    Fault(Kind.DROP_BEFORE, "arm"),
    Fault(Kind.DROP_AFTER, "arm"),
    Fault(Kind.ERROR_AFTER, "arm"),
    Fault(Kind.CONFLICT, "arm", status=409, code="OperationNotAllowed"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind.value}-{fault.status}")
@pytest.mark.parametrize(
    ("access", "operation", "nth"),
    [
        ("user", "ManagedClusters_ListClusterUserCredentials", 1),
        ("run_command", "ManagedClusters_Get", 1),
        ("run_command", "ManagedClusters_RunCommand", 1),  # a read
        ("run_command", "ManagedClusters_RunCommand", 3),  # creates the service account
        ("run_command", "ManagedClusters_GetCommandResult", 3),
    ],
)
def test_a_fault_on_the_way_ends_in_success_or_in_one_error_and_a_rerun_that_converges(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, fault: Fault, access: str, operation: str, nth: int
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)  # azure-core's own backing off
    armed = sandbox.world.faults.add(dataclasses.replace(fault, operation=operation, nth=nth))
    options = {**ACCOUNT, "aks": aks(sandbox, access)}
    try:
        first = run(federated_service_account.DEFINITION, options)
    except (AksAmpError, ApplyFailed):
        first = None
    if fault.kind is Kind.CONFLICT and operation.startswith(("ManagedClusters_Get", "ManagedClusters_List")):
        assert not armed.struck or first is None
    elif fault.kind is not Kind.ERROR_AFTER or operation.endswith("RunCommand"):
        assert armed.struck == 1
    again = run(federated_service_account.DEFINITION, options)
    assert run(federated_service_account.DEFINITION, options).changes == ()
    if first is not None:
        assert again.changes == ()
    stored = sandbox.api_server("fresh").get("ServiceAccount", "monitoring", "prometheus-sa")
    assert stored is not None
    assert stored["metadata"]["labels"] == {**MARK, "azure.workload.identity/use": "true"}
    assert stored["metadata"]["annotations"] == {"azure.workload.identity/client-id": "an-id"}


@pytest.mark.parametrize("output", ["", "Unable to connect to the server: net/http: TLS handshake timeout"])
def test_a_write_whose_output_says_nothing_is_looked_for(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    run_in_pod = kubectl.run

    def garbled(line: str, *arguments: t.Any) -> kubectl.Outcome:
        outcome = run_in_pod(line, *arguments)
        return kubectl.Outcome(1, output) if line.startswith("kubectl create") else outcome

    monkeypatch.setattr(kubectl, "run", garbled)
    options = {**ACCOUNT, "aks": aks(sandbox, "run_command")}
    assert [change.name for change in run(federated_service_account.DEFINITION, options).changes] == [
        "monitoring/prometheus-sa"
    ]
    assert run(federated_service_account.DEFINITION, options).changes == ()


def test_a_create_that_is_not_waited_for_to_its_end_is_found_by_the_next_run(sandbox: Sandbox) -> None:
    settings = sandbox.world.settings

    def take_long() -> None:
        settings.aks_run_command_seconds = 3600.0

    sandbox.world.faults.add(
        Fault(Kind.CALL, "arm", operation="ManagedClusters_RunCommand", nth=3, times=None, callback=take_long)
    )
    options = {**ACCOUNT, "aks": aks(sandbox, "run_command", wait_timeout=0.1)}
    with pytest.raises(ApplyFailed) as caught:
        run(federated_service_account.DEFINITION, options)
    values = failure_values(caught.value)
    assert values["changed"] is True
    assert "goes on in Azure. Run again later, which finds what it did" in str(values["msg"])
    sandbox.world.faults.clear()
    settings.aks_run_command_seconds = 0.0
    assert run(federated_service_account.DEFINITION, options).changes == ()


def test_the_documentation_of_the_option_says_what_its_spec_does() -> None:
    documented = yaml.safe_load(kubernetes.ModuleDocFragment.DOCUMENTATION)["options"]["aks"]["suboptions"]
    spec = KUBERNETES.options["aks"]["options"]
    assert documented.keys() == spec.keys()
    for option, entry in spec.items():
        for key in ("type", "default", "choices", "aliases"):
            assert documented[option].get(key) == entry.get(key), (option, key)
        for variable in entry.get("fallback", (None, []))[1]:
            assert f"E({variable})" in str(documented[option]["description"]), (option, variable)
