# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's objects: moto's backend, made as strict as IAM where moto lets things pass.

Rules: https://docs.aws.amazon.com/IAM/latest/APIReference/ and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html. Lengths and patterns of single
parameters are checked before (:mod:`sandbox.aws.parameters`).
"""

from __future__ import annotations

import functools
import json
import re
import typing as t
from urllib.parse import urlsplit

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NotFoundException
from moto.iam.models import (
    AWSManagedPolicy,
    IAMBackend,
    InstanceProfile,
    ManagedPolicy,
    OpenIDConnectProvider,
    PolicyVersion,
    Role,
)

from sandbox.aws import documents
from sandbox.aws.errors import AwsError, limit_exceeded, not_found

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Tags = list[dict[str, str]]

PROVIDERS_QUOTA = 100
CLIENT_IDS_QUOTA = 100
THUMBPRINTS_QUOTA = 5
TAGS_QUOTA = 50
ATTACHED_POLICIES_QUOTA = 10  # per role
MANAGED_POLICY_QUOTA = 6144  # characters without white space
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")


def check_provider_url(url: str) -> None:
    """Raise what IAM answers for a provider URL that is not https, or has a port or a query."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        raise AwsError("ValidationError", "Invalid Open ID Connect Provider URL")
    if parts.scheme != "https":
        raise AwsError("InvalidInput", "Invalid Open ID Connect Provider URL. The URL must begin with https://.")
    if ":" in parts.netloc or "@" in parts.netloc or "?" in url or "#" in url:
        raise AwsError("InvalidInput", "Invalid Open ID Connect Provider URL.")


@functools.cache
def _aws_policies() -> dict[str, t.Any]:
    """AWS' own managed policies for its Prometheus service, by name."""
    found = json.loads(aws_managed_policies_data)
    return {name: data for name, data in found.items() if name.startswith("AmazonPrometheus")}


class IamStore(IAMBackend):
    """One account's providers, roles and policies. ``principals`` are the ARNs of its users."""

    def __init__(self, account_id: str, principals: Iterable[str]) -> None:
        super().__init__("aws", account_id)
        self._users = frozenset(principals)
        self.providers_quota = PROVIDERS_QUOTA

    def _init_aws_policies(self) -> list[ManagedPolicy]:
        return [
            AWSManagedPolicy.from_data(name, self.account_id, self.region_name, data)
            for name, data in _aws_policies().items()
        ]

    # Identity providers

    def create_open_id_connect_provider(
        self, url: str, thumbprint_list: list[str], client_id_list: list[str], tags: Tags
    ) -> OpenIDConnectProvider:
        check_provider_url(url)
        _check_reserved_tags(tag["Key"] for tag in tags)
        tagged = self._exact_tags(tags)
        host_and_path = url.removeprefix("https://")
        if f"arn:aws:iam::{self.account_id}:oidc-provider/{host_and_path}" in self.open_id_providers:
            raise AwsError("EntityAlreadyExists", f"Provider with url {url} already exists.", 409)
        if len(self.open_id_providers) >= self.providers_quota:
            raise limit_exceeded(f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {self.providers_quota}")
        provider = super().create_open_id_connect_provider(
            url, _thumbprints(thumbprint_list), list(dict.fromkeys(client_id_list)), []
        )
        provider.tags = tagged
        provider.create_date = provider.create_date.replace(microsecond=0)
        return provider

    def update_open_id_connect_provider_thumbprint(self, arn: str, thumbprint_list: list[str]) -> None:
        super().update_open_id_connect_provider_thumbprint(arn, _thumbprints(thumbprint_list))

    def add_client_id(self, arn: str, client_id: str) -> None:
        """Idempotent: a client ID that is already there is no error."""
        client_ids = self.get_open_id_connect_provider(arn).client_id_list
        if client_id in client_ids:
            return
        if len(client_ids) >= CLIENT_IDS_QUOTA:
            raise limit_exceeded(f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {CLIENT_IDS_QUOTA}")
        client_ids.append(client_id)

    def remove_client_id(self, arn: str, client_id: str) -> None:
        """Idempotent: a client ID that is not there is no error."""
        provider = self.get_open_id_connect_provider(arn)
        provider.client_id_list = [known for known in provider.client_id_list if known != client_id]

    def delete_open_id_connect_provider(self, arn: str) -> None:
        """IAM documents this as idempotent and still lists ``NoSuchEntity`` as its error: the harder one is taken."""
        if arn not in self.open_id_providers:
            raise not_found(f"OpenId connect Provider {arn} cannot be found.")
        super().delete_open_id_connect_provider(arn)

    def tag_open_id_connect_provider(self, arn: str, tags: Tags) -> None:
        _check_reserved_tags(tag["Key"] for tag in tags)
        provider = self.get_open_id_connect_provider(arn)
        tagged = {**provider.tags, **self._exact_tags(tags)}
        if len(tagged) > TAGS_QUOTA:
            raise limit_exceeded(f"Cannot exceed quota for TagsPerOpenIdConnectProvider: {TAGS_QUOTA}")
        provider.tags = tagged

    def untag_open_id_connect_provider(self, arn: str, tag_keys: list[str]) -> None:
        provider = self.get_open_id_connect_provider(arn)
        provider.tags = {key: tag for key, tag in provider.tags.items() if key not in tag_keys}

    def _exact_tags(self, tags: Tags) -> dict[str, dict[str, str]]:
        """By their keys, with their case: only on roles and users moto is right to take no notice of it
        (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html, "Case sensitivity")."""
        tagged: dict[str, dict[str, str]] = {}
        for tag in tags:
            self._tag_verification([tag])
            self._check_tag_duplicate(tagged, tag["Key"])
            tagged[tag["Key"]] = tag
        return tagged

    # Roles

    def create_role(
        self,
        role_name: str,
        assume_role_policy_document: str,
        path: str,
        permissions_boundary: str | None,
        description: str,
        tags: Tags,
        max_session_duration: str | None,
        linked_service: str | None = None,
    ) -> Role:
        if any(role.name.lower() == role_name.lower() for role in self.get_roles()):
            raise AwsError("EntityAlreadyExists", f"Role with name {role_name} already exists.", 409)
        _check_reserved_tags(tag["Key"] for tag in tags)
        documents.check_trust_policy(assume_role_policy_document, self._known_principals())
        if permissions_boundary:
            self._check_attachable(permissions_boundary)
        role = super().create_role(
            role_name,
            assume_role_policy_document,
            path,
            permissions_boundary,
            description,
            tags,
            max_session_duration,
            linked_service,
        )
        role.create_date = role.create_date.replace(microsecond=0)
        return role

    def adopt_role(self, role_name: str, trust: str, tags: Tags) -> Role:
        """A role from before: what its trust policy names need not exist any more."""
        documents.check_trust_policy(trust, None)
        return super().create_role(role_name, trust, "/", None, "", tags, None)

    def get_role(self, role_name: str) -> Role:
        """moto's own exception, because moto also asks for roles that may be absent."""
        role = next((role for role in self.get_roles() if role.name == role_name), None)
        if role is None:
            raise NotFoundException(f"The role with name {role_name} cannot be found.")
        return role

    def update_role(self, role_name: str, role_description: str | None, max_session_duration: t.Any) -> Role:
        """What is not given stays as it is."""
        role = self.get_role(role_name)
        if role_description is not None:
            role.description = role_description
        if max_session_duration is not None:
            role.max_session_duration = max_session_duration
        return role

    def update_assume_role_policy(self, role_name: str, policy_document: str) -> None:
        role = self.get_role(role_name)
        documents.check_trust_policy(policy_document, self._known_principals())
        role.assume_role_policy_document = policy_document

    def put_role_policy(self, role_name: str, policy_name: str, policy_json: str) -> None:
        others = {name: document for name, document in self.get_role(role_name).policies.items() if name != policy_name}
        documents.check_identity_policy(policy_json)
        documents.check_inline_size(role_name, [*others.values(), policy_json])
        super().put_role_policy(role_name, policy_name, policy_json)

    def get_role_policy(self, role_name: str, policy_name: str) -> tuple[str, str]:
        document = self.get_role(role_name).policies.get(policy_name)
        if document is None:
            raise not_found(f"The role policy with name {policy_name} cannot be found.")
        return policy_name, document

    def attach_role_policy(self, policy_arn: str, role_name: str) -> None:
        """Idempotent: a policy that is already attached is no error."""
        role = self.get_role(role_name)
        self._check_attachable(policy_arn)
        if policy_arn in role.managed_policies:
            return
        if len(role.managed_policies) >= ATTACHED_POLICIES_QUOTA:
            raise limit_exceeded(f"Cannot exceed quota for PoliciesPerRole: {ATTACHED_POLICIES_QUOTA}")
        super().attach_role_policy(policy_arn, role_name)

    def put_role_permissions_boundary(self, role_name: str, permissions_boundary: str) -> None:
        self.get_role(role_name)
        self._check_attachable(permissions_boundary)
        super().put_role_permissions_boundary(role_name, permissions_boundary)

    def _check_attachable(self, policy_arn: str) -> None:
        if policy_arn not in self.managed_policies:
            raise not_found(f"Policy {policy_arn} does not exist or is not attachable.")

    def get_instance_profiles_for_role(self, role_name: str) -> list[InstanceProfile]:
        """moto gives none for a role that is not there, which IAM refuses."""
        self.get_role(role_name)
        profiles: list[InstanceProfile] = super().get_instance_profiles_for_role(role_name)
        return profiles

    def remove_role_from_instance_profile(self, profile_name: str, role_name: str) -> None:
        if self.get_role(role_name) not in self.get_instance_profile(profile_name).roles:
            raise not_found(f"Role {role_name} in Instance Profile {profile_name} cannot be found.")
        super().remove_role_from_instance_profile(profile_name, role_name)

    def tag_role(self, role_name: str, tags: Tags) -> None:
        """Keys differ by more than case: a tag replaces the one with the same letters."""
        _check_reserved_tags(tag["Key"] for tag in tags)
        role = self.get_role(role_name)
        new = self._tag_verification(tags)
        kept = [tag for tag in role.tags if tag["Key"].lower() not in new]
        if len(kept) + len(new) > TAGS_QUOTA:
            raise limit_exceeded(f"Cannot exceed quota for TagsPerRole: {TAGS_QUOTA}")
        role.tags = kept + tags

    def untag_role(self, role_name: str, tag_keys: list[str]) -> None:
        role = self.get_role(role_name)
        unwanted = {key.lower() for key in tag_keys}
        role.tags = [tag for tag in role.tags if tag["Key"].lower() not in unwanted]

    # Managed policies

    def create_policy(
        self, description: str, path: str, policy_document: str, policy_name: str, tags: Tags
    ) -> ManagedPolicy:
        _check_reserved_tags(tag["Key"] for tag in tags)
        documents.check_managed_policy(policy_document, MANAGED_POLICY_QUOTA)
        own = (policy for policy in self.managed_policies.values() if not isinstance(policy, AWSManagedPolicy))
        if any(policy.name.lower() == policy_name.lower() for policy in own):
            raise AwsError("EntityAlreadyExists", f"A policy called {policy_name} already exists.", 409)
        tagged = self._exact_tags(tags)
        policy = super().create_policy(description, path, policy_document, policy_name, [])
        policy.tags = tagged
        return policy

    def tag_policy(self, policy_arn: str, tags: Tags) -> None:
        policy = self.get_policy(policy_arn)
        policy.tags = {**policy.tags, **self._exact_tags(tags)}

    def untag_policy(self, policy_arn: str, tag_keys: list[str]) -> None:
        policy = self.get_policy(policy_arn)
        policy.tags = {key: tag for key, tag in policy.tags.items() if key not in tag_keys}

    def create_policy_version(self, policy_arn: str, policy_document: str, set_as_default: bool) -> PolicyVersion:
        documents.check_managed_policy(policy_document, MANAGED_POLICY_QUOTA)
        return super().create_policy_version(policy_arn, policy_document, set_as_default)

    def get_policy(self, policy_arn: str) -> ManagedPolicy:
        """With the number of the roles that it bounds, which moto does not count but answers if it is there."""
        policy = super().get_policy(policy_arn)
        vars(policy)["permissions_boundary_usage_count"] = len(self._bounded(policy_arn))
        return policy

    def _bounded(self, policy_arn: str) -> list[Role]:
        return [role for role in self.get_roles() if role.permissions_boundary_arn == policy_arn]

    def delete_policy(self, policy_arn: str) -> None:
        policy = self.get_policy(policy_arn)
        if policy.attachment_count or self._bounded(policy_arn):
            raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
        if len(policy.versions) > 1:
            text = (
                "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                "versions. The default version is deleted with the policy."
            )
            raise AwsError("DeleteConflict", text, 409)
        super().delete_policy(policy_arn)

    def identities(self) -> frozenset[str]:
        """The ARNs of the account's users and roles."""
        return self._users | {role.arn for role in self.get_roles()}

    def _known_principals(self) -> documents.KnownPrincipals:
        return documents.KnownPrincipals(
            account=self.account_id,
            identities=self.identities(),
            providers=frozenset(self.open_id_providers),
        )


def _thumbprints(values: Sequence[str]) -> list[str]:
    """The list as IAM stores it, in lower case."""
    if not values:
        raise AwsError("InvalidInput", "Thumbprint list must contain at least one entry.")
    if len(values) > THUMBPRINTS_QUOTA:
        # IAM's own words, although it takes five.
        raise AwsError("InvalidInput", f"Thumbprint list must contain fewer than {THUMBPRINTS_QUOTA} entries.")
    wrong = next((value for value in values if not _THUMBPRINT.fullmatch(value)), None)
    if wrong is not None:
        raise AwsError("InvalidInput", f"Thumbprint {wrong} must be 40 hexadecimal characters.")
    return list(dict.fromkeys(value.lower() for value in values))


def _check_reserved_tags(keys: Iterable[str]) -> None:
    if any(key.lower().startswith("aws:") for key in keys):
        raise AwsError("InvalidInput", "aws: prefixed tag key names are not allowed for external use.")
