# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place of its own for a run: which processes belong to it, and which files it leaves."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import signal
import time
import typing as t
import uuid
from pathlib import Path

from sandbox.world import CONTROLLER_AWS_SECRET_KEY, CONTROLLER_CLIENT_SECRET

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox

_MARK = "AKS_AMP_TEST_RUN"
_POLL_SECONDS = 0.05
#: Whatever is secret by its form: tokens, keys of AWS sessions, private keys.
_SECRET_FORMS = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}|ASIA[A-Z0-9]{12,}|PRIVATE KEY")


@dataclasses.dataclass(frozen=True)
class Place:
    """Runs that have its environment keep their temporary files in its folder, and are known by a mark."""

    folder: Path
    mark: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def environment(self) -> dict[str, str]:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Ansible keeps some files in its home, and others where the system keeps temporary ones.
        return {_MARK: self.mark, "TMPDIR": str(self.folder), "ANSIBLE_HOME": str(self.folder / "ansible")}

    def processes(self) -> list[int]:
        """The numbers of all processes that run here, whoever is their parent by now. Zombies have no environment."""
        wanted = f"{_MARK}={self.mark}".encode()
        return [number for number in _all_processes() if wanted in _environment(number).split(b"\0")]

    def kill(self) -> int:
        """End all of them at once, as a machine or a container ends. Returns how many there were."""
        killed = 0
        while found := self.processes():  # one may just have started another
            killed += len(found)
            for number in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
        return killed

    def wait(self, seconds: float) -> list[int]:
        """The processes that still run after this time at most."""
        end = time.monotonic() + seconds
        while (found := self.processes()) and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        return found

    def files(self) -> frozenset[str]:
        """What lies in the folder, by path below it."""
        return frozenset(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir())

    def folders(self) -> frozenset[str]:
        return frozenset(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_dir())

    def with_secrets(self, sandbox: Sandbox) -> list[str]:
        """The files in which a secret of the sandbox stands."""
        secrets = [secret.encode() for secret in secrets_of(sandbox)]
        found = []
        for name in sorted(self.files()):
            path = self.folder / name
            content = path.read_bytes() if path.is_file() else b""
            if _SECRET_FORMS.search(content) or any(secret in content for secret in secrets):
                found.append(name)
        return found


def secrets_of(sandbox: Sandbox) -> list[str]:
    clusters = sandbox.world.clusters
    bearers = [sandbox.api_server(cluster.name).controller_token for cluster in clusters]
    admins = [cluster.admin_token for cluster in clusters]
    return [CONTROLLER_CLIENT_SECRET, CONTROLLER_AWS_SECRET_KEY, *bearers, *admins]


def _all_processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _environment(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/environ").read_bytes()
    except OSError:  # it has ended, or is another user's
        return b""
