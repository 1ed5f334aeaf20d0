# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an Entra application is found by the one option that names it."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    ApplicationChoice,
    ApplicationKey,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import Application
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import GraphClient


def find_application(graph: GraphClient, choice: ApplicationChoice) -> Application | None:
    """The application, None when there is none. Raises Ambiguous for a display name that does not fit exactly one."""
    match choice.key:
        case ApplicationKey.OBJECT_ID:
            return graph.application_by_object_id(choice.value)
        case ApplicationKey.APP_ID:
            return graph.application_by_app_id(choice.value)
        case ApplicationKey.UNIQUE_NAME:
            return graph.application_by_unique_name(choice.value)
        case ApplicationKey.DISPLAY_NAME:
            return _by_display_name(graph, choice)


def _by_display_name(graph: GraphClient, choice: ApplicationChoice) -> Application | None:
    name = choice.value
    found = graph.applications_by_display_name(name)
    exact = [application for application in found if application.display_name == name]
    if len(exact) == 1:
        return exact[0]
    if found:
        listed = ", ".join(f"{one.display_name} (object ID {one.object_id})" for one in exact or found)
        problem = f"{len(exact)} of them" if exact else "only others that differ in upper and lower case"
        raise errors.Ambiguous(
            f"The display name {name} must fit exactly one Entra application, but there are {problem}: {listed}.",
            fix="Name the right one by object_id or app_id, or choose another display name.",
        )
    # The filter above is eventually consistent and may miss an application that another run has just created.
    unique_name = choice.unique_name
    return None if unique_name is None else graph.application_by_unique_name(unique_name)
