# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox inside a test's own process."""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from pathlib import Path

from sandbox.server import Sandbox
from sandbox.state import StateFolder

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.kubernetes.external import ExternalServer
    from sandbox.world import Settings


@contextlib.contextmanager
def running_sandbox(
    settings: Settings | None = None, external: Mapping[str, ExternalServer] | None = None
) -> Iterator[Sandbox]:
    """A running sandbox with the seeded estate, whose files lie in a folder of its own that is deleted at the end.

    Clients need its ``proxy_url``, ``ca_file`` and ``kubeconfig``; tests look at its ``world``, ``aws``, ``directory``
    and ``api_server(name)``, and call ``reset()`` between two tests.
    """
    with tempfile.TemporaryDirectory(prefix="aks-amp-sandbox-") as folder:
        sandbox = Sandbox(StateFolder(Path(folder)), settings, external=external)
        try:
            yield sandbox
        finally:
            sandbox.close()
