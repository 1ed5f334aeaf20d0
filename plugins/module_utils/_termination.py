# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is told to end (SIGTERM) cleans up first, as after any other failure."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Terminated(BaseException):
    """The process was told to end. No handler of ordinary errors may hold it up."""


@contextlib.contextmanager
def cleaned_up() -> Iterator[None]:
    """What is opened inside the block is closed before a SIGTERM takes the effect that it had outside of the block."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before in (None, signal.SIG_IGN):
        yield  # only the main thread may set handlers; and who ignores the signal goes on to do so
        return
    received: list[int] = []

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning
        received.append(number)
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if received:
            os.kill(os.getpid(), signal.SIGTERM)
