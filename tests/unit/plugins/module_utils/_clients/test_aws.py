# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS client factory and its translation of errors, against boto3 itself and a server that answers nothing."""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest
from botocore.awsrequest import AWSResponse
from botocore.stub import Stubber

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import aws_answers
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_client, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, Transport
from tests.boto3_age import require_resource_policies

KEYS: dict[str, t.Any] = {"access_key": "AKIAEXAMPLEEXAMPLE00", "secret_key": "unit-test-secret"}


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, region or profile of the machine that runs the tests."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def auth(transport: Transport | None = None, **values: t.Any) -> AwsAuth:
    return AwsAuth(transport=transport or Transport(), **values)


def refused(
    code: str, message: str, *, operation: str = "get_role", status: int = 403, retries: int = 0
) -> errors.CloudError:
    """What a module gets when IAM refuses an operation with this code, after boto3 has repeated it so often."""
    client = aws_client(auth(region="eu-west-1", **KEYS), "iam")
    with Stubber(client) as stub:
        stub.add_client_error(
            operation,
            service_error_code=code,
            service_message=message,
            http_status_code=status,
            response_meta={"RequestId": "c0ffee", "RetryAttempts": retries},
        )
        with pytest.raises(errors.CloudError) as caught, aws_errors("iam", "reading IAM role r"):
            getattr(client, operation)(RoleName="r")
    return caught.value


def test_options_reach_the_client(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("", encoding="ascii")
    transport = Transport(https_proxy="http://proxy.example:3128", ca_bundle=str(bundle))
    client = aws_client(auth(transport, region="eu-west-1", endpoint_url="https://localhost:1", **KEYS), "sts")
    assert client.meta.endpoint_url == "https://localhost:1"
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.config.proxies == {"https": "http://proxy.example:3128"}
    assert client.meta.config.retries["mode"] == "standard"


def test_the_region_of_a_profile_is_used(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile metrics]\nregion = eu-central-1\n", encoding="ascii")
    client = aws_client(auth(profile="metrics"), "amp")
    assert client.meta.region_name == "eu-central-1"


def test_unknown_profile_is_one_sentence_about_credentials() -> None:
    with pytest.raises(errors.MissingCredentials, match=r"profile .*nowhere.* could not be found") as caught:
        AwsSession(auth(profile="nowhere"))
    assert "AWS_PROFILE" in caught.value.fix


def test_no_credentials_name_the_options_that_supply_them() -> None:
    client = aws_client(auth(region="eu-west-1"), "iam")
    expected = pytest.raises(errors.MissingCredentials, match="reading IAM role r")
    with expected as caught, aws_errors("iam", "reading IAM role r"):
        client.get_role(RoleName="r")
    assert "access_key and secret_key or profile" in caught.value.sentence()


def test_expired_sso_login_is_about_credentials(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = Admin\nregion = eu-west-1\n",
        encoding="ascii",
    )
    client = aws_client(auth(profile="sso"), "iam")
    with pytest.raises(errors.MissingCredentials) as caught, aws_errors("iam", "reading IAM role r"):
        client.get_role(RoleName="r")
    assert "aws sso login" in caught.value.sentence()


def test_missing_region_names_the_option() -> None:
    with pytest.raises(errors.InvalidInput, match="No AWS region is known for Amazon Managed Prometheus") as caught:
        aws_client(auth(**KEYS), "amp")
    assert "AWS_REGION" in caught.value.fix


def test_missing_ca_file_is_named() -> None:
    with pytest.raises(errors.InvalidInput, match=r"/nowhere/ca\.pem"):
        AwsSession(auth(Transport(ca_bundle="/nowhere/ca.pem"), **KEYS))


def test_malformed_region_is_bad_input() -> None:
    with pytest.raises(errors.InvalidInput, match="region_name 'eu_west_1'"):
        AwsSession(auth(region="eu_west_1", **KEYS)).caller_account()


def test_malformed_endpoint_is_bad_input() -> None:
    with pytest.raises(errors.InvalidInput, match="not a url"):
        aws_client(auth(region="eu-west-1", endpoint_url="not a url", **KEYS), "iam")


def test_denied_names_the_action_of_the_service_message() -> None:
    error = refused(
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/x is not authorized to perform: iam:TagRole on resource: role r "
        "because no identity-based policy allows the iam:TagRole action",
    )
    assert isinstance(error, errors.Forbidden)
    assert error.fix == "Allow iam:TagRole to the caller."
    assert (error.code, error.status, error.request_id) == ("AccessDenied", 403, "c0ffee")


def test_denied_without_an_action_in_the_message_names_the_operation() -> None:
    assert refused("AccessDenied", "Access denied").fix == "Allow iam:GetRole to the caller."


@pytest.mark.parametrize(
    ("operation", "status", "code", "kind"),
    [
        ("delete_role", 500, "ServiceFailure", errors.Interrupted),
        ("delete_role", 503, "ServiceUnavailable", errors.Interrupted),
        ("delete_role", 502, "502", errors.Interrupted),
        ("delete_role", 503, "RequestLimitExceeded", errors.CloudError),
        ("delete_role", 400, "MalformedInput", errors.CloudError),
        ("get_role", 500, "ServiceFailure", errors.CloudError),
    ],
)
def test_a_write_that_the_service_stumbled_over_may_be_done(
    operation: str, status: int, code: str, kind: type[errors.CloudError]
) -> None:
    error = refused(code, "unknown", operation=operation, status=status)
    assert isinstance(error, kind)
    assert isinstance(error, errors.Interrupted) is (kind is errors.Interrupted)
    assert (error.fix == errors.LOOK_AGAIN) is (kind is errors.Interrupted)


class _Raw:
    """As much of urllib3's answer as botocore reads."""

    def __init__(self, body: str) -> None:
        self._body = body.encode()

    def stream(self) -> t.Iterator[bytes]:
        yield self._body


def answered(service: str, operation: str, body: str, *, status: int = 200, **parameters: t.Any) -> t.Any:
    """What a module gets when an operation is answered so."""
    client = aws_client(auth(region="eu-west-1", **KEYS), service)
    client.meta.events.register(
        "before-send", lambda **_unused: AWSResponse("https://aws.example", status, {}, _Raw(body))
    )
    with aws_errors(service, "doing it"):
        return getattr(client, operation)(**parameters)


PAGE: t.Final = "<!DOCTYPE html><html><head><title>Sign in</title><link rel=x></head><body><p>Sign in</body></html>"
WELL_FORMED_PAGE: t.Final = "<html><head><title>Sign in</title></head><body/></html>"
HALF_AN_ANSWER: t.Final = '<PutRolePolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMeta'
RESULTLESS: t.Final = f"{HALF_AN_ANSWER}data><RequestId>r</RequestId></ResponseMetadata></PutRolePolicyResponse>"
PUT_POLICY: t.Final[dict[str, t.Any]] = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "{}"}


@pytest.mark.parametrize("body", [PAGE, WELL_FORMED_PAGE, HALF_AN_ANSWER, ""])
def test_a_write_of_iam_whose_answer_can_not_be_read_may_be_done(body: str) -> None:
    with pytest.raises(errors.Interrupted, match=r"AWS IAM failed while doing it: the answer can't be") as caught:
        answered("iam", "put_role_policy", body, **PUT_POLICY)
    assert caught.value.fix.endswith(errors.LOOK_AGAIN)


def test_a_write_of_iam_without_what_it_always_answers_may_be_done() -> None:
    with pytest.raises(errors.Interrupted):
        answered(
            "iam",
            "create_open_id_connect_provider",
            "<CreateOpenIDConnectProviderResponse><CreateOpenIDConnectProviderResult/>"
            "</CreateOpenIDConnectProviderResponse>",
            Url="https://issuer.example",
        )


@pytest.mark.parametrize("body", [PAGE, WELL_FORMED_PAGE, '{"status": {"statusCode"', "{}", "[]"])
def test_a_policy_of_a_workspace_may_be_written_when_the_answer_can_not_be_read(body: str) -> None:
    require_resource_policies()
    with pytest.raises(errors.Interrupted):
        answered("amp", "put_resource_policy", body, workspaceId="ws-1", policyDocument="{}")


@pytest.mark.parametrize("body", [PAGE, WELL_FORMED_PAGE])
def test_a_page_in_the_place_of_an_answer_without_results_is_no_success(body: str) -> None:
    require_resource_policies()
    with pytest.raises(errors.Interrupted):
        answered("amp", "delete_resource_policy", body, workspaceId="ws-1")


def test_an_answer_without_results_is_one() -> None:
    answered("iam", "put_role_policy", RESULTLESS, **PUT_POLICY)
    require_resource_policies()
    answered("amp", "delete_resource_policy", "", status=202, workspaceId="ws-1")


@pytest.mark.parametrize("body", [PAGE, WELL_FORMED_PAGE, "<GetRoleResponse><GetRole", ""])
def test_a_read_whose_answer_can_not_be_read_has_changed_nothing(body: str) -> None:
    with pytest.raises(errors.CloudError, match="the answer can't be understood") as caught:
        answered("iam", "get_role", body, RoleName="r")
    assert caught.value.__class__ is errors.CloudError


def test_a_read_after_a_write_is_told_as_a_read() -> None:
    answered("iam", "put_role_policy", RESULTLESS, **PUT_POLICY)
    with pytest.raises(errors.CloudError) as caught, aws_errors("iam", "reading it"):
        raise aws_answers.NotDescribed("of an answer that no checked client got")
    assert caught.value.__class__ is errors.CloudError


def test_an_explicit_deny_is_not_answered_by_allowing() -> None:
    error = refused(
        "AccessDenied",
        "x is not authorized to perform: iam:GetRole on resource: role r with an explicit deny in a service control "
        "policy",
    )
    assert error.fix.startswith("A policy denies iam:GetRole explicitly")


@pytest.mark.parametrize("code", ["ConcurrentModification", "EntityAlreadyExists", "EntityTemporarilyUnmodifiable"])
def test_lost_races_are_conflicts(code: str) -> None:
    assert isinstance(refused(code, "try again"), errors.Conflict)


def test_what_was_deleted_before_a_write_is_a_conflict() -> None:
    assert isinstance(refused("NoSuchEntity", "not found", operation="update_role"), errors.Conflict)
    assert not isinstance(refused("NoSuchEntity", "not found"), errors.Conflict)


@pytest.mark.parametrize("code", ["NoSuchEntity", "EntityAlreadyExists", "LimitExceeded"])
@pytest.mark.parametrize("retries", [0, 1])
def test_what_refuses_a_repeated_write_may_be_what_its_first_attempt_did(code: str, retries: int) -> None:
    error = refused(code, "no", operation="delete_role", status=409, retries=retries)
    assert isinstance(error, errors.Interrupted) is (retries == 1)


@pytest.mark.parametrize("code", ["InvalidClientTokenId", "InvalidSignatureException", "ExpiredToken"])
def test_rejected_credentials_say_so(code: str) -> None:
    error = refused(code, "The security token included in the request is invalid.")
    assert not isinstance(error, (errors.Forbidden, errors.Conflict))
    assert "renew or correct" in error.sentence()


def test_what_was_signed_is_not_repeated() -> None:
    error = refused(
        "SignatureDoesNotMatch",
        "The signature does not match.\n\nThe Canonical String for this request should have been\n'GET\n"
        "x-amz-security-token:very-secret\n'",
    )
    assert error.detail == "The signature does not match."
    assert "very-secret" not in error.sentence()


def test_another_refusal_keeps_the_service_s_own_words() -> None:
    error = refused("ServiceFailure", "We are sorry.")
    assert error.sentence() == (
        "AWS IAM failed while reading IAM role r: ServiceFailure: We are sorry (request id c0ffee)."
    )


def test_parameters_that_boto3_refuses_are_bad_input() -> None:
    client = aws_client(auth(region="eu-west-1", **KEYS), "iam")
    with pytest.raises(errors.InvalidInput, match="RoleName"), aws_errors("iam", "reading IAM role"):
        client.get_role(RoleName="")


def test_a_service_that_does_not_answer_is_unreachable() -> None:
    with socket.socket() as unused:  # bound, not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        client = aws_client(auth(region="eu-west-1", endpoint_url=url, **KEYS), "iam")
        client.meta.config.retries["total_max_attempts"] = 1
        with pytest.raises(errors.Unreachable, match="Could not connect") as caught, aws_errors("iam", "reading x"):
            client.get_role(RoleName="r")
    assert "https_proxy" in caught.value.fix


def test_account_and_partition_come_from_the_caller_s_arn(monkeypatch: pytest.MonkeyPatch) -> None:
    session = AwsSession(auth(region="us-gov-west-1", **KEYS))
    client = session.client("sts")
    monkeypatch.setattr(session, "client", lambda _service: client)
    with Stubber(client) as stub:
        stub.add_response(
            "get_caller_identity",
            {"Account": "123456789012", "Arn": "arn:aws-us-gov:iam::123456789012:user/x", "UserId": "AIDAEXAMPLE"},
        )
        assert session.caller_account() == AwsAccount("aws-us-gov", "123456789012")
