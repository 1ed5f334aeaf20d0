# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API, and what a reset does."""

from __future__ import annotations

import os
import typing as t

import pytest
import requests
import yaml

from sandbox.world import Sample

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox


def _ask(sandbox: Sandbox, method: str, path: str, body: t.Any = None) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, sandbox.control_url + path, json=body, timeout=10)


def test_status_says_what_runs_where(sandbox: Sandbox) -> None:
    status = _ask(sandbox, "GET", "/status").json()
    assert status["pid"] == os.getpid()
    assert status["proxy_url"] == sandbox.proxy_url
    assert status["ca_file"] == str(sandbox.ca_file)
    assert {c["name"]: c["issuer_enabled"] for c in status["clusters"]} == {
        "fresh": False,
        "halfdone": True,
        "finished": True,
    }
    assert (status["requests"], status["samples"]) == (0, 0)


def test_the_log_can_be_read_from_a_number_on(sandbox: Sandbox, web: requests.Session) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    web.get(f"{issuer}openid/v1/jwks")
    (first,) = _ask(sandbox, "GET", "/log").json()["requests"]
    assert (first["service"], first["method"], first["status"], first["write"]) == ("oidc", "GET", 200, False)
    web.get(f"{issuer}.well-known/openid-configuration")
    (second,) = _ask(sandbox, "GET", f"/log?since={first['number']}").json()["requests"]
    assert second["operation"] == "OpenIdConfiguration"
    assert _ask(sandbox, "GET", f"/log?since={second['number']}").json() == {"requests": []}
    assert _ask(sandbox, "GET", "/log?since=x").status_code == 400


def test_samples_are_shown(sandbox: Sandbox) -> None:
    assert _ask(sandbox, "GET", "/samples").json() == {"samples": []}
    sandbox.world.samples.append(Sample("ws-1", (("__name__", "up"), ("job", "a")), 1.0, 1700000000000, "arn:x"))
    assert _ask(sandbox, "GET", "/samples").json()["samples"] == [
        {
            "workspace_id": "ws-1",
            "labels": {"__name__": "up", "job": "a"},
            "value": 1.0,
            "timestamp_ms": 1700000000000,
            "role_arn": "arn:x",
            "session_arn": "",
            "federated_by": "",
        }
    ]


def test_settings_can_be_changed_one_by_one(sandbox: Sandbox) -> None:
    before = _ask(sandbox, "GET", "/settings").json()
    changes = {"aks_operation_seconds": 2, "aks_retry_after": 1, "aks_etag_conflict_status": 409, "aks_etags": False}
    after = _ask(sandbox, "PUT", "/settings", changes).json()
    assert after == {**before, **changes}
    assert sandbox.world.settings.aks_retry_after == 1
    assert _ask(sandbox, "PUT", "/settings", {"aks_retry_after": None}).json()["aks_retry_after"] is None
    sandbox.reset()
    assert _ask(sandbox, "GET", "/settings").json() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": 1},
        {"aks_operation_seconds": "1"},
        {"aks_operation_seconds": True},
        {"aks_etags": 1},
        {"aks_retry_after": 1.5},
        {"aks_etag_conflict_status": 500},
        ["aks_etags"],
    ],
)
def test_settings_that_make_no_sense_are_refused(sandbox: Sandbox, changes: t.Any) -> None:
    before = sandbox.world.settings
    response = _ask(sandbox, "PUT", "/settings", changes)
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")
    assert sandbox.world.settings == before


def test_reset_brings_back_the_seeded_estate_at_the_same_addresses(sandbox: Sandbox, web: requests.Session) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    assert web.get(f"{issuer}openid/v1/jwks").status_code == 200
    fresh = sandbox.cluster("fresh")
    fresh.body["properties"]["oidcIssuerProfile"]["enabled"] = True
    before = _ask(sandbox, "GET", "/status").json()
    after = _ask(sandbox, "POST", "/reset").json()
    assert after["requests"] == 0
    assert not sandbox.cluster("fresh").issuer_enabled
    for key in ("instance", "control_url", "proxy_url"):
        assert after[key] == before[key]
    assert [c["api_server_url"] for c in after["clusters"]] == [c["api_server_url"] for c in before["clusters"]]
    assert web.get(f"{issuer}openid/v1/jwks").status_code == 200, "the connection that was kept alive serves on"
    assert _ask(sandbox, "GET", "/status").json()["requests"] == 1


def test_a_cluster_can_be_added(sandbox: Sandbox, web: requests.Session) -> None:
    added = _ask(sandbox, "POST", "/clusters", {"name": "extra"})
    assert added.status_code == 201
    cluster = added.json()
    assert cluster["body"]["name"] == "extra"
    assert web.get(f"{cluster['issuer_url']}openid/v1/jwks").status_code == 404
    sandbox.cluster("extra").body["properties"]["oidcIssuerProfile"]["enabled"] = True
    assert web.get(f"{cluster['issuer_url']}openid/v1/jwks").status_code == 200
    contexts = yaml.safe_load(sandbox.kubeconfig.read_text())["contexts"]
    assert [context["name"] for context in contexts] == ["fresh", "halfdone", "finished", "extra"]
    assert "extra" in yaml.safe_load(sandbox.folder.inventory.read_text())["aks"]["hosts"]
    assert _ask(sandbox, "GET", "/clusters/extra").json()["body"]["properties"]["oidcIssuerProfile"]["enabled"]
    _ask(sandbox, "POST", "/reset")
    assert _ask(sandbox, "GET", "/clusters/extra").status_code == 400
    with pytest.raises(requests.ConnectionError):
        requests.get(cluster["api_server_url"], verify=str(sandbox.ca_file), timeout=5)


def test_a_cluster_can_be_added_with_a_body_of_its_own(sandbox: Sandbox) -> None:
    body = {"location": "westus2", "properties": {"fqdn": "own.example", "provisioningState": "Failed", "new": [1]}}
    cluster = _ask(sandbox, "POST", "/clusters", {"name": "own", "body": body}).json()
    assert cluster["body"]["properties"] == body["properties"]
    assert cluster["body"]["id"].endswith("/managedClusters/own")
    assert cluster["issuer_url"].startswith("https://westus2.oic.prod-aks.azure.com/")


@pytest.mark.parametrize(
    "wanted", [{}, {"name": 1}, {"name": "fresh"}, {"name": "FRESH"}, {"name": "x", "body": []}, {"name": "x/y"}]
)
def test_a_cluster_that_makes_no_sense_is_refused(sandbox: Sandbox, wanted: t.Any) -> None:
    response = _ask(sandbox, "POST", "/clusters", wanted)
    assert response.status_code == 400
    assert response.json()["error"].endswith(".")
    assert len(sandbox.world.clusters) == 3


def test_unknown_paths_and_methods_are_json_errors(sandbox: Sandbox) -> None:
    assert _ask(sandbox, "GET", "/nothing").json()["error"].startswith("GET /nothing: ")
    assert _ask(sandbox, "DELETE", "/status").status_code == 405
    assert "nowhere" in _ask(sandbox, "GET", "/clusters/nowhere").json()["error"]


def test_only_the_instance_itself_can_be_shut_down(sandbox: Sandbox) -> None:
    assert _ask(sandbox, "POST", "/shutdown", {"instance": "another"}).status_code == 400


def test_the_login_gets_the_rights_of_documents_until_the_next_reset(sandbox: Sandbox) -> None:
    documents = {"aws": [], "kubernetes": []}
    assert _ask(sandbox, "PUT", "/rights", documents).json() == documents
    assert sandbox.world.rights.aws == ()
    refused = _ask(sandbox, "PUT", "/rights", {"kubernetes": [{"kind": "Role"}]})
    assert (refused.status_code, "These rights can't be given" in refused.json()["error"]) == (400, True)
    assert _ask(sandbox, "PUT", "/rights", {"google": []}).status_code == 400
    _ask(sandbox, "POST", "/reset")
    assert sandbox.world.rights.aws is None
