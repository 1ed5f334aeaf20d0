# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's one exception family. Helpers raise; only ``runner`` turns an error into a module's failure."""

from __future__ import annotations

import typing as t

KindT = t.TypeVar("KindT", bound="CloudError")


class AksAmpError(Exception):
    """Something that the user must know, in one sentence.

    ``message`` says what was attempted on what and what went wrong; ``fix`` says what to do about it. ``accepted`` is
    true when a service had already accepted the write that then failed, so that its effect is there or on its way.
    ``repeats`` is true when a rerun could not tell whether that write was made, and would make it again.
    """

    accepted = False
    repeats = False

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def sentence(self) -> str:
        """The text that the user reads."""
        return f"{self.message} {self.fix}".strip()


class InvalidInput(AksAmpError):
    """An option's value can't be right, whatever the clouds hold."""


class NotFound(AksAmpError):
    """An object that must exist does not."""


class Ambiguous(AksAmpError):
    """More than one object answers to a description that must fit exactly one."""


class NotReady(AksAmpError):
    """An object is in a state in which it must not or can't be changed (stopped, failed, being changed)."""


class Refused(AksAmpError):
    """What is there contradicts what was asked for, and overwriting it would destroy somebody's intent.

    ``kind`` names the contradiction for programs, in snake case; empty where none has to tell it from others. ``facts``
    are return values that come with the message.
    """

    def __init__(
        self, message: str, *, fix: str = "", kind: str = "", facts: t.Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, fix=fix)
        self.kind = kind
        self.facts = facts or {}


class CheckFailed(AksAmpError):
    """A check's verdict, not a mishap: ``facts`` are the module's return values, which come with the message."""

    def __init__(self, message: str, *, facts: t.Mapping[str, object]) -> None:
        super().__init__(message)
        self.facts = facts


class MissingLibrary(AksAmpError):
    """A Python library is not importable by the interpreter that runs the module."""

    def __init__(self, library: str, cause: ImportError) -> None:
        super().__init__(
            f"The Python library {library} can't be imported by the interpreter that runs this module: {cause}.",
            fix="Install the packages of the collection's requirements.txt into that interpreter's environment, or "
            "point ansible_python_interpreter at one that has them (usually '{{ ansible_playbook_python }}').",
        )


class MissingCredentials(AksAmpError):
    """No source supplied credentials for a cloud or a cluster."""


class CloudError(AksAmpError):
    """A service refused a request or could not be reached.

    ``action`` is a verb phrase ("reading IAM role x"); ``code``, ``status``, ``detail`` and ``request_id`` are the
    service's own, empty or 0 where it gave none.
    """

    def __init__(
        self,
        *,
        service: str,
        action: str,
        code: str = "",
        status: int = 0,
        detail: str = "",
        request_id: str = "",
        fix: str = "",
    ) -> None:
        self.service = service
        self.action = action
        self.code = code
        self.status = status
        self.detail = detail
        self.request_id = request_id
        answer = ": ".join(part for part in (code or (f"HTTP {status}" if status else ""), detail.rstrip(".")) if part)
        trace = f" (request id {request_id})" if request_id else ""
        super().__init__(f"{service} failed while {action}: {answer or 'no reason given'}{trace}.", fix=fix)

    def told_as(self, kind: type[KindT], *, fix: str) -> KindT:
        """The same answer as another kind of error, with another advice."""
        return kind(
            service=self.service,
            action=self.action,
            code=self.code,
            status=self.status,
            detail=self.detail,
            request_id=self.request_id,
            fix=fix,
        )


class Conflict(CloudError):
    """Another writer was faster: read and plan again. ``retry_after`` is the service's advice in seconds, if any."""

    retry_after: float | None = None


#: The advice about a write whose outcome is open.
LOOK_AGAIN: t.Final = "Run again: what was done is found then."


class Interrupted(Conflict):
    """A write to which no answer came, or one that leaves open whether it was done: read and plan again."""


class Forbidden(CloudError):
    """The caller lacks a right; ``fix`` names it where it is known."""


class Unreachable(CloudError):
    """The service did not answer at all."""
