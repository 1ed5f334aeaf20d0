# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CONNECT proxy: it leads to the sandbox's own host names, and nowhere else."""

from __future__ import annotations

import http.client
import typing as t
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from sandbox import hosts

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox


def _to_proxy(sandbox: Sandbox) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urllib.parse.urlsplit(sandbox.proxy_url).netloc, timeout=5)


@pytest.mark.parametrize(
    "target",
    [
        "example.com:443",
        "127.0.0.1:443",
        "localhost:443",
        "management.azure.com:80",
        "management.azure.com.example.com:443",
        "aps.eu-west-1.amazonaws.com:8443",
        "s3.amazonaws.com:443",
        "oic.prod-aks.azure.com:443",
        "a.b.oic.prod-aks.azure.com:443",
        "169.254.169.254:443",
        "[::1]:443",
        "management.azure.com",
    ],
)
def test_foreign_targets_are_refused_and_logged(sandbox: Sandbox, target: str) -> None:
    connection = _to_proxy(sandbox)
    connection.request("CONNECT", target)
    response = connection.getresponse()
    assert response.status == 403
    assert target in response.read().decode()
    (logged,) = sandbox.world.log.since()
    assert (logged.service, logged.method, logged.path, logged.status, logged.write) == (
        "proxy",
        "CONNECT",
        target,
        403,
        False,
    )


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_only_connect_is_served(sandbox: Sandbox, method: str) -> None:
    connection = _to_proxy(sandbox)
    connection.request(method, f"http://{hosts.ARM_HOST}/")
    assert connection.getresponse().status == 403


@pytest.mark.parametrize("host", sorted(hosts.CLOUD_HOSTS))
def test_every_cloud_host_leads_to_a_service(sandbox: Sandbox, web: requests.Session, host: str) -> None:
    assert web.get(f"https://{host}/").status_code != 421
    assert {request.service for request in sandbox.world.log.since()} != {"proxy"}


def test_host_names_are_taken_in_any_case(web: requests.Session) -> None:
    assert web.get(f"https://{hosts.ARM_HOST.upper()}/").status_code != 421


def test_a_host_header_that_is_not_the_listeners_is_misdirected(web: requests.Session) -> None:
    response = web.get(f"https://{hosts.ARM_HOST}/", headers={"Host": "example.com"})
    assert response.status_code == 421


def test_many_clients_at_once(sandbox: Sandbox) -> None:
    issuer = next(cluster.issuer_url for cluster in sandbox.world.clusters if cluster.issuer_enabled)

    def ask(_unused: int) -> int:
        with requests.Session() as session:
            session.trust_env = False
            session.proxies = {"https": sandbox.proxy_url}
            return session.get(f"{issuer}openid/v1/jwks", verify=str(sandbox.ca_file), timeout=20).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(64))) == {200}
