# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request: which requests they strike, what the services answer, and what the request log says."""

from __future__ import annotations

import time
import typing as t

import pytest
import requests

from sandbox.faults import Fault, Kind, Met
from sandbox.world import (
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
    LoggedRequest,
)

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox

_CLUSTER = (
    f"https://management.azure.com/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-fleet/providers/"
    "Microsoft.ContainerService/managedClusters/fresh?api-version=2026-04-01"
)
_URLS = {
    "arm": _CLUSTER,
    "graph": "https://graph.microsoft.com/v1.0/applications",
    "login": f"https://login.microsoftonline.com/{AZURE_TENANT}/oauth2/v2.0/token",
    "iam": "https://iam.amazonaws.com/?Action=CreateRole&Version=2010-05-08",
    "sts": "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
    "aps": "https://aps.eu-west-1.amazonaws.com/workspaces",
    "aps-workspaces": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
}
_METHODS = {"arm": "PUT"}


def _send(sandbox: Sandbox, web: requests.Session, service: str) -> requests.Response:
    if service == "kubernetes/fresh":
        url = f"{sandbox.cluster('fresh').api_server_url}/api/v1/namespaces/default/configmaps/prometheus"
        return requests.put(url, json={}, verify=str(sandbox.ca_file), proxies={"https": ""}, timeout=10)
    if service == "oidc":
        return web.get(f"{sandbox.cluster('finished').issuer_url}.well-known/openid-configuration", timeout=10)
    return web.request(_METHODS.get(service, "POST"), _URLS[service], timeout=10)


def _last(sandbox: Sandbox) -> LoggedRequest:
    return sandbox.world.log.since()[-1]


def _codes(response: requests.Response) -> str:
    return f"{response.status_code} {response.headers.get('x-amzn-ErrorType', '')} {response.text}"


_SPOKEN = (
    ("arm", Kind.THROTTLED, None, 429, '"code":"TooManyRequests"'),
    ("arm", Kind.ERROR, None, 500, '"code":"InternalServerError"'),
    ("arm", Kind.ERROR, 503, 503, '"code":"ServerTimeout"'),
    ("arm", Kind.ERROR, 502, 502, "<h1>502 Bad Gateway</h1>"),
    ("arm", Kind.CONFLICT, None, 409, '"code":"OperationNotAllowed"'),
    ("arm", Kind.CONFLICT, 412, 412, '"code":"PreconditionFailed"'),
    ("arm", Kind.EXPIRED_TOKEN, None, 401, '"code":"ExpiredAuthenticationToken"'),
    ("graph", Kind.THROTTLED, None, 429, '"code":"TooManyRequests"'),
    ("graph", Kind.ERROR, None, 500, '"code":"Service_InternalServerError"'),
    ("graph", Kind.ERROR, 503, 503, '"code":"Service_ServiceUnavailable"'),
    ("graph", Kind.CONFLICT, None, 409, '"code":"Directory_ConcurrencyViolation"'),
    ("graph", Kind.EXPIRED_TOKEN, None, 401, '"code":"InvalidAuthenticationToken"'),
    ("login", Kind.THROTTLED, None, 429, "AADSTS90055"),
    ("login", Kind.ERROR, 503, 503, "AADSTS90033"),
    ("iam", Kind.THROTTLED, None, 400, "<Code>Throttling</Code>"),
    ("iam", Kind.ERROR, None, 500, "<Code>InternalFailure</Code>"),
    ("iam", Kind.ERROR, 503, 503, "<Code>ServiceUnavailable</Code>"),
    ("iam", Kind.CONFLICT, None, 409, "<Code>ConcurrentModification</Code>"),
    ("iam", Kind.EXPIRED_TOKEN, None, 403, "<Code>ExpiredToken</Code>"),
    ("sts", Kind.THROTTLED, None, 400, "<Code>Throttling</Code>"),
    ("sts", Kind.EXPIRED_TOKEN, None, 403, "<Code>ExpiredToken</Code>"),
    ("aps", Kind.THROTTLED, None, 429, "ThrottlingException"),
    ("aps", Kind.ERROR, None, 500, "InternalServerException"),
    ("aps", Kind.CONFLICT, None, 409, "ConflictException"),
    ("aps", Kind.EXPIRED_TOKEN, None, 403, "ExpiredTokenException"),
    ("aps-workspaces", Kind.THROTTLED, None, 429, "ThrottlingException"),
    ("aps-workspaces", Kind.EXPIRED_TOKEN, None, 403, "ExpiredTokenException"),
    ("kubernetes/fresh", Kind.THROTTLED, None, 429, '"reason": "TooManyRequests"'),
    ("kubernetes/fresh", Kind.ERROR, None, 500, '"reason": "InternalError"'),
    ("kubernetes/fresh", Kind.ERROR, 503, 503, '"reason": "ServiceUnavailable"'),
    ("kubernetes/fresh", Kind.CONFLICT, None, 409, '"reason": "Conflict"'),
    ("kubernetes/fresh", Kind.EXPIRED_TOKEN, None, 401, '"reason": "Unauthorized"'),
    ("oidc", Kind.THROTTLED, None, 429, "Too Many Requests"),
    ("oidc", Kind.ERROR, 503, 503, "unavailable"),
)


@pytest.mark.parametrize(("service", "kind", "wanted", "status", "text"), _SPOKEN)
def test_each_service_answers_in_its_own_words(
    sandbox: Sandbox,
    web: requests.Session,
    service: str,
    kind: Kind,
    wanted: int | None,
    status: int,
    text: str,
) -> None:
    sandbox.faults.add(Fault(kind, service=service, status=wanted, retry_after=7))
    response = _send(sandbox, web, service)
    assert response.status_code == status
    assert text in _codes(response)
    assert response.headers["Retry-After"] == "7"
    logged = _last(sandbox)
    assert (logged.service, logged.fault, logged.status, logged.write) == (service, kind.value, status, False)
    _send(sandbox, web, service)
    assert _last(sandbox).fault == ""


@pytest.mark.parametrize("service", [*_URLS, "kubernetes/fresh", "oidc"])
def test_a_connection_that_ends_before_the_request_is_handled(
    sandbox: Sandbox, web: requests.Session, service: str
) -> None:
    sandbox.faults.add(Fault(Kind.DROP_BEFORE, service=service))
    with pytest.raises(requests.ConnectionError):
        _send(sandbox, web, service)
    logged = _last(sandbox)
    assert (logged.service, logged.fault, logged.status, logged.write) == (service, "drop_before", 0, False)
    assert _send(sandbox, web, service).status_code > 0


def test_a_connection_that_ends_after_the_write(sandbox: Sandbox) -> None:
    token = sandbox.api_server("fresh").controller_token
    url = f"{sandbox.cluster('fresh').api_server_url}/api/v1/namespaces"
    body = {"metadata": {"name": "written"}}
    sandbox.faults.add(Fault(Kind.DROP_AFTER, operation="create *"))
    with pytest.raises(requests.ConnectionError):
        requests.post(
            url, json=body, headers={"Authorization": f"Bearer {token}"}, verify=str(sandbox.ca_file), timeout=10
        )
    assert sandbox.api_server("fresh").get("Namespace", None, "written")
    logged = _last(sandbox)
    assert (logged.operation, logged.status, logged.write) == ("create namespaces", 201, True)
    assert logged.fault == "drop_after"


def test_an_error_after_the_write(sandbox: Sandbox) -> None:
    token = sandbox.api_server("fresh").controller_token
    url = f"{sandbox.cluster('fresh').api_server_url}/api/v1/namespaces"
    sandbox.faults.add(Fault(Kind.ERROR_AFTER, operation="* namespaces", times=None))

    def statuses(method: str) -> int:
        return requests.request(
            method,
            url,
            json={"metadata": {"name": "written"}},
            headers={"Authorization": f"Bearer {token}"},
            verify=str(sandbox.ca_file),
            timeout=10,
        ).status_code

    assert statuses("POST") == 500
    assert sandbox.api_server("fresh").get("Namespace", None, "written")
    logged = _last(sandbox)
    assert (logged.status, logged.write, logged.fault) == (500, True, "error_after")
    assert statuses("POST") == 409  # a refusal stays what it is
    assert statuses("GET") == 200


@pytest.mark.parametrize(("code", "text"), [(None, '{"kind":"Namespace",'), ("page", "<html>")])
def test_an_answer_that_is_spoilt_after_the_write(sandbox: Sandbox, code: str | None, text: str) -> None:
    token = sandbox.api_server("fresh").controller_token
    url = f"{sandbox.cluster('fresh').api_server_url}/api/v1/namespaces"
    sandbox.faults.add(Fault(Kind.UNREADABLE_AFTER, operation="* namespaces", code=code))
    response = requests.post(
        url,
        json={"metadata": {"name": "written"}},
        headers={"Authorization": f"Bearer {token}"},
        verify=str(sandbox.ca_file),
        timeout=10,
    )
    assert response.ok
    assert response.text.replace(" ", "").replace("\n", "").startswith(text)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        response.json()
    assert sandbox.api_server("fresh").get("Namespace", None, "written")
    assert _last(sandbox).fault == "unreadable_after"


def test_latency_delays_and_changes_nothing_else(sandbox: Sandbox, web: requests.Session) -> None:
    sandbox.faults.add(Fault(Kind.LATENCY, service="oidc", seconds=0.2))
    begin = time.monotonic()
    assert _send(sandbox, web, "oidc").status_code == 200
    assert time.monotonic() - begin >= 0.2
    assert _last(sandbox).fault == "latency"


def test_a_callback_runs_before_the_request_is_handled(sandbox: Sandbox, web: requests.Session) -> None:
    def disable() -> None:
        del sandbox.cluster("finished").body["properties"]["oidcIssuerProfile"]

    sandbox.faults.add(Fault(Kind.CALL, service="oidc", callback=disable))
    assert _send(sandbox, web, "oidc").status_code == 404


def test_a_fault_strikes_from_the_nth_fitting_request_on(sandbox: Sandbox, web: requests.Session) -> None:
    armed = sandbox.faults.add(Fault(Kind.ERROR, service="o*", method="GET", status=503, nth=2, times=2))
    statuses = [_send(sandbox, web, "oidc").status_code for _unused in range(5)]
    assert statuses == [200, 503, 503, 200, 200]
    assert (armed.seen, armed.struck) == (5, 2)


def test_a_fault_may_last(sandbox: Sandbox, web: requests.Session) -> None:
    sandbox.faults.add(Fault(Kind.ERROR, path="*/openid-configuration", operation="OpenId*", times=None))
    assert {_send(sandbox, web, "oidc").status_code for _unused in range(5)} == {500}
    sandbox.reset()
    assert _send(sandbox, web, "oidc").status_code == 200


def test_a_kind_that_a_service_does_not_know_strikes_nothing(sandbox: Sandbox, web: requests.Session) -> None:
    armed = sandbox.faults.add(Fault(Kind.EXPIRED_TOKEN, service="oidc"))
    assert _send(sandbox, web, "oidc").status_code == 200
    assert (armed.seen, armed.struck) == (0, 0)


@pytest.mark.parametrize(
    ("met", "writes"),
    [
        (Met("iam", "POST", "/", "GetRole"), False),
        (Met("iam", "POST", "/", "ListRoles"), False),
        (Met("iam", "POST", "/", "TagRole"), True),
        (Met("sts", "POST", "/", "AssumeRoleWithWebIdentity"), False),
        (Met("arm", "GET", "/", "ManagedClusters_Get"), False),
        (Met("graph", "PATCH", "/", "UpdateApplication"), True),
        (Met("kubernetes/a", "POST", "/", "create selfsubjectaccessreviews"), False),
    ],
)
def test_only_what_can_write_meets_a_conflict(met: Met, writes: bool) -> None:
    assert Fault(Kind.CONFLICT).fits(met) is writes


@pytest.mark.parametrize(
    ("met", "may_be_late"),
    [
        (Met("iam", "POST", "/", "CreateRole"), True),
        (Met("iam", "POST", "/", "GetRole"), False),
        (Met("graph", "POST", "/", "CreateApplication"), True),
        (Met("graph", "GET", "/", "ListApplications"), False),
        (Met("arm", "PUT", "/", "ManagedClusters_CreateOrUpdate"), False),
        (Met("kubernetes/a", "POST", "/", "create serviceaccounts"), False),
    ],
)
def test_only_writes_of_some_services_are_shown_late(met: Met, may_be_late: bool) -> None:
    assert Fault(Kind.LATE, seconds=1.0).fits(met) is may_be_late


def _wait_for(condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_graph_shows_a_late_write_later(sandbox: Sandbox, web: requests.Session) -> None:
    scope = {"scope": "https://graph.microsoft.com/.default", "grant_type": "client_credentials"}
    login = {"client_id": CONTROLLER_CLIENT_ID, "client_secret": CONTROLLER_CLIENT_SECRET, **scope}
    token = web.post(_URLS["login"], data=login, timeout=10).json()["access_token"]
    web.headers["Authorization"] = f"Bearer {token}"
    armed = sandbox.faults.add(Fault(Kind.LATE, service="graph", seconds=0.5))
    created = web.post(_URLS["graph"], json={"displayName": "late"}, timeout=10)
    assert (created.status_code, armed.struck, _last(sandbox).fault) == (201, 1, "late")
    one = f"{_URLS['graph']}/{created.json()['id']}"
    assert web.get(one, timeout=10).status_code == 404
    prompt = web.post(_URLS["graph"], json={"displayName": "prompt"}, timeout=10).json()["id"]
    assert web.get(f"{_URLS['graph']}/{prompt}", timeout=10).status_code == 200
    _wait_for(lambda: web.get(one, timeout=10).status_code == 200)


def test_the_control_api_makes_a_write_late(sandbox: Sandbox) -> None:
    answer = _ask(sandbox, "POST", {"kind": "late", "service": "iam", "operation": "CreateRole", "seconds": 5.0})
    assert answer.status_code == 201
    assert sandbox.faults.all()[0].fault == Fault(Kind.LATE, service="iam", operation="CreateRole", seconds=5.0)


def _ask(sandbox: Sandbox, method: str, body: t.Any = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, f"{sandbox.control_url}/faults", json=body, timeout=10)


def test_the_control_api_arms_lists_and_clears(sandbox: Sandbox, web: requests.Session) -> None:
    body = {"kind": "error", "service": "oidc", "status": 503, "times": None, "retry_after": 3}
    added = _ask(sandbox, "POST", body)
    assert added.status_code == 201
    assert _send(sandbox, web, "oidc").headers["Retry-After"] == "3"
    assert _ask(sandbox, "GET").json() == {"faults": [{**added.json(), "seen": 1, "struck": 1}]}
    assert _ask(sandbox, "DELETE").json() == {"faults": []}
    assert _send(sandbox, web, "oidc").status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "The 'kind' of a fault is one of latency, throttled,"),
        ({"kind": "call"}, "The 'kind' of a fault is one of latency, throttled,"),
        ({"kind": "error", "host": "x"}, "A fault has no field 'host'"),
        ({"kind": "error", "nth": "2"}, "The field 'nth' of a fault cannot be '2'"),
        ({"kind": "error", "times": True}, "The field 'times' of a fault cannot be True"),
        ({"kind": "error", "nth": 0}, "count from 1"),
        ({"kind": "error", "times": 0}, "count from 1"),
        ({"kind": "error", "status": 404}, "The 'status' of an error is 500, 502, 503 or 504"),
        ({"kind": "latency", "seconds": -1}, "are not negative"),
        ({"kind": "late", "service": "arm", "seconds": 1}, "Only graph and iam show later what was written"),
    ],
)
def test_the_control_api_refuses_a_fault_that_makes_no_sense(
    sandbox: Sandbox, body: dict[str, t.Any], message: str
) -> None:
    answer = _ask(sandbox, "POST", body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]
    assert sandbox.faults.all() == ()


def test_a_callback_needs_its_kind() -> None:
    with pytest.raises(ValueError, match="belongs to a fault of the kind 'call'"):
        Fault(Kind.ERROR, callback=print)
    with pytest.raises(ValueError, match="belongs to a fault of the kind 'call'"):
        Fault(Kind.CALL)
