# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may speak to the account at all: signatures, keys and the errors of both protocols."""

from __future__ import annotations

import json
import typing as t

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.sandbox.aws_support import CONTROLLER_ARN, REGION, Aws, Keys, allow, failure

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"
MISMATCH = "The request signature we calculated does not match the signature you provided. "
WRONG_SECRET = Keys(secret_key="wrong")
UNKNOWN_KEY = Keys(access_key="AKIAUNKNOWN")
LIST_ROLES = b"Action=ListRoles&Version=2010-05-08"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def aws() -> Aws:
    return Aws()


def query_calls(aws: Aws, keys: Keys) -> list[Callable[[], object]]:
    return [aws.iam(keys).list_roles, aws.sts(keys).get_caller_identity]


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        (WRONG_SECRET, "SignatureDoesNotMatch", MISMATCH),
        (UNKNOWN_KEY, "InvalidClientTokenId", INVALID),
        (Keys(token="made-up"), "InvalidClientTokenId", INVALID),
    ],
)
def test_query_services_refuse_foreign_signatures(aws: Aws, keys: Keys, code: str, message: str) -> None:
    for call in query_calls(aws, keys):
        status, found_code, found_message = failure(call)
        assert (status, found_code) == (403, code)
        assert found_message.startswith(message)


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        (WRONG_SECRET, "InvalidSignatureException", MISMATCH),
        (UNKNOWN_KEY, "UnrecognizedClientException", INVALID),
        (Keys(token="made-up"), "UnrecognizedClientException", INVALID),
    ],
)
def test_rest_services_refuse_foreign_signatures(aws: Aws, keys: Keys, code: str, message: str) -> None:
    status, found_code, found_message = failure(aws.amp(keys=keys).list_workspaces)
    assert (status, found_code) == (403, code)
    assert found_message.startswith(message)


def test_a_refusal_shows_what_should_have_been_signed(aws: Aws) -> None:
    message = failure(aws.amp(keys=WRONG_SECRET).list_workspaces)[2]
    assert f"The Canonical String for this request should have been\n'GET\n/workspaces\n\nhost:aps.{REGION}" in message


def test_a_request_without_signature_is_answered_in_each_protocols_shape(aws: Aws) -> None:
    answer = aws.unsigned("iam.amazonaws.com", Action="ListRoles", Version="2010-05-08")
    assert answer.status_code == 403
    assert answer.content_type == "text/xml"
    assert b"<Code>MissingAuthenticationToken</Code><Message>Request is missing Authentication Token<" in answer.data
    assert b'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"' in answer.data
    answer = aws.send(AWSRequest("GET", f"https://aps.{REGION}.amazonaws.com/workspaces").prepare())
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert json.loads(answer.data) == {"message": "Missing Authentication Token"}


def test_a_header_that_is_no_signature_is_incomplete(aws: Aws) -> None:
    headers = FORM | {"Authorization": "Bearer x"}
    answer = aws.send(AWSRequest("POST", "https://iam.amazonaws.com/", headers, LIST_ROLES).prepare())
    assert answer.status_code == 403
    assert b"<Code>IncompleteSignature</Code>" in answer.data


@pytest.mark.parametrize("service", ["iam", "amp"])
def test_a_session_ends(aws: Aws, service: str) -> None:
    keys = aws.session(allow("*"))
    client = aws.client(service, keys=keys)
    call = client.list_roles if service == "iam" else client.list_workspaces
    aws.now += 3599
    aws_clock_is_ahead = failure(call)[1]  # the key lives, but the signature is an hour old for the account
    assert aws_clock_is_ahead in ("SignatureDoesNotMatch", "InvalidSignatureException")
    aws.now += 1
    expected = "ExpiredToken" if service == "iam" else "ExpiredTokenException"
    assert failure(call) == (403, expected, EXPIRED)


def test_a_sessions_keys_need_their_token(aws: Aws) -> None:
    keys = aws.session(allow("*"))
    assert aws.iam(keys).list_roles()["Roles"]
    for token in (None, "another"):
        assert failure(aws.iam(Keys(keys.access_key, keys.secret_key, token)).list_roles) == (
            403,
            "InvalidClientTokenId",
            INVALID,
        )


def signed(aws: Aws, service: str, region: str) -> Response:
    return aws.raw("POST", "https://iam.amazonaws.com/", service=service, region=region, headers=FORM, body=LIST_ROLES)


def test_the_scope_must_be_the_services_own(aws: Aws) -> None:
    assert signed(aws, "iam", "us-east-1").status_code == 200
    answer = signed(aws, "iam", "eu-central-1")
    assert answer.status_code == 403
    assert b"Credential should be scoped to a valid region. " in answer.data
    answer = signed(aws, "sts", "us-east-1")
    assert answer.status_code == 403
    assert b"Credential should be scoped to correct service: 'iam'. " in answer.data


@pytest.mark.parametrize(
    ("shift", "words"), [(301, "Signature expired: "), (-301, "Signature not yet current: "), (299, ""), (-299, "")]
)
def test_clocks_may_differ_by_five_minutes(aws: Aws, shift: float, words: str) -> None:
    client = aws.iam()
    aws.now += shift
    if not words:
        client.list_roles()
        return
    status, code, message = failure(client.list_roles)
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith(words)
    assert message.endswith(" 5 min.)")


class Tampering:
    """A signed request of which something changes on its way."""

    def __init__(self) -> None:
        self.request = AWSRequest(
            "POST", f"https://aps.{REGION}.amazonaws.com/workspaces", {"Content-Type": "application/json"}, b'{"a": 1}'
        )
        keys = Keys()
        SigV4Auth(Credentials(keys.access_key, keys.secret_key), "aps", REGION).add_auth(self.request)
        self.prepared: t.Any = self.request.prepare()


def change_body(request: t.Any) -> None:
    request.body = b'{"a": 2}'


def change_query(request: t.Any) -> None:
    request.url += "?alias=x"


def change_method(request: t.Any) -> None:
    request.method = "GET"


def change_path(request: t.Any) -> None:
    request.url += "/ws-1"
    request.method = "GET"


def drop_host_from_signature(request: t.Any) -> None:
    request.headers["Authorization"] = request.headers["Authorization"].replace("host;", "")


def claim_another_body(request: t.Any) -> None:
    request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"


def change_date(request: t.Any) -> None:
    stamp = request.headers["X-Amz-Date"]
    request.headers["X-Amz-Date"] = stamp[:-2] + ("1Z" if stamp[-2] == "0" else "0Z")


@pytest.mark.parametrize(
    "tamper",
    [
        change_body,
        change_query,
        change_method,
        change_path,
        drop_host_from_signature,
        claim_another_body,
        change_date,
    ],
)
def test_nothing_that_is_signed_can_be_changed(aws: Aws, tamper: Callable[[t.Any], None]) -> None:
    assert aws.send(Tampering().prepared).status_code == 202
    prepared = Tampering().prepared
    tamper(prepared)
    answer = aws.send(prepared)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"


class HostLess(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """A signer that leaves the host out."""

    def headers_to_sign(self, request: t.Any) -> t.Any:
        headers = super().headers_to_sign(request)
        del headers["host"]
        return headers


def test_the_host_must_be_signed(aws: Aws) -> None:
    """Else a signature for one host would do for another."""
    request = AWSRequest("GET", f"https://aps.{REGION}.amazonaws.com/workspaces")
    keys = Keys()
    HostLess(Credentials(keys.access_key, keys.secret_key), "aps", REGION).add_auth(request)
    assert "SignedHeaders=x-amz-date," in request.headers["Authorization"]
    answer = aws.send(request.prepare())
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"


def test_the_day_of_the_scope_is_that_of_the_date(aws: Aws) -> None:
    prepared = Tampering().prepared
    stamp = prepared.headers["X-Amz-Date"]
    header = prepared.headers["Authorization"]
    prepared.headers["Authorization"] = header.replace(f"/{stamp[:8]}/", "/20200101/")
    answer = aws.send(prepared)
    assert answer.status_code == 403
    assert b"Date in Credential scope does not match" in answer.data


def test_escaped_paths_and_queries_verify(aws: Aws) -> None:
    workspace = aws.account.seed_workspace("one two+three&four=five", REGION)
    amp = aws.amp()
    (found,) = amp.list_workspaces(alias="one two+three&")["workspaces"]
    assert found["workspaceId"] == workspace
    assert amp.list_tags_for_resource(resourceArn=found["arn"])["tags"] == {}
    assert failure(lambda: amp.describe_workspace(workspaceId="a b%2Fc~é"))[1] == "ResourceNotFoundException"


def test_who_the_controller_is(aws: Aws) -> None:
    answer = aws.sts().get_caller_identity()
    assert (answer["Arn"], answer["Account"]) == (CONTROLLER_ARN, "123456789012")
    for host, region in (("sts.amazonaws.com", "us-east-1"), ("sts.us-west-2.amazonaws.com", "us-west-2")):
        response = aws.raw(
            "POST",
            f"https://{host}/",
            service="sts",
            region=region,
            headers=FORM,
            body=b"Action=GetCallerIdentity&Version=2011-06-15",
        )
        assert response.status_code == 200
        assert CONTROLLER_ARN.encode() in response.data


def test_unknown_hosts_and_operations(aws: Aws) -> None:
    assert aws.unsigned("s3.amazonaws.com", Action="X").status_code == 421
    answer = aws.unsigned("iam.amazonaws.com", Action="MakeCoffee", Version="2010-05-08")
    assert answer.status_code == 400
    assert b"<Code>InvalidAction</Code>" in answer.data
    answer = aws.unsigned("iam.amazonaws.com", Action="CreateUser", Version="2010-05-08")
    assert answer.status_code == 501
    assert b"The sandbox does not serve iam:CreateUser." in answer.data


def test_requests_are_logged_under_their_service(aws: Aws) -> None:
    workspace = aws.account.seed_workspace("demo", REGION)
    aws.iam().list_roles()
    aws.sts().get_caller_identity()
    aws.amp().describe_workspace(workspaceId=workspace)
    failure(aws.iam(WRONG_SECRET).list_roles)
    assert [(entry.service, entry.operation, entry.status, entry.write) for entry in aws.world.log.since()] == [
        ("iam", "ListRoles", 200, False),
        ("sts", "GetCallerIdentity", 200, False),
        ("aps", "DescribeWorkspace", 200, False),
        ("iam", "ListRoles", 403, False),
    ]
