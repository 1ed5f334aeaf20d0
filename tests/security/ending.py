# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that does the work of a module, halts while it has a file open, and ends in a given way.

``python -m tests.security.ending <what> <how> <folder>``. When it halts it makes the file ``halted`` beside the folder,
and it goes on when ``go`` is there. What halts are arguments that take their time, so nothing of the collection is
replaced.
"""

from __future__ import annotations

import base64
import contextlib
import signal
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aks_access import Credential, connection_pool
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_config import (
    load_configuration,
    remove_files,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.promtool import Promtool
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, KubeAuth, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    Context,
    ModuleDefinition,
    Result,
    perform,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text_file import read_file, write_file

SECRET: t.Final = "canary-of-a-file"


def halt(folder: Path) -> None:
    (folder.parent / "halted").touch()
    while not (folder.parent / "go").exists():
        time.sleep(0.01)


class SlowText(str):
    """A text that halts when its end is looked at."""

    folder: Path

    def rstrip(self, chars: str | None = None, /) -> str:
        halt(self.folder)
        return super().rstrip(chars)


class SlowMode:
    """Rights of a file that halt when they are given to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __index__(self) -> int:
        halt(self.folder)
        return 0o600


def kubeconfig(folder: Path) -> None:
    """Certificate and key that stand in a kubeconfig, which the kubernetes package needs in files."""
    data = base64.b64encode(SECRET.encode()).decode()
    text = (
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}], "
        "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}], "
        f"users: [{{name: a, user: {{client-certificate-data: {data}, client-key-data: {data}}}}}]}}"
    )
    path = folder.parent / "kubeconfig"
    path.write_text(text, encoding="ascii")
    load_configuration(KubeAuth(kubeconfig=str(path)))
    halt(folder)


def certificate(folder: Path) -> None:
    """A client certificate of Azure's kubeconfig, which TLS needs in files."""
    key = SlowText(SECRET)
    key.folder = folder
    with contextlib.suppress(errors.CloudError):  # it is no key, which is found out later
        connection_pool(Credential("https://127.0.0.1:9", "", certificate=SECRET, key=key), KubeAuth())


def promtool(folder: Path) -> None:
    """A configuration, which may hold passwords, for a promtool that takes its time."""
    Promtool(str(folder.parent / "promtool"), None).complaints(SECRET)


def rendered(folder: Path) -> None:
    """A file that is replaced as a whole."""
    known = read_file(str(folder / "values.yaml"))
    write_file(known, SECRET.encode(), t.cast("int", SlowMode(folder)))


WHAT: t.Final = {one.__name__: one for one in (kubeconfig, certificate, promtool, rendered)}


def main(what: str, how: str, folder: str) -> int:
    def run(_params: Params, _context: Context) -> Result:
        WHAT[what](Path(folder))
        if how == "failure":
            raise errors.NotFound("It failed.")
        if how == "crash":
            raise RuntimeError("A mistake of the program.")
        return Result({})

    # As at a terminal: a shell lets what it starts in the background ignore the signal, and who inherits that goes on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    definition = ModuleDefinition(ArgumentSpec({}), run, remove_files)
    return int(perform(definition, Params({}), Context(check_mode=False)).failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
