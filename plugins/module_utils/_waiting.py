# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded waiting for what a cloud shows only some time after it was written."""

from __future__ import annotations

import dataclasses
import random
import time
import typing as t

AnswerT = t.TypeVar("AnswerT")


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long and how often to look. All values are seconds; the delay doubles from ``first`` to ``longest``."""

    limit: float
    first: float = 1.0
    longest: float = 15.0
    sleep: t.Callable[[float], None] = time.sleep
    monotonic: t.Callable[[], float] = time.monotonic

    def until(self, attempt: t.Callable[[], AnswerT | None]) -> AnswerT | None:
        """The first answer of ``attempt`` that is not None; None when there was none within the limit."""
        end = self.monotonic() + self.limit
        delay = self.first
        while (answer := attempt()) is None:
            left = end - self.monotonic()
            if left <= 0:
                return None
            self.sleep(min(delay, left))
            delay = min(delay * 2, self.longest)
        return answer

    def retry(self, attempt: t.Callable[[], AnswerT], *on: type[Exception]) -> AnswerT:
        """The first answer of ``attempt`` that is not one of these exceptions; past the limit, the last of them."""
        end = self.monotonic() + self.limit
        delay = self.first
        while True:
            try:
                return attempt()
            except on:
                left = end - self.monotonic()
                if left <= 0:
                    raise
            self.sleep(min(delay, left))
            delay = min(delay * 2, self.longest)


def seconds_of(retry_after: str) -> float | None:
    """The seconds of a Retry-After header; None when it is missing or a date, which the clouds don't send."""
    return float(retry_after) if retry_after.isdecimal() else None


def pause_after_lost_race(retry_after: str) -> float:
    """Seconds until the next try: what the service advises in a Retry-After header, else a random pause, because forks
    that met once would meet again after equal ones."""
    advised = seconds_of(retry_after)
    return random.SystemRandom().uniform(0.5, 5.0) if advised is None else advised
