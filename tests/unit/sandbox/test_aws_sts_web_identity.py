# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AssumeRoleWithWebIdentity: all that moto does not look at, with STS's own errors."""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
import typing as t
from urllib.error import URLError

import jwt
import pytest

from sandbox.aws import AwsAccount
from sandbox.faults import Fault, Kind
from sandbox.world import Settings, SigningKey, World
from tests.unit.sandbox.aws_support import (
    ACCOUNT,
    AUDIENCE,
    HOST_AND_PATH,
    ISSUER,
    PROVIDER_ARN,
    REGION,
    ROLE,
    ROLE_ARN,
    SUBJECT,
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

DENIED = (403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
WRONG_AUDIENCE = (400, "InvalidIdentityToken", "Incorrect token audience")
NO_JWT = (
    400,
    "InvalidIdentityToken",
    "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
)
NO_KEY = (
    400,
    "InvalidIdentityToken",
    (
        "Couldn't retrieve verification key from your identity provider, "
        "please reference AssumeRoleWithWebIdentity documentation for requirements"
    ),
)


@pytest.fixture
def aws() -> Aws:
    return Aws()


def refused(aws: Aws, token: str | None = None, **changes: t.Any) -> tuple[int, str, str]:
    return failure(lambda: aws.assume(token, **changes))


def test_a_right_token_opens_a_session(aws: Aws) -> None:
    aws.federate()
    answer = aws.assume()
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus"
    role_id = aws.iam().get_role(RoleName=ROLE)["Role"]["RoleId"]
    assert answer["AssumedRoleUser"]["AssumedRoleId"] == f"{role_id}:prometheus"
    assert (answer["SubjectFromWebIdentityToken"], answer["Audience"]) == (SUBJECT, AUDIENCE)
    assert answer["Provider"] == PROVIDER_ARN
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    ends = answer["Credentials"]["Expiration"]
    assert ends == dt.datetime.fromtimestamp(int(aws.now + 3600), dt.UTC)
    assert "PackedPolicySize" not in answer  # only session policies and tags are packed
    assert aws.sts(Keys.of(answer)).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]


def test_nobody_signs_and_nothing_is_written(aws: Aws) -> None:
    aws.federate()
    answer = aws.unsigned(
        f"sts.{REGION}.amazonaws.com",
        Action="AssumeRoleWithWebIdentity",
        Version="2011-06-15",
        RoleArn=ROLE_ARN,
        RoleSessionName="prometheus",
        WebIdentityToken=aws.issuer.token(aws.now),
    )
    assert answer.status_code == 200
    (entry,) = aws.world.log.since()
    assert (entry.service, entry.operation, entry.write) == ("sts", "AssumeRoleWithWebIdentity", False)


def test_the_keys_come_from_the_issuers_discovery_document(aws: Aws) -> None:
    aws.federate()
    aws.assume()
    assert aws.issuer.requested == [f"{ISSUER}.well-known/openid-configuration", f"{ISSUER}openid/v1/jwks"]


# The guide's own settings


def test_the_guides_token_is_refused_for_its_audience(aws: Aws) -> None:
    """The webhook's token file has the audience of Entra, the provider only that of STS."""
    aws.federate()
    token = aws.issuer.token(aws.now, aud=["api://AzureADTokenExchange"])
    assert refused(aws, token) == WRONG_AUDIENCE


def test_the_guides_doubled_slash_is_refused(aws: Aws) -> None:
    """AKS issuers end in a slash already, so ``<issuer>/:sub`` names a key that no token fills."""
    aws.federate(sub_key=f"{HOST_AND_PATH}/:sub")
    assert refused(aws) == DENIED


def test_the_guides_role_arn_makes_the_role_assume_itself(aws: Aws) -> None:
    """``sigv4.role_arn`` of the federated role: AssumeRole on top of the session, which no statement allows."""
    aws.federate({"write": policy(allow("aps:RemoteWrite"))})
    sts = aws.sts(Keys.of(aws.assume()))
    assert failure(lambda: sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="again")) == (
        403,
        "AccessDenied",
        (
            f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus is not authorized to perform: "
            f"sts:AssumeRole on resource: {ROLE_ARN}"
        ),
    )


# Issuer


@pytest.mark.parametrize("issuer", [ISSUER.rstrip("/"), ISSUER + "/", ISSUER.upper(), "http" + ISSUER[5:], ""])
def test_the_issuer_is_compared_character_by_character(aws: Aws, issuer: str) -> None:
    aws.federate()
    expected = (400, "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    assert refused(aws, aws.issuer.token(aws.now, iss=issuer)) == expected
    assert aws.issuer.requested == []


def test_a_deleted_provider_is_not_found(aws: Aws) -> None:
    aws.federate()
    aws.iam().delete_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER_ARN)
    assert refused(aws)[2] == f"No OpenIDConnect provider found in your account for {ISSUER}"


# Form and signature


@pytest.mark.parametrize("token", ["none", "a.b.c", "x" * 300, base64.b64encode(b"{}").decode()])
def test_what_is_no_token(aws: Aws, token: str) -> None:
    aws.federate()
    assert refused(aws, token) == NO_JWT


def test_unsigned_and_symmetric_tokens_are_none(aws: Aws) -> None:
    aws.federate()
    claims = jwt.decode(aws.issuer.token(aws.now), options={"verify_signature": False})
    assert refused(aws, jwt.encode(claims, "", algorithm="none")) == NO_JWT
    assert refused(aws, jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"kid": aws.issuer.key.kid})) == NO_JWT


def test_a_key_that_is_not_published_is_not_taken(aws: Aws) -> None:
    aws.federate()
    token = aws.issuer.token(aws.now)
    aws.issuer.key = SigningKey()
    assert refused(aws, token) == NO_KEY


def test_a_forged_signature_is_seen(aws: Aws) -> None:
    aws.federate()
    real = aws.issuer.token(aws.now)
    header, _unused, signature = real.split(".")
    claims = jwt.decode(real, options={"verify_signature": False}) | {"sub": "system:serviceaccount:kube-system:root"}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    status, code, message = refused(aws, f"{header}.{payload}.{signature}")
    assert (status, code) == (400, "InvalidIdentityToken")
    assert message.startswith("The web identity token provided could not be validated.")


@pytest.mark.parametrize("claim", ["sub", "aud", "exp", "iat"])
def test_a_claim_that_is_missing_is_named(aws: Aws, claim: str) -> None:
    aws.federate()
    expected = (400, "InvalidIdentityToken", f"Missing a required claim: {claim}")
    assert refused(aws, aws.issuer.token(aws.now, **{claim: None})) == expected


# The issuer's service


@pytest.mark.parametrize("error", [ConnectionResetError("gone"), TimeoutError("slow"), ValueError("no JSON")])
def test_an_issuer_out_of_reach(aws: Aws, error: Exception) -> None:
    aws.federate()
    aws.issuer.failure = error
    assert refused(aws) == NO_KEY


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": ISSUER.rstrip("/"), "jwks_uri": f"{ISSUER}openid/v1/jwks"},
        {"issuer": ISSUER, "jwks_uri": f"{ISSUER}openid/v1/jwks".replace("https", "http")},
        {"issuer": ISSUER, "jwks_uri": "https://elsewhere.example/jwks"},
        {"issuer": ISSUER},
        {},
    ],
)
def test_a_discovery_document_that_does_not_lead_to_keys(aws: Aws, discovery: Json) -> None:
    aws.federate()
    aws.issuer.discovery = discovery
    assert refused(aws) == NO_KEY


@pytest.mark.parametrize(
    "wrap", [lambda error: error, URLError, lambda error: ConnectionError("wrapped", URLError(error))]
)
def test_a_certificate_of_an_unknown_authority(aws: Aws, wrap: t.Callable[[Exception], Exception]) -> None:
    aws.federate()
    aws.issuer.failure = wrap(ssl.SSLCertVerificationError("unable to get local issuer certificate"))
    assert refused(aws) == (
        400,
        "InvalidIdentityToken",
        "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
    )


def test_where_the_authority_is_not_known_thumbprints_decide(aws: Aws) -> None:
    aws.federate()
    aws.account.set_authority_of_issuers_known(known=False)
    aws.account.set_thumbprint_fetcher(lambda _url: "CD" * 20)
    assert refused(aws)[2] == "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint"
    aws.iam().update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=PROVIDER_ARN, ThumbprintList=["cd" * 20]
    )
    assert aws.assume()["Provider"] == PROVIDER_ARN


def test_a_refusal_for_a_reason_outside_of_the_sandbox(aws: Aws) -> None:
    aws.federate()
    aws.world.settings.sts_refusal_code = "RegionDisabledException"
    status, code, message = refused(aws)
    assert (status, code) == (403, "RegionDisabledException")
    assert "not activated" in message


def test_without_a_way_to_issuers_no_token_is_verified(aws: Aws) -> None:
    world = World()
    lonely = Aws()
    lonely.account = AwsAccount(world, clock=lambda: lonely.now)
    lonely.application = lonely.account.create_wsgi()
    lonely.federate()
    assert refused(lonely) == NO_KEY
    lonely.account.set_issuer_fetcher(aws.issuer.fetch)
    assert lonely.assume()["Provider"] == PROVIDER_ARN
    create = lonely.iam().create_open_id_connect_provider
    assert failure(lambda: create(Url="https://other.example/"))[1] == "OpenIdIdpCommunicationError"


# Time


def test_an_expired_token(aws: Aws) -> None:
    aws.federate()
    token = aws.issuer.token(aws.now - 3600)
    now = int(aws.now)
    assert refused(aws, token) == (
        400,
        "ExpiredTokenException",
        f"Token expired: current date/time {now} must be before the expiration date/time {now}",
    )
    assert aws.assume(aws.issuer.token(aws.now - 3598))


def test_a_token_from_the_future(aws: Aws) -> None:
    aws.federate()
    assert refused(aws, aws.issuer.token(aws.now + 302))[:2] == (400, "InvalidIdentityToken")
    assert aws.assume(aws.issuer.token(aws.now + 290))


# Audience


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
def test_one_audience_must_be_a_client_id(aws: Aws, audience: str | list[str]) -> None:
    aws.federate()
    assert aws.assume(aws.issuer.token(aws.now, aud=audience))["Audience"] == AUDIENCE


@pytest.mark.parametrize("audience", ["STS.amazonaws.com", ["sts.amazonaws.com.cn"], f"{AUDIENCE} "])
def test_audiences_are_compared_exactly(aws: Aws, audience: str | list[str]) -> None:
    aws.federate()
    assert refused(aws, aws.issuer.token(aws.now, aud=audience)) == WRONG_AUDIENCE


def test_a_client_id_that_is_added_lets_the_token_in(aws: Aws) -> None:
    aws.account.seed_provider(ISSUER, [], [THUMBPRINT])
    aws.account.seed_role(ROLE, trust_policy(), {})
    assert refused(aws) == WRONG_AUDIENCE
    aws.iam().add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER_ARN, ClientID=AUDIENCE)
    assert aws.assume()["Audience"] == AUDIENCE


def test_the_authorized_party_stands_in_for_the_audience(aws: Aws) -> None:
    """As with Entra's tokens of version 2: ``azp`` is compared, and is what ``:aud`` means."""
    aws.account.seed_provider(ISSUER, [AUDIENCE, "caller"], [THUMBPRINT])
    trust = trust_policy()
    trust["Statement"][0]["Condition"]["StringEquals"] = {
        f"{HOST_AND_PATH}:aud": "caller",
        f"{HOST_AND_PATH}:oaud": AUDIENCE,
    }
    aws.account.seed_role(ROLE, trust, {})
    assert refused(aws) == DENIED
    assert refused(aws, aws.issuer.token(aws.now, azp="stranger")) == WRONG_AUDIENCE
    assert aws.assume(aws.issuer.token(aws.now, azp="caller"))["Audience"] == "caller"


# The role and its trust policy


def test_an_unknown_role_and_a_refusing_one_look_alike(aws: Aws) -> None:
    aws.federate()
    other = f"arn:aws:iam::{ACCOUNT}:role/other"
    assert refused(aws, RoleArn=other) == DENIED
    assert refused(aws, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/some/path/{ROLE}") == DENIED
    assert refused(aws, RoleArn=ROLE_ARN.replace(ACCOUNT, "210987654321")) == DENIED
    assert refused(aws, aws.issuer.token(aws.now, sub="system:serviceaccount:monitoring:other")) == DENIED


def test_an_arn_that_is_none(aws: Aws) -> None:
    assert refused(aws, RoleArn="AKS-Prometheus-AMP-Role")[:2] == (400, "ValidationError")
    assert refused(aws, RoleArn="short")[:2] == (400, "ValidationError")


def trust(**elements: t.Any) -> Json:
    statement = trust_policy()["Statement"][0] | elements
    return policy({name: value for name, value in statement.items() if value is not None})


@pytest.mark.parametrize(
    ("document", "opens"),
    [
        (trust(), True),
        (trust(Condition=None), True),
        (trust(Action=["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"]), True),
        (trust(Action="sts:AssumeRole"), False),
        (trust(Principal={"Federated": PROVIDER_ARN.rstrip("/")}), False),
        (trust(Principal={"Federated": "accounts.google.com"}), False),
        (trust(Principal={"AWS": ACCOUNT}), False),
        (trust(Condition={"StringLike": {f"{HOST_AND_PATH}:sub": "system:serviceaccount:monitoring:*"}}), True),
        (trust(Condition={"StringLike": {f"{HOST_AND_PATH}:sub": "system:serviceaccount:other:*"}}), False),
        (trust(Condition={"ForAnyValue:StringEquals": {f"{HOST_AND_PATH}:aud": ["x", AUDIENCE]}}), True),
        (trust(Condition={"StringEquals": {f"{HOST_AND_PATH}:sub": SUBJECT.upper()}}), False),
        (trust(Condition={"StringEquals": {f"{HOST_AND_PATH.upper()}:SUB": SUBJECT}}), True),
        (trust(Condition={"StringEquals": {f"{HOST_AND_PATH.rstrip('/')}:sub": SUBJECT}}), False),
        (trust(Condition={"StringEquals": {f"{HOST_AND_PATH}:kubernetes.io": "x"}}), False),
        (trust(Condition={"StringEquals": {"sts:RoleSessionName": "prometheus"}}), True),
        (trust(Condition={"StringEquals": {"sts:RoleSessionName": "other"}}), False),
        (policy(trust()["Statement"][0], trust(Effect="Deny")["Statement"][0]), False),
        (policy(trust()["Statement"][0], trust(Effect="Deny", Action="sts:AssumeRole")["Statement"][0]), True),
    ],
)
def test_the_trust_policy_decides(aws: Aws, document: Json, opens: bool) -> None:
    aws.account.seed_provider(ISSUER, [AUDIENCE], [THUMBPRINT])
    aws.account.seed_role(ROLE, document, {})
    if opens:
        assert aws.assume()["Provider"] == PROVIDER_ARN
    else:
        assert refused(aws) == DENIED


# Parameters


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DurationSeconds": 899}, "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have "),
        ({"DurationSeconds": 43201}, "Member must have value less than or equal to 43200"),
        ({"RoleSessionName": "x"}, "Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have "),
        ({"RoleSessionName": "x" * 65}, "Member must have length less than or equal to 64"),
        ({"RoleSessionName": "a b"}, "Member must satisfy regular expression pattern: [\\w+=,.@-]*"),
        ({"WebIdentityToken": "abc"}, "Value at 'webIdentityToken' failed to satisfy constraint: "),
        ({"WebIdentityToken": "x" * 20001}, "Member must have length less than or equal to 20000"),
    ],
)
def test_parameters_that_sts_does_not_take(aws: Aws, changes: dict[str, t.Any], words: str) -> None:
    aws.federate()
    status, code, message = refused(aws, **changes)
    assert (status, code) == (400, "ValidationError")
    assert words in message


def test_what_is_missing_is_named(aws: Aws) -> None:
    message = failure(lambda: aws.sts().assume_role_with_web_identity(RoleArn=ROLE_ARN))[2]
    assert message == (
        "2 validation errors detected: "
        "Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null; "
        "Value null at 'webIdentityToken' failed to satisfy constraint: Member must not be null"
    )


def test_a_session_lasts_no_longer_than_the_role_allows(aws: Aws) -> None:
    aws.federate()
    too_long = (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    assert refused(aws, DurationSeconds=3601) == too_long
    ends = aws.assume(DurationSeconds=900)["Credentials"]["Expiration"]
    assert ends == dt.datetime.fromtimestamp(int(aws.now + 900), dt.UTC)
    aws.iam().update_role(RoleName=ROLE, MaxSessionDuration=7200)
    assert aws.assume(DurationSeconds=7200)
    assert refused(aws, DurationSeconds=7201) == too_long


def test_a_session_policy_narrows_the_role(aws: Aws) -> None:
    aws.federate({"all": policy(allow("iam:*"))})
    answer = aws.assume(Policy=json.dumps(policy(allow("iam:GetRole"), allow("sts:*"))))
    assert answer["PackedPolicySize"] >= 1
    iam = aws.iam(Keys.of(answer))
    assert iam.get_role(RoleName=ROLE)
    assert failure(iam.list_roles)[1] == "AccessDenied"
    assert refused(aws, Policy="{")[1] == "MalformedPolicyDocument"


# Eventual consistency


def test_changes_of_iam_reach_sts_after_a_while() -> None:
    aws = Aws(Settings(iam_propagation_seconds=60))
    iam = aws.iam()
    no_provider = f"No OpenIDConnect provider found in your account for {ISSUER}"
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=[THUMBPRINT])
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER_ARN)
    assert refused(aws)[2] == no_provider
    aws.now += 30
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy()))
    aws.now += 29
    assert refused(aws)[2] == no_provider
    aws.now += 1
    assert refused(aws) == DENIED  # the provider is effective, the role not yet
    aws.now += 30
    assert aws.assume()
    iam.delete_role(RoleName=ROLE)
    assert aws.assume()
    aws.now += 60
    assert refused(aws) == DENIED


def test_iam_shows_a_late_change_later_to_readers_and_to_sts() -> None:
    aws = Aws()
    iam = aws.iam()
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=[AUDIENCE], ThumbprintList=[THUMBPRINT])
    aws.world.faults.add(Fault(Kind.LATE, service="iam", operation="CreateRole", seconds=60))
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy()))
    assert failure(lambda: iam.get_role(RoleName=ROLE))[1] == "NoSuchEntity"
    assert failure(lambda: iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy())))[1] == (
        "EntityAlreadyExists"
    )
    aws.now += 59
    iam.tag_role(RoleName=ROLE, Tags=[{"Key": "team", "Value": "metrics"}])  # changes are shown in their order
    assert failure(lambda: iam.get_role(RoleName=ROLE))[1] == "NoSuchEntity"
    assert refused(aws) == DENIED
    aws.now += 1
    assert iam.get_role(RoleName=ROLE)["Role"]["Tags"] == [{"Key": "team", "Value": "metrics"}]
    assert aws.assume()
    iam.delete_role(RoleName=ROLE)
    assert failure(lambda: iam.get_role(RoleName=ROLE))[1] == "NoSuchEntity"


def test_what_is_seeded_is_effective_at_once() -> None:
    aws = Aws(Settings(iam_propagation_seconds=60))
    aws.federate()
    assert aws.assume()
