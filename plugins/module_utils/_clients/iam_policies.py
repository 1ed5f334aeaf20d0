# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's managed policies and their versions, typed. https://docs.aws.amazon.com/IAM/latest/APIReference/

Every method raises Forbidden, Unreachable, MissingCredentials or CloudError; writes raise Conflict when the object
was changed, created or deleted by another since it was read.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import read_or_none, tag_list, tags_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import document_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

if t.TYPE_CHECKING:
    from collections.abc import Mapping

#: IAM keeps no more versions of a managed policy; an old one must go before a new one comes.
MAX_VERSIONS: t.Final = 5


@dataclasses.dataclass(frozen=True)
class ManagedPolicy:
    """A managed policy with its default version's document. ``other_versions`` are the ids of the rest, oldest first,
    empty until they are listed; ``uses`` counts the identities that it is attached to or that it bounds."""

    arn: str
    name: str
    document: Mapping[str, t.Any]
    uses: int = 0
    other_versions: tuple[str, ...] = ()
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


class IamPolicies:
    """Managed policies."""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def exists(self, arn: str) -> bool:
        return self._header(arn) is not None

    def get(self, arn: str) -> ManagedPolicy | None:
        """A policy with its document, its other versions not listed."""
        header = self._header(arn)
        if header is None:
            return None
        default = str(header["DefaultVersionId"])
        what = f"version {default} of managed policy {arn}"
        version = read_or_none(f"reading {what}", self._iam.get_policy_version, PolicyArn=arn, VersionId=default)
        if version is None:  # deleted in between
            return None
        return ManagedPolicy(
            arn=arn,
            name=str(header["PolicyName"]),
            document=document_of(version["PolicyVersion"].get("Document"), what),
            uses=int(header.get("AttachmentCount", 0)) + int(header.get("PermissionsBoundaryUsageCount", 0)),
            tags=tags_of(header),
        )

    def with_versions(self, found: ManagedPolicy) -> ManagedPolicy:
        """The policy with its other versions listed, which may be newer than the default one."""
        with aws_errors("iam", f"listing the versions of managed policy {found.arn}"):
            pages = self._iam.get_paginator("list_policy_versions").paginate(PolicyArn=found.arn)
            entries = [entry for page in pages for entry in page["Versions"]]
        others = [str(entry["VersionId"]) for entry in entries if not entry["IsDefaultVersion"]]
        return dataclasses.replace(found, other_versions=tuple(sorted(others, key=_number)))

    def create(self, arn: str, name: str, document: Mapping[str, t.Any], tags: Mapping[str, str]) -> None:
        with aws_errors("iam", f"creating managed policy {arn}"):
            self._iam.create_policy(PolicyName=name, PolicyDocument=policy.compact(document), Tags=tag_list(tags))

    def add_version(self, arn: str, document: Mapping[str, t.Any]) -> None:
        """Add a version and make it the default one."""
        with aws_errors("iam", f"writing managed policy {arn}"):
            self._iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy.compact(document), SetAsDefault=True)

    def delete_version(self, arn: str, version: str) -> None:
        with aws_errors("iam", f"deleting version {version} of managed policy {arn}"):
            self._iam.delete_policy_version(PolicyArn=arn, VersionId=version)

    def delete(self, arn: str) -> None:
        """Delete a policy that has no other version than the default one and is attached to nobody."""
        with aws_errors("iam", f"deleting managed policy {arn}"):
            self._iam.delete_policy(PolicyArn=arn)

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        with aws_errors("iam", f"tagging managed policy {arn}"):
            self._iam.tag_policy(PolicyArn=arn, Tags=tag_list(tags))

    def _header(self, arn: str) -> Mapping[str, t.Any] | None:
        answer = read_or_none(f"reading managed policy {arn}", self._iam.get_policy, PolicyArn=arn)
        return None if answer is None else t.cast("Mapping[str, t.Any]", answer["Policy"])


def _number(version: str) -> tuple[int, str]:
    """Versions are called v1, v2, ...; what is called otherwise comes first."""
    digits = version.removeprefix("v")
    return (int(digits) if digits.isdecimal() else 0, version)
