# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login for all that is done for a cluster, however many steps ask for it.

A step makes its own clients from its options. Where several steps run in one process, one after the other and for one
cluster, equal options would open equal sessions: a role would be assumed, a token fetched, a kubeconfig parsed, a
credential plugin started and TLS be set up anew for each. Within a block of :func:`sharing` that is done once. Without
one nothing is kept, and nothing outlives a block.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import os
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._termination import cleaned_up

if t.TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

ValueT = t.TypeVar("ValueT")


@dataclasses.dataclass(frozen=True)
class _Block:
    """What a block keeps, and what is to be closed at its end."""

    kept: dict[Hashable, t.Any]
    closing: contextlib.ExitStack


#: Of this thread: others that a library starts share nothing.
_BLOCK: contextvars.ContextVar[_Block | None] = contextvars.ContextVar("aks_amp_sharing", default=None)


@contextlib.contextmanager
def sharing() -> Iterator[None]:
    """Equal options lead to the same login inside the block. Only for work on one cluster, one thing after the other.

    A block inside another one is part of it. What is closed at its end is closed as well before a SIGTERM ends the
    process.
    """
    if _BLOCK.get() is not None:
        yield
        return
    with cleaned_up(), contextlib.ExitStack() as closing:
        token = _BLOCK.set(_Block({}, closing))
        closing.callback(_BLOCK.reset, token)
        yield


def shared(
    kind: str,
    options: Hashable,
    make: t.Callable[[], ValueT],
    close: t.Callable[[ValueT], None] | None = None,
) -> ValueT:
    """What ``make`` returns, or what it returned before in the block for the same kind and options.

    It depends on the environment as well, which libraries read, and is not handed on to a forked process, which must
    not write to its parent's connections. ``close`` is called with it at the block's end. What fails is tried again.
    """
    block = _BLOCK.get()
    if block is None:
        return make()
    key = (kind, options, frozenset(os.environ.items()), os.getpid())
    if key not in block.kept:
        made = make()
        block.kept[key] = made
        if close is not None:
            block.closing.callback(close, made)
    kept: ValueT = block.kept[key]
    return kept


@contextlib.contextmanager
def lent(
    kind: str, options: Hashable, make: t.Callable[[], ValueT], close: t.Callable[[ValueT], None]
) -> Iterator[ValueT]:
    """As :func:`shared`; where there is no block, what ``make`` returns is closed after use."""
    if _BLOCK.get() is not None:
        yield shared(kind, options, make, close)
        return
    made = make()
    try:
        yield made
    finally:
        close(made)


def at_end(do: t.Callable[[], None]) -> None:
    """Do it once at the block's end, for what is kept may need until then what it takes away; at once without one."""
    if _BLOCK.get() is None:
        do()
        return

    def later(_unused: None) -> None:
        do()

    shared("at end", do, lambda: None, later)
