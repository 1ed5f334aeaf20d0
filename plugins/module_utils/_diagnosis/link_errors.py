# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an error while looking says of what was looked at. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, LinkName, broken, unknown
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError

#: Errors that say something about what is looked at. Missing libraries and wrong options are faults of the task.
ABOUT_A_LINK: t.Final = (
    errors.Ambiguous,
    errors.CloudError,
    errors.MissingCredentials,
    errors.NotFound,
    errors.NotReady,
    errors.Refused,
    FederationError,
)


def message_and_fix(error: Exception) -> tuple[str, str]:
    """The error's sentences: what is wrong, and what to do if that is known."""
    return (error.message, error.fix) if isinstance(error, errors.AksAmpError) else (str(error), "")


def failed(name: LinkName, error: Exception) -> Link:
    """A link that could not be looked at: unknown when a right or credentials are missing, else broken."""
    message, fix = message_and_fix(error)
    if isinstance(error, errors.Forbidden | errors.MissingCredentials):
        return unknown(name, message, fix=fix)
    kind = "unreachable" if isinstance(error, errors.Unreachable) else "not_readable"
    source = error.detail if isinstance(error, errors.CloudError) else ""
    return broken(name, message, kind=kind, fix=fix, source=source)
