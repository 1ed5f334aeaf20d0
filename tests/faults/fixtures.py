# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sandbox for all tests of a folder, and SDKs that don't idle while they wait before another attempt."""

from __future__ import annotations

import asyncio
import time
import typing as t

import pytest

from sandbox.testing import running_sandbox
from sandbox.world import Settings
from tests.faults.modules import Estate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

#: Longer pauses are those of an SDK or of a module between two attempts; shorter ones are the sandbox's own.
_PAUSE_SECONDS = 0.05
_INSTEAD_SECONDS = 0.001


@pytest.fixture(scope="session")
def estate() -> Iterator[Estate]:
    with running_sandbox(Settings(aks_operation_seconds=0.02)) as sandbox:
        yield Estate(sandbox)


@pytest.fixture(scope="session", autouse=True)
def short_pauses() -> Iterator[None]:
    """Only how long SDKs wait is changed, not whether and how often they try again."""
    sleep, async_sleep = time.sleep, asyncio.sleep

    def short(seconds: float) -> None:
        sleep(seconds if seconds <= _PAUSE_SECONDS else _INSTEAD_SECONDS)

    async def async_short(seconds: float, result: t.Any = None) -> t.Any:
        return await async_sleep(seconds if seconds <= _PAUSE_SECONDS else _INSTEAD_SECONDS, result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", short)
        patch.setattr(asyncio, "sleep", async_short)
        yield
