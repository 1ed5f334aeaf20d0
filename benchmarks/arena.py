# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox in a process of its own, so that its work counts for nobody, and what a contender must know of it.

The process reads one JSON object a line from its standard input and answers each by one. It ends with that input, and
so with the process that started it, however that one ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from demo.runs import ROOT, clean_environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

_END_SECONDS = 20.0
_SPARE_PROVIDERS = 100  # beside the fleet's, for clusters that are federated in a benchmark


@dataclasses.dataclass(frozen=True)
class Seen:
    """The requests of clients that the sandbox saw in some time."""

    total: int
    writes: int
    cpu: float  # seconds that the sandbox itself worked for them


@dataclasses.dataclass(frozen=True)
class Mark:
    """A moment of the sandbox."""

    number: int  # of the last request
    cpu: float  # seconds that its process has worked


@dataclasses.dataclass(frozen=True)
class Place:
    """What clients need to know, all of it known when the process has started."""

    proxy_url: str
    ca_file: Path
    kubeconfig: Path
    inventory: Path
    workspace_id: str


class ArenaError(Exception):
    """The sandbox's process ended or refused. The message is a sentence."""


class Arena:
    """The running sandbox, from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        answer = self._answer()
        self.place = Place(
            proxy_url=answer["proxy_url"],
            ca_file=Path(answer["ca_file"]),
            kubeconfig=Path(answer["kubeconfig"]),
            inventory=Path(answer["inventory"]),
            workspace_id=answer["workspace_id"],
        )

    def fresh(self, name: str, *, provider: bool = False) -> None:
        """Add a cluster like ``fresh``. ``provider``: IAM has the OIDC provider of its issuer already."""
        self._ask({"do": "fresh", "name": name, "provider": provider})

    def latency(self, seconds: float) -> None:
        """Have each answer be late by this from now on."""
        self._ask({"do": "latency", "seconds": seconds})

    def mark(self) -> Mark:
        """Where the request log ends now, for ``seen``."""
        return Mark(**self._ask({"do": "mark"}))

    def seen(self, since: Mark) -> Seen:
        """What the sandbox saw since then."""
        answer = self._ask({"do": "seen", "since": since.number})
        return Seen(answer["total"], answer["writes"], answer["cpu"] - since.cpu)

    def _ask(self, question: Json) -> Json:
        stream = self._process.stdin
        if stream is None:
            raise ArenaError("The sandbox's process has no input.")
        stream.write(json.dumps(question) + "\n")
        stream.flush()
        return self._answer()

    def _answer(self) -> Json:
        stream = self._process.stdout
        line = stream.readline() if stream is not None else ""
        if not line:
            raise ArenaError("The sandbox's process ended too early; what it said stands above.")
        answer: Json = json.loads(line)
        return answer


@contextlib.contextmanager
def running(fleet: int = 0) -> Iterator[Arena]:
    """A sandbox with the seeded estate and ``fleet`` converged clusters, named by :func:`fleet_name`."""
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and module, no shell
        [sys.executable, "-m", "benchmarks.arena", str(fleet)],
        cwd=ROOT,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Arena(process)
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fleet_name(number: int) -> str:
    return f"fleet-{number:04}"


# --- the process ------------------------------------------------------------------------------------------------------


class _Server:
    """Answers the questions over a sandbox of this process."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def answer(self, question: Json) -> Json:
        match question["do"]:
            case "fresh":
                return self._fresh(question["name"], provider=question["provider"])
            case "latency":
                return self._latency(float(question["seconds"]))
            case "mark":
                return {"number": len(self._sandbox.world.log.since()), "cpu": time.process_time()}
            case _:
                return self._seen(int(question["since"]))

    def _fresh(self, name: str, *, provider: bool) -> Json:
        self._sandbox.add_cluster(name)
        if provider:
            thumbprints = [self._sandbox.authority.intermediate_thumbprint]
            issuer = self._sandbox.cluster(name).issuer_url
            self._sandbox.aws.seed_provider(issuer, client_ids=["sts.amazonaws.com"], thumbprints=thumbprints)
        return {}

    def _latency(self, seconds: float) -> Json:
        from sandbox.faults import Fault, Kind

        self._sandbox.faults.clear()
        if seconds:
            self._sandbox.faults.add(Fault(Kind.LATENCY, times=None, seconds=seconds))
        return {}

    def _seen(self, since: int) -> Json:
        requests = [one for one in self._sandbox.world.log.since(since) if not one.internal]
        writes = sum(one.write for one in requests)
        return {"total": len(requests), "writes": writes, "cpu": time.process_time()}


def _serve(fleet: int) -> None:
    # Only this process needs the services, which take half a second to import.
    from sandbox import estate
    from sandbox.foreground import forget_foreign_settings
    from sandbox.testing import running_sandbox

    forget_foreign_settings()
    with running_sandbox() as sandbox:
        sandbox.aws.set_provider_quota(fleet + _SPARE_PROVIDERS)
        sandbox.add_fleet(*map(fleet_name, range(fleet)))
        workspace = sandbox.aws.workspace_id(estate.WORKSPACE_ALIAS, estate.AWS_REGION)
        place = {
            "proxy_url": sandbox.proxy_url,
            "ca_file": str(sandbox.ca_file),
            "kubeconfig": str(sandbox.kubeconfig),
            "inventory": str(sandbox.folder.inventory),
            "workspace_id": workspace,
        }
        _say(place)
        server = _Server(sandbox)
        for line in sys.stdin:
            _say(server.answer(json.loads(line)))


def _say(answer: Json) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # An interrupt of the terminal reaches the whole group; this process ends by its input alone.
    os.setpgid(0, 0)
    _serve(int(sys.argv[1]))
