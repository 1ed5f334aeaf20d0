# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role: decisions without I/O. The module against the sandbox: test_iam_role_sandbox.py."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_policies import ManagedPolicy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import Role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, LastChange, Plan, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role, iam_role_absent
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role_operations as write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role_plan as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_role_wish import PolicyType, Wish

ACCOUNT = AwsAccount("aws", "123456789012")
URL = "https://westeurope.oic.prod-aks.azure.com/t/g/"
HOST_AND_PATH = URL.removeprefix("https://")
WORKSPACE = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
WISH = Wish("r", Issuer.parse(URL), (ServiceAccount("monitoring", "prometheus-sa"),), (WORKSPACE,))
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST_AND_PATH}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{HOST_AND_PATH}:aud": "sts.amazonaws.com",
                    f"{HOST_AND_PATH}:sub": "system:serviceaccount:monitoring:prometheus-sa",
                }
            },
        }
    ],
}
PERMISSION = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": WORKSPACE}],
}
ROLE = Role("arn:aws:iam::123456789012:role/r", "r", "/", TRUST)
CURRENT = write.Current(ACCOUNT, ROLE, {"AMP-RemoteWrite": PERMISSION})
ABSENT = write.Current(ACCOUNT, None)


def with_role(**changes: t.Any) -> write.Current:
    return dataclasses.replace(CURRENT, role=dataclasses.replace(ROLE, **changes))


def operations(plan: Plan[write.Operation, write.Current]) -> list[write.Operation]:
    return [change.operation for change in plan.changes]


def test_a_converged_role_needs_nothing() -> None:
    assert resource.plan(CURRENT, WISH) == Plan((), CURRENT)


def test_creation_predicts_what_the_module_returns() -> None:
    plan = resource.plan(ABSENT, dataclasses.replace(WISH, path="/amp/", tags={"team": "x"}))
    role, inline = plan.changes
    assert (role.action, role.kind, role.name, role.before) == (Action.CREATE, "IAM role", "r", None)
    assert (inline.action, inline.name, inline.after) == (Action.CREATE, "r/AMP-RemoteWrite", PERMISSION)
    assert role.after == {
        "arn": "arn:aws:iam::123456789012:role/amp/r",
        "path": "/amp/",
        "description": None,
        "max_session_duration": 3600,
        "permissions_boundary": None,
        "tags": {"team": "x", **MARK},
        "trust_policy": TRUST,
    }
    assert iam_role.facts(plan.predicted, WISH) == {
        "arn": "arn:aws:iam::123456789012:role/amp/r",
        "name": "r",
        "trust_policy": TRUST,
        "permission_policy": PERMISSION,
        "policy_name": "AMP-RemoteWrite",
        "policy_arn": None,
        "exists": True,
        "findings": [],
        "account_id": "123456789012",
        "partition": "aws",
    }


def test_no_two_writes_of_a_plan_are_taken_for_one() -> None:
    """By object, part and type of operation, which is how a write in doubt is known again in a later plan."""
    arns = (BOUNDARY, f"{BOUNDARY}-2")
    wanted = dataclasses.replace(WISH, managed_policy_arns=arns, tags={"team": "x"}, description="x")
    role = dataclasses.replace(ROLE, tags=MARK)
    full = dataclasses.replace(
        CURRENT,
        role=role,
        inline={"AMP-RemoteWrite": PERMISSION, "Theirs": PERMISSION},
        attached=arns,
        instance_profiles=("one", "another"),
    )
    removal = iam_role_absent.plan(full, dataclasses.replace(WISH, state=State.ABSENT, force=True))
    for planned in (resource.plan(CURRENT, wanted), removal):
        writes = {(change.kind, change.name, change.part, type(change.operation)) for change in planned.changes}
        assert len(writes) == len(planned.changes) >= 4


def test_an_unknown_issuer_predicts_a_trust_of_placeholders() -> None:
    plan = resource.plan(ABSENT, dataclasses.replace(WISH, issuer=Issuer.parse(KNOWN_AFTER_APPLY)))
    assert plan.predicted.existing.arn == "arn:aws:iam::123456789012:role/r"
    (statement,) = plan.predicted.existing.trust_policy["Statement"]
    assert f"{KNOWN_AFTER_APPLY}:sub" in statement["Condition"]["StringEquals"]


def test_the_guide_s_mistakes_are_one_change_that_names_them() -> None:
    statement = {
        **TRUST["Statement"][0],  # type: ignore[dict-item]  # a literal: mypy joins its values' types to object
        "Condition": {"StringEquals": {f"{HOST_AND_PATH}/:sub": "system:serviceaccount:monitoring:prometheus-sa"}},
    }
    before = {"Version": "2012-10-17", "Statement": [statement]}
    (change,) = resource.plan(with_role(trust_policy=before), WISH).changes
    assert (change.kind, change.before, change.after) == ("IAM trust policy", before, TRUST)
    assert f"{HOST_AND_PATH}/:sub never matches" in change.summary
    assert "no condition on the audience" in change.summary


def test_settings_are_managed_only_when_given() -> None:
    current = with_role(description="theirs", max_session_duration=7200, permissions_boundary=BOUNDARY)
    assert operations(resource.plan(current, WISH)) == []
    wish = dataclasses.replace(WISH, max_session_duration=43200)
    assert operations(resource.plan(current, wish)) == [write.SetSettings("theirs", 43200)]
    wish = dataclasses.replace(WISH, description="ours", permissions_boundary=BOUNDARY + "2")
    assert operations(resource.plan(current, wish)) == [
        write.SetSettings("ours", 7200),
        write.SetBoundary(BOUNDARY + "2"),
    ]


def test_a_change_of_the_role_names_whom_its_tags_name() -> None:
    owned = with_role(trust_policy={"Version": "2012-10-17", "Statement": []}, tags={"Owner": "platform"})
    (change,) = resource.plan(owned, WISH).changes
    assert change.last_changed_by == LastChange("platform", "", Told.TAG)
    (change,) = resource.plan(
        dataclasses.replace(owned, role=with_role(tags={"Owner": "x"}).role, inline={}), WISH
    ).changes
    assert change.last_changed_by is None  # the policy does not exist, so nobody has changed it


def test_tags_and_the_mark() -> None:
    wish = dataclasses.replace(WISH, tags={"team": "x"}, purge_tags=True)
    plan = resource.plan(with_role(tags={"old": "z", **MARK}), wish)
    assert operations(plan) == [write.SetTags({"team": "x"}), write.RemoveTags(("old",))]
    assert plan.predicted.existing.tags == {"team": "x", **MARK}
    assert operations(resource.plan(with_role(tags={}), WISH)) == []


def test_a_tag_of_a_role_replaces_the_one_whose_key_differs_in_case_only() -> None:
    wish = dataclasses.replace(WISH, tags={"costcenter": "2"}, purge_tags=True)
    plan = resource.plan(with_role(tags={"Costcenter": "1"}), wish)
    assert operations(plan) == [write.SetTags({"costcenter": "2"})]
    assert plan.predicted.existing.tags == {"costcenter": "2"}


def test_a_permission_that_differs_is_replaced() -> None:
    other = {**PERMISSION, "Statement": [{"Effect": "Allow", "Action": "aps:*", "Resource": "*"}]}
    current = dataclasses.replace(CURRENT, inline={"AMP-RemoteWrite": other})
    (change,) = resource.plan(current, WISH).changes
    assert change.operation == write.SetInlinePolicy("AMP-RemoteWrite", PERMISSION)
    assert (change.action, change.before) == (Action.UPDATE, other)


def _holding(*statements: t.Mapping[str, t.Any], **role: t.Any) -> write.Current:
    """The role with these statements in its inline policy."""
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return dataclasses.replace(with_role(**role), inline={"AMP-RemoteWrite": document})


GRANT: t.Final[dict[str, t.Any]] = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": WORKSPACE}


@pytest.mark.parametrize(
    ("foreign", "words"),
    [
        ({**GRANT, "Action": ["s3:GetObject", "aps:RemoteWrite"]}, "Allow s3:GetObject, aps:RemoteWrite"),
        ({**GRANT, "Action": "*"}, "Allow *"),
        ({**GRANT, "Effect": "Deny"}, "Deny aps:RemoteWrite"),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "Allow all but iam:*"),
        ({**GRANT, "Resource": "*", "Condition": {"Bool": {"a:b": "true"}}}, "Allow aps:RemoteWrite under a condition"),
    ],
)
def test_what_others_wrote_into_the_inline_policy_of_their_role_is_not_lost(
    foreign: dict[str, t.Any], words: str
) -> None:
    with pytest.raises(errors.Refused, match="which this collection did not create, holds something else") as caught:
        resource.plan(_holding(GRANT, foreign), WISH)
    assert (
        f"AMP-RemoteWrite of the IAM role r, which this collection did not create, holds something else that would "
        f"be lost: {words}." in caught.value.message
    )
    assert "policy_name" in caught.value.fix
    refused: t.Any = caught.value.facts  # reports tell what is wrong, though it may not be repaired unasked
    assert [change["kind"] for change in refused["refused_changes"]] == ["IAM inline policy"]
    assert refused["refused_diff"][0]["before"]["Statement"] == [GRANT, foreign]
    replaced = [write.SetInlinePolicy("AMP-RemoteWrite", PERMISSION)]
    assert operations(resource.plan(_holding(GRANT, foreign), dataclasses.replace(WISH, force=True))) == replaced
    assert operations(resource.plan(_holding(GRANT, foreign, tags=MARK), WISH)) == replaced  # ours: it drifted


@pytest.mark.parametrize(
    "grant",
    [
        {**GRANT, "Action": "APS:*", "Resource": "*"},
        {**GRANT, "Action": ["aps:RemoteWrite", "aps:QueryMetrics"]},
        {**GRANT, "Resource": f"{WORKSPACE}2"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::210987654321:role/w"},
    ],
)
def test_rights_on_amp_are_corrected_in_a_role_of_others_unasked(grant: dict[str, t.Any]) -> None:
    assert operations(resource.plan(_holding(grant), WISH)) == [write.SetInlinePolicy("AMP-RemoteWrite", PERMISSION)]


NEIGHBOUR: t.Final = Issuer.parse("https://westeurope.oic.prod-aks.azure.com/t/neighbour/")
THEIRS: t.Final = f"{WORKSPACE}-of-the-neighbour"


def _shared(*workspaces: str) -> write.Current:
    """The role of ours with statements for another cluster alone and the right to write to these workspaces."""
    statement = WebIdentityTrust(NEIGHBOUR, "sts.amazonaws.com", WISH.service_accounts, ACCOUNT).statement()
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return _holding({**GRANT, "Resource": list(workspaces)}, trust_policy=trust, tags=MARK)


def _in_a_managed_policy(current: write.Current) -> write.Current:
    arn = WISH.policy_arn(ACCOUNT)
    managed = ManagedPolicy(arn, "AMP-RemoteWrite", current.inline["AMP-RemoteWrite"], tags=MARK, uses=1)
    return dataclasses.replace(current, inline={}, managed=managed, attached=(arn,))


@pytest.mark.parametrize("kind", ["inline", "managed", "inline to managed"])
def test_a_cluster_that_joins_a_role_does_not_take_the_other_s_workspace_away(kind: str) -> None:
    current = _in_a_managed_policy(_shared(THEIRS)) if kind == "managed" else _shared(THEIRS)
    wish = dataclasses.replace(WISH, policy_type=PolicyType.INLINE if kind == "inline" else PolicyType.MANAGED)
    with pytest.raises(errors.Refused) as caught:
        resource.plan(current, wish)
    assert caught.value.message == (
        f"The role r would lose the right to write to {THEIRS}, and its trust policy also lets in tokens of "
        f"{NEIGHBOUR.url}, which may need it."
    )
    for way in ("role of its own", "workspace_arns", "prune_stale_issuers", "prune_issuers", "force"):
        assert way in caught.value.fix
    ways_out: list[dict[str, t.Any]] = [
        {"workspace_arns": (WORKSPACE, THEIRS)},
        {"prune_issuers": (NEIGHBOUR,)},
        {"force": True},
    ]
    for way_out in ways_out:
        assert resource.plan(current, dataclasses.replace(wish, **way_out)).changes
    gone = dataclasses.replace(current, gone=frozenset({NEIGHBOUR}))
    assert resource.plan(gone, dataclasses.replace(wish, prune_stale_issuers=True)).changes


def test_a_provider_of_another_account_lets_nobody_in_who_could_lose_a_workspace() -> None:
    elsewhere = dataclasses.replace(ACCOUNT, account_id="210987654321")
    statement = WebIdentityTrust(NEIGHBOUR, "sts.amazonaws.com", WISH.service_accounts, elsewhere).statement()
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    current = _holding({**GRANT, "Resource": THEIRS}, trust_policy=trust, tags=MARK)
    assert write.SetInlinePolicy("AMP-RemoteWrite", PERMISSION) in operations(resource.plan(current, WISH))


def test_what_force_would_not_change_either_is_refused_without_changes() -> None:
    with pytest.raises(errors.Refused, match="has the path") as caught:
        resource.plan(with_role(path="/other/"), WISH)
    assert caught.value.facts == {}


def test_a_workspace_is_taken_away_where_nobody_else_needs_it() -> None:
    replaced = write.SetInlinePolicy("AMP-RemoteWrite", PERMISSION)
    drifted = _holding({**GRANT, "Resource": [WORKSPACE, THEIRS]}, tags=MARK)
    assert operations(resource.plan(drifted, WISH)) == [replaced]  # the trust policy names one issuer only
    patterns = _shared(WORKSPACE, "arn:aws:aps:*:*:workspace/*")
    assert replaced in operations(resource.plan(patterns, WISH))  # a pattern is too wide for whomever
    queried = _shared(WORKSPACE)
    (change,) = resource.plan(queried, WISH).changes  # one workspace for both
    assert change.kind == "IAM trust policy"


def test_what_a_workspace_that_is_not_known_yet_would_replace_is_not_judged() -> None:
    plan = resource.plan(_shared(THEIRS), dataclasses.replace(WISH, workspace_arns=(KNOWN_AFTER_APPLY,)))
    assert [change.kind for change in plan.changes] == ["IAM trust policy", "IAM inline policy"]


def test_nobody_is_told_what_was_kept_while_the_issuer_is_not_known() -> None:
    wish = dataclasses.replace(WISH, issuer=Issuer.parse(KNOWN_AFTER_APPLY), state=State.ABSENT)
    assert iam_role_absent.plan(with_role(tags=MARK), wish).warnings == ()
    assert iam_role_absent.plan(_shared(WORKSPACE), dataclasses.replace(WISH, state=State.ABSENT)).warnings


@pytest.mark.parametrize("way", [{"Action": "STS:assume*"}, {"Action": ["*"]}, {"NotAction": "sts:TagSession"}])
def test_a_pattern_that_lets_others_in_keeps_the_permission(way: dict[str, t.Any]) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, **way}
    trust = {"Version": "2012-10-17", "Statement": [*TRUST["Statement"], statement]}
    plan = iam_role_absent.plan(with_role(trust_policy=trust), dataclasses.replace(WISH, state=State.ABSENT))
    assert [change.kind for change in plan.changes] == ["IAM trust policy"]


def test_a_permission_in_other_words_is_left_alone() -> None:
    written = {"Version": "2012-10-17", "Statement": {**PERMISSION["Statement"][0], "Sid": "x"}}  # type: ignore[dict-item]  # as above
    current = dataclasses.replace(CURRENT, inline={"AMP-RemoteWrite": written})
    plan = resource.plan(current, WISH)
    assert operations(plan) == []
    assert iam_role.facts(plan.predicted, WISH)["permission_policy"] == written


def test_a_policy_of_another_name_that_grants_exactly_the_same_is_ours() -> None:
    current = dataclasses.replace(CURRENT, inline={"Other": {**PERMISSION, "Statement": []}, "ByHand": PERMISSION})
    plan = resource.plan(current, WISH)
    assert operations(plan) == []
    assert iam_role.facts(plan.predicted, WISH)["policy_name"] == "ByHand"
    plan = resource.plan(current, dataclasses.replace(WISH, allow_query=True))
    (change,) = plan.changes
    assert (change.action, change.name) == (Action.CREATE, "r/AMP-RemoteWrite")
    assert "queries" in change.summary


def test_another_path_is_refused() -> None:
    with pytest.raises(errors.Refused, match="has the path /amp/, not /") as caught:
        resource.plan(with_role(path="/amp/"), WISH)
    assert "Set path to /amp/" in caught.value.fix


def test_a_trust_policy_over_iam_s_limit_is_refused() -> None:
    many = tuple(ServiceAccount("monitoring", f"prometheus-{number:03d}") for number in range(40))
    wish = dataclasses.replace(WISH, service_accounts=many)
    for current in (ABSENT, CURRENT):
        with pytest.raises(errors.InvalidInput, match=r"would have \d{4} characters, and IAM takes 2048"):
            resource.plan(current, wish)
    assert resource.plan(ABSENT, dataclasses.replace(wish, trust_policy_max_length=4096)).changes


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "a b"}, "option 'name'"),
        ({"name": "r" * 65}, "option 'name'"),
        ({"policy_name": "a/b"}, "option 'policy_name'"),
        ({"path": "amp"}, "option 'path'"),
        ({"path": "/amp"}, "option 'path'"),
        ({"description": "\u2192"}, "option 'description'"),
        ({"permissions_boundary": "boundary"}, "option 'permissions_boundary'"),
        ({"max_session_duration": 3599}, "max_session_duration is 3599"),
        ({"max_session_duration": 43201}, "max_session_duration is 43201"),
        ({"permissions_boundary": "None"}, "option 'permissions_boundary'"),
        ({"managed_policy_arns": (BOUNDARY, "boundary")}, "option 'managed_policy_arns' is 'boundary'"),
        ({"trust_policy_max_length": 2047}, "trust_policy_max_length is 2047"),
        ({"trust_policy_max_length": 4097}, "trust_policy_max_length is 4097"),
        ({"prune_issuers": (Issuer.parse(URL),)}, "prune_issuers names the issuer itself"),
        ({"service_accounts": ()}, "service_accounts is empty"),
        ({"workspace_arns": ()}, "workspace_arns is empty"),
    ],
)
def test_what_iam_can_t_take_is_bad_input(changes: dict[str, t.Any], text: str) -> None:
    with pytest.raises(errors.InvalidInput, match=text):
        dataclasses.replace(WISH, **changes).check()


def test_what_iam_takes_passes() -> None:
    dataclasses.replace(
        WISH,
        name="a+=,.@-_Z9",
        path="/a/b/",
        description="d\u00e9",
        max_session_duration=3600,
        permissions_boundary="arn:aws-us-gov:iam::aws:policy/x/y",
    ).check()


def test_a_boundary_of_none_is_no_boundary() -> None:
    wish = dataclasses.replace(WISH, permissions_boundary="none")
    wish.check()
    assert operations(resource.plan(with_role(permissions_boundary=BOUNDARY), wish)) == [write.SetBoundary(None)]
    assert operations(resource.plan(CURRENT, wish)) == []
    assert resource.plan(ABSENT, wish).predicted.existing.permissions_boundary is None


def test_an_absent_role_needs_neither_service_accounts_nor_workspaces() -> None:
    wish = dataclasses.replace(WISH, state=State.ABSENT, service_accounts=(), workspace_arns=())
    wish.check()
    assert iam_role_absent.plan(ABSENT, wish) == Plan((), ABSENT)


def test_pruning_makes_room_before_the_size_is_counted() -> None:
    others = tuple(Issuer.parse(f"https://westeurope.oic.prod-aks.azure.com/t/{number}/") for number in range(4))
    account = (ServiceAccount("monitoring", "prometheus-sa"),)
    statements = [WebIdentityTrust(issuer, "sts.amazonaws.com", account, ACCOUNT).statement() for issuer in others]
    current = with_role(trust_policy={**TRUST, "Statement": statements})
    wish = dataclasses.replace(WISH, service_accounts=tuple(ServiceAccount("m", f"account-{n}") for n in range(15)))
    with pytest.raises(errors.InvalidInput, match="and IAM takes 2048") as caught:
        resource.plan(current, wish)
    assert "prune_stale_issuers" in caught.value.fix
    current = dataclasses.replace(current, gone=frozenset(others[1:]))
    with pytest.raises(errors.InvalidInput, match="and IAM takes 2048"):
        resource.plan(current, wish)  # pruning is for those who ask
    (change,) = resource.plan(current, dataclasses.replace(wish, prune_stale_issuers=True)).changes
    assert f"End the trust in {', '.join(issuer.url for issuer in others[1:])}." in change.summary
