# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of Microsoft Graph's objects, for msgraph-sdk to fill in.

The library's own models name every property, and with them every kind of object that one may lead to: reading the first
application imports some 1,200 modules, two seconds of CPU time. These name only what is used. The requests, their
addresses, the login, the retries and the reading of JSON stay the library's, which asks no more of a model than the two
methods of :class:`Answer`. What is sent is made with the library's models.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from kiota_abstractions.serialization import ParseNode

    Read = t.Callable[[ParseNode], t.Any]

ItemT = t.TypeVar("ItemT", bound="Answer")


@dataclasses.dataclass
class Answer:
    """An object of an answer. ``additional_data`` takes what is not named; nobody looks at it."""

    additional_data: dict[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def create_from_discriminator_value(cls, _node: ParseNode) -> t.Self:
        """How the library makes one. Its kind is that of the request, whatever the answer says."""
        return cls()

    def get_field_deserializers(self) -> dict[str, t.Callable[[ParseNode], None]]:
        """How the library fills it in, by Graph's names."""
        return {name: functools.partial(self._take, *how) for name, how in self._fields().items()}

    def _take(self, attribute: str, read: Read, node: ParseNode) -> None:
        setattr(self, attribute, read(node))

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        """The attribute for each of Graph's names, and how its value is read."""
        raise NotImplementedError


@dataclasses.dataclass
class ApplicationAnswer(Answer):
    """Of the credentials only their number counts."""

    id: str | None = None
    app_id: str | None = None
    display_name: str | None = None
    unique_name: str | None = None
    tags: list[str] | None = None
    password_credentials: list[_Counted] | None = None
    key_credentials: list[_Counted] | None = None

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return {
            "id": ("id", _text),
            "appId": ("app_id", _text),
            "displayName": ("display_name", _text),
            "uniqueName": ("unique_name", _text),
            "tags": ("tags", _texts),
            "passwordCredentials": ("password_credentials", _counted),
            "keyCredentials": ("key_credentials", _counted),
        }


@dataclasses.dataclass
class ServicePrincipalAnswer(Answer):
    """``is_disabled`` is that of a deactivated application."""

    id: str | None = None
    app_owner_organization_id: UUID | None = None
    tags: list[str] | None = None
    account_enabled: bool | None = None
    is_disabled: bool | None = None

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return {
            "id": ("id", _text),
            "appOwnerOrganizationId": ("app_owner_organization_id", lambda node: node.get_uuid_value()),
            "tags": ("tags", _texts),
            "accountEnabled": ("account_enabled", _flag),
            "isDisabled": ("is_disabled", _flag),
        }


@dataclasses.dataclass
class CredentialAnswer(Answer):
    """A federated identity credential. A flexible one has no subject."""

    id: str | None = None
    name: str | None = None
    issuer: str | None = None
    subject: str | None = None
    audiences: list[str] | None = None
    description: str | None = None

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return {
            "id": ("id", _text),
            "name": ("name", _text),
            "issuer": ("issuer", _text),
            "subject": ("subject", _text),
            "audiences": ("audiences", _texts),
            "description": ("description", _text),
        }


@dataclasses.dataclass
class Page(Answer, t.Generic[ItemT]):
    """A page of a collection, and where the next one is."""

    value: list[ItemT] | None = None
    odata_next_link: str | None = None


@dataclasses.dataclass
class ApplicationPage(Page[ApplicationAnswer]):
    """Applications."""

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return _page_of(ApplicationAnswer)


@dataclasses.dataclass
class CredentialPage(Page[CredentialAnswer]):
    """Federated identity credentials."""

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return _page_of(CredentialAnswer)


@dataclasses.dataclass
class _Counted(Answer):
    """A credential of which nothing is read."""

    @classmethod
    def _fields(cls) -> Mapping[str, tuple[str, Read]]:
        return {}


def _page_of(kind: t.Any) -> Mapping[str, tuple[str, Read]]:
    return {
        "value": ("value", lambda node: node.get_collection_of_object_values(kind)),
        "@odata.nextLink": ("odata_next_link", _text),
    }


def _counted(node: t.Any) -> list[_Counted]:
    found: list[_Counted] = node.get_collection_of_object_values(_Counted)
    return found


def _text(node: ParseNode) -> str | None:
    return node.get_str_value()


def _texts(node: ParseNode) -> list[str] | None:
    return node.get_collection_of_primitive_values(str)


def _flag(node: ParseNode) -> bool | None:
    return node.get_bool_value()
