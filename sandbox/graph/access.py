# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which application permission an operation needs (https://learn.microsoft.com/graph/permissions-reference).

``Application.ReadWrite.OwnedBy`` lists all applications and service principals; everything else it allows only to an
application's owner, who is whoever created it.
"""

from __future__ import annotations

import typing as t

from sandbox.graph import errors
from sandbox.graph.directory import Key

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.graph.directory import Directory
    from sandbox.world import World

_READ, _WRITE, _OWNED = "Application.Read.All", "Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"
_READING = ("List", "Get")
#: What the permission for owners allows on everything.
_OPEN_TO_OWNERS = frozenset({"ListApplications", "ListServicePrincipals", "CreateApplication"})


def require_permission(
    world: World, directory: Directory, operation: str, arguments: Mapping[str, t.Any], body: object
) -> None:
    """Raise GraphError 403 unless the controller's permissions allow the operation."""
    permissions = world.rights.graph
    if _READ in world.missing_rights:
        raise denied()
    if permissions is None:
        return
    sufficient = {_WRITE, _READ} if operation.startswith(_READING) else {_WRITE}
    found = permissions & sufficient
    if not found and _OWNED in permissions and _owner_may(directory, operation, arguments, body):
        found = frozenset({_OWNED})
    if not found:
        raise denied()
    world.granted.update(found)


def denied() -> errors.GraphError:
    return errors.GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _owner_may(directory: Directory, operation: str, arguments: Mapping[str, t.Any], body: object) -> bool:
    if operation in _OPEN_TO_OWNERS:
        return True
    if "object_id" in arguments:  # a deleted item
        return directory.owns_item(arguments["object_id"])
    if "application" in arguments:
        return directory.owns_application(arguments["application"])
    if "principal" in arguments:
        return directory.owns_principal(arguments["principal"])
    app_id = body.get("appId") if isinstance(body, dict) else None  # a service principal is created
    return directory.owns_application(Key("appId", str(app_id)))
