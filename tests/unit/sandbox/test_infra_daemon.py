# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox as a process of its own: up, status, log, down."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import typing as t
import urllib.parse
from pathlib import Path

import pytest
import requests
import yaml

from sandbox import daemon
from sandbox.state import Instance, StateError, StateFolder

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]

# A machine whose settings would lead every client astray.
HOSTILE = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/nonexistent/ca.pem",
    "REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem",
    "CURL_CA_BUNDLE": "/nonexistent/ca.pem",
    "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
    "AWS_PROFILE": "nonexistent",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


class Result(t.NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StateFolder]:
    folder = StateFolder(tmp_path / "state")
    yield folder
    daemon.end(folder)


def _start(folder: StateFolder, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
        [sys.executable, "-m", "sandbox", *arguments, "--state", str(folder.path)],
        cwd=ROOT,
        env={**os.environ, **HOSTILE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(process: subprocess.Popen[str]) -> Result:
    stdout, stderr = process.communicate(timeout=90)
    return Result(process.returncode, stdout, stderr)


def _run(folder: StateFolder, *arguments: str) -> Result:
    return _end(_start(folder, *arguments))


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not fetched yet does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _instance(folder: StateFolder) -> Instance:
    instance = folder.read_instance()
    assert instance is not None
    return instance


def _ports(folder: StateFolder) -> list[int]:
    """Every port that the running sandbox tells its clients."""
    instance = _instance(folder)
    kubeconfig = yaml.safe_load(folder.kubeconfig.read_text())
    urls = [instance.control_url, instance.proxy_url, *(c["cluster"]["server"] for c in kubeconfig["clusters"])]
    return [urllib.parse.urlsplit(url).port or 0 for url in urls]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_up_status_log_down(folder: StateFolder) -> None:
    up = _run(folder, "up")
    assert (up.returncode, up.stderr) == (0, "")
    assert str(folder.inventory) in up.stdout
    instance = _instance(folder)
    ports = _ports(folder)
    assert len(ports) == 5
    assert all(_listens(port) for port in ports)

    again = _run(folder, "up")
    assert (again.returncode, again.stdout) == (0, up.stdout), "a second start changes nothing"
    assert _instance(folder) == instance

    status = _run(folder, "status")
    assert status.returncode == 0
    assert "fresh, halfdone, finished" in status.stdout

    issuer = daemon.ask(instance.control_url, "GET", "/clusters/finished")["issuer_url"]
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": instance.proxy_url}
        session.verify = str(folder.ca_file)
        assert session.get(f"{issuer}openid/v1/jwks", timeout=10).status_code == 200
    log = _run(folder, "log")
    assert log.returncode == 0
    assert "oidc GET" in log.stdout
    assert "oidc GET" not in _run(folder, "log", "--since", "100").stdout

    down = _run(folder, "down")
    assert (down.returncode, down.stdout, down.stderr) == (0, "The sandbox is down.\n", "")
    assert not _alive(instance.pid)
    assert not any(_listens(port) for port in ports)
    assert not folder.path.exists()

    assert _run(folder, "status").returncode == 1
    assert _run(folder, "log").returncode == 1
    assert _run(folder, "down").stdout == f"No sandbox runs in {folder.path}.\n"


def test_the_state_folder_holds_what_clients_need(folder: StateFolder) -> None:
    status = daemon.start(folder)
    files = sorted(str(file.relative_to(folder.path)) for file in folder.path.rglob("*") if file.is_file())
    assert files == ["ca.pem", "inventory/hosts.yml", "kubeconfig", "sandbox.json", "server.log"]
    assert stat.S_IMODE(folder.kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.inventory.stat().st_mode) == 0o600
    assert folder.ca_file.read_text().count("BEGIN") == 1
    instance = json.loads(folder.instance_file.read_text())
    assert instance == {key: status[key] for key in ("instance", "pid", "control_url", "proxy_url")}


def test_every_listener_is_on_loopback(folder: StateFolder) -> None:
    pid = daemon.start(folder)["pid"]
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.append(fields[1].partition(":")[0])
    assert len(listening) == 7  # issuers, clouds, three API servers, proxy, control
    assert set(listening) == {"0100007F"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_as_cleanly(folder: StateFolder, number: signal.Signals) -> None:
    pid = daemon.start(folder)["pid"]
    os.kill(pid, number)
    _wait_until(lambda: not _alive(pid))
    assert not folder.path.exists()


def test_what_a_killed_sandbox_leaves_behind_is_no_hindrance(folder: StateFolder) -> None:
    pid = daemon.start(folder)["pid"]
    os.kill(pid, signal.SIGKILL)
    _wait_until(lambda: not _alive(pid))
    assert folder.instance_file.exists()
    assert daemon.find(folder) is None
    assert daemon.start(folder)["pid"] != pid


def test_down_does_not_end_a_foreign_process_of_the_same_number(folder: StateFolder) -> None:
    folder.create()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        folder.write_instance(Instance("gone", stranger.pid, "http://127.0.0.1:9", "http://127.0.0.1:9"))
        assert daemon.end(folder) is False
        assert stranger.poll() is None
        stranger.terminate()
    assert not folder.path.exists()


def test_a_sandbox_that_hangs_is_ended_all_the_same(folder: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "_END_SECONDS", 0.5)
    monkeypatch.setattr(daemon, "_ASK_SECONDS", 0.5)
    pid = daemon.start(folder)["pid"]
    os.kill(pid, signal.SIGSTOP)
    assert daemon.end(folder) is True
    assert not _alive(pid)


def test_two_starts_at_once_make_one_sandbox(folder: StateFolder) -> None:
    first, second = [_end(process) for process in (_start(folder, "up"), _start(folder, "up"))]
    assert first.returncode == 0
    assert first == second
    assert daemon.end(folder) is True
    time.sleep(1.5)  # longer than a start waits for the folder
    assert not folder.locked(), "the start that came second must not take the folder over"


def test_two_folders_hold_two_sandboxes(folder: StateFolder, tmp_path: Path) -> None:
    other = StateFolder(tmp_path / "other")
    first = daemon.start(folder)
    try:
        second = daemon.start(other)
        assert first["pid"] != second["pid"]
    finally:
        daemon.end(other)
    assert daemon.find(folder) is not None


def test_files_of_others_in_the_folder_stay(folder: StateFolder) -> None:
    folder.inventory.parent.mkdir(parents=True)
    own = folder.inventory.parent / "group_vars.yml"
    own.write_text("mine")
    daemon.start(folder)
    daemon.end(folder)
    assert [file for file in folder.path.rglob("*") if file.is_file()] == [own]


def test_the_foreground_ends_when_it_is_told_to(folder: StateFolder) -> None:
    process = _start(folder, "up", "--foreground")
    try:
        _wait_until(lambda: daemon.find(folder) is not None)
        second = _run(folder, "up", "--foreground")
        assert (second.returncode, second.stderr) == (1, f"A sandbox already runs in {folder.path}.\n")
        assert daemon.end(folder) is True
        first = _end(process)
    finally:
        process.kill()
    assert first.returncode == 0
    assert first.stdout.startswith(f"The sandbox is up (process {process.pid}).\n")


def test_errors_are_sentences(folder: StateFolder, tmp_path: Path) -> None:
    blocked = StateFolder(tmp_path / "file" / "state")
    (tmp_path / "file").write_text("")
    up = _run(blocked, "up")
    assert up.returncode == 1
    assert up.stderr == f"The state folder {blocked.path} cannot be made: Not a directory.\n"
    folder.create()
    folder.instance_file.write_text("{")
    with pytest.raises(StateError, match=r"sandbox\.json cannot be read .* delete the folder"):
        folder.read_instance()


def test_a_failing_start_shows_the_end_of_the_log(folder: StateFolder) -> None:
    folder.create()
    folder.kubeconfig.mkdir()  # so that the file cannot be written
    up = _run(folder, "up")
    assert up.returncode == 1
    assert up.stderr.startswith("The sandbox ended while it started. The end of its log:\n")
    assert "kubeconfig" in up.stderr
    folder.kubeconfig.rmdir()


def _wait_until(condition: t.Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
