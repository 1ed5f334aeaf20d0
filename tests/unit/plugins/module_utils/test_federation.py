# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _federation as federation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AWS_AUDIENCE,
    KNOWN_AFTER_APPLY,
    AwsAccount,
    FederationError,
    Issuer,
    ProjectedToken,
    RemoteWrite,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
    Workspace,
    is_known,
    parse_audience,
)

AKS_ISSUER = (
    "https://eastus.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7-4528-42ec-89b8-25b54f7d8b2f/"
)
WORKSPACE_ARN = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-0a1b2c3d"
ACCOUNT = AwsAccount("aws", "123456789012")

hosts = st.from_regex(r"[a-z]{2,10}(\.[a-z]{2,10}){1,3}", fullmatch=True)
paths = st.from_regex(r"(/[a-z0-9-]{1,20}){0,3}/?", fullmatch=True)
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)


ROLE_ARN = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
WORKSPACE = Workspace.parse(WORKSPACE_ARN, "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0a1b2c3d/")
SERVICE_ACCOUNT = ServiceAccount.parse("monitoring", "prometheus-sa")


def trust_of(url: str = AKS_ISSUER, audience: str = AWS_AUDIENCE) -> WebIdentityTrust:
    return WebIdentityTrust(Issuer.parse(url), audience, (SERVICE_ACCOUNT,), ACCOUNT)


def remote_write(chained_role_arn: str | None = None) -> RemoteWrite:
    return RemoteWrite(WORKSPACE.remote_write_url, WORKSPACE.region, ROLE_ARN, chained_role_arn)


@given(host=hosts, path=paths)
def test_an_issuer_is_never_altered(host: str, path: str) -> None:
    issuer = Issuer.parse(f"https://{host}{path}")
    assert issuer.url == f"https://{host}{path}"
    assert issuer.audience_key == f"{host}{path}:aud"
    assert issuer.subject_key == f"{host}{path}:sub"
    assert ACCOUNT.provider_arn(issuer) == f"arn:aws:iam::123456789012:oidc-provider/{host}{path}"
    assert issuer.host == host


def test_the_slash_of_an_aks_issuer_stays_single_in_every_derived_string() -> None:
    trust = trust_of().statement()
    assert trust["Principal"]["Federated"].endswith("/d85c7db7-4528-42ec-89b8-25b54f7d8b2f/")
    (operator,) = trust["Condition"].values()
    assert set(operator) == {AKS_ISSUER.removeprefix("https://") + ":aud", AKS_ISSUER.removeprefix("https://") + ":sub"}
    assert "//" not in Issuer.parse(AKS_ISSUER).host_and_path
    assert Issuer.parse(AKS_ISSUER).discovery_url == AKS_ISSUER + ".well-known/openid-configuration"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://issuer.example/", "not an https URL"),
        ("issuer.example", "not an https URL"),
        ("https://issuer.example:8443/", "port"),
        ("https://[2001:db8::1]/", "names an IPv6 address"),
        ("https://user@issuer.example/", "port or user"),
        ("https://issuer.example/?x=1", "query"),
        ("https://issuer.example/?", "query"),
        ("https://issuer.example/#a", "query or fragment"),
        (" https://issuer.example/", "white space"),
        ("https://https://issuer.example/", "scheme twice"),
        ("https://https:/issuer.example/", "scheme twice"),
        ("https:///path", "no host"),
        ("https://[", "is not a URL"),
        ("https://issuer.example/" + "a" * 250, "273 characters"),
        ("", "not an https URL"),
    ],
)
def test_an_issuer_that_a_cloud_would_refuse_is_refused_here(url: str, words: str) -> None:
    with pytest.raises(FederationError, match=words):
        Issuer.parse(url)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (AKS_ISSUER, False),
        (AKS_ISSUER.rstrip("/"), True),
        (AKS_ISSUER + "/", True),
        (AKS_ISSUER.upper().replace("HTTPS", "https"), True),
        ("https://https://" + AKS_ISSUER.removeprefix("https://") + "/", True),
        ("https://elsewhere.example/", False),
    ],
)
def test_misspelled_issuers_are_recognised(other: str, expected: bool) -> None:
    assert Issuer.parse(AKS_ISSUER).differs_by_slash_or_case(other) is expected


def test_what_is_derived_from_an_unknown_issuer_is_unknown_too() -> None:
    trust = trust_of(KNOWN_AFTER_APPLY)
    assert not trust.issuer.known
    assert not is_known(trust.provider_arn)
    assert not any(is_known(key) for key in trust.statement()["Condition"]["StringEquals"])


@given(namespace=names, name=names)
def test_subjects(namespace: str, name: str) -> None:
    assert ServiceAccount.parse(namespace, name).subject == f"system:serviceaccount:{namespace}:{name}"


@pytest.mark.parametrize(
    ("namespace", "name"), [("*", "sa"), ("ns", "*"), ("Ns", "sa"), ("ns", "s:a"), ("", "sa"), ("ns", "-")]
)
def test_a_subject_that_is_malformed_or_too_wide_is_refused(namespace: str, name: str) -> None:
    with pytest.raises(FederationError, match="not a Kubernetes name"):
        ServiceAccount.parse(namespace, name)


@pytest.mark.parametrize("audience", ["", "two words", "sts.*", "x" * 256])
def test_a_malformed_audience_is_refused(audience: str) -> None:
    with pytest.raises(FederationError, match="audience"):
        parse_audience(audience)


@given(accounts=st.sets(st.tuples(names, names), min_size=1, max_size=4))
def test_the_trust_names_exactly_the_service_accounts(accounts: set[tuple[str, str]]) -> None:
    trust = WebIdentityTrust(
        Issuer.parse(AKS_ISSUER), "sts.amazonaws.com", tuple(ServiceAccount.parse(*pair) for pair in accounts), ACCOUNT
    )
    named = trust.statement()["Condition"]["StringEquals"][trust.issuer.subject_key]
    expected = {f"system:serviceaccount:{namespace}:{name}" for namespace, name in accounts}
    assert ({named} if isinstance(named, str) else set(named)) == expected
    assert isinstance(named, str) == (len(accounts) == 1)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1",
        "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/",
        "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/",
    ],
)
def test_workspace_urls(endpoint: str) -> None:
    workspace = Workspace.parse(WORKSPACE_ARN, endpoint)
    base = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1"
    assert workspace.remote_write_url == f"{base}/remote_write"
    assert workspace.query_url == f"{base}/query"
    assert (workspace.region, workspace.account_id, workspace.workspace_id) == (
        "eu-west-1",
        "123456789012",
        "ws-0a1b2c3d",
    )


@pytest.mark.parametrize("arn", ["arn:aws:aps:eu-west-1:1:workspace/x", "ws-1", "arn:aws:iam::123456789012:role/x"])
def test_other_arns_are_not_workspaces(arn: str) -> None:
    with pytest.raises(FederationError, match="ARN of an AMP workspace"):
        Workspace.parse(arn, "https://x/")


@pytest.mark.parametrize("arn", ["arn:aws:iam::123456789012:role/x", "arn:aws-us-gov:iam::123456789012:role/a/b/x"])
def test_role_arns_survive_parsing(arn: str) -> None:
    assert str(RoleArn.parse(arn)) == arn


def test_the_pod_has_what_the_aws_sdks_read() -> None:
    token = ProjectedToken(ROLE_ARN, WORKSPACE.region)
    environment = token.environment()
    assert environment["AWS_ROLE_ARN"] == ROLE_ARN
    assert environment["AWS_REGION"] == "eu-west-1"
    source = token.volume()["projected"]["sources"][0]["serviceAccountToken"]
    mount = token.volume_mount()
    assert mount["name"] == token.volume()["name"]
    assert environment["AWS_WEB_IDENTITY_TOKEN_FILE"] == f"{mount['mountPath']}/{source['path']}"
    assert source["audience"] == "sts.amazonaws.com"
    assert source["path"] != "azure-identity-token"


def test_remote_write_names_a_region_and_no_role() -> None:
    assert remote_write().entry() == {
        "url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-0a1b2c3d/api/v1/remote_write",
        "sigv4": {"region": "eu-west-1"},
        "queue_config": {
            "capacity": 2500,
            "max_shards": 200,
            "max_samples_per_send": 1000,
            "retry_on_http_429": True,
        },
    }


def test_a_chained_role_is_another_role() -> None:
    other = "arn:aws:iam::210987654321:role/hub"
    assert remote_write(other).entry()["sigv4"]["role_arn"] == other
    with pytest.raises(FederationError, match="federated role itself"):
        remote_write(ROLE_ARN)


def test_permission_is_least_unless_queries_are_asked_for() -> None:
    (statement,) = federation.permission_policy([WORKSPACE_ARN])["Statement"]
    assert statement["Action"] == "aps:RemoteWrite"
    assert statement["Resource"] == WORKSPACE_ARN
    (wider,) = federation.permission_policy([WORKSPACE_ARN], allow_query=True)["Statement"]
    assert set(wider["Action"]) == {
        "aps:RemoteWrite",
        "aps:QueryMetrics",
        "aps:GetSeries",
        "aps:GetLabels",
        "aps:GetMetricMetadata",
    }


def test_the_audience_is_that_of_the_token_and_of_the_trust() -> None:
    trust, token = trust_of(audience="custom.audience"), ProjectedToken(ROLE_ARN, "eu-west-1", "custom.audience")
    assert trust.statement()["Condition"]["StringEquals"][trust.issuer.audience_key] == "custom.audience"
    assert token.volume()["projected"]["sources"][0]["serviceAccountToken"]["audience"] == "custom.audience"


@pytest.mark.parametrize("odd", [False, None, 3, [3], {"a": "b"}, []])
@pytest.mark.parametrize("element", ["Action", "Resource"])
def test_a_policy_with_an_odd_element_is_not_one_of_ours(element: str, odd: object) -> None:
    document = federation.permission_policy([WORKSPACE_ARN])
    assert federation.is_permission_policy(document)
    document["Statement"][0][element] = odd
    assert not federation.is_permission_policy(document)
