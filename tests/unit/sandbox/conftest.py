# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running sandbox for the tests of this folder."""

from __future__ import annotations

import typing as t

import pytest
import requests

from sandbox.testing import running_sandbox
from sandbox.world import Settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    """One sandbox for all tests of a session."""
    with running_sandbox(Settings(aks_operation_seconds=0.05)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The running sandbox as it was seeded."""
    running.reset()
    return running


@pytest.fixture
def web(sandbox: Sandbox) -> Iterator[requests.Session]:
    """An HTTP client that reaches the sandbox by the clouds' own host names."""
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": sandbox.proxy_url, "http": sandbox.proxy_url}
        session.verify = str(sandbox.ca_file)
        yield session
