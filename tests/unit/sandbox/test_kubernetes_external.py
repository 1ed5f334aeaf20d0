# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose API server is an external one: here that of a second sandbox, which is started for it."""

from __future__ import annotations

import json
import typing as t
import urllib.error
import urllib.request

import pytest

from sandbox import daemon, manifests
from sandbox.control import BadControlRequest
from sandbox.kubernetes.external import ExternalServer, read_servers
from sandbox.state import StateFolder
from sandbox.testing import running_sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox
    from sandbox.world import Json, LoggedRequest

CONFIG_MAP = f"/api/v1/namespaces/{manifests.NAMESPACE}/configmaps/{manifests.CONFIG_MAP}"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def behind() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sandbox(behind: Sandbox) -> Iterator[Sandbox]:
    behind.api_server("finished").reset()
    external = {"finished": ExternalServer(behind.kubeconfig, "finished", namespaces=())}
    with running_sandbox(external=external) as running:
        yield running


def ask(
    sandbox: Sandbox, method: str, path: str, body: Json | None = None, *, content_type: str = "", token: str = ""
) -> tuple[int, Json]:
    """One request by the address and the token that the sandbox's kubeconfig has."""
    cluster = sandbox.cluster("finished")
    headers = {
        "Authorization": f"Bearer {token or cluster.admin_token}",
        "Content-Type": content_type or "application/json",
    }
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  # the sandbox's own URL
        f"{cluster.api_server_url}{path}", content, headers, method=method
    )
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trust(sandbox)))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def _trust(sandbox: Sandbox) -> t.Any:
    import ssl

    return ssl.create_default_context(cafile=str(sandbox.ca_file))


def last(sandbox: Sandbox) -> LoggedRequest:
    return [one for one in sandbox.world.log.since() if one.service == "kubernetes/finished"][-1]


def test_the_estate_is_on_the_external_server(sandbox: Sandbox, behind: Sandbox) -> None:
    status, stored = ask(sandbox, "GET", CONFIG_MAP)
    assert status == 200
    assert "cluster: finished" in stored["data"][manifests.CONFIG_KEY]
    assert behind.api_server("finished").get("ConfigMap", manifests.NAMESPACE, manifests.CONFIG_MAP) == stored
    external = sandbox.external_api_server("finished")
    assert external.get("ConfigMap", manifests.NAMESPACE, manifests.CONFIG_MAP) == stored
    assert external.get("ConfigMap", manifests.NAMESPACE, "nowhere") is None
    assert (last(sandbox).operation, last(sandbox).status, last(sandbox).write) == ("get configmaps", 200, False)


@pytest.mark.parametrize(
    ("method", "query", "body", "write"),
    [
        ("PATCH", "", {"data": {"new": "1"}}, True),
        ("PATCH", "", {"data": {"new": "1"}}, False),  # it is so already
        ("PATCH", "?dryRun=All", {"data": {"new": "2"}}, False),
        ("DELETE", "", {"kind": "DeleteOptions", "apiVersion": "v1", "dryRun": ["All"]}, False),
        ("DELETE", "", None, True),
        ("DELETE", "", None, False),  # it is gone
    ],
)
def test_a_request_is_a_write_when_an_object_changed(
    sandbox: Sandbox, method: str, query: str, body: Json | None, write: bool
) -> None:
    ask(sandbox, method, CONFIG_MAP + query, body, content_type=MERGE if method == "PATCH" else "")
    assert last(sandbox).method == method
    assert last(sandbox).write is write


def test_tokens_and_reviews_are_no_writes(sandbox: Sandbox) -> None:
    path = f"/api/v1/namespaces/{manifests.NAMESPACE}/serviceaccounts/prometheus-sa/token"
    body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": {"audiences": ["a"]}}
    assert ask(sandbox, "POST", path, body)[0] == 201
    assert not last(sandbox).write
    review = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert ask(sandbox, "POST", path, review)[0] == 201
    assert not last(sandbox).write


def test_another_token_is_judged_by_the_external_server(sandbox: Sandbox, behind: Sandbox) -> None:
    assert ask(sandbox, "GET", CONFIG_MAP, token="nobody's")[0] == 401
    status, refusal = ask(sandbox, "GET", CONFIG_MAP, token=behind.api_server("finished").unprivileged_token)
    assert (status, refusal["reason"]) == (403, "Forbidden")


def test_the_issuer_publishes_the_external_servers_keys(sandbox: Sandbox, behind: Sandbox) -> None:
    assert sandbox.cluster("finished").key_set() == behind.cluster("finished").key_set()
    assert sandbox.cluster("halfdone").key_set() != behind.cluster("halfdone").key_set()


def test_each_kind_of_api_server_is_asked_for_by_its_own_name(sandbox: Sandbox) -> None:
    with pytest.raises(BadControlRequest, match="'finished' is an external one"):
        sandbox.api_server("finished")
    with pytest.raises(BadControlRequest, match="'fresh' is the sandbox's own"):
        sandbox.external_api_server("fresh")


def test_what_the_server_refuses_can_not_be_seeded(sandbox: Sandbox) -> None:
    external = sandbox.external_api_server("finished")
    with pytest.raises(ValueError, match="The sandbox knows no"):
        external.seed({"apiVersion": "example.org/v1", "kind": "Fridge", "metadata": {"name": "a"}})
    with pytest.raises(ValueError, match="invalid"):
        external.seed({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "Not A Name"}})


def test_a_server_that_is_gone_is_answered_for(behind: Sandbox) -> None:
    with running_sandbox() as gone:
        gone.api_server("finished").reset()
        external = {"finished": ExternalServer(gone.kubeconfig, "finished", namespaces=())}
        with running_sandbox(external=external) as sandbox:
            gone.close()
            status, answer = ask(sandbox, "GET", CONFIG_MAP)
            assert (status, answer["reason"]) == (503, "ServiceUnavailable")
    assert behind.api_server("finished").get("Namespace", None, manifests.NAMESPACE)


def test_servers_are_read_from_a_file(tmp_path: Path) -> None:
    text = json.dumps({"fresh": {"kubeconfig": "here", "namespaces": ["a"]}, "other": {"kubeconfig": "/there"}})
    assert read_servers(text, tmp_path) == {
        "fresh": ExternalServer(tmp_path / "here", None, ("a",)),
        "other": ExternalServer(tmp_path.__class__("/there")),
    }


@pytest.mark.parametrize("text", ["", "[]", '{"fresh": {}}', '{"fresh": 1}', '{"fresh": {"kubeconfig": 1}}'])
def test_a_file_that_names_no_servers_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="A file of API servers maps"):
        read_servers(text, tmp_path)


def test_the_command_says_what_is_wrong_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_text("{", encoding="utf-8")
    with pytest.raises(daemon.SandboxError, match="A file of API servers maps the names of clusters"):
        daemon.start(StateFolder(tmp_path / "state"), file)
