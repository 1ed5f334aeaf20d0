# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole proof against the sandbox, whose STS and AMP verify tokens and signatures themselves."""

from __future__ import annotations

import json
import logging
import time
import traceback
import typing as t

import pytest
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials, TokenExchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_check
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import failure_values, result_values
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT, Settings
from tests.unit.plugins.module_utils._resources.federation_proof import (
    Proof,
    SettlingClock,
    link,
    settle,
    statuses,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

PROVEN = ["ok", "ok", "ok", "ok", "ok", "ok", "unknown"]  # the finished cluster's role may not query


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def proof(running: Sandbox) -> Iterator[Proof]:
    yield Proof(running)
    running.reset()


# --- a chain in order -------------------------------------------------------------------------------------------------


def test_a_finished_chain_is_proven_by_a_stored_sample(proof: Proof) -> None:
    before = time.time()
    result = proof.run("finished")

    facts = t.cast("dict[str, t.Any]", result.facts)
    assert statuses(facts) == PROVEN
    assert facts["healthy"] is True
    assert result.warnings == ()
    assert result_values(result)["changed"] is False
    (stored,) = proof.sandbox.world.samples
    assert facts["sample"] == {
        "name": "aks_amp_federation_check",
        "labels": {
            "issuer": proof.sandbox.cluster("finished").issuer_url,
            "namespace": "monitoring",
            "role": "AKS-Prometheus-AMP-Role-finished",
            "service_account": "prometheus-sa",
        },
        "value": 1.0,
        "timestamp": stored.timestamp_ms,
    }
    assert dict(stored.labels) == {"__name__": "aks_amp_federation_check", **facts["sample"]["labels"]}
    assert (stored.value, stored.role_arn) == (1.0, proof.options("finished")["role_arn"])
    assert before <= stored.timestamp_ms / 1000 + 0.001 <= time.time() + 0.001
    assert facts["claims"]["sub"] == "system:serviceaccount:monitoring:prometheus-sa"
    assert facts["claims"]["aud"] == ["sts.amazonaws.com"]


def test_each_object_is_read_once(proof: Proof) -> None:
    start = proof.runner.last_request
    proof.run("finished")

    assert sorted(proof.runner.operations_since(start)) == sorted(
        [
            "OpenIdConfiguration",
            "JsonWebKeySet",
            "create serviceaccounts/token",
            "GetOpenIDConnectProvider",
            "GetRole",
            "AssumeRoleWithWebIdentity",
            # STS itself looks at the issuer.
            "OpenIdConfiguration",
            "JsonWebKeySet",
            "RemoteWrite",
            "QueryMetrics",
        ]
    )


def test_the_sample_is_read_back_when_the_role_may_query(proof: Proof) -> None:
    proof.allow_query("finished")
    facts = proof.look("finished")

    assert statuses(facts) == ["ok"] * 7
    assert facts["healthy"] is True


def test_a_role_that_may_not_query_leaves_only_the_read_back_open(proof: Proof) -> None:
    found = link(proof.look("finished"), "read_back")

    assert found["status"] == "unknown"
    assert "aps:QueryMetrics" in found["summary"]
    assert "aps:QueryMetrics" in found["fix"]


def test_an_older_sample_does_not_pass_for_the_new_one(proof: Proof) -> None:
    proof.allow_query("finished")
    proof.run("finished")
    facts = proof.with_clock_ahead("finished", seconds=120)

    assert link(facts, "remote_write")["status"] == "ok"
    assert link(facts, "read_back")["status"] == "broken"
    assert "does not show it after 30 seconds" in link(facts, "read_back")["summary"]


def test_the_token_exchange_alone_needs_no_workspace(proof: Proof) -> None:
    start = proof.runner.last_request
    facts = proof.look("finished", scope="token_exchange", workspace_arn=None, remote_write_url=None, query_url=None)

    assert statuses(facts) == ["ok"] * 5
    assert facts["healthy"] is True
    assert facts["sample"] is None
    assert proof.runner.writes_since(start) == []


def test_the_workspace_s_region_decides_and_not_the_option(proof: Proof) -> None:
    assert proof.look("finished", region="us-east-1")["healthy"] is True


def test_no_aws_credentials_are_needed_for_the_proof_itself(
    proof: Proof, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    facts = proof.look("finished", access_key=None, secret_key=None)

    assert statuses(facts) == ["ok", "ok", "unknown", "unknown", "ok", "ok", "unknown"]
    assert facts["healthy"] is True
    assert "access_key" in link(facts, "provider")["fix"]


# --- the guide's mistakes ---------------------------------------------------------------------------------------------


def test_the_guide_s_own_settings_fail_with_aws_s_text_and_every_link_named(proof: Proof) -> None:
    failed = proof.fail("halfdone")

    assert "is broken at: provider, trust policy and token exchange." in failed.message
    assert (
        "discovery ok > token ok > provider BROKEN > trust policy BROKEN > token exchange BROKEN > "
        "remote write not tried > read back not tried"
    ) in failed.message
    assert "InvalidIdentityToken: Incorrect token audience" in failed.message
    assert "doubled slash" in failed.message
    assert "any audience in the provider's client IDs would be accepted" in failed.message
    assert failed.facts["healthy"] is False
    assert proof.runner.clock.now == 0.0  # what was read explains the refusal: nothing is waited for
    assert proof.sandbox.world.samples == []
    values = failure_values(failed)
    assert values["links"] == failed.facts["links"]
    assert values["msg"] == failed.message


def test_a_broken_chain_can_be_looked_at_without_failing(proof: Proof) -> None:
    result = proof.run("halfdone", fail_on_broken=False)

    assert result.facts["healthy"] is False
    assert result.warnings == ()


def test_with_the_guide_s_token_audience_the_doubled_slash_is_what_refuses(proof: Proof) -> None:
    facts = proof.look("halfdone", audience="api://AzureADTokenExchange")

    assert statuses(facts)[:5] == ["ok", "ok", "ok", "broken", "broken"]
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in link(facts, "token_exchange")["found"]
    assert proof.runner.clock.now == 0.0


def test_a_missing_audience_condition_is_broken_though_metrics_flow(proof: Proof) -> None:
    proof.set_trust("finished", {"sub": "system:serviceaccount:monitoring:prometheus-sa"})
    failed = proof.fail("finished")

    assert statuses(failed.facts) == ["ok", "ok", "ok", "broken", "ok", "ok", "unknown"]
    assert "is broken at: trust policy." in failed.message
    assert len(proof.sandbox.world.samples) == 1


def test_the_token_of_another_cluster_is_not_exchanged(proof: Proof) -> None:
    start = proof.runner.last_request
    facts = proof.look("finished", context="halfdone")

    assert statuses(facts) == ["ok", "broken", "ok", "ok", "unknown", "unknown", "unknown"]
    assert "differs in iss" in link(facts, "token")["summary"]
    assert "AssumeRoleWithWebIdentity" not in proof.runner.operations_since(start)


def test_an_issuer_without_its_slash_is_broken_everywhere(proof: Proof) -> None:
    facts = proof.look("finished", issuer=proof.sandbox.cluster("finished").issuer_url.rstrip("/"))

    assert statuses(facts)[:4] == ["broken", "broken", "broken", "broken"]
    assert "slash or by case" in link(facts, "provider")["summary"]


def test_an_issuer_that_is_off_and_a_missing_account_are_broken_outside_check_mode(proof: Proof) -> None:
    failed = proof.fail("fresh")

    assert statuses(failed.facts) == ["broken"] * 4 + ["unknown"] * 3
    assert "There is no ServiceAccount monitoring/prometheus-sa" in link(failed.facts, "token")["summary"]


# --- check mode -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", ["fresh", "halfdone", "finished"])
def test_check_mode_writes_nothing_and_never_fails_or_waits(proof: Proof, cluster: str) -> None:
    start = proof.runner.last_request
    result = proof.run(cluster, check_mode=True)

    assert proof.runner.writes_since(start) == []
    assert proof.sandbox.world.samples == []
    assert proof.runner.clock.now == 0.0
    assert result.warnings == ()
    assert result_values(result)["changed"] is False


def test_check_mode_proves_a_finished_chain_up_to_the_exchange(proof: Proof) -> None:
    facts = proof.run("finished", check_mode=True).facts

    assert statuses(facts) == ["ok"] * 5 + ["unknown"] * 2
    assert link(facts, "remote_write")["summary"] == "Not sent in check mode."
    assert facts["healthy"] is True
    assert facts["sample"] is None


def test_check_mode_reports_what_is_broken(proof: Proof) -> None:
    facts = proof.run("halfdone", check_mode=True).facts

    assert statuses(facts) == ["ok", "ok", "broken", "broken", "broken", "unknown", "unknown"]


@pytest.mark.parametrize("unknown", [("issuer",), ("role_arn",), ("issuer", "role_arn")])
def test_on_a_fresh_estate_everything_is_unknown_in_check_mode(proof: Proof, unknown: tuple[str, ...]) -> None:
    changes = dict.fromkeys(unknown, KNOWN_AFTER_APPLY)
    facts = proof.run("fresh", check_mode=True, **changes).facts
    expected = ["unknown"] * 7 if "issuer" in unknown else ["broken", *["unknown"] * 6]  # its issuer is off

    assert statuses(facts) == expected
    assert facts["healthy"] is False
    assert "known after apply" in link(facts, "trust_policy")["summary"]


def test_what_a_run_would_create_first_is_unknown_in_check_mode(proof: Proof) -> None:
    """Issuer and account are there, provider and role are not."""
    cluster = proof.sandbox.cluster("finished")
    host_and_path = cluster.issuer_url.removeprefix("https://")
    proof.iam.delete_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}"
    )
    role_arn = f"arn:aws:iam::{AWS_ACCOUNT}:role/not-there-yet"
    facts = proof.run("finished", check_mode=True, role_arn=role_arn).facts

    assert statuses(facts) == ["ok", "ok", *["unknown"] * 5]
    assert "provider and the trust policy may be created first" in link(facts, "token_exchange")["summary"]


# --- missing rights ---------------------------------------------------------------------------------------------------


def test_without_the_right_to_make_tokens_the_chain_is_open_and_a_warning_says_so(proof: Proof) -> None:
    options: dict[str, t.Any] = {
        "host": proof.sandbox.cluster("finished").api_server_url,
        "api_key": proof.sandbox.api_server("finished").unprivileged_token,
        "ca_cert": str(proof.sandbox.ca_file),
        "kubeconfig": None,
        "context": None,
    }
    result = proof.run("finished", **options)

    facts = t.cast("dict[str, t.Any]", result.facts)
    assert statuses(facts) == ["ok", "unknown", "ok", "ok", "unknown", "unknown", "unknown"]
    assert "'create' on 'serviceaccounts/token' in namespace 'monitoring'" in link(facts, "token")["fix"]
    assert facts["healthy"] is False
    assert facts["claims"] is None
    (warning,) = result.warnings
    assert "The trust chain is not proven." in warning
    assert "token unknown > provider ok" in warning


def test_without_rights_in_iam_the_exchange_decides(proof: Proof) -> None:
    proof.sandbox.aws.set_controller_policies()
    facts = proof.look("finished")

    assert statuses(facts) == ["ok", "ok", "unknown", "unknown", "ok", "ok", "unknown"]
    assert "iam:GetOpenIDConnectProvider" in link(facts, "provider")["fix"]
    assert "iam:GetRole" in link(facts, "trust_policy")["fix"]
    assert facts["healthy"] is True


# --- the workspace ----------------------------------------------------------------------------------------------------


def test_a_role_without_the_permission_is_waited_for_and_then_explained(proof: Proof) -> None:
    proof.set_permissions("finished", ["aps:QueryMetrics"])
    failed = proof.fail("finished")

    found = link(failed.facts, "remote_write")
    assert found["status"] == "broken"
    assert "lacks aps:RemoteWrite on" in found["summary"]
    assert "no identity-based policy allows the aps:RemoteWrite action" in found["found"]
    assert link(failed.facts, "read_back")["summary"] == "Not tried because no sample was stored."
    assert failed.facts["sample"] is None
    assert proof.runner.clock.now == 30.0


def test_a_permission_for_another_workspace_is_no_permission(proof: Proof) -> None:
    proof.set_permissions("finished", ["aps:RemoteWrite"], arn=f"{proof.workspace_arn[:-1]}x")

    assert link(proof.look("finished"), "remote_write")["status"] == "broken"


def test_a_trailing_slash_is_explained_at_once(proof: Proof) -> None:
    facts = proof.look("finished", remote_write_url=f"{proof.api}/remote_write/")

    assert "without a trailing slash" in link(facts, "remote_write")["fix"]
    assert "Missing Authentication Token" in link(facts, "remote_write")["found"]
    assert proof.runner.clock.now == 0.0


def test_a_sample_that_is_too_old_is_refused_by_the_workspace(proof: Proof) -> None:
    facts = proof.with_clock_ahead("finished", seconds=-7200)

    found = link(facts, "remote_write")
    assert found["status"] == "broken"
    assert "out of bounds" in found["found"]
    assert "may write to the workspace, but the sample itself was refused" in found["summary"]


def test_the_region_of_another_workspace_is_refused(proof: Proof) -> None:
    arn = proof.workspace_arn.replace(":eu-west-1:", ":us-east-1:")

    assert link(proof.look("finished", workspace_arn=arn), "remote_write")["status"] == "broken"


# --- propagation ------------------------------------------------------------------------------------------------------


@pytest.fixture
def lagging() -> Iterator[Proof]:
    """A proof in a sandbox whose IAM changes reach STS and AMP an hour later, or when the clock says so."""
    with running_sandbox(Settings(iam_propagation_seconds=3600.0)) as sandbox:
        proof = Proof(sandbox)
        proof.runner.clock = SettlingClock(sandbox)
        yield proof


def test_a_repair_that_sts_does_not_know_yet_is_waited_for(lagging: Proof) -> None:
    lagging.repair("halfdone")

    assert statuses(lagging.look("halfdone")) == PROVEN
    assert lagging.runner.clock.now == 6.0  # three times two seconds


def test_a_permission_that_amp_does_not_know_yet_is_waited_for(lagging: Proof) -> None:
    lagging.set_permissions("finished", ["aps:QueryMetrics"])
    settle(lagging.sandbox)
    lagging.set_permissions("finished", ["aps:RemoteWrite"])

    assert statuses(lagging.look("finished")) == PROVEN
    assert lagging.runner.clock.now == 6.0


@pytest.mark.parametrize("wait_timeout", [0, 3])
def test_waiting_ends_with_the_refusal_as_it_is(lagging: Proof, wait_timeout: int) -> None:
    lagging.repair("halfdone")
    failed = lagging.fail("halfdone", wait_timeout=wait_timeout)

    assert "is broken at: token exchange." in failed.message
    assert "InvalidIdentityToken: Incorrect token audience" in failed.message
    assert lagging.runner.clock.now == wait_timeout


def test_all_retries_share_one_budget(lagging: Proof) -> None:
    """Six seconds go to the exchange, the rest to a permission that never comes."""
    lagging.set_permissions("finished", ["aps:QueryMetrics"])
    settle(lagging.sandbox)
    lagging.set_trust("finished", {"aud": "sts.amazonaws.com", "sub": "system:serviceaccount:default:default"})
    settle(lagging.sandbox)
    lagging.set_trust("finished", {"aud": "sts.amazonaws.com", "sub": "system:serviceaccount:monitoring:prometheus-sa"})
    facts = lagging.look("finished", wait_timeout=10)

    assert statuses(facts)[4:6] == ["ok", "broken"]
    assert lagging.runner.clock.now == 10.0


# --- no answer --------------------------------------------------------------------------------------------------------


def test_a_proxy_that_does_not_answer_breaks_what_lies_behind_it(proof: Proof) -> None:
    facts = proof.look("finished", https_proxy="http://127.0.0.1:9")

    assert statuses(facts) == ["broken", "ok", "broken", "broken", "broken", "unknown", "unknown"]
    assert "https_proxy" in link(facts, "token_exchange")["fix"]
    assert proof.runner.clock.now == 0.0


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cluster", ["finished", "halfdone"])
@pytest.mark.parametrize("url", ["remote_write", "remote_write/"])
def test_neither_token_nor_session_keys_leave_the_module(
    proof: Proof, cluster: str, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secrets: list[str] = []
    make, exchange = KubeClient.create_token, TokenExchange.exchange

    def making(client: KubeClient, namespace: str, name: str, audience: str, seconds: int) -> str:
        secrets.append(make(client, namespace, name, audience, seconds))
        return secrets[-1]

    def exchanging(client: TokenExchange, role_arn: str, token: str, session_name: str) -> SessionCredentials:
        session = exchange(client, role_arn, token, session_name)
        secrets.extend((session.access_key, session.secret_key, session.session_token))
        return session

    monkeypatch.setattr(KubeClient, "create_token", making)
    monkeypatch.setattr(TokenExchange, "exchange", exchanging)
    caplog.set_level(logging.INFO)
    shown = ""
    try:
        result = proof.run(cluster, remote_write_url=f"{proof.api}/{url}", wait_timeout=0)
        shown = json.dumps(result_values(result)) + repr(result)
    except errors.CheckFailed as failed:
        shown = json.dumps(failure_values(failed)) + "".join(traceback.format_exception(failed)) + repr(vars(failed))
    shown += caplog.text

    assert len(secrets) == (4 if cluster == "finished" else 1)
    assert "prometheus-sa" in shown
    for secret in secrets:
        assert secret not in shown
        assert secret.rpartition(".")[2] not in shown  # nor a token's signature alone


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"issuer": KNOWN_AFTER_APPLY}, "--tags aks_oidc_issuer"),
        ({"role_arn": KNOWN_AFTER_APPLY}, "--tags iam_web_identity"),
        ({"workspace_arn": KNOWN_AFTER_APPLY}, "--tags iam_web_identity"),
        ({"issuer": ""}, "'issuer' is empty"),
        ({"issuer": "https://issuer.example:8443/"}, "carries a port"),
        ({"audience": "sts amazonaws com"}, "audience"),
        ({"namespace": "*"}, "namespace"),
        ({"service_account": "Prometheus SA"}, "service account"),
        ({"role_arn": "AKS-Prometheus-AMP-Role"}, "not the ARN of an IAM role"),
        ({"workspace_arn": "ws-1"}, "not the ARN of an AMP workspace"),
        ({"remote_write_url": "http://aps.example/"}, "remote_write_url: 'http://aps.example/' is not an https URL"),
        ({"query_url": "aps.example"}, "query_url: 'aps.example' is not an https URL"),
        ({"wait_timeout": -1}, "wait_timeout must not be negative"),
        ({"poll_interval": 0}, "poll_interval must be greater than zero"),
    ],
)
def test_bad_input_is_refused_in_one_sentence_before_anything_is_asked(
    proof: Proof, changes: dict[str, t.Any], text: str
) -> None:
    start = proof.runner.last_request
    with pytest.raises((errors.InvalidInput, FederationError)) as caught:
        proof.run("finished", **changes)

    assert text in str(failure_values(caught.value)["msg"])
    assert proof.runner.operations_since(start) == []


def test_without_workspace_a_region_must_be_known(proof: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(errors.InvalidInput, match="No AWS region is known"):
        proof.look("finished", scope="token_exchange", workspace_arn=None, remote_write_url=None, region=None)


def test_the_full_scope_needs_the_workspace() -> None:
    arguments = federation_check.ARGUMENT_SPEC.module_arguments()
    spec = arguments.pop("argument_spec")
    values = {"issuer": "i", "namespace": "n", "service_account": "s", "role_arn": "r"}
    result = ModuleArgumentSpecValidator(spec, **arguments).validate(values)

    assert any("workspace_arn" in message for message in result.error_messages)
