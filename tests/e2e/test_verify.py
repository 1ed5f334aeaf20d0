# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook verify: it names what breaks the chain, by names only, whatever is missing."""

from __future__ import annotations

import json
import typing as t

from demo.summary import Demonstration, StoredSample

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

NO_BOUNDS = ("-e", "aks_amp_check_wait_timeout=0")


def explain(run: PlaybookRun) -> str:
    return run.output[-6000:]


def _kinds(run: PlaybookRun, cluster: str) -> list[str]:
    return [finding["kind"] for finding in run.result(cluster, "federation_check")["findings"]]


def test_the_guide_s_mistakes_are_named_and_gone_after_federate(estate: Estate) -> None:
    before = estate.play("verify", "--limit", "halfdone", *NO_BOUNDS)
    assert before.exit_code == 2, explain(before)
    assert estate.writes() == []
    kinds = _kinds(before, "halfdone")
    assert {
        "provider_audience_not_listed",
        "trust_policy_condition_key_misspelled",
        "trust_policy_audience_open",
        "entra_principal_missing",
        "configuration_own_role",
    } <= set(kinds)
    for line in ("provider BROKEN", "HIGH provider: ", "should be: sts.amazonaws.com", "--tags iam_web_identity"):
        assert line in before.output, line
    assert estate.federate("--limit", "halfdone").exit_code == 0
    after = estate.play("verify", "--limit", "halfdone")
    assert after.exit_code == 0, explain(after)
    assert _kinds(after, "halfdone") == []
    assert after.result("halfdone", "federation_check")["healthy"] is True
    stored = tuple(
        StoredSample(dict(one.labels), one.value, one.timestamp_ms, one.role_arn)
        for one in estate.sandbox.world.samples
    )
    shown = Demonstration({"halfdone": ""}, before, 0, after, after, after, stored).sample_of("halfdone")
    assert shown is not None
    assert shown.labels["role"] == "AKS-Prometheus-AMP-Role-halfdone"


def test_nothing_that_is_missing_keeps_it_from_saying_so(estate: Estate) -> None:
    run = estate.play("verify", "--limit", "fresh", *NO_BOUNDS)
    assert run.exit_code == 2, explain(run)
    assert estate.writes() == []
    kinds = _kinds(run, "fresh")
    assert kinds[0] == "cluster_oidc_issuer_off"
    assert "trust_policy_missing" in kinds
    assert "Traceback" not in run.output


def test_check_mode_looks_at_the_same_and_does_not_fail(estate: Estate) -> None:
    run = estate.play("verify", "--check", "--limit", "halfdone")
    assert run.exit_code == 0, explain(run)
    assert estate.writes() == []
    assert "provider_audience_not_listed" in _kinds(run, "halfdone")


def test_several_prometheus_are_looked_at_by_their_service_accounts(estate: Estate) -> None:
    instances = [{}, {"workload_name": "prometheus", "service_account": "other-sa"}]
    both = json.dumps({"aks_amp_prometheus": instances})
    run = estate.play("verify", "--limit", "finished", *NO_BOUNDS, "-e", both)
    assert run.exit_code == 2, explain(run)
    assert "service_account_missing" in run.output
    assert {write.operation for write in estate.writes()} <= {"RemoteWrite"}


def test_a_cluster_that_only_tags_name_is_found(estate: Estate) -> None:
    named = {
        "aks_amp_cluster_tags": estate.sandbox.cluster("finished").body["tags"],
        "aks_amp_cluster_name": "",
        "aks_amp_cluster_resource_id": "",
        "aks_amp_name_suffix": "-finished",
    }
    run = estate.play("verify", "--limit", "finished", *NO_BOUNDS, "-e", json.dumps(named))
    assert run.exit_code == 0, explain(run)
    assert _kinds(run, "finished") == []


def test_each_of_several_broken_chains_is_told(estate: Estate) -> None:
    accounts = [{}, {"workload_name": "prometheus", "service_account": "other-sa", "configmap": "prometheus-config"}]
    both = json.dumps({"aks_amp_prometheus": accounts})
    run = estate.play("verify", "--limit", "halfdone", *NO_BOUNDS, "-e", both)
    assert run.exit_code == 2, explain(run)
    assert "failed=1 " in run.output
    first, second = (task for task in run.tasks if task.action.endswith(".federation_check"))
    kinds = [{finding["kind"] for finding in task.result["findings"]} for task in (first, second)]
    assert "service_account_missing" in kinds[1] - kinds[0]
    assert run.tasks[-1].action.endswith("set_stats")
    (ending,) = [task for task in run.tasks if task.action.endswith("assert") and task.status == "failed"]
    assert ending.msg == f"monitoring/prometheus-sa: {first.msg} monitoring/other-sa: {second.msg}"
    (artifact,) = run.tasks[-1].result["ansible_stats"]["data"].values()
    assert artifact["clusters"]["halfdone"]["status"] == "failed"
    assert set(artifact["clusters"]["halfdone"]["findings"]) == kinds[0] | kinds[1]


def test_the_proof_of_federate_goes_on_after_a_broken_chain(estate: Estate) -> None:
    accounts = [{"service_account": "first-sa"}, {"workload_name": "more", "service_account": "second-sa"}]
    both = json.dumps({"aks_amp_prometheus": accounts})
    run = estate.play("federate", "--limit", "finished", "--tags", "federation_check", *NO_BOUNDS, "-e", both)
    assert run.exit_code == 2, explain(run)
    proofs = [task for task in run.tasks if task.action.endswith(".federation_check")]
    assert [task.status for task in proofs] == ["failed", "failed"]
    (ending,) = [task for task in run.tasks if task.action.endswith("assert") and task.status == "failed"]
    for name, proof in zip(("first-sa", "second-sa"), proofs, strict=True):
        assert f"monitoring/{name}: {proof.msg}" in ending.msg
    (artifact,) = run.tasks[-1].result["ansible_stats"]["data"].values()
    assert artifact["clusters"]["finished"]["status"] == "failed"
    assert artifact["clusters"]["finished"]["broken_links"]
