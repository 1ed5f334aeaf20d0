# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra's objects as the collection sees them, whichever service they come from; pure, without any SDK."""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors

_IDENTITY_ID = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    r"/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/(?P<name>[^/]+)/?",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Application:
    """An application registration. ``app_id`` is its client ID, ``secrets`` the number of its secrets and keys."""

    object_id: str
    app_id: str
    display_name: str
    unique_name: str | None = None
    tags: tuple[str, ...] = ()
    secrets: int = 0


@dataclasses.dataclass(frozen=True)
class ApplicationDraft:
    """An application to be created. ``unique_name`` is an alternate key that no two applications share."""

    display_name: str
    unique_name: str | None
    sign_in_audience: str
    tags: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ServicePrincipal:
    """An application's identity in the tenant. ``owner_tenant`` is the tenant of the application.

    ``tags`` are its own and its application's: Entra shows the union. Nobody gets a token for one that is not
    ``enabled``.
    """

    object_id: str
    owner_tenant: str | None
    tags: tuple[str, ...] = ()
    enabled: bool = True


@dataclasses.dataclass(frozen=True)
class Credential:
    """A federated identity credential. ``subject`` is None for one that matches claims by an expression.

    ``description`` is None where there is none; a managed identity's credential can't have one.
    """

    id: str
    name: str
    issuer: str
    subject: str | None
    audiences: tuple[str, ...]
    description: str | None = None


@dataclasses.dataclass(frozen=True)
class Trust:
    """What a federated identity credential compares with a token."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class IdentityRef:
    """Which user-assigned managed identity. Resource group and name are case-insensitive."""

    subscription_id: str
    resource_group: str
    name: str

    @classmethod
    def parse(cls, resource_id: str) -> IdentityRef:
        """From the identity's resource ID. Raises InvalidInput for any other text."""
        match = _IDENTITY_ID.fullmatch(resource_id)
        if not match:
            raise errors.InvalidInput(
                f"managed_identity_id is '{resource_id}', which is not the resource ID of a user-assigned managed "
                "identity.",
                fix="It has the form /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity/"
                "userAssignedIdentities/<name>.",
            )
        return cls(match["subscription"], match["group"], match["name"])

    @property
    def resource_id(self) -> str:
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{self.name}"
        )

    def __str__(self) -> str:
        return f"managed identity {self.name} in resource group {self.resource_group}"


@dataclasses.dataclass(frozen=True)
class ManagedIdentity:
    """A user-assigned managed identity: its client ID, and the object ID of its service principal."""

    client_id: str
    principal_id: str
    tenant_id: str
