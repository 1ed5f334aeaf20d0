# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What steps of one cluster share, what they never share, and which clients make use of it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube, sharing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import MissingCredentials
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, AzureAuth, KubeAuth, Transport

if t.TYPE_CHECKING:
    from collections.abc import Iterator

AWS = AwsAuth(Transport(), "eu-west-1", access_key="AKIAEXAMPLEEXAMPLE00", secret_key="unit-test-secret")
AZURE = AzureAuth(Transport(), tenant="t", client_id="c", secret="unit-test-secret")


def made(kind: str = "kind", options: str = "options") -> object:
    return sharing.shared(kind, options, object)


def test_nothing_is_kept_outside_of_a_block() -> None:
    assert made() is not made()
    with sharing.sharing():
        inside = made()
    assert made() is not inside
    with sharing.sharing():
        assert made() is not inside


def test_equal_options_share_and_others_do_not() -> None:
    with sharing.sharing():
        first = made()
        assert made() is first
        assert made(options="other") is not first
        assert made(kind="other") is not first


def test_a_block_inside_another_one_is_part_of_it() -> None:
    with sharing.sharing():
        first = made()
        with sharing.sharing():
            assert made() is first
        assert made() is first


def test_another_environment_is_another_login(monkeypatch: pytest.MonkeyPatch) -> None:
    with sharing.sharing():
        first = made()
        monkeypatch.setenv("AWS_PROFILE", "other")
        assert made() is not first


def test_a_forked_process_and_another_thread_share_nothing() -> None:
    found: list[bool] = []
    with sharing.sharing():
        first = made()
        thread = threading.Thread(target=lambda: found.append(made() is first))
        thread.start()
        thread.join()
        child = os.fork()
        if not child:
            os._exit(int(made() is first))  # a child must not go on with the tests
        _unused, status = os.waitpid(child, 0)
    assert found == [False]
    assert os.waitstatus_to_exitcode(status) == 0


def test_what_failed_is_tried_again() -> None:
    attempts = iter((False, True))

    def make() -> str:
        if not next(attempts):
            raise MissingCredentials("None.")
        return "made"

    with sharing.sharing():
        with pytest.raises(MissingCredentials):
            sharing.shared("kind", "options", make)
        assert sharing.shared("kind", "options", make) == "made"


def test_what_is_lent_is_closed_after_use_or_at_the_blocks_end() -> None:
    closed: list[object] = []

    def lend() -> contextlib.AbstractContextManager[object]:
        return sharing.lent("kind", "options", object, closed.append)

    with lend() as alone:
        assert not closed
    assert closed == [alone]
    with sharing.sharing():
        with lend() as first:
            pass
        with lend() as second:
            pass
        assert closed == [alone]
    assert first is second
    assert closed == [alone, first]


def test_what_is_due_at_the_end_is_done_once_even_when_the_block_fails() -> None:
    done: list[str] = []

    def do() -> None:
        done.append("done")

    def work() -> None:
        with sharing.sharing():
            sharing.at_end(do)
            sharing.at_end(do)
            assert not done
            raise MissingCredentials("None.")

    with pytest.raises(MissingCredentials):
        work()
    assert done == ["done"]
    sharing.at_end(do)
    assert done == ["done", "done"]


def test_aws_clients_are_shared_by_equal_options() -> None:
    assert AwsSession(AWS).client("iam") is not AwsSession(AWS).client("iam")
    with sharing.sharing():
        iam = AwsSession(AWS).client("iam")
        assert AwsSession(dataclasses.replace(AWS)).client("iam") is iam
        assert AwsSession(AWS).client("sts") is not iam
        assert AwsSession(AWS).client("sts") is not AwsSession(AWS).client("sts", unsigned=True)
        other = dataclasses.replace(AWS, secret_key="another-unit-test-secret")
        assert AwsSession(other).client("iam") is not iam


def test_the_login_to_azure_is_shared_by_equal_options() -> None:
    with sharing.sharing():
        login = AzureSession(AZURE).credential
        assert AzureSession(AZURE).credential is login
        assert AzureSession(dataclasses.replace(AZURE, secret="another")).credential is not login
        assert AzureSession(AZURE, {"AZURE_FEDERATED_TOKEN": "x"}).credential is not login


def test_a_kubeconfig_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    path = tmp_path / "config"
    path.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], users: [{name: a, user: "
        "{token: unit-test}}], clusters: [{name: a, cluster: {server: 'https://a.example'}}]}",
        encoding="ascii",
    )
    auth = KubeAuth(kubeconfig=str(path))
    with sharing.sharing():
        assert kube.KubeClient(auth).server == "https://a.example"
        path.unlink()
        assert kube.KubeClient(auth).server == "https://a.example"
    with pytest.raises(MissingCredentials):
        kube.KubeClient(auth)


class _Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: object) -> None:
        """Keep quiet."""


class _Server(http.server.ThreadingHTTPServer):
    """Counts its connections."""

    connections = 0

    def get_request(self) -> t.Any:
        self.connections += 1
        return super().get_request()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with _Server(("127.0.0.1", 0), _Answers) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_reads_of_an_issuer_go_over_one_connection_and_a_write_over_its_own(server: _Server) -> None:
    def ask(method: str) -> int:
        url = f"http://127.0.0.1:{server.server_port}/"
        return HttpClient(Transport()).request(method, url, service="s", action="asking").status

    with sharing.sharing():
        assert [ask("GET") for _unused in range(3)] == [200] * 3
        assert server.connections == 1
        assert [ask("POST"), ask("POST")] == [200, 200]
        assert server.connections == 3
    assert [ask("GET"), ask("GET")] == [200, 200]
    assert server.connections == 5
