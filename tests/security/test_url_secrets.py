# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords in URLs are secrets, and no secret goes where it can be read on the way."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_config import load_configuration
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import discover
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, AzureAuth, KubeAuth, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_check import DEFINITION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, perform
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import (
    is_in_the_clear,
    passwords_of_urls,
)
from tests.unit.plugins.module_utils._resources.aws_modules import params_of


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "passwords"),
    [
        ("http://me:p%40ss@proxy.example:3128", {"p%40ss", "p@ss"}),
        ("https://me:a@b@proxy.example/path", {"a@b"}),
        ("socks5h://:only@proxy.example", {"only"}),
        ("http://me@home:it's@proxy.example:3128", {"it's"}),
        ("http://me:hunter#2@proxy.example", {"hunter#2"}),
        ("http://me:what?now@proxy.example:3128", {"what?now"}),
        ("http://me:a/b@proxy.example:3128", {"a/b"}),
        ("http://me@proxy.example", set()),
        ("http://proxy.example:3128/a:b@c", set()),
        ("http://proxy.example/a:b@c", set()),
        ("arn:aws:iam::123456789012:role/a@b", set()),
        ("me:pass@host", set()),
    ],
)
def test_the_passwords_of_a_url_are_found_wherever_it_stands(url: str, passwords: set[str]) -> None:
    assert passwords_of_urls({"a": {"b": [1, None, url]}}) == passwords


def test_those_of_the_environments_proxies_are_found_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:of-the-environment@proxy.example")
    assert passwords_of_urls({}) == {"of-the-environment"}


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://example.com", True),
        ("HTTP://example.com", True),
        ("http://10.0.0.1:6443", True),
        ("http://localhost.example.com", True),
        ("http://[2001:db8::1]/", True),
        ("http://127.0.0.1:8001", False),
        ("http://[::1]:8001", False),
        ("http://localhost:8001", False),
        ("https://example.com", False),
    ],
)
def test_plain_http_is_in_the_clear_when_it_leaves_the_machine(url: str, clear: bool) -> None:
    assert is_in_the_clear(url) is clear


@pytest.mark.parametrize("service", ["iam", "sts", "amp"])
@pytest.mark.parametrize("how", ["option", "environment"])
def test_aws_is_not_asked_in_the_clear(service: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://aws.example"
    if how == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    auth = AwsAuth(Transport(), "eu-west-1", None, "AKIAEXAMPLE", "x", endpoint_url=url if how == "option" else None)
    with pytest.raises(errors.InvalidInput, match="can be read on the way"):
        AwsSession(auth).client(service)


def test_kubernetes_is_sent_no_token_in_the_clear() -> None:
    with pytest.raises(errors.InvalidInput, match="can be read on the way"):
        load_configuration(KubeAuth(host="http://kubernetes.example", api_key="x"))
    assert load_configuration(KubeAuth(host="http://127.0.0.1:8001", api_key="x")).host == "http://127.0.0.1:8001"


@pytest.mark.parametrize("option", ["authority_host", "arm_endpoint", "graph_endpoint"])
def test_azure_is_not_asked_in_the_clear(option: str) -> None:
    given: dict[str, t.Any] = {option: "http://azure.example", "tenant": "t", "client_id": "c", "secret": "s"}
    with pytest.raises(errors.InvalidInput, match="not an https URL"):
        AzureSession(AzureAuth(Transport(), **given), environ={})


def test_an_issuer_is_https() -> None:
    with pytest.raises(FederationError, match="https"):
        Issuer.parse("http://issuer.example/")
    with pytest.raises(FederationError, match="https"):
        discover(t.cast("t.Any", None), "http://issuer.example/")


def test_samples_are_not_written_in_the_clear() -> None:
    options = {
        "issuer": "https://issuer.example/",
        "namespace": "a",
        "service_account": "b",
        "role_arn": "arn:aws:iam::123456789012:role/x",
        "workspace_arn": "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1",
        "region": "eu-west-1",
        "remote_write_url": "http://aps.example/api/v1/remote_write",
    }
    ended = perform(DEFINITION, params_of(DEFINITION, options), Context(check_mode=True))
    assert ended.failed
    assert "https" in str(ended.values["msg"])


def test_no_login_shows_its_secrets_when_it_is_shown() -> None:
    auths = (
        AwsAuth(Transport(), secret_key="hidden-1", session_token="hidden-2"),
        AzureAuth(Transport(), secret="hidden-3", certificate_password="hidden-4"),
        KubeAuth(api_key="hidden-5"),
    )
    assert "hidden" not in repr(auths)
