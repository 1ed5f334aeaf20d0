# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's state folder: the files that its clients read, and the lock that says whether it runs."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import json
import os
import time
import typing as t
from pathlib import Path

import yaml

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.world import Json

_POLL_SECONDS = 0.05


class StateError(Exception):
    """The state folder cannot be used. The message is a sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Instance:
    """What ``sandbox.json`` says of a running sandbox."""

    instance: str  # random, so that nobody mistakes another process for this one
    pid: int
    control_url: str
    proxy_url: str


@dataclasses.dataclass(frozen=True)
class KubeContext:
    """A cluster as the kubeconfig describes it. Context, cluster and user carry the same name."""

    name: str
    server: str
    token: str


class FolderLock:
    """A lock on a folder as it is now; the kernel gives it back when the process ends that acquired it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def acquire(self, seconds: float = 0.0) -> bool:
        """Take the lock; False when another process still has it after this time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                return True

    def is_current(self) -> bool:
        """False when the folder was deleted since, or another one has its place."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


@dataclasses.dataclass(frozen=True)
class StateFolder:
    """The folder's files. Only the process that has the :meth:`lock` writes them."""

    path: Path

    @property
    def ca_file(self) -> Path:
        """The root certificate alone, PEM."""
        return self.path / "ca.pem"

    @property
    def kubeconfig(self) -> Path:
        return self.path / "kubeconfig"

    @property
    def inventory(self) -> Path:
        return self.path / "inventory" / "hosts.yml"

    @property
    def instance_file(self) -> Path:
        return self.path / "sandbox.json"

    @property
    def server_log(self) -> Path:
        return self.path / "server.log"

    def create(self) -> None:
        """Make the folder. Raises StateError when that is not possible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"The state folder {self.path} cannot be made: {error.strerror}.") from error

    def lock(self) -> FolderLock:
        """The folder's lock, not yet acquired. Raises FileNotFoundError when there is no such folder."""
        return FolderLock(self.path)

    def locked(self) -> bool:
        """Whether a sandbox holds this folder."""
        try:
            lock = self.lock()
        except FileNotFoundError:
            return False
        with contextlib.closing(lock):
            return not lock.acquire()

    def write_ca(self, root_pem: str) -> None:
        self.ca_file.write_text(root_pem, encoding="ascii")

    def write_kubeconfig(self, contexts: Sequence[KubeContext], root_pem: str) -> None:
        """A kubeconfig (v1) with one context a cluster, readable by its owner only. The first is current."""
        authority = base64.b64encode(root_pem.encode("ascii")).decode("ascii")
        config: Json = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": c.name, "cluster": {"server": c.server, "certificate-authority-data": authority}}
                for c in contexts
            ],
            "users": [{"name": c.name, "user": {"token": c.token}} for c in contexts],
            "contexts": [{"name": c.name, "context": {"cluster": c.name, "user": c.name}} for c in contexts],
            "current-context": contexts[0].name if contexts else "",
        }
        _replace(self.kubeconfig, yaml.safe_dump(config, sort_keys=False))

    def write_inventory(self, inventory: Json) -> None:
        """An Ansible inventory, readable by its owner only."""
        self.inventory.parent.mkdir(exist_ok=True)
        heading = "# Written by the sandbox at each start: changes are lost.\n---\n"
        _replace(self.inventory, heading + yaml.safe_dump(inventory, sort_keys=False, width=120))

    def write_instance(self, instance: Instance) -> None:
        _replace(self.instance_file, json.dumps(dataclasses.asdict(instance), indent=2) + "\n")

    def read_instance(self) -> Instance | None:
        """The sandbox that was last started here, or None. It need not run any more."""
        try:
            return Instance(**json.loads(self.instance_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise StateError(
                f"{self.instance_file} cannot be read ({error}): delete the folder {self.path}."
            ) from error

    def remove(self) -> None:
        """Delete what the sandbox wrote, and the folder when nothing else is in it."""
        for file in (self.ca_file, self.kubeconfig, self.instance_file, self.server_log):
            file.unlink(missing_ok=True)
        self.inventory.unlink(missing_ok=True)
        for folder in (self.inventory.parent, self.path):
            with contextlib.suppress(OSError):  # somebody's own files lie in it
                folder.rmdir()


def _replace(file: Path, text: str) -> None:
    """Write a file of mode 0600 at once, so that nobody reads half of it."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(file)
