# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole playbooks by logins that have exactly the documents of access/ that the guide names for them."""

from __future__ import annotations

import json
import typing as t

import pytest

from demo.runs import PlaybookRun, run_playbook
from sandbox.estate import AWS_REGION, MANAGED_IDENTITY, WORKSPACE_ALIAS
from sandbox.testing import running_sandbox
from tests.access.documents import VALUES, given, load, rights_of, without

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

FEDERATE = (
    "aws/federate.json",
    "azure/federate.json",
    "azure/operations.json",
    "graph/federate.json",
    "kubernetes/federate.yml",
)
READ = ("aws/read.json", "azure/read.json", "graph/read.json", "kubernetes/read.yml")
TEARDOWN = ("aws/teardown.json", "azure/read.json", "graph/federate.json", "kubernetes/teardown.yml")
#: Options that need documents of their own, all at once.
OPTIONS = (
    "aks_amp_cluster_access=user",
    "aks_amp_policy_type=managed",
    f"aks_amp_managed_identity_name={MANAGED_IDENTITY}",
    "aks_amp_resource_policy=true",
    json.dumps({"aks_amp_managed_policy_arns": [VALUES["POLICY_ARN"]]}),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def log_in(sandbox: Sandbox, *paths: str, lacking: str = "") -> None:
    """Let the login have these documents, without the right of this name."""
    values = {**VALUES, "WORKSPACE_ID": sandbox.aws.workspace_id(WORKSPACE_ALIAS, AWS_REGION)}
    documents = [load(path, values) for path in paths]
    for place, document in enumerate(documents):
        for right in rights_of(document):
            if right.granted == lacking:
                documents[place] = without(document, right)
    sandbox.set_rights(given(documents))


def play(sandbox: Sandbox, playbook: str, *options: str) -> PlaybookRun:
    extra = [part for option in options for part in ("-e", option)]
    return run_playbook(f"playbooks/{playbook}.yml", sandbox.folder.inventory, "--limit", "fresh", *extra)


def assert_passes(run: PlaybookRun) -> None:
    """What the federated role itself may not do, as to query, is no right of the login's."""
    assert run.exit_code == 0, run.output[-6000:]
    for sentence in ("Grant the right", ":user/controller is not", "AuthorizationFailed", "RequestDenied"):
        assert sentence not in run.output


def test_each_playbook_passes_with_exactly_its_documents(sandbox: Sandbox) -> None:
    log_in(sandbox, *FEDERATE)
    federated = play(sandbox, "federate")
    assert_passes(federated)
    assert federated.changed("fresh") > 0
    log_in(sandbox, *READ)
    for playbook in ("verify", "drift"):
        assert_passes(play(sandbox, playbook))
    log_in(sandbox, *TEARDOWN)
    assert_passes(play(sandbox, "teardown"))
    assert sandbox.api_server("fresh").get("ServiceAccount", "monitoring", "prometheus-sa") is None


def test_with_options_the_further_documents_are_enough(sandbox: Sandbox) -> None:
    managed = (
        *("aws/options/managed-policy", "aws/options/further-policies", "aws/options/resource-policy"),
        "azure/options/managed-identity",
    )
    user = "azure/options/cluster-user.json"
    log_in(sandbox, *FEDERATE, *(f"{path}.json" for path in managed), user)
    assert_passes(play(sandbox, "federate", *OPTIONS))
    log_in(sandbox, *READ, "azure/options/managed-identity-read.json", user)
    assert_passes(play(sandbox, "verify", *OPTIONS))
    log_in(sandbox, *TEARDOWN, *(f"{path}-teardown.json" for path in managed), user)
    assert_passes(play(sandbox, "teardown", *OPTIONS))
    assert not sandbox.world.identities[0].credentials


def test_a_playbook_that_lacks_a_right_says_which(sandbox: Sandbox) -> None:
    log_in(sandbox, *FEDERATE, lacking="iam:CreateRole")
    refused = play(sandbox, "federate")
    assert refused.exit_code == 2
    assert "is not authorized to perform: iam:CreateRole on resource" in refused.output
