# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find one AMP workspace. Reads only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import (
    ACTIVE,
    AmpWorkspaces,
    WorkspaceDescription,
    WorkspaceSummary,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import Workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AWS,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result

ARGUMENT_SPEC = ArgumentSpec(
    {
        "workspace_id": {"type": "str"},
        "alias": {"type": "str"},
        "known": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "settings": {"type": "str", "required": True},
                "workspace": {"type": "dict", "required": True},
            },
        },
    },
    required_one_of=(("workspace_id", "alias"),),
    mutually_exclusive=(("workspace_id", "alias"),),
).merge(AWS, TRANSPORT)

#: What a status other than ACTIVE means, and what to do
#: (https://docs.aws.amazon.com/prometheus/latest/APIReference/API_WorkspaceStatus.html).
_STATUSES: t.Final[t.Mapping[str, tuple[str, str]]] = {
    "CREATING": ("still being created, which takes a minute or two", "Run again when it is active."),
    "UPDATING": ("being changed at the moment", "Run again when it is active."),
    "DELETING": ("being deleted, and its data with it", "Choose another one."),
    "CREATION_FAILED": ("one that could not be created", "Delete it and create another one."),
}
_UNKNOWN_STATUS: t.Final = ("in a state that this collection does not know", "Wait until it is active.")

#: How many workspaces an error names at most.
_SHOWN = 10


def select(alias: str, candidates: t.Sequence[WorkspaceSummary], region: str) -> WorkspaceSummary:
    """The one workspace with exactly this alias. Raises NotFound or Ambiguous; either lists the candidates."""
    matching = [candidate for candidate in candidates if candidate.alias == alias]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise errors.Ambiguous(
            f"{len(matching)} workspaces in {region} have the alias '{alias}': {_listed(matching)}.",
            fix="Give the workspace_id of the one that is meant.",
        )
    raise errors.NotFound(
        f"No workspace in {region} has the alias '{alias}'; there are: {_listed(candidates)}.",
        fix="Correct alias, region or credentials.",
    )


def facts(description: WorkspaceDescription) -> dict[str, str]:
    """The workspace as the module returns it. Raises NotReady while it is not active."""
    if description.status != ACTIVE:
        meaning, fix = _STATUSES.get(description.status, _UNKNOWN_STATUS)
        raise errors.NotReady(
            f"The workspace {description.workspace_id} is {meaning}: its status is "
            f"{description.status or 'empty'}, not {ACTIVE}.",
            fix=fix,
        )
    workspace = Workspace.parse(description.arn, description.prometheus_endpoint)
    return {
        "arn": workspace.arn,
        "workspace_id": workspace.workspace_id,
        "alias": description.alias,
        "region": workspace.region,
        "partition": workspace.partition,
        "account_id": workspace.account_id,
        "status": description.status,
        "prometheus_endpoint": workspace.endpoint,
        "remote_write_url": workspace.remote_write_url,
        "query_url": workspace.query_url,
    }


def _listed(candidates: t.Sequence[WorkspaceSummary]) -> str:
    names = [
        f"{candidate.workspace_id} ({candidate.alias or 'no alias'}, {candidate.status})"
        for candidate in sorted(candidates, key=lambda candidate: (candidate.alias, candidate.workspace_id))
    ]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) + more) or "none"


def _find(workspaces: AmpWorkspaces, alias: str) -> str:
    candidates = workspaces.list(alias)
    if not any(candidate.alias == alias for candidate in candidates):
        candidates = workspaces.list()  # for the error only: the alias may be misspelled
    return select(alias, candidates, workspaces.region).workspace_id


def find(workspaces: AmpWorkspaces, params: Params) -> dict[str, str]:
    """The one active workspace that the options ``workspace_id`` or ``alias`` name, as :func:`facts` gives it.

    Raises InvalidInput, NotFound, Ambiguous or NotReady.
    """
    return find_named(workspaces, params.optional_text("workspace_id"), params.optional_text("alias"))


def find_named(workspaces: AmpWorkspaces, given_id: str | None, alias: str | None) -> dict[str, str]:
    """As :func:`find`, by an id or an exact alias."""
    if given_id is None and alias is None:
        raise errors.InvalidInput("Both workspace_id and alias are empty.", fix="Give one of them.")
    workspace_id = given_id or _find(workspaces, (alias or "").strip())  # the service strips blanks, too
    description = workspaces.describe(workspace_id)
    if description is None:
        raise errors.NotFound(
            f"There is no workspace {workspace_id} in {workspaces.region}.",
            fix="Correct workspace_id, region or credentials.",
        )
    return facts(description)


def settings_of(params: Params) -> str:
    """What stands for the workspace that is meant, and for who asks where: equal only if the answer would be.

    Nothing secret goes into it. Whose a secret key or a session's token is the access key's ID says.
    """
    auth = AwsAuth.from_params(params)
    asked = dataclasses.asdict(auth) | {name: params.optional_text(name) for name in ("workspace_id", "alias")}
    transport = dataclasses.replace(auth.transport, https_proxy=_without_login(auth.transport.https_proxy))
    told = asked | {"secret_key": None, "session_token": None, "transport": dataclasses.asdict(transport)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _without_login(url: str | None) -> str | None:
    parts = urllib.parse.urlsplit(url or "")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() or None


def run(params: Params, _context: Context) -> Result:
    """Find and describe the workspace, unless that was done for the same settings."""
    settings = settings_of(params)
    known = (item.optional_mapping("workspace") for item in params.items("known") if item.text("settings") == settings)
    workspace = next(known, None) or find(AmpWorkspaces(AwsSession(AwsAuth.from_params(params))), params)
    return Result({"workspace": workspace, "settings": settings})


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
