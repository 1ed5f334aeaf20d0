# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AMP's workspaces, typed. https://docs.aws.amazon.com/prometheus/latest/APIReference/"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.aws import AwsSession, aws_errors

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE: t.Final = "ACTIVE"
_PAGE_SIZE = 100


@dataclasses.dataclass(frozen=True)
class WorkspaceSummary:
    """A workspace as the list shows it. ``status`` is CREATING, ACTIVE, UPDATING, DELETING or CREATION_FAILED."""

    workspace_id: str
    alias: str
    status: str


@dataclasses.dataclass(frozen=True)
class WorkspaceDescription:
    """A workspace in full. ``prometheus_endpoint`` is the service's own text, empty while the workspace is created."""

    arn: str
    workspace_id: str
    alias: str
    status: str
    prometheus_endpoint: str


class AmpWorkspaces:
    """The workspaces of one region."""

    def __init__(self, session: AwsSession) -> None:
        self._amp = session.client("amp")

    @property
    def region(self) -> str:
        return str(self._amp.meta.region_name)

    def describe(self, workspace_id: str) -> WorkspaceDescription | None:
        """The workspace, or None when the region has none with this id."""
        try:
            with aws_errors("amp", f"reading workspace {workspace_id}"):
                found = self._amp.describe_workspace(workspaceId=workspace_id)["workspace"]
        except errors.CloudError as error:
            if error.code == "ResourceNotFoundException":
                return None
            raise
        return WorkspaceDescription(
            arn=found["arn"],
            workspace_id=found["workspaceId"],
            alias=found.get("alias", ""),
            status=_status(found),
            prometheus_endpoint=found.get("prometheusEndpoint", ""),
        )

    def list(self, alias_prefix: str | None = None) -> tuple[WorkspaceSummary, ...]:
        """All workspaces, or those whose alias begins with a text: the service's filter is not an exact one."""
        filters = {} if alias_prefix is None else {"alias": alias_prefix}
        with aws_errors("amp", "listing workspaces"):
            pages = self._amp.get_paginator("list_workspaces").paginate(
                PaginationConfig={"PageSize": _PAGE_SIZE}, **filters
            )
            return tuple(
                WorkspaceSummary(entry["workspaceId"], entry.get("alias", ""), _status(entry))
                for page in pages
                for entry in page["workspaces"]
            )


def _status(workspace: Mapping[str, t.Any]) -> str:
    return str((workspace.get("status") or {}).get("statusCode", ""))
