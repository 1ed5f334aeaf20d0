# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iam_web_identity_role for several clusters and workspaces: shared roles, pruning, kinds of policies, findings."""

from __future__ import annotations

import itertools
import json
import threading
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import IamRoles
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, failure_values
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.aws_modules import Runner, params_of
from tests.unit.plugins.module_utils._resources.role_of import POLICY, SERVICE_ACCOUNTS, RoleOf

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result

EC2 = {"Sid": "Ec2", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
HOST = "https://westeurope.oic.prod-aks.azure.com/11111111-2222-3333-4444-555555555555"
REMOTE_WRITE = "arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"
ELSEWHERE = "arn:aws:aps:us-east-1:210987654321:workspace/ws-2"
CHAINED = "arn:aws:iam::210987654321:role/Metrics-Writer"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(runner: Runner) -> None:
    runner.sandbox.reset()


@pytest.fixture
def finished(runner: Runner) -> RoleOf:
    """A role that was made by hand, for a cluster whose provider exists."""
    return RoleOf(runner, "finished")


@pytest.fixture
def own(runner: Runner) -> RoleOf:
    """A role that this collection created."""
    role = RoleOf(runner, "finished")
    role.name = "Own-Role"
    role.run()
    return role


def providers_of(role: RoleOf) -> list[str]:
    """The issuers that the role trusts, by their URLs' last part."""
    return sorted(entry["Principal"]["Federated"].rstrip("/").rpartition("/")[2] for entry in role.statements())


def findings_of(result: Result) -> list[dict[str, str]]:
    return t.cast("list[dict[str, str]]", result.facts["findings"])


def as_cluster(role: RoleOf, name: str) -> str:
    """An issuer with a provider of its own."""
    issuer = f"{HOST}/{name}/"
    role.create_provider(issuer)
    return issuer


# Several clusters in one role


def test_clusters_share_a_role_with_a_statement_each(own: RoleOf) -> None:
    (first,) = own.statements()
    result = own.contract(issuer=as_cluster(own, "b"))
    assert own.statements()[0] == first
    assert len(own.statements()) == 2
    assert [change.kind for change in result.changes] == ["IAM trust policy"]
    assert own.run().changes == ()


def test_clusters_with_workspaces_of_their_own_do_not_undo_each_other(own: RoleOf) -> None:
    issuer, start = as_cluster(own, "b"), own.runner.last_request
    with pytest.raises(errors.Refused, match="would lose the right to write to") as caught:
        own.run(issuer=issuer, workspace_arns=[ELSEWHERE])
    assert own.workspace_arn in caught.value.message
    assert own.issuer in caught.value.message
    assert own.runner.writes_since(start) == []
    own.contract(issuer=issuer, workspace_arns=[own.workspace_arn, ELSEWHERE])
    with pytest.raises(errors.Refused, match=f"would lose the right to write to {ELSEWHERE}"):
        own.run()


def test_a_cluster_that_was_rebuilt_for_another_workspace_replaces_its_stale_statement(own: RoleOf) -> None:
    rebuilt = as_cluster(own, "rebuilt")
    own.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=own.statements()[0]["Principal"]["Federated"])
    with pytest.raises(errors.Refused) as caught:
        own.run(issuer=rebuilt, workspace_arns=[ELSEWHERE])
    assert "prune_stale_issuers" in caught.value.fix
    own.contract(issuer=rebuilt, workspace_arns=[ELSEWHERE], prune_stale_issuers=True)
    assert providers_of(own) == ["rebuilt"]
    assert own.permission()["Statement"][0]["Resource"] == ELSEWHERE


def test_a_statement_that_others_put_into_the_inline_policy_of_their_role_is_not_lost(finished: RoleOf) -> None:
    theirs = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::rules/*"}
    document = {"Version": "2012-10-17", "Statement": [*finished.permission()["Statement"], theirs]}
    finished.iam.put_role_policy(RoleName=finished.name, PolicyName=POLICY, PolicyDocument=json.dumps(document))
    start = finished.runner.last_request
    with pytest.raises(errors.Refused, match="would be lost: Allow s3:GetObject"):
        finished.run()
    assert finished.runner.writes_since(start) == []
    finished.contract(policy_name="AMP-RemoteWrite-2")
    assert finished.permission() == document
    finished.contract(force=True)


def test_the_size_is_computed_before_anything_is_written(own: RoleOf) -> None:
    for name in "bc":
        own.run(issuer=as_cluster(own, name))
    issuer = as_cluster(own, "d")
    start = own.runner.last_request
    with pytest.raises(errors.InvalidInput, match=r"would have \d{4} characters, and IAM takes 2048") as caught:
        own.run(issuer=issuer, service_accounts=[{"namespace": "monitoring", "name": "p" * 250}] * 2)
    assert "trust_policy_max_length" in caught.value.fix
    assert own.runner.writes_since(start) == []


@pytest.mark.parametrize("length", [2047, 4097])
def test_a_length_that_no_quota_admits_is_bad_input(own: RoleOf, length: int) -> None:
    with pytest.raises(errors.InvalidInput, match=f"trust_policy_max_length is {length}"):
        own.run(trust_policy_max_length=length)


def test_statements_of_vanished_issuers_go_on_request(own: RoleOf) -> None:
    gone, alive = as_cluster(own, "gone"), as_cluster(own, "alive")
    for issuer in (gone, alive):
        own.run(issuer=issuer)
    own.iam.delete_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::123456789012:oidc-provider/{gone.removeprefix('https://')}"
    )
    assert own.run().changes == ()
    (change,) = own.contract(prune_stale_issuers=True).changes
    assert change.summary == f"End the trust in {gone}."
    assert "gone" not in providers_of(own)
    assert "alive" in providers_of(own)


def test_a_stale_statement_in_other_words_than_ours_is_not_pruned(own: RoleOf) -> None:
    gone = as_cluster(own, "gone")
    own.run(issuer=gone)
    statements = own.statements()
    statements[1]["Condition"] = {"StringLike": statements[1]["Condition"]["StringEquals"]}
    own.set_statements(*statements)
    own.iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=statements[1]["Principal"]["Federated"])
    assert own.run(prune_stale_issuers=True).changes == ()


def test_named_issuers_are_pruned_whatever_their_statements_say(own: RoleOf) -> None:
    issuer = as_cluster(own, "b")
    own.run(issuer=issuer)
    statements = own.statements()
    statements[1]["Condition"] = {}
    own.set_statements(*statements)
    own.contract(prune_issuers=[issuer])
    assert own.statements() == statements[:1]
    with pytest.raises(errors.InvalidInput, match="names the issuer itself"):
        own.run(prune_issuers=[own.issuer])


def test_a_pruned_role_goes_with_its_last_cluster(own: RoleOf) -> None:
    issuer = as_cluster(own, "b")
    own.run(issuer=issuer)
    own.contract(state="absent", prune_issuers=[issuer])
    assert not own.exists()


def test_two_runs_that_write_at_once_lose_no_update(own: RoleOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have read the same trust policy before either writes it: the later write undoes the earlier one, and the
    run that is undone sees it."""
    issuers = [as_cluster(own, "b"), as_cluster(own, "c")]
    both_have_read = threading.Barrier(2, timeout=60)
    both_have_written = threading.Barrier(2, timeout=60)
    local = threading.local()
    writes: list[str] = []
    write = IamRoles.set_trust_policy

    def delayed(self: IamRoles, name: str, document: t.Mapping[str, t.Any]) -> None:
        if not getattr(local, "wrote", False):
            both_have_read.wait()
        write(self, name, document)
        local.wrote = True
        writes.append(name)

    def sleep(_seconds: float) -> None:
        if not getattr(local, "slept", False):
            local.slept = True
            both_have_written.wait()

    monkeypatch.setattr(IamRoles, "set_trust_policy", delayed)
    failures: list[BaseException] = []

    def federate(issuer: str) -> None:
        options = {
            "name": own.name,
            "issuer": issuer,
            "service_accounts": SERVICE_ACCOUNTS,
            "workspace_arns": [own.workspace_arn],
        }
        try:
            params = params_of(resource.DEFINITION, {**own.runner.connection, **options})
            resource.DEFINITION.run(
                params, Context(check_mode=False, sleep=sleep, monotonic=own.runner.clock.monotonic)
            )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=federate, args=(issuer,)) for issuer in issuers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(writes) == 3  # one was undone and written again
    assert {"b", "c"} < set(providers_of(own))
    assert len(own.statements()) == 3


def test_an_outside_writer_between_plan_and_write_is_not_overwritten(
    own: RoleOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = resource.RoleResource.plan
    planned: list[object] = []

    def outsider(self: resource.RoleResource, current: t.Any) -> t.Any:
        made = plan(self, current)
        if not planned:
            own.set_statements(*own.statements(), EC2)
        planned.append(made)
        return made

    monkeypatch.setattr(resource.RoleResource, "plan", outsider)
    own.run(issuer=as_cluster(own, "b"))
    assert len(planned) == 2
    assert EC2 in own.statements()
    assert len(own.statements()) == 3


def test_a_deletion_is_planned_anew_when_another_cluster_joins(own: RoleOf, monkeypatch: pytest.MonkeyPatch) -> None:
    joining = as_cluster(own, "b")
    plan = resource.RoleResource.plan
    joined: list[bool] = []

    def outsider(self: resource.RoleResource, current: t.Any) -> t.Any:
        made = plan(self, current)
        if not joined:
            joined.append(True)
            own.run(issuer=joining)
        return made

    monkeypatch.setattr(resource.RoleResource, "plan", outsider)
    assert [change.kind for change in own.remove().changes] == ["IAM trust policy"]
    assert providers_of(own) == ["b"]
    assert own.inline() == [POLICY]


@pytest.mark.parametrize("another", [False, True], ids=["puts-back", "writes-another"])
def test_a_writer_that_never_stops_ends_in_one_clear_sentence(
    own: RoleOf, monkeypatch: pytest.MonkeyPatch, another: bool
) -> None:
    """Who puts back exactly what was there before can't be told from an IAM that shows the change late."""
    issuer = as_cluster(own, "b")
    before = own.statements()
    write = IamRoles.set_trust_policy
    written = itertools.count()

    def undone(self: IamRoles, name: str, document: t.Mapping[str, t.Any]) -> None:
        write(self, name, document)
        label = {"Sid": f"Writer{next(written)}"} if another else {}
        own.set_statements(*({**statement, **label} for statement in before))

    monkeypatch.setattr(IamRoles, "set_trust_policy", undone)
    with pytest.raises(ApplyFailed) as caught:
        own.run(issuer=issuer)
    cause = caught.value.__cause__
    assert isinstance(cause, errors.Conflict) is another
    assert isinstance(cause, errors.CloudError)
    wanted = "another writer changed it at the same time" if another else "30 seconds later the earlier one is shown"
    assert wanted in cause.message
    assert failure_values(caught.value)["changed"] is True


@pytest.mark.parametrize("refused", [False, True])
def test_a_trust_policy_that_was_not_written_is_not_told_as_written_when_another_cluster_writes(
    own: RoleOf, monkeypatch: pytest.MonkeyPatch, refused: bool
) -> None:
    issuer = as_cluster(own, "b")
    write = IamRoles.set_trust_policy
    lost: list[str] = []

    def unanswered(self: IamRoles, name: str, document: t.Mapping[str, t.Any]) -> None:
        if lost:
            write(self, name, document)
            return
        lost.append(name)
        own.set_statements(*own.statements(), EC2)
        own.runner.deny(*(("iam:UpdateAssumeRolePolicy",) * refused))
        raise errors.Interrupted(service="AWS IAM", action=f"writing the trust policy of IAM role {name}", status=504)

    monkeypatch.setattr(IamRoles, "set_trust_policy", unanswered)
    if not refused:
        assert [change.kind for change in own.run(issuer=issuer).changes] == ["IAM trust policy"]
        return
    with pytest.raises(ApplyFailed) as caught:
        own.run(issuer=issuer)
    values = failure_values(caught.value)
    assert (values["changed"], values["changes"]) == (False, [])
    assert "It is not known whether the change was made." in str(values["msg"])


# Permission


def test_several_workspaces_regions_and_accounts_and_a_role_to_chain_to(own: RoleOf) -> None:
    here = own.workspace_arn.replace("eu-west-1", "us-east-1")
    result = own.contract(workspace_arns=[own.workspace_arn, here, ELSEWHERE], assumable_role_arns=[CHAINED])
    write, chain = own.permission()["Statement"]
    assert write["Resource"] == sorted([own.workspace_arn, here, ELSEWHERE])
    assert (chain["Action"], chain["Resource"]) == ("sts:AssumeRole", CHAINED)
    (finding,) = findings_of(result)
    assert finding["severity"] == "low"
    assert "amp_resource_policy" in finding["text"]


def test_chaining_to_the_role_itself_is_refused(own: RoleOf) -> None:
    start = own.runner.last_request
    with pytest.raises(errors.InvalidInput, match="names the role itself"):
        own.run(assumable_role_arns=[str(own.stored()["Arn"])])
    assert own.runner.writes_since(start) == []


def test_a_permission_over_iams_limit_is_refused_before_any_write(own: RoleOf) -> None:
    many = [f"arn:aws:aps:eu-west-1:123456789012:workspace/ws-{number:036d}" for number in range(90)]
    start = own.runner.last_request
    with pytest.raises(errors.InvalidInput, match=r"managed policy AMP-RemoteWrite would have .* IAM takes 6144"):
        own.run(workspace_arns=many, policy_type="managed")
    with pytest.raises(errors.InvalidInput, match=r"inline policy AMP-RemoteWrite would have .* IAM takes 10240"):
        own.run(workspace_arns=[*many, *(arn + "x" for arn in many)])
    assert own.runner.writes_since(start) == []


def test_a_managed_policy_replaces_the_inline_one(own: RoleOf) -> None:
    result = own.contract(policy_type="managed", tags={"team": "x"})
    assert [(change.action, change.kind) for change in result.changes][1:] == [
        (Action.CREATE, "IAM managed policy"),
        (Action.UPDATE, "IAM role"),
        (Action.DELETE, "IAM inline policy"),
    ]
    assert own.inline() == []
    assert own.attached() == [result.facts["policy_arn"]]
    assert result.facts["policy_arn"] == f"arn:aws:iam::123456789012:policy/{POLICY}"
    tags = own.iam.get_policy(PolicyArn=own.attached()[0])["Policy"]["Tags"]
    assert {tag["Key"] for tag in tags} == {"team", "aks-amp.crosscloud.io/managed-by"}


def test_the_oldest_version_goes_when_there_are_five(own: RoleOf) -> None:
    own.run(policy_type="managed")
    for number in range(6):
        result = own.contract(policy_type="managed", allow_query=number % 2 == 0)
    gone, new = result.changes
    assert (gone.action, gone.kind, gone.before) == (
        Action.DELETE,
        "IAM managed policy version",
        {"version_id": "v2"},
    )
    assert (new.action, new.kind) == (Action.UPDATE, "IAM managed policy")
    versions = own.iam.list_policy_versions(PolicyArn=own.attached()[0])["Versions"]
    assert sorted(entry["VersionId"] for entry in versions) == ["v3", "v4", "v5", "v6", "v7"]
    assert [entry["VersionId"] for entry in versions if entry["IsDefaultVersion"]] == ["v7"]


def test_a_policy_that_somebody_rolled_back_has_room_made_for_a_new_version(own: RoleOf) -> None:
    own.run(policy_type="managed")
    for number in range(4):
        own.run(policy_type="managed", allow_query=number % 2 == 0)
    (arn,) = own.attached()
    own.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    gone, new = own.contract(policy_type="managed", allow_query=True).changes
    assert (gone.action, gone.before) == (Action.DELETE, {"version_id": "v2"})
    assert (new.action, new.kind) == (Action.UPDATE, "IAM managed policy")
    versions = own.iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert sorted(entry["VersionId"] for entry in versions) == ["v1", "v3", "v4", "v5", "v6"]
    assert [entry["VersionId"] for entry in versions if entry["IsDefaultVersion"]] == ["v6"]


def test_versions_are_listed_only_where_one_has_to_come(own: RoleOf) -> None:
    for flag in (False, True):
        own.run(policy_type="managed", allow_query=flag)
    for flag, times in ((True, 0), (False, 1)):
        start = own.runner.last_request
        own.run(policy_type="managed", allow_query=flag, check_mode=True)
        assert own.runner.operations_since(start).count("ListPolicyVersions") == times


def test_a_version_whose_answer_is_lost_is_found_when_it_was_the_last_that_iam_takes(own: RoleOf) -> None:
    own.run(policy_type="managed")
    for number in range(3):
        own.run(policy_type="managed", allow_query=number % 2 == 0)
    own.runner.sandbox.faults.add(Fault(Kind.DROP_AFTER, service="iam", operation="CreatePolicyVersion"))
    start = own.runner.last_request
    (change,) = own.run(policy_type="managed").changes
    assert (change.action, change.kind) == (Action.UPDATE, "IAM managed policy")
    assert own.runner.operations_since(start).count("CreatePolicyVersion") == 2  # boto3 repeated it
    versions = own.iam.list_policy_versions(PolicyArn=own.attached()[0])["Versions"]
    assert [entry["VersionId"] for entry in versions if entry["IsDefaultVersion"]] == ["v5"]
    assert own.run(policy_type="managed").changes == ()


def test_a_version_that_went_is_told_when_the_new_one_is_refused(own: RoleOf) -> None:
    own.run(policy_type="managed")
    for number in range(4):
        own.run(policy_type="managed", allow_query=number % 2 == 0)
    own.runner.deny("iam:CreatePolicyVersion")
    with pytest.raises(ApplyFailed) as caught:
        own.run(policy_type="managed", allow_query=True)
    values = failure_values(caught.value)
    assert values["changed"] is True
    assert "Nothing was changed" not in str(values["msg"])
    assert f"Already done in this run: Delete version v1 of {own.attached()[0]}" in str(values["msg"])
    own.runner.deny()
    assert [change.kind for change in own.run(policy_type="managed", allow_query=True).changes] == [
        "IAM managed policy"
    ]


def test_a_managed_policy_of_others_is_not_changed(own: RoleOf) -> None:
    other = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
    own.iam.create_policy(PolicyName=POLICY, PolicyDocument=json.dumps(other))
    start = own.runner.last_request
    with pytest.raises(errors.Refused, match="was not created by this collection"):
        own.run(policy_type="managed")
    assert own.runner.writes_since(start) == []
    own.contract(policy_type="managed", force=True)


def test_a_managed_policy_that_another_role_uses_is_not_changed_for_it(own: RoleOf) -> None:
    own.run(policy_type="managed")
    own.name = "Another"
    own.contract(policy_type="managed")
    with pytest.raises(errors.Refused, match="is used by 1 more besides this role"):
        own.run(policy_type="managed", allow_query=True)


def test_further_managed_policies_are_attached_and_others_stay(own: RoleOf) -> None:
    document = json.dumps(own.permission())
    theirs = own.iam.create_policy(PolicyName="Theirs", PolicyDocument=document)["Policy"]["Arn"]
    own.iam.attach_role_policy(RoleName=own.name, PolicyArn=theirs)
    result = own.contract(managed_policy_arns=[REMOTE_WRITE])
    assert sorted(own.attached()) == sorted([theirs, REMOTE_WRITE])
    assert "remote write to every workspace" in str(result.facts["findings"])
    start = own.runner.last_request
    with pytest.raises(errors.NotFound, match="policy/Missing does not exist"):
        own.run(managed_policy_arns=["arn:aws:iam::123456789012:policy/Missing"])
    with pytest.raises(errors.InvalidInput, match="managed_policy_arns"):
        own.run(managed_policy_arns=["Missing"])
    assert own.runner.writes_since(start) == []


def test_a_boundary_is_set_changed_and_removed(own: RoleOf) -> None:
    document = json.dumps(own.permission())
    arns = [
        own.iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"] for name in ("Wide", "Narrow")
    ]
    for arn in arns:
        own.contract(permissions_boundary=arn)
        assert own.stored()["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert own.run(permissions_boundary="").changes == ()
    (change,) = own.contract(permissions_boundary="none").changes
    assert change.summary == f"Remove the permissions boundary {arns[1]}."
    assert "PermissionsBoundary" not in own.stored()


# Findings


def test_findings_name_statements_of_others_which_stay(finished: RoleOf) -> None:
    everybody = {"Sid": "Open", "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    finished.set_statements(*finished.statements(), everybody)
    result = finished.run()
    assert result.changes == ()
    (finding,) = findings_of(result)
    assert (finding["severity"], finding["statement"]) == ("high", "trust policy, statement 2 (Open)")
    assert "The principal * is everybody" in result.warnings[0]
    assert finished.statements()[1] == everybody


def test_what_this_collection_writes_has_no_findings(own: RoleOf) -> None:
    assert own.run().facts["findings"] == []
