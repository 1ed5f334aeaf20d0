# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AMP's workspaces and their resource policies, typed. https://docs.aws.amazon.com/prometheus/latest/APIReference/"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ACTIVE: t.Final = "ACTIVE"
_PAGE_SIZE = 100
_MISSING_CODE = "ResourceNotFoundException"
#: https://docs.aws.amazon.com/prometheus/latest/userguide/what-is-Amazon-Managed-Service-Prometheus.html
_PARTITIONS_WITHOUT_AMP = frozenset({"aws-cn"})
#: PutResourcePolicy's precondition for the first policy of a workspace.
_NO_POLICY = "NO_POLICY"


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


@dataclasses.dataclass(frozen=True)
class ResourcePolicy:
    """A workspace's resource policy. ``status`` is CREATING, ACTIVE, UPDATING or DELETING; a write names the
    ``revision`` that it replaces."""

    document: Mapping[str, t.Any]
    revision: str
    status: str = ACTIVE


class UnknownPrincipal(errors.CloudError):
    """A resource policy names a principal that the service does not know, or does not know yet."""


class AmpWorkspaces:
    """The workspaces of one region."""

    def __init__(self, session: AwsSession) -> None:
        """Raises InvalidInput where no region is known or the service is not in its partition."""
        self._amp = _client(session)

    @property
    def region(self) -> str:
        return str(self._amp.meta.region_name)

    def describe(self, workspace_id: str) -> WorkspaceDescription | None:
        """The workspace, or None when the region has none with this id."""
        try:
            with aws_errors("amp", f"reading workspace {workspace_id}"):
                found = self._amp.describe_workspace(workspaceId=workspace_id)["workspace"]
        except errors.CloudError as error:
            if error.code == _MISSING_CODE:
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


class AmpResourcePolicies:
    """The resource policies of one region's workspaces. Writes raise Conflict when the policy is no longer the one that
    was read."""

    def __init__(self, session: AwsSession) -> None:
        """Raises AksAmpError where boto3 is older than resource policies."""
        self._amp = _client(session)
        if not hasattr(self._amp, "put_resource_policy"):
            raise errors.AksAmpError(
                "The installed boto3 does not know resource policies of Amazon Managed Prometheus.",
                fix="Install boto3 1.41 or later.",
            )

    def get(self, workspace_id: str) -> ResourcePolicy | None:
        """The policy, or None when the workspace has none. Raises Refused for a document that is not JSON."""
        try:
            with aws_errors("amp", f"reading the resource policy of workspace {workspace_id}"):
                found = self._amp.describe_resource_policy(workspaceId=workspace_id)
        except errors.CloudError as error:
            if error.code == _MISSING_CODE:
                return None
            raise
        return ResourcePolicy(
            _document(str(found["policyDocument"]), workspace_id), str(found["revisionId"]), str(found["policyStatus"])
        )

    def put(self, workspace_id: str, document: Mapping[str, t.Any], replaced: ResourcePolicy | None) -> None:
        """Write a policy in place of the one that was read, or as the first one. Raises UnknownPrincipal."""
        try:
            with aws_errors("amp", f"writing the resource policy of workspace {workspace_id}"):
                self._amp.put_resource_policy(
                    workspaceId=workspace_id,
                    policyDocument=policy.compact(document),
                    revisionId=replaced.revision if replaced else _NO_POLICY,
                )
        except errors.CloudError as error:
            if error.code != "ValidationException" or "invalid principal" not in error.detail.lower():
                raise
            raise error.told_as(
                UnknownPrincipal,
                fix="Every role that the policy names must exist: remove statements for roles that were deleted.",
            ) from error

    def delete(self, workspace_id: str, deleted: ResourcePolicy) -> None:
        """Delete the policy that was read; that it is gone already is no error."""
        try:
            with aws_errors("amp", f"deleting the resource policy of workspace {workspace_id}"):
                self._amp.delete_resource_policy(workspaceId=workspace_id, revisionId=deleted.revision)
        except errors.CloudError as error:
            if error.code != _MISSING_CODE:
                raise


def _client(session: AwsSession) -> t.Any:
    client = session.client("amp")
    partition = client.meta.partition
    if partition in _PARTITIONS_WITHOUT_AMP:
        raise errors.InvalidInput(
            f"Amazon Managed Prometheus is not there in the partition {partition} (region {client.meta.region_name}).",
            fix="Only the IAM provider and role can be made there: give a workspace of another partition, with "
            "credentials for it.",
        )
    return client


def _document(text: str, workspace_id: str) -> Mapping[str, t.Any]:
    try:
        document = parse_json(text)
    except ValueError:
        document = None
    if isinstance(document, dict) and policy.is_document(document):
        return document
    form = "has not the form of a policy" if isinstance(document, dict) else "is not a JSON object"
    raise errors.Refused(f"The resource policy of workspace {workspace_id} {form}.", fix="Correct or delete it.")


def _status(workspace: Mapping[str, t.Any]) -> str:
    return str((workspace.get("status") or {}).get("statusCode", ""))
