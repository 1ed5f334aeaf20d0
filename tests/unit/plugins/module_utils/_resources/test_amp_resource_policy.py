# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource policy of a workspace: decisions without I/O, then the module against the sandbox."""

from __future__ import annotations

import dataclasses
import json
import time
import typing as t

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import AmpResourcePolicies, ResourcePolicy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp_data import DataPlane
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    FederationError,
    RoleArn,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, State, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, ApplyFailed, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_resource_policy as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience
from sandbox.aws.remote_write import Point, encode
from sandbox.testing import running_sandbox
from tests.boto3_age import require_resource_policies
from tests.unit.plugins.module_utils._resources.aws_modules import Runner

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result

WORKSPACE = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"
WRITER, OTHER = (RoleArn.parse(f"arn:aws:iam::210987654321:role/{name}") for name in ("writer", "fleet/other"))
EMPTY = resource.Current("ws-1", WORKSPACE, "aws")
WISH = resource.Wish((WRITER,))
FOREIGN = {"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "aps:QueryMetrics", "Resource": "*"}


def ours(principal: RoleArn = WRITER, *actions: str) -> dict[str, t.Any]:
    return resource.statement(principal, WORKSPACE, actions or ("aps:RemoteWrite",))


def having(*statements: Mapping[str, t.Any], **elements: t.Any) -> resource.Current:
    document = {"Version": "2012-10-17", **elements, "Statement": list(statements)}
    return dataclasses.replace(EMPTY, stored=ResourcePolicy(document, "revision-1"))


def after(plan: Plan[resource.Operation, resource.Current]) -> list[Mapping[str, t.Any]]:
    (change,) = plan.changes
    assert isinstance(change.operation, resource.Put)
    assert change.after == change.operation.document
    return list(plan.predicted.statements)


def test_the_first_statement_makes_the_policy() -> None:
    plan = resource.plan(EMPTY, WISH)
    (change,) = plan.changes
    assert (change.action, change.before) == (Action.CREATE, None)
    assert after(plan) == [
        {
            "Sid": resource.sid(WRITER),
            "Effect": "Allow",
            "Principal": {"AWS": str(WRITER)},
            "Action": "aps:RemoteWrite",
            "Resource": WORKSPACE,
        }
    ]
    assert change.summary == f"Let {WRITER} write to workspace ws-1."


def test_statements_of_others_and_other_elements_stay() -> None:
    plan = resource.plan(having(FOREIGN, Id="audit"), WISH)
    assert after(plan) == [FOREIGN, ours()]
    assert plan.changes[0].action is Action.UPDATE
    assert plan.predicted.stored
    assert plan.predicted.stored.document["Id"] == "audit"
    assert plan.predicted.stored.revision == KNOWN_AFTER_APPLY


@pytest.mark.parametrize(
    "there",
    [
        ours(),
        {**ours(), "Action": ["APS:remotewrite"], "Principal": {"AWS": [str(WRITER)]}},
        {**ours(), "Sid": "ByHand"},  # the same grant under another label is not repeated
        {**ours(), "Sid": "ByHand", "Principal": {"AWS": [str(OTHER), str(WRITER)]}},
    ],
)
def test_what_is_granted_already_is_not_granted_again(there: dict[str, t.Any]) -> None:
    current = having(FOREIGN, there)
    assert resource.plan(current, WISH) == Plan((), current)


@pytest.mark.parametrize(
    "there",
    [
        {**ours(), "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**ours(), "Principal": {"AWS": "AROAEXAMPLEEXAMPLE00"}},  # the role was deleted and made anew
        {**ours(), "Effect": "Deny"},
        ours(WRITER, "aps:GetLabels"),
    ],
)
def test_a_statement_of_ours_that_was_changed_is_repaired_in_its_place(there: dict[str, t.Any]) -> None:
    assert after(resource.plan(having(there, FOREIGN), WISH)) == [ours(), FOREIGN]


def test_queries_are_an_option_in_both_directions() -> None:
    wish = dataclasses.replace(WISH, allow_query=True)
    (statement,) = after(resource.plan(having(ours()), wish))
    assert {"aps:RemoteWrite", "aps:QueryMetrics"} < set(statement["Action"])
    assert after(resource.plan(having(statement), WISH)) == [ours()]


def test_roles_have_statements_of_their_own() -> None:
    plan = resource.plan(having(ours(OTHER)), dataclasses.replace(WISH, principals=(WRITER, OTHER)))
    assert after(plan) == [ours(OTHER), ours()]
    assert resource.sid(WRITER) != resource.sid(OTHER)
    assert resource.sid(WRITER).isalnum()


def test_a_role_of_another_partition_is_refused() -> None:
    wish = resource.Wish((RoleArn.parse("arn:aws-us-gov:iam::210987654321:role/writer"),))
    with pytest.raises(errors.InvalidInput, match="is in the partition aws-us-gov, the workspace in aws"):
        resource.plan(EMPTY, wish)


GONE = dataclasses.replace(WISH, state=State.ABSENT)


def test_removal_takes_the_role_s_own_statement_only() -> None:
    plan = resource.plan(having(FOREIGN, ours(OTHER), ours()), GONE)
    assert after(plan) == [FOREIGN, ours(OTHER)]
    assert plan.warnings == ()
    assert plan.changes[0].summary == f"No longer let {WRITER} into workspace ws-1."


def test_the_policy_goes_with_its_last_statement() -> None:
    (change,) = resource.plan(having(ours()), GONE).changes
    assert (change.operation, change.action, change.after) == (resource.Delete(), Action.DELETE, None)


def test_without_names_all_statements_of_ours_go() -> None:
    everything = resource.Wish((), State.ABSENT)
    lookalike = {**FOREIGN, "Sid": "AksAmpByHand"}
    assert after(resource.plan(having(ours(), FOREIGN, ours(OTHER), lookalike), everything)) == [FOREIGN, lookalike]


def test_what_is_not_there_needs_no_removal() -> None:
    for current in (EMPTY, having(FOREIGN)):
        assert resource.plan(current, GONE) == Plan((), current)


def test_a_grant_of_others_stays_with_a_warning() -> None:
    by_hand = {**ours(), "Sid": "ByHand"}
    plan = resource.plan(having(by_hand), GONE)
    assert plan.changes == ()
    assert f"still lets {WRITER} in. It stays." in plan.warnings[0]


principals = st.sampled_from([RoleArn.parse(f"arn:aws:iam::210987654321:role/r{number}") for number in range(4)])
foreign_statements = st.lists(
    st.builds(
        lambda action, label: {**FOREIGN, "Action": action, "Sid": label},
        st.sampled_from(["aps:*", "aps:Get*"]),
        st.text("ab", max_size=3),
    ),
    max_size=3,
    unique_by=lambda statement: statement["Sid"],
)


@given(foreign_statements, st.sets(principals, min_size=1), st.booleans())
def test_adding_converges_and_removing_gives_back_what_was_there(
    foreign: list[dict[str, t.Any]], roles: set[RoleArn], allow_query: bool
) -> None:
    start = having(*foreign) if foreign else EMPTY
    wish = resource.Wish(tuple(roles), allow_query=allow_query)
    added = resource.plan(start, wish).predicted
    assert resource.plan(added, wish).changes == ()
    for principal in roles:
        assert policy.equivalent_statements(
            [*added.statements, resource.statement(principal, WORKSPACE, wish.actions)], added.statements
        )
    removed = resource.plan(added, dataclasses.replace(wish, state=State.ABSENT)).predicted
    assert list(removed.statements) == foreign


# The client, where the sandbox never answers so


def policies(*answers: tuple[str, dict[str, t.Any] | str]) -> tuple[AmpResourcePolicies, Stubber]:
    """A client and its service's answers: an answer, or the code of a refusal."""
    require_resource_policies()
    session = AwsSession(AwsAuth(Transport(), "eu-west-1", None, "AKIAEXAMPLEEXAMPLE00", "unit-test-secret"))
    client = AmpResourcePolicies(session)
    stub = Stubber(client._amp)
    for operation, answer in answers:
        if isinstance(answer, str):
            stub.add_client_error(operation, answer)
        else:
            stub.add_response(operation, answer)
    return client, stub


def described(status: str, text: str = "{}") -> tuple[str, dict[str, t.Any]]:
    return "describe_resource_policy", {"policyDocument": text, "policyStatus": status, "revisionId": "r"}


def test_a_change_under_way_is_waited_for_but_not_in_check_mode() -> None:
    client, stub = policies(described("UPDATING"), described("UPDATING"), described("ACTIVE"))
    slept: list[float] = []
    patience = Patience(60, sleep=slept.append, monotonic=lambda: sum(slept))
    with stub:
        found = resource.ResourcePolicyResource(WISH, lambda: EMPTY, client, patience).read()
    assert found.stored
    assert found.stored.status == "ACTIVE"
    assert len(slept) == 2
    client, stub = policies(described("UPDATING"))
    with stub:
        found = resource.ResourcePolicyResource(WISH, lambda: EMPTY, client, None).read()
    assert found.stored


def test_a_change_that_does_not_end_is_reported_as_made() -> None:
    client, stub = policies(
        ("put_resource_policy", {"policyStatus": "CREATING", "revisionId": "r"}), *[described("CREATING")] * 9
    )
    slept: list[float] = []
    patience = Patience(10, sleep=slept.append, monotonic=lambda: sum(slept))
    made = resource.ResourcePolicyResource(WISH, lambda: EMPTY, client, patience)
    (change,) = resource.plan(EMPTY, WISH).changes
    with stub, pytest.raises(errors.NotReady, match="still CREATING after the wait_timeout") as caught:
        made.apply(change, EMPTY)
    assert caught.value.accepted


def test_a_policy_that_is_not_json_is_left_alone() -> None:
    client, stub = policies(described("ACTIVE", "no policy"))
    with stub, pytest.raises(errors.Refused, match="workspace ws-1 is not a JSON object"):
        client.get("ws-1")


def test_that_it_is_gone_already_is_no_failure_of_a_deletion() -> None:
    client, stub = policies(
        ("delete_resource_policy", "ResourceNotFoundException"), ("delete_resource_policy", "ConflictException")
    )
    with stub:
        client.delete("ws-1", ResourcePolicy({}, "r"))
        with pytest.raises(errors.Conflict):
            client.delete("ws-1", ResourcePolicy({}, "r"))


def test_an_old_boto3_is_told_so() -> None:
    class Old:
        """A client of before August 2025."""

        meta = type("Meta", (), {"partition": "aws"})

    class Session:
        def client(self, _service: str) -> Old:
            return Old()

    with pytest.raises(errors.AksAmpError, match="boto3 does not know resource policies") as caught:
        AmpResourcePolicies(t.cast("AwsSession", Session()))
    assert "1.41" in caught.value.fix


# Against the sandbox


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest) -> None:
    if "runner" in request.fixturenames:
        request.getfixturevalue("runner").sandbox.reset()


class Module:
    """The module for the sandbox's workspace."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.amp = runner.client("amp")
        (workspace,) = self.amp.list_workspaces()["workspaces"]
        self.workspace_id = str(workspace["workspaceId"])

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Result:
        which = {} if "workspace_id" in options else {"alias": "fleet-metrics"}
        return self.runner.run(
            resource.DEFINITION, check_mode=check_mode, **{**which, "principals": [str(WRITER)], **options}
        )

    def stored(self) -> dict[str, t.Any]:
        found: dict[str, t.Any] = json.loads(
            self.amp.describe_resource_policy(workspaceId=self.workspace_id)["policyDocument"]
        )
        return found

    def put(self, *statements: Mapping[str, t.Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.amp.put_resource_policy(workspaceId=self.workspace_id, policyDocument=json.dumps(document))

    def contract(self, **options: t.Any) -> Result:
        """Check, apply, check again, apply again; returns the applied result."""
        start = self.runner.last_request
        checked = self.run(check_mode=True, **options)
        assert self.runner.writes_since(start) == []
        applied = self.run(**options)
        assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
        assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
        assert applied.facts == checked.facts
        start = self.runner.last_request
        for check_mode in (True, False):
            again = self.run(check_mode=check_mode, **options)
            assert again.changes == ()
            assert again.facts == applied.facts
        assert self.runner.writes_since(start) == []
        return applied


@pytest.fixture
def module(runner: Runner) -> Module:
    require_resource_policies()
    return Module(runner)


def test_create_modify_and_delete(module: Module) -> None:
    created = module.contract()
    assert created.changes[0].action is Action.CREATE
    assert module.stored() == created.facts["policy"]
    modified = module.contract(allow_query=True, principals=[str(WRITER), str(OTHER)])
    assert modified.changes[0].action is Action.UPDATE
    assert len(module.stored()["Statement"]) == 2
    deleted = module.contract(state="absent", principals=[])
    assert deleted.changes[0].action is Action.DELETE
    assert deleted.facts["policy"] == {}


def test_a_converged_run_costs_two_reads(module: Module) -> None:
    module.run()
    start = module.runner.last_request
    module.run(workspace_id=module.workspace_id)
    assert module.runner.operations_since(start) == ["DescribeWorkspace", "DescribeResourcePolicy"]


def test_a_role_of_another_account_can_write_after_it_and_not_before(module: Module) -> None:
    permission = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": "*"}
    keys = module.runner.sandbox.aws.seed_foreign_session(
        str(WRITER), {"Version": "2012-10-17", "Statement": [permission]}
    )
    assert send(module, keys) == 403
    module.run()
    assert send(module, keys) == 200
    module.run(state="absent")
    assert send(module, keys) == 403


def send(module: Module, keys: t.Any) -> int:
    """One sample by a session; the status."""
    transport = Transport(module.runner.sandbox.proxy_url, str(module.runner.sandbox.ca_file))
    credentials = SessionCredentials(keys.access_key, keys.secret_key, keys.token)
    url = f"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/{module.workspace_id}/api/v1/remote_write"
    body = encode([Point((("__name__", "up"),), 1.0, int(time.time() * 1000))])
    try:
        DataPlane(HttpClient(transport), credentials, "eu-west-1").remote_write(url, body)
    except errors.Forbidden as error:
        return error.status
    return 200


def test_another_writer_s_statement_is_not_lost(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    module.put(FOREIGN)
    late = {**FOREIGN, "Sid": "Late"}
    raced: list[str] = []
    original = AmpResourcePolicies.put

    def put(self: AmpResourcePolicies, *arguments: t.Any) -> None:
        if not raced:  # another writes between the read and the write
            raced.append("once")
            module.put(FOREIGN, late)
        original(self, *arguments)

    monkeypatch.setattr(AmpResourcePolicies, "put", put)
    module.run()
    assert [statement["Sid"] for statement in module.stored()["Statement"]] == ["Audit", "Late", resource.sid(WRITER)]


def test_a_role_that_does_not_exist_in_the_account_is_the_service_s_own_word(module: Module) -> None:
    before = module.runner.clock.now
    with pytest.raises(ApplyFailed) as caught:
        module.run(principals=["arn:aws:iam::123456789012:role/nowhere"])
    assert "Invalid principal in policy" in str(caught.value.__cause__)
    assert module.runner.clock.now - before == 15  # it might have been a new one


def test_a_new_role_that_is_not_known_everywhere_yet_is_waited_for() -> None:
    client, stub = policies()
    stub.add_client_error("put_resource_policy", "ValidationException", 'Invalid principal in policy: "AWS":"x"')
    stub.add_response("put_resource_policy", {"policyStatus": "CREATING", "revisionId": "r"})
    stub.add_response(*described("ACTIVE"))
    slept: list[float] = []
    patience = Patience(120, sleep=slept.append, monotonic=lambda: sum(slept))
    made = resource.ResourcePolicyResource(WISH, lambda: EMPTY, client, patience)
    (change,) = resource.plan(EMPTY, WISH).changes
    with stub:
        made.apply(change, EMPTY)
    assert len(slept) == 1


def test_absent_without_a_workspace_is_a_warning(module: Module) -> None:
    result = module.run(alias="nowhere", state="absent")
    assert (result.changes, result.facts["policy"]) == ((), {})
    assert "No workspace in eu-west-1 has the alias 'nowhere'" in result.warnings[0]
    with pytest.raises(errors.NotFound):
        module.run(alias="nowhere")


def test_a_missing_right_is_named(module: Module) -> None:
    module.runner.sandbox.aws.set_controller_policies(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": ["aps:Describe*", "aps:List*"], "Resource": "*"}],
        }
    )
    with pytest.raises(ApplyFailed) as caught:
        module.run()
    assert isinstance(caught.value.__cause__, errors.Forbidden)
    assert caught.value.__cause__.fix == "Allow aps:PutResourcePolicy to the caller."


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"principals": []}, "principals is empty"),
        ({"principals": ["arn:aws:iam::123456789012:root"]}, "is not the ARN of an IAM role"),
        ({"principals": ["*"]}, "is not the ARN of an IAM role"),
        ({"wait_timeout": -1}, "wait_timeout is negative"),
        ({"alias": ""}, "Both workspace_id and alias are empty"),
        ({"region": "cn-north-1"}, "not there in the partition aws-cn"),
    ],
)
def test_bad_input_is_refused_before_any_request(module: Module, options: dict[str, t.Any], text: str) -> None:
    start = module.runner.last_request
    with pytest.raises((errors.InvalidInput, FederationError), match=text):
        module.run(**options)
    assert module.runner.operations_since(start) == []
