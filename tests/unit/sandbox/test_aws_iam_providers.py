# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OIDC providers in IAM: each rule that moto leaves out."""

from __future__ import annotations

import datetime as dt
import functools
import typing as t

import pytest

from tests.unit.sandbox.aws_support import (
    ACCOUNT,
    AUDIENCE,
    HOST_AND_PATH,
    ISSUER,
    PROVIDER_ARN,
    THUMBPRINT,
    Aws,
    failure,
)

OTHER_THUMBPRINT = "f" * 40


@pytest.fixture
def aws() -> Aws:
    return Aws()


def create(aws: Aws, **changes: t.Any) -> t.Any:
    parameters = {"Url": ISSUER, "ClientIDList": [AUDIENCE], "ThumbprintList": [THUMBPRINT], **changes}
    return aws.iam().create_open_id_connect_provider(
        **{name: value for name, value in parameters.items() if value is not None}
    )


def provider(aws: Aws) -> t.Any:
    return aws.iam().get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER_ARN)


def test_the_url_keeps_its_slash_and_loses_its_scheme(aws: Aws) -> None:
    assert (
        create(aws)["OpenIDConnectProviderArn"]
        == PROVIDER_ARN
        == f"arn:aws:iam::{ACCOUNT}:oidc-provider/" + (HOST_AND_PATH)
    )
    found = provider(aws)
    assert (found["Url"], found["ClientIDList"], found["ThumbprintList"]) == (HOST_AND_PATH, [AUDIENCE], [THUMBPRINT])
    assert found["CreateDate"].microsecond == 0
    assert abs(dt.datetime.now(dt.UTC) - found["CreateDate"]) < dt.timedelta(minutes=1)
    create(aws, Url=ISSUER.rstrip("/"))
    arns = [entry["Arn"] for entry in aws.iam().list_open_id_connect_providers()["OpenIDConnectProviderList"]]
    assert sorted(arns) == [PROVIDER_ARN.rstrip("/"), PROVIDER_ARN]


def test_a_second_provider_of_the_same_url_is_refused(aws: Aws) -> None:
    create(aws)
    expected = (409, "EntityAlreadyExists", f"Provider with url {ISSUER} already exists.")
    assert failure(lambda: create(aws, ClientIDList=["other"])) == expected
    assert provider(aws)["ClientIDList"] == [AUDIENCE]


@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("issuer.example", "ValidationError", "Invalid Open ID Connect Provider URL"),
        ("https://", "ValidationError", "Invalid Open ID Connect Provider URL"),
        (
            "http://issuer.example",
            "InvalidInput",
            "Invalid Open ID Connect Provider URL. The URL must begin with https://.",
        ),
        ("https://issuer.example:443/", "InvalidInput", "Invalid Open ID Connect Provider URL."),
        ("https://issuer.example/?a=b", "InvalidInput", "Invalid Open ID Connect Provider URL."),
        ("https://issuer.example/#a", "InvalidInput", "Invalid Open ID Connect Provider URL."),
    ],
)
@pytest.mark.parametrize("thumbprints", [None, [THUMBPRINT]])
def test_urls_that_iam_does_not_take(
    aws: Aws, url: str, code: str, message: str, thumbprints: list[str] | None
) -> None:
    assert failure(lambda: create(aws, Url=url, ThumbprintList=thumbprints)) == (400, code, message)
    assert aws.issuer.requested == []


def test_a_url_may_have_255_characters(aws: Aws) -> None:
    url = "https://issuer.example/" + "a" * 232
    create(aws, Url=url)
    status, code, message = failure(lambda: create(aws, Url=url + "a"))
    assert (status, code) == (400, "ValidationError")
    assert message.startswith("1 validation error detected: Value 'https://issuer.example/aaa")
    assert message.endswith(" at 'url' failed to satisfy constraint: Member must have length less than or equal to 255")


@pytest.mark.parametrize(
    ("thumbprints", "code", "words"),
    [
        ([OTHER_THUMBPRINT[:-1] + "g"], "InvalidInput", "must be 40 hexadecimal characters"),
        (["a" * 39], "ValidationError", "Member must have length greater than or equal to 40"),
        (["a" * 41], "ValidationError", "Member must have length less than or equal to 40"),
        ([f"{digit}" * 40 for digit in range(6)], "InvalidInput", "Thumbprint list must contain fewer than 5 entries."),
    ],
)
def test_thumbprints_that_iam_does_not_take(aws: Aws, thumbprints: list[str], code: str, words: str) -> None:
    status, found_code, message = failure(lambda: create(aws, ThumbprintList=thumbprints))
    assert (status, found_code) == (400, code)
    assert words in message
    create(aws)
    update = aws.iam().update_open_id_connect_provider_thumbprint
    assert failure(lambda: update(OpenIDConnectProviderArn=PROVIDER_ARN, ThumbprintList=thumbprints))[1] == code
    assert provider(aws)["ThumbprintList"] == [THUMBPRINT]


def test_five_thumbprints_are_taken_and_stored_in_lower_case(aws: Aws) -> None:
    thumbprints = [f"{digit:X}" * 40 for digit in range(11, 16)]
    create(aws, ThumbprintList=thumbprints)
    assert provider(aws)["ThumbprintList"] == [thumbprint.lower() for thumbprint in thumbprints]


def test_without_thumbprints_iam_asks_the_host_of_the_keys(aws: Aws) -> None:
    create(aws, ThumbprintList=None)
    assert provider(aws)["ThumbprintList"] == [THUMBPRINT]
    assert aws.issuer.requested == [f"{ISSUER}.well-known/openid-configuration", f"{ISSUER}openid/v1/jwks"]


def test_without_thumbprints_an_issuer_out_of_reach_is_an_error(aws: Aws) -> None:
    aws.issuer.failure = ConnectionResetError("gone")
    assert failure(lambda: create(aws, ThumbprintList=None)) == (
        400,
        "OpenIdIdpCommunicationError",
        f"Could not connect to {ISSUER}",
    )
    assert failure(lambda: provider(aws))[1] == "NoSuchEntity"
    create(aws)  # with thumbprints nobody is asked


def test_updating_thumbprints_replaces_them_and_cannot_clear_them(aws: Aws) -> None:
    create(aws)
    update = aws.iam().update_open_id_connect_provider_thumbprint
    update(OpenIDConnectProviderArn=PROVIDER_ARN, ThumbprintList=[OTHER_THUMBPRINT.upper()])
    assert provider(aws)["ThumbprintList"] == [OTHER_THUMBPRINT]
    expected = (400, "InvalidInput", "Thumbprint list must contain at least one entry.")
    assert failure(lambda: update(OpenIDConnectProviderArn=PROVIDER_ARN, ThumbprintList=[])) == expected
    assert provider(aws)["ThumbprintList"] == [OTHER_THUMBPRINT]


def test_client_ids_are_added_and_removed_idempotently(aws: Aws) -> None:
    create(aws)
    iam = aws.iam()
    arn = {"OpenIDConnectProviderArn": PROVIDER_ARN}
    for _unused in range(2):
        iam.add_client_id_to_open_id_connect_provider(**arn, ClientID="api://AzureADTokenExchange")
        assert provider(aws)["ClientIDList"] == [AUDIENCE, "api://AzureADTokenExchange"]
    for _unused in range(2):
        iam.remove_client_id_from_open_id_connect_provider(**arn, ClientID=AUDIENCE)
        assert provider(aws)["ClientIDList"] == ["api://AzureADTokenExchange"]


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_open_id_connect_provider", {}),
        ("add_client_id_to_open_id_connect_provider", {"ClientID": "x"}),
        ("remove_client_id_from_open_id_connect_provider", {"ClientID": "x"}),
        ("update_open_id_connect_provider_thumbprint", {"ThumbprintList": [THUMBPRINT]}),
        ("tag_open_id_connect_provider", {"Tags": [{"Key": "a", "Value": "b"}]}),
    ],
)
def test_what_is_not_there_cannot_be_changed(aws: Aws, operation: str, parameters: dict[str, t.Any]) -> None:
    call = getattr(aws.iam(), operation)
    expected = (404, "NoSuchEntity", f"OpenIDConnect Provider not found for arn {PROVIDER_ARN}")
    assert failure(lambda: call(OpenIDConnectProviderArn=PROVIDER_ARN, **parameters)) == expected


def test_client_ids_have_a_quota_and_a_length(aws: Aws) -> None:
    quota = (409, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
    hundred = [f"client-{number}" for number in range(100)]
    assert failure(lambda: create(aws, ClientIDList=[*hundred, "one more"])) == quota
    create(aws, ClientIDList=hundred)
    add = aws.iam().add_client_id_to_open_id_connect_provider
    assert failure(lambda: add(OpenIDConnectProviderArn=PROVIDER_ARN, ClientID="one more")) == quota
    add(OpenIDConnectProviderArn=PROVIDER_ARN, ClientID="client-7")
    assert provider(aws)["ClientIDList"] == hundred
    message = failure(lambda: add(OpenIDConnectProviderArn=PROVIDER_ARN, ClientID="c" * 256))[2]
    assert message.endswith(
        "at 'clientID' failed to satisfy constraint: Member must have length less than or equal to 255"
    )


def test_an_account_has_a_hundred_providers_at_most(aws: Aws) -> None:
    for number in range(100):
        aws.account.seed_provider(f"https://issuer{number}.example/", [], [THUMBPRINT])
    expected = (409, "LimitExceeded", "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100")
    assert failure(lambda: create(aws)) == expected
    aws.account.set_provider_quota(101)
    assert create(aws)


def test_tags(aws: Aws) -> None:
    create(aws, Tags=[{"Key": "Owner", "Value": "me"}])
    iam = aws.iam()
    arn = {"OpenIDConnectProviderArn": PROVIDER_ARN}
    iam.tag_open_id_connect_provider(**arn, Tags=[{"Key": "owner", "Value": "you"}, {"Key": "a", "Value": ""}])
    iam.tag_open_id_connect_provider(**arn, Tags=[{"Key": "owner", "Value": "she"}])
    tags = iam.list_open_id_connect_provider_tags(**arn)["Tags"]
    assert sorted((tag["Key"], tag["Value"]) for tag in tags) == [("Owner", "me"), ("a", ""), ("owner", "she")]
    iam.untag_open_id_connect_provider(**arn, TagKeys=["A", "Owner"])
    assert sorted(tag["Key"] for tag in provider(aws)["Tags"]) == ["a", "owner"]


def test_case_tells_the_keys_of_tags_apart_and_no_key_comes_twice(aws: Aws) -> None:
    two = [{"Key": "Costcenter", "Value": "1"}, {"Key": "costcenter", "Value": "2"}]
    create(aws, Tags=two)
    assert sorted(provider(aws)["Tags"], key=lambda tag: str(tag["Key"])) == two
    tag = aws.iam().tag_open_id_connect_provider
    assert failure(lambda: tag(OpenIDConnectProviderArn=PROVIDER_ARN, Tags=[two[0], two[0]]))[:2] == (
        400,
        "InvalidInput",
    )


def test_tags_of_aws_itself_are_refused(aws: Aws) -> None:
    reserved = [{"Key": "AWS:owner", "Value": "me"}]
    expected = (400, "InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
    assert failure(lambda: create(aws, Tags=reserved)) == expected
    create(aws)
    tag = aws.iam().tag_open_id_connect_provider
    assert failure(lambda: tag(OpenIDConnectProviderArn=PROVIDER_ARN, Tags=reserved)) == expected


def test_fifty_tags_are_the_limit(aws: Aws) -> None:
    create(aws, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    tag = aws.iam().tag_open_id_connect_provider
    tag(OpenIDConnectProviderArn=PROVIDER_ARN, Tags=[{"Key": "k7", "Value": "x"}])
    for key in ("one more", "K7"):
        more = functools.partial(tag, OpenIDConnectProviderArn=PROVIDER_ARN, Tags=[{"Key": key, "Value": ""}])
        assert failure(more)[:2] == (409, "LimitExceeded")


def test_deleting(aws: Aws) -> None:
    create(aws)
    delete = aws.iam().delete_open_id_connect_provider
    delete(OpenIDConnectProviderArn=PROVIDER_ARN)
    assert aws.iam().list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    expected = (404, "NoSuchEntity", f"OpenId connect Provider {PROVIDER_ARN} cannot be found.")
    assert failure(lambda: delete(OpenIDConnectProviderArn=PROVIDER_ARN)) == expected


def test_writes_are_marked_when_they_succeed(aws: Aws) -> None:
    create(aws)
    provider(aws)
    failure(lambda: create(aws))
    aws.iam().add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER_ARN, ClientID="x")
    assert [(entry.operation, entry.write) for entry in aws.world.log.since()] == [
        ("CreateOpenIDConnectProvider", True),
        ("GetOpenIDConnectProvider", False),
        ("CreateOpenIDConnectProvider", False),
        ("AddClientIDToOpenIDConnectProvider", True),
    ]


def test_what_is_missing_is_named(aws: Aws) -> None:
    status, code, message = failure(lambda: aws.iam().create_open_id_connect_provider())
    assert (status, code) == (400, "ValidationError")
    assert message == (
        "1 validation error detected: Value null at 'url' failed to satisfy constraint: Member must not be null"
    )


def test_accounts_of_two_worlds_are_apart() -> None:
    first, second = Aws(), Aws()
    create(first)
    assert second.iam().list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
