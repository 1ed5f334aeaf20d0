# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain HTTPS where nobody answers, and which proxy is asked."""

from __future__ import annotations

import socket

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import https
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import Unreachable
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_host_or_proxy_that_says_nothing_is_given_up(through_proxy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        client = https.HttpClient(Transport(f"http://{address}" if through_proxy else None))
        with pytest.raises(Unreachable, match="did not answer") as caught:
            client.request("GET", f"https://{address}/", service="OIDC issuer", action="reading keys")
    assert "https_proxy" in caught.value.fix


def test_the_given_proxy_comes_before_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "https://issuer.example/"
    assert https.proxy_for(url, Transport()) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://environment.example:3128")
    assert https.proxy_for(url, Transport()) == "http://environment.example:3128"
    assert https.proxy_for(url, Transport("http://given.example:3128")) == "http://given.example:3128"
    monkeypatch.setenv("NO_PROXY", "issuer.example,2001:db8::1")
    assert https.proxy_for(url, Transport()) is None
    assert https.proxy_for("https://[2001:db8::1]:8443/", Transport()) is None
