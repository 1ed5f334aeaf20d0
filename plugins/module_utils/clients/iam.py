# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's OIDC providers and roles, typed. https://docs.aws.amazon.com/IAM/latest/APIReference/

Every method raises Forbidden, Unreachable, MissingCredentials or CloudError; writes raise Conflict when the object
was changed, created or deleted by another since it was read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors, policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.aws import AwsSession, aws_errors

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: IAM's default, in seconds.
DEFAULT_SESSION_DURATION: t.Final = 3600

_MALFORMED_CODES = frozenset({"MalformedPolicyDocument", "MalformedPolicyDocumentException"})
_MISSING_CODES = frozenset({"NoSuchEntity", "NoSuchEntityException"})


class UnknownPrincipal(errors.CloudError):
    """A trust policy names a principal that IAM does not know, or does not know yet."""


@dataclasses.dataclass(frozen=True)
class Provider:
    """An OIDC provider. ``url`` has its scheme, ``thumbprints`` are as IAM returned them."""

    arn: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    tags: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Role:
    """A role. ``max_session_duration`` is in seconds, ``permissions_boundary`` an ARN."""

    arn: str
    name: str
    path: str
    trust_policy: Mapping[str, t.Any]
    max_session_duration: int = DEFAULT_SESSION_DURATION
    description: str | None = None
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


class IamProviders:
    """OIDC providers."""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def get(self, arn: str) -> Provider | None:
        answer = _read(
            f"reading IAM OIDC provider {arn}", self._iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn
        )
        if answer is None:
            return None
        return Provider(
            arn=arn,
            url="https://" + str(answer["Url"]).removeprefix("https://"),  # IAM answers without the scheme
            client_ids=tuple(answer.get("ClientIDList", ())),
            thumbprints=tuple(answer.get("ThumbprintList", ())),
            tags=_tags(answer),
        )

    def arns(self) -> tuple[str, ...]:
        """The ARNs of all providers of the account; the API has no pages."""
        with aws_errors("iam", "listing IAM OIDC providers"):
            answer = self._iam.list_open_id_connect_providers()
        return tuple(entry["Arn"] for entry in answer["OpenIDConnectProviderList"])

    def create(
        self, url: str, client_ids: Sequence[str], thumbprints: Sequence[str] | None, tags: Mapping[str, str]
    ) -> str:
        """Create a provider and return its ARN; without thumbprints IAM fetches the issuer's itself."""
        optional = {
            **({"ThumbprintList": list(thumbprints)} if thumbprints else {}),
            **({"Tags": _tag_list(tags)} if tags else {}),
        }
        with aws_errors("iam", f"creating IAM OIDC provider {url}"):
            answer = self._iam.create_open_id_connect_provider(Url=url, ClientIDList=list(client_ids), **optional)
        return str(answer["OpenIDConnectProviderArn"])

    def add_client_id(self, arn: str, client_id: str) -> None:
        with aws_errors("iam", f"adding client ID {client_id} to {arn}"):
            self._iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client_id)

    def remove_client_id(self, arn: str, client_id: str) -> None:
        with aws_errors("iam", f"removing client ID {client_id} from {arn}"):
            self._iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=arn, ClientID=client_id)

    def set_thumbprints(self, arn: str, thumbprints: Sequence[str]) -> None:
        """Replace the whole list; IAM wants at least one entry."""
        with aws_errors("iam", f"setting the thumbprints of {arn}"):
            self._iam.update_open_id_connect_provider_thumbprint(
                OpenIDConnectProviderArn=arn, ThumbprintList=list(thumbprints)
            )

    def tag(self, arn: str, tags: Mapping[str, str]) -> None:
        with aws_errors("iam", f"tagging {arn}"):
            self._iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=_tag_list(tags))

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        with aws_errors("iam", f"removing tags of {arn}"):
            self._iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=list(keys))


class IamRoles:
    """Roles and their inline policies."""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def get(self, name: str) -> Role | None:
        answer = _read(f"reading IAM role {name}", self._iam.get_role, RoleName=name)
        if answer is None:
            return None
        role = answer["Role"]
        return Role(
            arn=role["Arn"],
            name=role["RoleName"],
            path=role["Path"],
            trust_policy=_document(role.get("AssumeRolePolicyDocument"), f"the trust policy of IAM role {name}"),
            max_session_duration=int(role.get("MaxSessionDuration", DEFAULT_SESSION_DURATION)),
            description=role.get("Description") or None,
            permissions_boundary=(role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
            tags=_tags(role),
        )

    def inline_policy(self, role: str, name: str) -> Mapping[str, t.Any] | None:
        what = f"inline policy {name} of IAM role {role}"
        answer = _read(f"reading {what}", self._iam.get_role_policy, RoleName=role, PolicyName=name)
        return None if answer is None else _document(answer["PolicyDocument"], what)

    def inline_policy_names(self, role: str) -> tuple[str, ...]:
        with aws_errors("iam", f"listing the inline policies of IAM role {role}"):
            pages = self._iam.get_paginator("list_role_policies").paginate(RoleName=role)
            return tuple(name for page in pages for name in page["PolicyNames"])

    def create(self, role: Role) -> str:
        """Create a role from all its fields but the ARN, which is returned. Raises UnknownPrincipal."""
        optional = {
            **({"Description": role.description} if role.description else {}),
            **({"PermissionsBoundary": role.permissions_boundary} if role.permissions_boundary else {}),
            **({"Tags": _tag_list(role.tags)} if role.tags else {}),
        }
        with _trusting(f"creating IAM role {role.name}"):
            answer = self._iam.create_role(
                RoleName=role.name,
                Path=role.path,
                AssumeRolePolicyDocument=policy.compact(role.trust_policy),
                MaxSessionDuration=role.max_session_duration,
                **optional,
            )
        return str(answer["Role"]["Arn"])

    def set_trust_policy(self, name: str, document: Mapping[str, t.Any]) -> None:
        """Raises UnknownPrincipal."""
        with _trusting(f"setting the trust policy of IAM role {name}"):
            self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=policy.compact(document))

    def set_settings(self, name: str, description: str | None, max_session_duration: int) -> None:
        """Set both: IAM's page does not promise that a value left out stays."""
        with aws_errors("iam", f"updating IAM role {name}"):
            self._iam.update_role(RoleName=name, Description=description or "", MaxSessionDuration=max_session_duration)

    def set_permissions_boundary(self, name: str, policy_arn: str) -> None:
        with aws_errors("iam", f"setting the permissions boundary of IAM role {name}"):
            self._iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=policy_arn)

    def set_inline_policy(self, role: str, name: str, document: Mapping[str, t.Any]) -> None:
        with aws_errors("iam", f"writing inline policy {name} of IAM role {role}"):
            self._iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy.compact(document))

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with aws_errors("iam", f"tagging IAM role {name}"):
            self._iam.tag_role(RoleName=name, Tags=_tag_list(tags))

    def untag(self, name: str, keys: Sequence[str]) -> None:
        with aws_errors("iam", f"removing tags of IAM role {name}"):
            self._iam.untag_role(RoleName=name, TagKeys=list(keys))


def _read(action: str, operation: t.Callable[..., t.Any], **parameters: str) -> t.Any | None:
    """The answer, or None when there is no such object."""
    try:
        with aws_errors("iam", action):
            return operation(**parameters)
    except errors.CloudError as error:
        if error.code in _MISSING_CODES:
            return None
        raise


@contextlib.contextmanager
def _trusting(action: str) -> Iterator[None]:
    """As ``aws_errors``, with UnknownPrincipal told apart from other faults of a document."""
    try:
        with aws_errors("iam", action):
            yield
    except errors.CloudError as error:
        if error.code not in _MALFORMED_CODES or "invalid principal" not in error.detail.lower():
            raise
        raise UnknownPrincipal(
            service=error.service,
            action=error.action,
            code=error.code,
            status=error.status,
            detail=error.detail,
            request_id=error.request_id,
            fix="Every provider that the trust policy names must exist in the role's account: create the issuer's with "
            "iam_oidc_provider_thumbprint, and remove statements for providers that were deleted.",
        ) from error


def _document(value: object, what: str) -> Mapping[str, t.Any]:
    """A policy document; botocore leaves what it can't decode as text."""
    if isinstance(value, dict):
        return value
    raise errors.Refused(f"IAM returned {what} in a form that is not JSON.", fix="Correct or remove the document.")


def _tags(answer: Mapping[str, t.Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
