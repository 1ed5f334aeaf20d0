# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and their policies in IAM: each rule that moto leaves out."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import unquote

import pytest

from tests.unit.sandbox.aws_support import (
    ACCOUNT,
    CONTROLLER_ARN,
    HOST_AND_PATH,
    ISSUER,
    PROVIDER_ARN,
    ROLE,
    ROLE_ARN,
    THUMBPRINT,
    Aws,
    Keys,
    allow,
    failure,
    policy,
    trust_policy,
)

if t.TYPE_CHECKING:
    from sandbox.world import Json

AWS_POLICY = "arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"
NO_SUCH_ROLE = (404, "NoSuchEntity", f"The role with name {ROLE} cannot be found.")


@pytest.fixture
def aws() -> Aws:
    account = Aws()
    account.account.seed_provider(ISSUER, [], [THUMBPRINT])
    return account


def create(aws: Aws, trust: Json | str | None = None, **changes: t.Any) -> t.Any:
    document = trust if isinstance(trust, str) else json.dumps(trust or trust_policy())
    return aws.iam().create_role(**{"RoleName": ROLE, "AssumeRolePolicyDocument": document, **changes})["Role"]


def trusting(principal: t.Any, action: str = "sts:AssumeRole", **elements: t.Any) -> Json:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, **elements}
    return {"Version": "2012-10-17", "Statement": [{name: v for name, v in statement.items() if v is not None}]}


def test_what_a_role_is(aws: Aws) -> None:
    role = create(aws, Description="for metrics", Tags=[{"Key": "a", "Value": "b"}])
    assert (role["Arn"], role["Path"], role["MaxSessionDuration"]) == (ROLE_ARN, "/", 3600)
    assert role["RoleId"].startswith("AROA")
    assert role["CreateDate"].microsecond == 0
    found = aws.iam().get_role(RoleName=ROLE)["Role"]
    assert found["AssumeRolePolicyDocument"] == trust_policy()
    assert (found["Description"], found["Tags"]) == ("for metrics", [{"Key": "a", "Value": "b"}])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"RoleName": "bad name!"},
            (
                "1 validation error detected: Value 'bad name!' at 'roleName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [\\w+=,.@-]+"
            ),
        ),
        (
            {"RoleName": "r" * 65},
            (
                f"1 validation error detected: Value '{'r' * 65}' at 'roleName' failed to satisfy constraint: "
                "Member must have length less than or equal to 64"
            ),
        ),
        (
            {"Path": "no-slashes"},
            (
                "1 validation error detected: Value 'no-slashes' at 'path' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)"
            ),
        ),
        (
            {"Description": "d" * 1001},
            (
                f"1 validation error detected: Value '{'d' * 1001}' at 'description' failed to satisfy constraint: "
                "Member must have length less than or equal to 1000"
            ),
        ),
        (
            {"MaxSessionDuration": 3599},
            (
                "1 validation error detected: Value '3599' at 'maxSessionDuration' failed to satisfy constraint: "
                "Member must have value greater than or equal to 3600"
            ),
        ),
        (
            {"MaxSessionDuration": 43201},
            (
                "1 validation error detected: Value '43201' at 'maxSessionDuration' failed to satisfy constraint: "
                "Member must have value less than or equal to 43200"
            ),
        ),
        (
            {"RoleName": "", "Path": ""},
            (
                "4 validation errors detected: "
                "Value '' at 'path' failed to satisfy constraint: Member must have length greater than or equal to 1; "
                "Value '' at 'path' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F); "
                "Value '' at 'roleName' failed to satisfy constraint: "
                "Member must have length greater than or equal to 1; "
                "Value '' at 'roleName' failed to satisfy constraint: "
                "Member must satisfy regular expression pattern: [\\w+=,.@-]+"
            ),
        ),
    ],
)
def test_parameters_that_iam_does_not_take(aws: Aws, changes: dict[str, t.Any], message: str) -> None:
    assert failure(lambda: create(aws, **changes)) == (400, "ValidationError", message)
    assert aws.iam().list_roles()["Roles"] == []


def test_names_differ_by_more_than_case(aws: Aws) -> None:
    create(aws)
    name = ROLE.upper()
    expected = (409, "EntityAlreadyExists", f"Role with name {name} already exists.")
    assert failure(lambda: create(aws, RoleName=name)) == expected
    assert failure(lambda: create(aws, RoleName=name, Path="/other/")) == expected


UNKNOWN_PROVIDER = PROVIDER_ARN.rstrip("/")
FOREIGN_PROVIDER = PROVIDER_ARN.replace(ACCOUNT, "210987654321")
UNKNOWN_ROLE = f"arn:aws:iam::{ACCOUNT}:role/unknown"
BAD_FEDERATED = "Federated principals must be valid domain names or SAML metadata ARNs"


@pytest.mark.parametrize(
    ("trust", "message"),
    [
        ("{", "This policy contains invalid Json"),
        ("[]", "Syntax errors in policy."),
        ("{}", "Syntax errors in policy."),
        ({"Statement": []}, "Syntax errors in policy."),
        (trusting({"AWS": ACCOUNT}, Effect="Perhaps"), "Syntax errors in policy."),
        (trusting({"AWS": ACCOUNT}, Surprise=1), "Syntax errors in policy."),
        (trusting({"AWS": ACCOUNT}) | {"Version": "2020-01-01"}, "Syntax errors in policy."),
        (trusting({"AWS": ACCOUNT}) | {"Version": ["2012-10-17"]}, "Syntax errors in policy."),
        (trusting({"AWS": ACCOUNT}, Sid="not alpha-numeric"), "Statement IDs (SID) must be alpha-numeric. "),
        (trusting({"AWS": ACCOUNT}, Resource="*"), "Has prohibited field Resource."),
        (trusting({"AWS": ACCOUNT}, "s3:GetObject"), "Trust Policy statement actions can only be sts:AssumeRole"),
        (trusting(None), "Missing required field Principal"),
        (trusting({}), "Syntax errors in policy."),
        (trusting("arn:aws:iam::123456789012:root"), "Syntax errors in policy."),
        (trusting({"Nobody": "x"}), "Syntax errors in policy."),
        (trusting({"AWS": [1]}), "Syntax errors in policy."),
        (trusting({"AWS": UNKNOWN_ROLE}), f'Invalid principal in policy: "AWS":"{UNKNOWN_ROLE}"'),
        (trusting({"AWS": "somebody"}), 'Invalid principal in policy: "AWS":"somebody"'),
        (trusting({"AWS": "arn:aws:iam::*:root"}), 'Invalid principal in policy: "AWS":"arn:aws:iam::*:root"'),
        (trusting({"Service": "no domain"}), 'Invalid principal in policy: "SERVICE":"no domain"'),
        (trusting({"Federated": ISSUER}), BAD_FEDERATED),
        (trusting({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/"}), BAD_FEDERATED),
        (trusting({"Federated": f"arn:aws:iam//{ACCOUNT}:oidc-provider/x"}), BAD_FEDERATED),
        (trusting({"Federated": UNKNOWN_PROVIDER}), f'Invalid principal in policy: "FEDERATED":"{UNKNOWN_PROVIDER}"'),
        (trusting({"Federated": FOREIGN_PROVIDER}), f'Invalid principal in policy: "FEDERATED":"{FOREIGN_PROVIDER}"'),
    ],
)
def test_trust_policies_that_iam_does_not_take(aws: Aws, trust: Json | str, message: str) -> None:
    status, code, found = failure(lambda: create(aws, trust))
    assert (status, code) == (400, "MalformedPolicyDocument")
    assert found.startswith(message)
    create(aws)
    document = trust if isinstance(trust, str) else json.dumps(trust)
    update = aws.iam().update_assume_role_policy
    assert failure(lambda: update(RoleName=ROLE, PolicyDocument=document))[1:] == (code, found)
    assert aws.iam().get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"] == trust_policy()


@pytest.mark.parametrize(
    "trust",
    [
        trusting({"Federated": PROVIDER_ARN}, "sts:AssumeRoleWithWebIdentity"),
        trusting({"Federated": "accounts.google.com"}, "sts:AssumeRoleWithWebIdentity"),
        trusting({"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", CONTROLLER_ARN]}),
        trusting({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/some/session"}),
        trusting({"Service": "ec2.amazonaws.com"}),
        trusting("*", Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}),
        trusting({"AWS": ACCOUNT}) | {"Version": "2008-10-17"},
        {"Statement": trusting({"AWS": ACCOUNT})["Statement"][0]},
    ],
)
def test_trust_policies_that_iam_takes(aws: Aws, trust: Json) -> None:
    create(aws, trust)
    assert aws.iam().get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"] == trust


def sized(characters: int) -> str:
    """A trust policy of so many characters without white space, and much white space."""
    empty = json.dumps(trusting({"AWS": ACCOUNT}, Sid=""), separators=(",", ":"))
    return json.dumps(trusting({"AWS": ACCOUNT}, Sid="x" * (characters - len(empty))), indent=8)


def test_a_trust_policy_has_2048_characters_at_most(aws: Aws) -> None:
    expected = (409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
    assert failure(lambda: create(aws, sized(2049))) == expected
    create(aws, sized(2048))
    update = aws.iam().update_assume_role_policy
    assert failure(lambda: update(RoleName=ROLE, PolicyDocument=sized(2049))) == expected


def test_updating_the_trust_policy_replaces_it(aws: Aws) -> None:
    create(aws)
    trust = trusting({"AWS": ACCOUNT})
    aws.iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    assert aws.iam().get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"] == trust


def test_updating_a_role_leaves_what_is_not_given(aws: Aws) -> None:
    create(aws, Description="old", MaxSessionDuration=7200)
    aws.iam().update_role(RoleName=ROLE, Description="new")
    role = aws.iam().get_role(RoleName=ROLE)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 7200)
    aws.iam().update_role(RoleName=ROLE, MaxSessionDuration=3600)
    role = aws.iam().get_role(RoleName=ROLE)["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("new", 3600)


def test_documents_travel_url_encoded(aws: Aws) -> None:
    """As IAM sends them; botocore decodes them, so the bytes are looked at."""
    create(aws)
    aws.iam().put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=json.dumps(policy(allow("aps:*"))))
    for body, element in (
        (f"Action=GetRole&RoleName={ROLE}", "AssumeRolePolicyDocument"),
        ("Action=ListRoles", "AssumeRolePolicyDocument"),
        (f"Action=GetRolePolicy&RoleName={ROLE}&PolicyName=p", "PolicyDocument"),
    ):
        answer = aws.raw(
            "POST",
            "https://iam.amazonaws.com/",
            service="iam",
            region="us-east-1",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=f"{body}&Version=2010-05-08".encode(),
        )
        document = answer.get_data(as_text=True).partition(f"<{element}>")[2].partition("<")[0]
        assert document.startswith("%7B%22")
        assert json.loads(unquote(document))["Version"] == "2012-10-17"


def put(aws: Aws, document: Json | str, name: str = "p") -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    aws.iam().put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=text)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "Syntax errors in policy."),
        (policy({"Effect": "Allow", "Action": "aps:*"}), "Policy statement must contain resources."),
        (policy({"Effect": "Allow", "Resource": "*"}), "Policy statement must contain actions."),
        (policy(allow("RemoteWrite")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (policy(allow("aps:*", "workspace/x")), 'Resource workspace/x must be in ARN format or "*".'),
        (policy(allow("aps:*") | {"Principal": "*"}), "Policy document should not specify a principal."),
        (policy(allow("aps:*") | {"Sid": "a-b"}), "Statement IDs (SID) must be alpha-numeric. "),
        (policy(allow("aps:*")) | {"Version": "2008-10-17"}, "Policy document must be version 2012-10-17 or greater."),
    ],
)
def test_inline_policies_that_iam_does_not_take(aws: Aws, document: Json | str, message: str) -> None:
    create(aws)
    status, code, found = failure(lambda: put(aws, document))
    assert (status, code) == (400, "MalformedPolicyDocument")
    assert found.startswith(message)
    assert aws.iam().list_role_policies(RoleName=ROLE)["PolicyNames"] == []


def test_inline_policies_share_10240_characters(aws: Aws) -> None:
    create(aws)
    half = policy(*[allow("aps:RemoteWrite", f"arn:aws:aps:*:*:workspace/{number:050}") for number in range(40)])
    put(aws, half, "one")
    put(aws, half, "one")  # its own size is free again
    status, code, message = failure(lambda: put(aws, half, "two"))
    assert (status, code) == (409, "LimitExceeded")
    assert message == f"Maximum policy size of 10240 bytes exceeded for role {ROLE}"
    assert aws.iam().list_role_policies(RoleName=ROLE)["PolicyNames"] == ["one"]


def test_an_inline_policy_is_kept_and_deleted(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    put(aws, policy(allow("aps:RemoteWrite")))
    assert iam.get_role_policy(RoleName=ROLE, PolicyName="p")["PolicyDocument"] == policy(allow("aps:RemoteWrite"))
    iam.delete_role_policy(RoleName=ROLE, PolicyName="p")
    expected = (404, "NoSuchEntity", "The role policy with name p cannot be found.")
    for operation in (iam.get_role_policy, iam.delete_role_policy):
        assert failure(lambda: operation(RoleName=ROLE, PolicyName="p")) == expected  # noqa: B023 - called at once


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_role", {}),
        ("delete_role", {}),
        ("update_role", {}),
        ("update_assume_role_policy", {"PolicyDocument": json.dumps(trusting({"AWS": ACCOUNT}))}),
        ("put_role_policy", {"PolicyName": "p", "PolicyDocument": json.dumps(policy(allow("aps:*")))}),
        ("get_role_policy", {"PolicyName": "p"}),
        ("list_role_policies", {}),
        ("list_attached_role_policies", {}),
        ("list_instance_profiles_for_role", {}),
        ("tag_role", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("list_role_tags", {}),
    ],
)
def test_a_role_that_is_not_there(aws: Aws, operation: str, parameters: dict[str, t.Any]) -> None:
    call = getattr(aws.iam(), operation)
    assert failure(lambda: call(RoleName=ROLE, **parameters)) == NO_SUCH_ROLE


def test_tags_are_replaced_without_regard_to_case(aws: Aws) -> None:
    create(aws, Tags=[{"Key": "Owner", "Value": "me"}, {"Key": "b", "Value": "1"}])
    iam = aws.iam()
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": "owner", "Value": "you"}])
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_role_tags(RoleName=ROLE)["Tags"]}
    assert tags == {"b": "1", "owner": "you"}
    iam.untag_role(RoleName=ROLE, TagKeys=["OWNER"])
    assert iam.list_role_tags(RoleName=ROLE)["Tags"] == [{"Key": "b", "Value": "1"}]
    twice = [{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}]
    assert failure(lambda: iam.tag_role(RoleName=ROLE, Tags=twice))[:2] == (400, "InvalidInput")


def test_tags_of_aws_itself_and_too_many_are_refused(aws: Aws) -> None:
    reserved = [{"Key": "aws:x", "Value": "me"}]
    expected = (400, "InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
    assert failure(lambda: create(aws, Tags=reserved)) == expected
    create(aws, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    assert failure(lambda: aws.iam().tag_role(RoleName=ROLE, Tags=reserved)) == expected
    more = [{"Key": "one more", "Value": ""}]
    assert failure(lambda: aws.iam().tag_role(RoleName=ROLE, Tags=more))[:2] == (409, "LimitExceeded")


def test_a_role_with_policies_cannot_be_deleted(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    put(aws, policy(allow("aps:RemoteWrite")))
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=json.dumps(policy(allow("aps:*"))))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    conflict = (409, "DeleteConflict")
    assert failure(lambda: iam.delete_role(RoleName=ROLE))[:2] == conflict
    assert failure(lambda: iam.delete_policy(PolicyArn=arn))[:2] == conflict
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=arn)
    assert failure(lambda: iam.delete_role(RoleName=ROLE))[:2] == conflict
    iam.delete_role_policy(RoleName=ROLE, PolicyName="p")
    iam.delete_role(RoleName=ROLE)
    iam.delete_policy(PolicyArn=arn)
    assert failure(lambda: iam.get_role(RoleName=ROLE)) == NO_SUCH_ROLE


def test_the_controller_may_be_limited(aws: Aws) -> None:
    create(aws)
    aws.account.set_controller_policies(policy(allow("iam:Get*"), allow("sts:*")))
    assert aws.iam().get_role(RoleName=ROLE)
    assert failure(lambda: aws.iam().delete_role(RoleName=ROLE)) == (
        403,
        "AccessDenied",
        (
            f"User: {CONTROLLER_ARN} is not authorized to perform: iam:DeleteRole on resource: {ROLE_ARN} "
            "because no identity-based policy allows the iam:DeleteRole action"
        ),
    )
    aws.account.set_controller_policies(policy(allow("*"), {"Effect": "Deny", "Action": "iam:*", "Resource": ROLE_ARN}))
    message = failure(lambda: aws.iam().get_role(RoleName=ROLE))[2]
    assert message.endswith(" with an explicit deny in an identity-based policy")
    assert aws.iam().list_roles()


def test_a_sessions_rights_in_iam_are_its_roles(aws: Aws) -> None:
    aws = Aws()
    keys: Keys = aws.session(allow("iam:GetRole", ROLE_ARN))
    iam = aws.iam(keys)
    assert iam.get_role(RoleName=ROLE)["Role"]["Arn"] == ROLE_ARN
    for call, action, resource in (
        (iam.list_roles, "ListRoles", f"arn:aws:iam::{ACCOUNT}:*"),
        (lambda: iam.get_role(RoleName="other"), "GetRole", f"arn:aws:iam::{ACCOUNT}:role/other"),
        (
            lambda: iam.create_open_id_connect_provider(Url=ISSUER, ThumbprintList=[THUMBPRINT]),
            "CreateOpenIDConnectProvider",
            f"arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST_AND_PATH}",
        ),
    ):
        status, code, message = failure(call)
        assert (status, code) == (403, "AccessDenied")
        assert message.startswith(
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus is not authorized to perform: "
            f"iam:{action} on resource: {resource} because "
        )


def test_writes_are_marked_when_they_succeed(aws: Aws) -> None:
    create(aws)
    failure(lambda: create(aws))
    put(aws, policy(allow("aps:*")))
    aws.iam().get_role_policy(RoleName=ROLE, PolicyName="p")
    failure(lambda: aws.iam().delete_role(RoleName=ROLE))  # it still has a policy
    assert [entry.write for entry in aws.world.log.since()] == [True, False, True, False, False]


def test_what_is_still_in_a_role_stands_against_its_deletion(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName=ROLE)
    assert [
        entry["InstanceProfileName"] for entry in iam.list_instance_profiles_for_role(RoleName=ROLE)["InstanceProfiles"]
    ] == ["i"]
    assert failure(lambda: iam.delete_role(RoleName=ROLE))[:2] == (409, "DeleteConflict")
    iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName=ROLE)
    assert (
        failure(lambda: iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName=ROLE))[1]
        == "NoSuchEntity"
    )
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=AWS_POLICY)
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=AWS_POLICY)  # idempotent
    assert failure(lambda: iam.delete_role(RoleName=ROLE))[:2] == (409, "DeleteConflict")
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=AWS_POLICY)
    assert iam.get_policy(PolicyArn=AWS_POLICY)["Policy"]["AttachmentCount"] == 0
    assert failure(lambda: iam.detach_role_policy(RoleName=ROLE, PolicyArn=AWS_POLICY))[1] == "NoSuchEntity"
    iam.delete_role(RoleName=ROLE)
    assert failure(lambda: iam.delete_role(RoleName=ROLE)) == NO_SUCH_ROLE


def test_case_tells_the_keys_of_a_managed_policy_s_tags_apart(aws: Aws) -> None:
    iam, document = aws.iam(), json.dumps(policy(allow("aps:RemoteWrite")))
    two = [{"Key": "Costcenter", "Value": "1"}, {"Key": "costcenter", "Value": "2"}]
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document, Tags=two)["Policy"]["Arn"]
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == two
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "COSTCENTER", "Value": "3"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["costcenter", "costCenter"])
    found = {tag["Key"]: tag["Value"] for tag in iam.get_policy(PolicyArn=arn)["Policy"]["Tags"]}
    assert found == {"Costcenter": "1", "COSTCENTER": "3"}


def test_managed_policies_have_names_sizes_versions_and_users(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    document = json.dumps(policy(allow("aps:RemoteWrite")))
    arn = iam.create_policy(PolicyName="p", PolicyDocument=document)["Policy"]["Arn"]
    assert failure(lambda: iam.create_policy(PolicyName="P", PolicyDocument=document))[:2] == (
        409,
        "EntityAlreadyExists",
    )
    large = json.dumps(policy(allow("aps:RemoteWrite", "arn:aws:aps:*:*:" + "r" * 6144)))
    assert failure(lambda: iam.create_policy(PolicyName="large", PolicyDocument=large))[:2] == (409, "LimitExceeded")
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert failure(lambda: iam.delete_policy(PolicyArn=arn))[:2] == (409, "DeleteConflict")
    iam.delete_role_permissions_boundary(RoleName=ROLE)
    for _number in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    another = {"PolicyArn": arn, "PolicyDocument": document, "SetAsDefault": True}
    assert failure(lambda: iam.create_policy_version(**another))[:2] == (409, "LimitExceeded")
    assert failure(lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v5"))[1] == "DeleteConflict"
    assert "more than one version" in failure(lambda: iam.delete_policy(PolicyArn=arn))[2]
    for number in range(1, 5):
        iam.delete_policy_version(PolicyArn=arn, VersionId=f"v{number}")
    iam.delete_policy(PolicyArn=arn)


def test_no_policy_of_a_role_may_be_unknown_and_ten_are_the_most(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    missing = f"arn:aws:iam::{ACCOUNT}:policy/missing"
    text = f"Policy {missing} does not exist or is not attachable."
    for call in (
        lambda: iam.attach_role_policy(RoleName=ROLE, PolicyArn=missing),
        lambda: iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=missing),
    ):
        assert failure(call) == (404, "NoSuchEntity", text)
    document = json.dumps(policy(allow("aps:RemoteWrite")))
    arns = [
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=document)["Policy"]["Arn"] for number in range(11)
    ]
    for arn in arns[:10]:
        iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    assert failure(lambda: iam.attach_role_policy(RoleName=ROLE, PolicyArn=arns[10]))[:2] == (409, "LimitExceeded")


def _simulated(aws: Aws, resource: str = "*") -> Json:
    answer = aws.iam().simulate_principal_policy(
        PolicySourceArn=ROLE_ARN, ActionNames=["aps:RemoteWrite"], ResourceArns=[resource]
    )
    (result,) = answer["EvaluationResults"]
    return dict(result)


def test_what_a_role_may_do_is_simulated(aws: Aws) -> None:
    create(aws)
    assert _simulated(aws)["EvalDecision"] == "implicitDeny"
    aws.iam().put_role_policy(
        RoleName=ROLE, PolicyName="write", PolicyDocument=json.dumps(policy(allow("aps:RemoteWrite")))
    )
    result = _simulated(aws, "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1")
    assert result["EvalDecision"] == "allowed"
    assert "PermissionsBoundaryDecisionDetail" not in result
    denial = {**allow("aps:*"), "Effect": "Deny"}
    aws.iam().put_role_policy(RoleName=ROLE, PolicyName="deny", PolicyDocument=json.dumps(policy(denial)))
    assert _simulated(aws)["EvalDecision"] == "explicitDeny"


def test_a_boundary_is_simulated_and_told_apart(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    iam.put_role_policy(RoleName=ROLE, PolicyName="write", PolicyDocument=json.dumps(policy(allow("aps:RemoteWrite"))))
    bounds = iam.create_policy(PolicyName="Bounds", PolicyDocument=json.dumps(policy(allow("s3:*"))))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=bounds)
    result = _simulated(aws)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_only_roles_that_there_are_and_with_the_right_are_simulated(aws: Aws) -> None:
    assert failure(lambda: _simulated(aws)) == NO_SUCH_ROLE
    create(aws)
    aws.account.set_controller_policies(policy(allow("iam:Get*")))
    status, code, message = failure(lambda: _simulated(aws))
    assert (status, code) == (403, "AccessDenied")
    assert "iam:SimulatePrincipalPolicy" in message
