# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that an SDK can't make sense of: a proxy's page, half an answer, a value of another kind.

SDKs trust the service, so what they raise then is whatever their own code stumbles over.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: The packages that read answers for the collection's clients.
_LIBRARIES: t.Final = frozenset(
    {"azure", "boto3", "botocore", "httpx", "isodate", "kiota_abstractions", "kiota_http", "kiota_serialization_json"}
    | {"microsoft", "msal", "msgraph", "msgraph_core", "msrest", "pendulum"}
)
#: The packages' own ways to say that they do not understand; whatever else they raise of their own says something else.
_PARSER_ERRORS: t.Final = frozenset({"DeserializationError", "ResponseParserError"})
#: What code raises that finds something else than it takes for granted.
_STUMBLES: t.Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_OWN: t.Final = "ansible_collections"
DETAIL: t.Final = "the answer can't be understood"
FIX: t.Final = "See that no proxy answers in the service's place; otherwise run again later."
WRITE_FIX: t.Final = f"See that no proxy answers in the service's place. {errors.LOOK_AGAIN}"


@contextlib.contextmanager
def understood(service: str, action: str, *, writes: bool = False) -> Iterator[None]:
    """Turn what a library stumbles over inside the block into the error of ``malformed``; an error of the collection's
    own code stays what it is. ``action`` completes "<service> failed while ..."."""
    try:
        yield
    except Exception as error:
        if is_stumble(error):
            raise malformed(service, action, writes=writes) from error
        raise


def malformed(service: str, action: str, *, writes: bool = False) -> errors.CloudError:
    """The error for an answer that has not the service's form: Interrupted after a request that ``writes``, because
    the service may have done what it was asked for, however its answer was spoilt."""
    if writes:
        return errors.Interrupted(service=service, action=action, detail=DETAIL, fix=WRITE_FIX)
    return errors.CloudError(service=service, action=action, detail=DETAIL, fix=FIX)


def is_stumble(error: Exception) -> bool:
    """Whether a library has found something else in an answer than it takes for granted."""
    if type(error).__name__ in _PARSER_ERRORS:
        return True
    defined_by = type(error).__module__.partition(".")[0]
    is_vague = error.__class__ is Exception  # kiota has no error of its own for an answer that is no JSON
    is_foreign = isinstance(error, _STUMBLES) and defined_by not in _LIBRARIES
    return (is_vague or is_foreign) and _is_of_library(error.__traceback__)


def _is_of_library(trace: TracebackType | None) -> bool:
    """Whether the collection's code had handed on to a library, which raised or called what did."""
    inside = False
    while trace is not None:
        package = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        inside = package in _LIBRARIES or (inside and package != _OWN)
        trace = trace.tb_next
    return inside
