# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on request: which requests of which service go wrong, how and how often.

A fault strikes when a service has recognised a request and named its operation, and before it does anything; only
``drop_after``, ``error_after``, ``unreadable_after`` and ``late`` let the service do its work. What a ``late`` write
has changed is shown some time later: in Graph to readers and to the login service, in IAM to readers, STS and
workspaces. The settings ``graph_replication_seconds`` and ``iam_propagation_seconds`` do the same to every write.
Azure Resource Manager, Kubernetes and Amazon Managed Service for Prometheus show at once what was written, so there it
can't be asked for.
"""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
import itertools
import threading
import typing as t

if t.TYPE_CHECKING:
    import flask

    from sandbox.world import Json


class Kind(enum.Enum):
    """What goes wrong."""

    LATENCY = "latency"  # the answer is late by ``seconds``
    THROTTLED = "throttled"  # too many requests, with ``retry_after`` when that is given
    ERROR = "error"  # ``status`` 500, 502, 503 or 504
    ERROR_AFTER = "error_after"  # the write is done, and answered by ``status`` all the same
    UNREADABLE_AFTER = "unreadable_after"  # the write is done, and half of the answer comes; a page with ``code`` page
    DROP_BEFORE = "drop_before"  # the connection ends before the request is handled
    DROP_AFTER = "drop_after"  # the request is handled, and the answer is lost
    CONFLICT = "conflict"  # another writer was faster
    EXPIRED_TOKEN = "expired_token"  # the credential has expired a moment ago
    LATE = "late"  # the write is done, and shown only after ``seconds``
    CALL = "call"  # ``callback`` runs before the request is handled; for tests in the sandbox's process only


#: What strikes no read.
_OF_WRITES: t.Final = frozenset({Kind.CONFLICT, Kind.ERROR_AFTER, Kind.LATE, Kind.UNREADABLE_AFTER})

#: Services that show what was written only some time later.
EVENTUALLY_CONSISTENT: t.Final = ("graph", "iam")


@dataclasses.dataclass(frozen=True)
class Met:
    """A request that a service has recognised."""

    service: str  # as in the request log
    method: str
    path: str
    operation: str

    @property
    def writes(self) -> bool:
        """Whether a request of this kind can change something; AWS's query protocol sends reads by POST too."""
        if self.service in ("iam", "sts"):
            return not self.operation.startswith(("Get", "List", "Assume", "Simulate"))
        return self.method not in ("GET", "HEAD") and not self.operation.endswith("reviews")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault. Patterns are those of shells (``kubernetes/*``) and must fit the whole text, with its case.

    It strikes from the ``nth`` fitting request on, ``times`` times; None means for ever. ``status`` and ``code`` choose
    among the answers that a service has for the kind; ``retry_after`` is the header of that name, in seconds.
    """

    kind: Kind
    service: str = "*"
    method: str = "*"
    path: str = "*"
    operation: str = "*"
    nth: int = 1
    times: int | None = 1
    status: int | None = None
    code: str | None = None
    retry_after: int | None = None
    seconds: float = 0.0
    callback: t.Callable[[], None] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError with a sentence when the fields make no sense together."""
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("'nth' and 'times' of a fault count from 1; 'times' null means for ever.")
        if (self.kind is Kind.CALL) is (self.callback is None):
            raise ValueError("A callback belongs to a fault of the kind 'call', and to no other.")
        if self.seconds < 0 or (self.retry_after or 0) < 0:
            raise ValueError("'seconds' and 'retry_after' of a fault are not negative.")
        if self.kind in (Kind.ERROR, Kind.ERROR_AFTER) and self.status not in (None, 500, 502, 503, 504):
            raise ValueError("The 'status' of an error is 500, 502, 503 or 504.")
        if self.kind is Kind.LATE and not any(fnmatch.fnmatchcase(one, self.service) for one in EVENTUALLY_CONSISTENT):
            services = " and ".join(EVENTUALLY_CONSISTENT)
            raise ValueError(f"Only {services} show later what was written, {self.service!r} shows it at once.")

    def fits(self, met: Met) -> bool:
        if self.kind in _OF_WRITES and not met.writes:
            return False
        if self.kind is Kind.LATE and met.service not in EVENTUALLY_CONSISTENT:
            return False
        return all(
            fnmatch.fnmatchcase(text, pattern)
            for text, pattern in (
                (met.service, self.service),
                (met.method, self.method),
                (met.path, self.path),
                (met.operation, self.operation),
            )
        )

    @classmethod
    def from_json(cls, values: Json) -> Fault:
        """Raises ValueError with a sentence for an unknown field, a wrong type or a kind that is for tests only."""
        types = {name: hint for name, hint in t.get_type_hints(cls).items() if name != "callback"}
        for name, value in values.items():
            if name not in types:
                raise ValueError(f"A fault has no field {name!r}; the fields are {', '.join(types)}.")
            if name != "kind" and not _fits(value, types[name]):
                raise ValueError(f"The field {name!r} of a fault cannot be {value!r}.")
        kinds = [kind.value for kind in Kind if kind is not Kind.CALL]
        if values.get("kind") not in kinds:
            raise ValueError(f"The 'kind' of a fault is one of {', '.join(kinds)}.")
        return cls(**{**values, "kind": Kind(values["kind"])})


class Armed:
    """A fault at its place. ``seen`` counts the fitting requests, ``struck`` those that it has spoilt."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.seen = 0
        self.struck = 0

    def report(self) -> Json:
        """The fault as the control API shows it."""
        fields = {name: value for name, value in vars(self.fault).items() if name != "callback"}
        return {
            "number": self.number,
            **fields,
            "kind": self.fault.kind.value,
            "seen": self.seen,
            "struck": self.struck,
        }


#: A service's own answer to a request that a fault strikes; None when the service has no such answer.
Answer: t.TypeAlias = "t.Callable[[Fault, Met], flask.Response | None]"

_SPOKEN = frozenset({Kind.THROTTLED, Kind.ERROR, Kind.ERROR_AFTER, Kind.CONFLICT, Kind.EXPIRED_TOKEN})


class Faults:
    """The faults of one world. Each request is struck by one of them at most, by the one that came first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._armed: list[Armed] = []
        self.answer: Answer = _no_answer

    def add(self, fault: Fault) -> Armed:
        with self._lock:
            armed = Armed(next(self._numbers), fault)
            self._armed.append(armed)
            return armed

    def clear(self) -> None:
        with self._lock:
            self._armed.clear()

    def all(self) -> tuple[Armed, ...]:
        with self._lock:
            return tuple(self._armed)

    def strike(self, met: Met) -> tuple[Fault | None, flask.Response | None]:
        """The fault that strikes a request, and the answer that takes the place of the service's own, if any."""
        with self._lock:
            for armed in self._armed:
                fault = armed.fault
                if not fault.fits(met):
                    continue
                answer = self.answer(fault, met) if fault.kind in _SPOKEN else None
                if fault.kind in _SPOKEN and answer is None:
                    continue
                armed.seen += 1
                if armed.seen >= fault.nth and (fault.times is None or armed.struck < fault.times):
                    armed.struck += 1
                    return fault, answer
        return None, None


def _no_answer(_fault: Fault, _met: Met) -> flask.Response | None:
    return None


def _fits(value: object, hint: t.Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, float | int if hint is float else hint)
