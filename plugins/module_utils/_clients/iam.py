# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's OIDC providers, typed, and how the answers of IAM are read. https://docs.aws.amazon.com/IAM/latest/APIReference/

Every method raises Forbidden, Unreachable, MissingCredentials or CloudError; writes raise Conflict when the object
was changed, created or deleted by another since it was read.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MISSING_CODES = frozenset({"NoSuchEntity", "NoSuchEntityException"})
_ROLES_PAGE_SIZE = 1000  # IAM's limit; it may answer fewer


@dataclasses.dataclass(frozen=True)
class Provider:
    """An OIDC provider. ``url`` has its scheme, ``thumbprints`` are as IAM returned them."""

    arn: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    tags: Mapping[str, str]


class IamProviders:
    """OIDC providers."""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def get(self, arn: str) -> Provider | None:
        answer = read_or_none(
            f"reading IAM OIDC provider {arn}", self._iam.get_open_id_connect_provider, OpenIDConnectProviderArn=arn
        )
        if answer is None:
            return None
        return Provider(
            arn=arn,
            url="https://" + str(answer["Url"]).removeprefix("https://"),  # IAM answers without the scheme
            client_ids=tuple(answer.get("ClientIDList", ())),
            thumbprints=tuple(answer.get("ThumbprintList", ())),
            tags=tags_of(answer),
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
            **({"Tags": tag_list(tags)} if tags else {}),
        }
        with aws_errors("iam", f"creating IAM OIDC provider {url}"):
            answer = self._iam.create_open_id_connect_provider(Url=url, ClientIDList=list(client_ids), **optional)
        return str(answer["OpenIDConnectProviderArn"])

    def delete(self, arn: str) -> None:
        with aws_errors("iam", f"deleting IAM OIDC provider {arn}"):
            self._iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)

    def trusting_roles(self, arn: str) -> tuple[str, ...]:
        """The names of the roles whose trust policies allow something to a provider's tokens."""
        with aws_errors("iam", f"looking for roles that trust {arn}"):
            pages = self._iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": _ROLES_PAGE_SIZE})
            return tuple(
                str(role["RoleName"])
                for page in pages
                for role in page["Roles"]
                if _trusts(role.get("AssumeRolePolicyDocument"), arn)
            )

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
            self._iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=arn, Tags=tag_list(tags))

    def untag(self, arn: str, keys: Sequence[str]) -> None:
        with aws_errors("iam", f"removing tags of {arn}"):
            self._iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=arn, TagKeys=list(keys))


def _trusts(document: object, provider_arn: str) -> bool:
    """Whether a trust policy allows something to a provider; what botocore can't decode stays text."""
    if not isinstance(document, dict) or not policy.is_document(document):
        return provider_arn in str(document)
    return any(
        statement.get("Effect") == "Allow"
        and ("Federated", provider_arn) in policy.principals(statement.get("Principal", {}))
        for statement in policy.statements(document)
    )


def read_or_none(action: str, operation: t.Callable[..., t.Any], **parameters: str) -> t.Any | None:
    """The answer, or None when there is no such object."""
    try:
        with aws_errors("iam", action):
            return operation(**parameters)
    except errors.CloudError as error:
        if is_missing(error):
            return None
        raise


def is_missing(error: errors.CloudError) -> bool:
    """Whether IAM says that there is no such object."""
    return error.code in _MISSING_CODES


def tags_of(answer: Mapping[str, t.Any]) -> dict[str, str]:
    """The tags of an answer."""
    return {tag["Key"]: tag["Value"] for tag in answer.get("Tags", ())}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """The tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
