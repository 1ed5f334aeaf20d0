# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole diagnosis: each fault has one finding, and what its fix says leaves none."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_check
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.azure_estate import RESOURCE_GROUP
from tests.unit.plugins.module_utils._resources.doctor import Doctor
from tests.unit.plugins.module_utils._resources.federation_proof import link

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

#: The caller may write what the steps write, and read nothing of IAM.
BLIND = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["aps:*", "sts:*"], "Resource": "*"}],
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def doctor(running: Sandbox) -> Iterator[Doctor]:
    yield Doctor(running)
    running.world.settings.sts_refusal_code = ""  # settings outlive a reset
    running.reset()


def test_a_chain_in_order_has_no_finding_and_every_link_is_looked_at(doctor: Doctor) -> None:
    doctor.allow_query("finished")
    facts = doctor.examine("finished", labels_query=True)
    assert facts["findings"] == []
    assert [(one["link"], one["status"]) for one in facts["links"]] == [
        (name, "ok")
        for name in (
            "cluster",
            "discovery",
            "token",
            "provider",
            "trust_policy",
            "permission",
            "workspace",
            "entra",
            "service_account",
            "webhook",
            "pod_template",
            "configuration",
            "pods",
            "token_exchange",
            "remote_write",
            "read_back",
        )
    ] + [("labels", "unknown"), ("entra_exchange", "ok")]
    assert "aks_amp_allow_query" in link(facts, "labels")["fix"]
    assert facts["healthy"]
    assert facts["issuer"] == doctor.sandbox.cluster("finished").issuer_url


def test_a_query_of_labels_needs_its_own_right(doctor: Doctor) -> None:
    doctor.set_permissions("finished", ["aps:RemoteWrite", "aps:QueryMetrics", "aps:GetLabels"])
    facts = doctor.examine("finished", labels_query=True)
    assert link(facts, "labels")["status"] == "ok"
    assert facts["findings"] == []


def test_a_diagnosis_writes_nothing_but_the_sample(doctor: Doctor) -> None:
    before = doctor.runner.last_request
    doctor.examine("finished")
    assert doctor.runner.writes_since(before) == ["RemoteWrite"]


def test_check_mode_writes_nothing_at_all_and_looks_at_the_same(doctor: Doctor) -> None:
    before = doctor.runner.last_request
    facts = doctor.examine("halfdone", check_mode=True)
    assert doctor.runner.writes_since(before) == []
    assert {finding["link"] for finding in facts["findings"]} >= {"provider", "trust_policy", "entra", "pod_template"}


# --- STS's error map --------------------------------------------------------------------------------------------------


class StsFault(t.NamedTuple):
    """How a refusal of STS is provoked, what names it with and without rights in IAM, and what repairs it."""

    make: Callable[[Doctor], None]
    seen: str
    unseen: str
    repair: Callable[[Doctor], None]
    source: str


def _provider(doctor: Doctor) -> str:
    return f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{doctor.sandbox.cluster('finished').issuer_url.removeprefix('https://')}"


def _take_client_id(doctor: Doctor) -> None:
    doctor.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=_provider(doctor), ClientID="api://AzureADTokenExchange"
    )
    doctor.iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=_provider(doctor), ClientID="sts.amazonaws.com"
    )


def _delete_provider(doctor: Doctor) -> None:
    doctor.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=_provider(doctor))


def _other_subject(doctor: Doctor) -> None:
    doctor.set_trust("finished", {"aud": "sts.amazonaws.com", "sub": "system:serviceaccount:monitoring:prometheus"})


def _step(doctor: Doctor) -> None:
    doctor.step_iam_web_identity("finished")


STS_FAULTS = {
    "Incorrect token audience": StsFault(
        _take_client_id,
        "provider_audience_not_listed",
        "token_exchange_audience_not_listed",
        _step,
        "Incorrect token audience",
    ),
    "No OpenIDConnect provider found": StsFault(
        _delete_provider,
        "provider_missing",
        "token_exchange_no_provider_for_issuer",
        _step,
        "No OpenIDConnect provider found in your account for https://",
    ),
    "Not authorized": StsFault(
        _other_subject,
        "trust_policy_subject_mismatch",
        "token_exchange_not_authorized",
        _step,
        "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ),
}


@pytest.mark.parametrize("name", STS_FAULTS)
def test_a_refusal_of_sts_has_one_cause_whose_fix_repairs_it(doctor: Doctor, name: str) -> None:
    fault = STS_FAULTS[name]
    fault.make(doctor)
    facts = doctor.examine("finished")
    (finding,) = facts["findings"]
    assert finding["kind"] == fault.seen
    assert finding["severity"] == "high"
    assert "iam_web_identity" in finding["fix"]
    assert finding["expected"] != finding["found"] or fault.seen == "provider_missing"
    exchange = link(facts, "token_exchange")
    assert exchange["status"] == "broken"
    assert fault.source in exchange["summary"]
    assert "It follows from what is wrong with the" in exchange["summary"]
    fault.repair(doctor)
    assert doctor.kinds("finished") == []


@pytest.mark.parametrize("name", STS_FAULTS)
def test_without_rights_in_iam_the_refusal_itself_is_explained(doctor: Doctor, name: str) -> None:
    fault = STS_FAULTS[name]
    fault.make(doctor)
    doctor.sandbox.aws.set_controller_policies(BLIND)
    role_arn = doctor.options("finished")["role_arn"]
    facts = doctor.examine("finished", role_name=None, role_arn=role_arn)
    (finding,) = facts["findings"]
    assert finding["kind"] == fault.unseen
    assert fault.source in finding["source"]
    assert "iam_web_identity" in finding["fix"]
    for hidden, right in (
        ("provider", "iam:GetOpenIDConnectProvider"),
        ("trust_policy", "iam:GetRole"),
    ):
        assert link(facts, hidden)["status"] == "unknown"
        assert right in link(facts, hidden)["fix"]


OUTSIDE = {
    "ExpiredTokenException": ("token_exchange_token_expired", "clock"),
    "IDPRejectedClaim": ("token_exchange_token_rejected_by_issuer", "Request a new token"),
    "IDPCommunicationError": ("token_exchange_issuer_not_reached_by_sts", "reachable from the public internet"),
    "RegionDisabledException": ("token_exchange_sts_region_disabled", "Activate STS for the region"),
    "ValidationError": ("token_exchange_session_too_long", "max_session_duration"),
}


@pytest.mark.parametrize("code", OUTSIDE)
def test_a_refusal_whose_cause_lies_elsewhere_is_explained_by_its_code(doctor: Doctor, code: str) -> None:
    kind, fix = OUTSIDE[code]
    doctor.sandbox.world.settings.sts_refusal_code = code
    facts = doctor.examine("finished")
    (finding,) = facts["findings"]
    assert finding["kind"] == kind
    assert fix in finding["fix"]
    assert finding["source"].rstrip(".") in link(facts, "token_exchange")["summary"]
    assert [link(facts, name)["status"] for name in ("provider", "trust_policy", "permission")] == ["ok"] * 3
    doctor.sandbox.world.settings.sts_refusal_code = ""  # what the fix does lies outside, too
    assert doctor.kinds("finished") == []


def test_a_refusal_that_nobody_knows_is_shown_raw_with_what_is_ruled_out(doctor: Doctor) -> None:
    doctor.sandbox.world.settings.sts_refusal_code = "SomethingNew"
    (finding,) = doctor.examine("finished")["findings"]
    assert finding["kind"] == "token_exchange_unexplained"
    assert finding["source"] == "The request was refused."
    assert {"discovery", "token", "provider", "trust_policy", "permission", "pods"} <= set(finding["ruled_out"])


def test_keys_that_aws_can_not_fetch(doctor: Doctor) -> None:
    """The issuer answers this machine, and not AWS."""

    def nowhere(url: str) -> Json:
        raise ConnectionRefusedError(url)

    doctor.sandbox.aws.set_issuer_fetcher(nowhere)
    (finding,) = doctor.examine("finished")["findings"]
    assert finding["kind"] == "token_exchange_keys_not_retrieved"
    assert "Couldn't retrieve verification key from your identity provider" in finding["source"]
    assert "reachable from the public internet" in finding["fix"]


def test_an_authority_that_aws_does_not_know_needs_the_right_thumbprint(doctor: Doctor) -> None:
    doctor.sandbox.aws.set_authority_of_issuers_known(known=False)
    doctor.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=_provider(doctor), ThumbprintList=["ab" * 20]
    )
    (unseen,) = doctor.examine("finished")["findings"]
    assert unseen["kind"] == "token_exchange_thumbprint_mismatch"
    assert "doesn't match configured thumbprint" in unseen["source"]
    anchors = [str(doctor.sandbox.ca_file)]
    (finding,) = doctor.examine("finished", trust_anchors=anchors)["findings"]
    assert finding["kind"] == "provider_thumbprint_mismatch"
    assert finding["found"] == "ab" * 20
    doctor.step_iam_web_identity("finished", thumbprints=["auto"], trust_anchors=anchors)
    assert doctor.kinds("finished", trust_anchors=anchors) == []


def test_the_leaf_s_thumbprint_that_the_guide_takes_is_a_remark(doctor: Doctor) -> None:
    anchors = [str(doctor.sandbox.ca_file)]
    facts = doctor.examine("halfdone", trust_anchors=anchors)
    remark = next(one for one in facts["findings"] if one["kind"] == "provider_thumbprint_of_the_leaf")
    assert remark["severity"] == "low"
    assert remark["expected"] != remark["found"]
    doctor.step_iam_web_identity("halfdone", thumbprints=["auto"], trust_anchors=anchors)
    facts = doctor.examine("halfdone", trust_anchors=anchors)
    assert link(facts, "provider")["status"] == "ok"
    assert "provider" not in {one["link"] for one in facts["findings"]}


def test_an_unknown_authority_says_nothing_of_thumbprints_without_anchors(doctor: Doctor) -> None:
    """Behind a proxy that opens TLS the certificates are its own."""
    doctor.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=_provider(doctor), ThumbprintList=["ab" * 20]
    )
    assert doctor.kinds("finished") == []


# --- permission -------------------------------------------------------------------------------------------------------


def _policy(doctor: Doctor, name: str, *statements: Json) -> None:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    doctor.iam.put_role_policy(RoleName=doctor.role("finished"), PolicyName=name, PolicyDocument=json.dumps(document))


def _nothing(doctor: Doctor) -> None:
    doctor.set_permissions("finished", ["aps:QueryMetrics"])


def _elsewhere(doctor: Doctor) -> None:
    doctor.set_permissions("finished", ["aps:RemoteWrite"], arn=f"{doctor.workspace_arn[:-4]}0000")


def _denied(doctor: Doctor) -> None:
    _policy(doctor, "Freeze", {"Effect": "Deny", "Action": "aps:Remote*", "Resource": "*"})


def _bounded(doctor: Doctor) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    arn = doctor.iam.create_policy(PolicyName="Boundary", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    doctor.iam.put_role_permissions_boundary(RoleName=doctor.role("finished"), PermissionsBoundary=arn)


PERMISSION_FAULTS: dict[str, Callable[[Doctor], None]] = {
    "permission_missing": _nothing,
    "permission_on_another_resource": _elsewhere,
    "permission_denied": _denied,
    "permission_boundary": _bounded,
}


@pytest.mark.parametrize("simulated", [True, False], ids=["simulated", "by documents"])
@pytest.mark.parametrize("kind", PERMISSION_FAULTS)
def test_a_403_of_the_workspace_has_one_cause(doctor: Doctor, kind: str, *, simulated: bool) -> None:
    PERMISSION_FAULTS[kind](doctor)
    if not simulated:
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        nothing_simulated = {"Effect": "Deny", "Action": "iam:Simulate*", "Resource": "*"}
        doctor.sandbox.aws.set_controller_policies(
            {"Version": "2012-10-17", "Statement": [everything, nothing_simulated]}
        )
    facts = doctor.examine("finished")
    (finding,) = facts["findings"]
    assert (finding["kind"], finding["severity"]) == (kind, "high")
    assert "aps:RemoteWrite" in finding["expected"]
    assert finding["found"]
    assert link(facts, "remote_write")["status"] == "broken"
    assert "It follows from what is wrong with the permission." in link(facts, "remote_write")["summary"]


def test_the_step_repairs_what_the_permission_lacks(doctor: Doctor) -> None:
    _elsewhere(doctor)
    assert doctor.kinds("finished") == ["permission_on_another_resource"]
    doctor.step_iam_web_identity("finished")
    assert doctor.kinds("finished") == []


def test_taking_out_what_denies_repairs_it(doctor: Doctor) -> None:
    _denied(doctor)
    _bounded(doctor)
    assert doctor.kinds("finished") == ["permission_denied", "permission_boundary"]
    doctor.iam.delete_role_policy(RoleName=doctor.role("finished"), PolicyName="Freeze")
    doctor.iam.delete_role_permissions_boundary(RoleName=doctor.role("finished"))
    assert doctor.kinds("finished") == []


def test_without_rights_in_iam_the_write_itself_is_explained(doctor: Doctor) -> None:
    _nothing(doctor)
    reads = ["aps:*", "sts:*", "iam:GetRole", "iam:GetOpenIDConnectProvider"]
    statement = {"Effect": "Allow", "Action": reads, "Resource": "*"}
    doctor.sandbox.aws.set_controller_policies({"Version": "2012-10-17", "Statement": [statement]})
    facts = doctor.examine("finished")
    (finding,) = facts["findings"]
    assert finding["kind"] == "remote_write_permission_missing"
    assert "not authorized to perform: aps:RemoteWrite" in finding["source"]
    assert link(facts, "permission")["status"] == "unknown"
    for right in ("iam:SimulatePrincipalPolicy", "iam:ListRolePolicies"):
        assert right in link(facts, "permission")["fix"]


def test_the_data_plane_s_other_refusals_are_explained(doctor: Doctor) -> None:
    doctor.sandbox.faults.add(Fault(Kind.THROTTLED, service="aps-workspaces", operation="RemoteWrite", times=None))
    (finding,) = doctor.examine("finished")["findings"]
    assert finding["kind"] == "remote_write_quota_exceeded"
    assert "Service Quotas" in finding["fix"]
    doctor.sandbox.faults.clear()
    assert doctor.kinds("finished") == []


# --- what is named ----------------------------------------------------------------------------------------------------


def test_a_role_that_is_not_there_keeps_the_rest_from_nothing(doctor: Doctor) -> None:
    facts = doctor.examine("finished", role_name="Nobody")
    (finding,) = [one for one in facts["findings"] if one["link"] != "pod_template"]
    assert finding["kind"] == "trust_policy_missing"
    assert "aks_amp_role_name" in finding["fix"]
    assert not link(facts, "token_exchange")["tried"]
    assert "there is no such role" in link(facts, "token_exchange")["summary"]
    assert [link(facts, name)["status"] for name in ("cluster", "discovery", "token", "workspace", "entra")] == [
        "ok"
    ] * 5


def test_a_workspace_that_is_not_there_keeps_the_rest_from_nothing(doctor: Doctor) -> None:
    facts = doctor.examine("finished", workspace_id=None, workspace_alias="nowhere")
    kinds = [one["kind"] for one in facts["findings"]]
    assert kinds == ["workspace_missing"]
    assert link(facts, "token_exchange")["status"] == "ok"
    assert "the workspace is not known" in link(facts, "remote_write")["summary"]


def test_an_issuer_that_is_off_is_the_cause_of_all(doctor: Doctor) -> None:
    facts = doctor.examine("fresh")
    first = facts["findings"][0]
    assert (first["link"], first["severity"]) == ("cluster", "high")
    assert "aks_oidc_issuer" in first["fix"]
    assert "the cluster's issuer is not known" in link(facts, "token")["summary"]
    doctor.step_aks_oidc_issuer("fresh")
    facts = doctor.examine("fresh")
    assert link(facts, "cluster")["status"] == "ok"
    assert link(facts, "discovery")["status"] == "ok"


@pytest.mark.parametrize("access", ["run_command", "admin"])
def test_a_cluster_that_is_stopped_is_the_cause_of_all(doctor: Doctor, access: str) -> None:
    doctor.sandbox.cluster("finished").body["properties"]["powerState"] = {"code": "Stopped"}
    way = {**doctor.azure, "resource_group": RESOURCE_GROUP, "name": "finished", "access": access}
    facts = doctor.examine("finished", kubeconfig=None, context=None, aks=way)
    assert facts["findings"][0]["kind"] == "cluster_stopped"
    assert {one["link"] for one in facts["findings"]} == {"cluster"}
    assert "az aks start" in facts["findings"][0]["fix"]


def test_another_issuer_than_the_given_one_is_said(doctor: Doctor) -> None:
    issuer = doctor.sandbox.cluster("halfdone").issuer_url
    facts = doctor.examine("finished", issuer=issuer, entra=None, prometheus=[])
    finding = facts["findings"][0]
    assert finding["kind"] == "cluster_issuer_differs"
    assert (finding["found"], finding["expected"]) == (issuer, doctor.sandbox.cluster("finished").issuer_url)


def test_the_guide_s_cluster_is_repaired_by_the_steps_that_the_fixes_name(doctor: Doctor) -> None:
    facts = doctor.examine("halfdone")
    named = {step for one in facts["findings"] for step in STEPS if step in one["fix"]}
    assert named == {"iam_web_identity", "entra_federation", "prometheus_remote_write"}
    doctor.step_iam_web_identity("halfdone")
    doctor.step_entra_federation("halfdone")
    doctor.step_prometheus_remote_write("halfdone")
    left = doctor.examine("halfdone")
    assert [one["kind"] for one in left["findings"]] == [], left["text"]


STEPS = ("aks_oidc_issuer", "iam_web_identity", "entra_federation", "service_account", "prometheus_remote_write")


# --- failing ----------------------------------------------------------------------------------------------------------


def test_a_finding_fails_from_the_chosen_severity_on(doctor: Doctor) -> None:
    anchors = {"trust_anchors": [str(doctor.sandbox.ca_file)], "fail_on_broken": True}
    doctor.step_iam_web_identity("finished", thumbprints=[_leaf(doctor)])
    facts = doctor.examine("finished", **anchors)
    assert [one["kind"] for one in facts["findings"]] == ["provider_thumbprint_of_the_leaf"]
    with pytest.raises(errors.CheckFailed) as caught:
        doctor.examine("finished", **anchors, fail_severity="low")
    assert "is not broken, but not in order either" in str(caught.value)
    assert caught.value.facts["findings"] == facts["findings"]


def _leaf(doctor: Doctor) -> str:
    """The thumbprint that the guide's openssl command would give."""
    thumbprints: list[str] = doctor.iam.get_open_id_connect_provider(
        OpenIDConnectProviderArn=_provider(doctor).replace(
            doctor.sandbox.cluster("finished").issuer_url.removeprefix("https://"),
            doctor.sandbox.cluster("halfdone").issuer_url.removeprefix("https://"),
        )
    )["ThumbprintList"]
    return thumbprints[0]


def test_other_scopes_refuse_what_they_would_not_look_at(doctor: Doctor) -> None:
    with pytest.raises(errors.InvalidInput, match="azure is given, and the scope is full"):
        doctor.run("finished", azure=doctor.azure)
    with pytest.raises(errors.InvalidInput, match="prometheus is given"):
        doctor.run("finished", prometheus=[{"workload_name": "prometheus", "configmap": "prometheus-config"}])


def test_no_token_and_no_key_is_in_a_result(doctor: Doctor) -> None:
    """Tokens begin as JSON does in base64, session keys as AWS' do."""
    text = json.dumps([doctor.examine("finished"), doctor.examine("halfdone")])
    assert "eyJ" not in text
    assert "ASIA" not in text
    assert federation_check.ARGUMENT_SPEC.options["azure"]["options"]["secret"]["no_log"]
