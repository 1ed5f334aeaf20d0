# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of pods, the jobs that wait for their end, and logs of a certain age."""

from __future__ import annotations

import time
import typing as t

import pytest

from sandbox.kubernetes.programs import Ended, Files, ShellProgram
from sandbox.testing import running_sandbox

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

TOKEN: Json = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 600, "path": "token"}}
SCRIPT = 'test -s "$FILE" && echo "found $WORD" >"$WORK/note" && cat "$WORK/note"; exit "$CODE"'


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def server(running: Sandbox) -> ApiServer:
    running.reset()
    return running.api_server("finished")


def seed_job(server: ApiServer, code: int = 0) -> None:
    variables = {"FILE": "/run/token/token", "WORK": "/work", "WORD": "it", "CODE": str(code)}
    container = {
        "name": "main",
        "image": "x:1",
        "command": ["sh", "-c", SCRIPT],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [{"name": "token", "mountPath": "/run/token"}, {"name": "work", "mountPath": "/work"}],
    }
    volumes = [{"name": "token", "projected": {"sources": [TOKEN]}}, {"name": "work", "emptyDir": {}}]
    pod = {
        "serviceAccountName": "prometheus-sa",
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": volumes,
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    metadata = {"name": "job", "namespace": "monitoring"}
    server.seed({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def ended(server: ApiServer) -> Json:
    """The job when it has come to its end, which takes as long as a shell needs to start."""
    for _unused in range(600):
        job = server.get("Job", "monitoring", "job")
        assert job is not None
        if job["status"].get("conditions"):
            return job
        time.sleep(0.05)
    raise AssertionError("The job did not end.")


def log_of(server: ApiServer) -> tuple[str, str]:
    """The job's pod: its phase and its log."""
    headers = {"Authorization": f"Bearer {server.controller_token}"}
    client = server.app.test_client()
    listed = client.get("/api/v1/namespaces/monitoring/pods?labelSelector=job-name%3Djob", headers=headers)
    (pod,) = listed.get_json()["items"]
    path = f"/api/v1/namespaces/monitoring/pods/{pod['metadata']['name']}/log"
    return pod["status"]["phase"], client.get(path, headers=headers).text


@pytest.mark.parametrize(("code", "phase", "condition"), [(0, "Succeeded", "Complete"), (3, "Failed", "Failed")])
def test_a_job_ends_as_its_program_does(
    running: Sandbox, server: ApiServer, code: int, phase: str, condition: str
) -> None:
    server.run_programs(ShellProgram(running.proxy_url, running.ca_file))
    seed_job(server, code)
    job = ended(server)
    assert [item["type"] for item in job["status"]["conditions"]] == [condition]
    assert job["status"].get("active", 0) == 0
    assert log_of(server) == (phase, "found it\n")


def test_a_program_has_the_tokens_that_its_volumes_project(server: ApiServer) -> None:
    seen: list[Files] = []

    def program(_pod: Json, files: Files) -> Ended:
        seen.append(files)
        return Ended(0, "")

    server.run_programs(program)
    seed_job(server)
    ended(server)
    (files,) = seen
    assert list(files) == ["/run/token/token"]
    assert files["/run/token/token"].count(".") == 2


def test_without_a_program_a_job_runs_for_ever(server: ApiServer) -> None:
    seed_job(server)
    job = server.get("Job", "monitoring", "job")
    assert job is not None
    assert job["status"]["active"] == 1
    assert "conditions" not in job["status"]


def test_a_reset_forgets_the_program(running: Sandbox, server: ApiServer) -> None:
    server.run_programs(lambda _pod, _files: pytest.fail("run"))
    running.reset()
    seed_job(running.api_server("finished"))
    job = running.api_server("finished").get("Job", "monitoring", "job")
    assert job is not None
    assert job["status"]["active"] == 1


def test_pods_that_ended_are_not_begun_anew(server: ApiServer) -> None:
    server.run_programs(lambda _pod, _files: Ended(1, "once\n"))
    seed_job(server)
    ended(server)
    server.clear_fates()
    assert log_of(server) == ("Failed", "once\n")


def test_a_log_gives_what_is_young_enough(server: ApiServer) -> None:
    (pod,) = [pod["name"] for pod in server.running_pods() if pod["name"].startswith("prometheus-")]
    server.write_log("monitoring", pod, "old\n", "prometheus", age=100)
    server.write_log("monitoring", pod, "new\n", "prometheus")
    headers = {"Authorization": f"Bearer {server.controller_token}"}
    path = f"/api/v1/namespaces/monitoring/pods/{pod}/log?container=prometheus"
    client = server.app.test_client()
    assert client.get(path, headers=headers).text == "old\nnew\n"
    assert client.get(f"{path}&sinceSeconds=60", headers=headers).text == "new\n"
    assert client.get(f"{path}&sinceSeconds=x", headers=headers).status_code == 400
