# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entity types: which properties they have, which a client may write, and what a new object looks like.

Properties are those of the v1.0 CSDL.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import re
import typing as t
import uuid

from sandbox.graph import errors
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import Json


class Kind(enum.Enum):
    """What values a property takes."""

    TEXT = "text"
    FLAG = "flag"
    TEXTS = "list of texts"
    OBJECTS = "list of objects"
    OBJECT = "object"

    def accepts(self, value: object) -> bool:
        """Whether a request may carry this value. Collections are never null."""
        match self:
            case Kind.TEXT:
                return value is None or isinstance(value, str)
            case Kind.FLAG:
                return value is None or isinstance(value, bool)
            case Kind.TEXTS:
                return isinstance(value, list) and all(isinstance(member, str) for member in value)
            case Kind.OBJECTS:
                return isinstance(value, list) and all(isinstance(member, dict) for member in value)
            case Kind.OBJECT:
                return value is None or isinstance(value, dict)


@dataclasses.dataclass(frozen=True)
class EntityType:
    """One of Graph's resource types."""

    name: str  # application
    collection: str  # applications
    properties: Mapping[str, Kind]
    read_only: frozenset[str]
    lengths: Mapping[str, int]  # longest text, in characters
    filters: Mapping[str, frozenset[str]]  # property -> the operators that $filter takes for it

    @property
    def resource(self) -> str:
        """The name as error messages write it."""
        return self.name[0].upper() + self.name[1:]

    def validated(self, sent: object) -> Json:
        """A request's body without OData annotations. Raises GraphError 400 for what the type does not take."""
        if not isinstance(sent, dict):
            raise errors.GraphError(
                400,
                "BadRequest",
                "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of "
                "valid JSON format.",
            )
        body = {key: value for key, value in sent.items() if not key.startswith("@odata.")}
        for key, value in body.items():
            self._validate(key, value)
        return body

    def _validate(self, key: str, value: object) -> None:
        kind = self.properties.get(key)
        if kind is None:
            raise errors.bad_request(f"Invalid property '{key}'.")
        if key in self.read_only:
            raise errors.bad_request(f"Property '{key}' is read-only and cannot be set.")
        too_long = isinstance(value, str) and len(value) > self.lengths.get(key, len(value))
        if too_long or not kind.accepts(value):
            raise self.invalid_value(key)

    def invalid_value(self, key: str) -> errors.GraphError:
        return errors.bad_request(f"Invalid value specified for property '{key}' of resource '{self.resource}'.")


def _properties(**kinds: str) -> dict[str, Kind]:
    return {name: Kind[kind] for kind, names in kinds.items() for name in names.split()}


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


_TEXT_FILTER = frozenset({"eq", "startswith"})

APPLICATION = EntityType(
    name="application",
    collection="applications",
    properties=_properties(
        TEXT="id deletedDateTime appId applicationTemplateId createdByAppId createdDateTime defaultRedirectUri "
        "description disabledByMicrosoftStatus displayName groupMembershipClaims nativeAuthenticationApisEnabled notes "
        "publisherDomain samlMetadataUrl serviceManagementReference signInAudience tokenEncryptionKeyId uniqueName",
        FLAG="isDeviceOnlyAuthSupported isDisabled isFallbackPublicClient oauth2RequirePostResponse",
        TEXTS="identifierUris managerApplications tags",
        OBJECTS="addIns appRoles keyCredentials passwordCredentials requiredResourceAccess",
        OBJECT="api authenticationBehaviors certification info optionalClaims parentalControlSettings publicClient "
        "requestSignatureVerification servicePrincipalLockConfiguration spa verifiedPublisher web",
    ),
    read_only=_names(
        "id deletedDateTime appId applicationTemplateId certification createdByAppId createdDateTime "
        "disabledByMicrosoftStatus publisherDomain verifiedPublisher"
    ),
    lengths={"displayName": 256, "description": 1024},
    filters={
        "id": frozenset({"eq"}),
        "appId": frozenset({"eq"}),
        "uniqueName": frozenset({"eq"}),
        "displayName": _TEXT_FILTER,
        "description": _TEXT_FILTER,
        "publisherDomain": _TEXT_FILTER,
        "identifierUris": frozenset({"any"}),
        "tags": frozenset({"any"}),
    },
)

SERVICE_PRINCIPAL = EntityType(
    name="servicePrincipal",
    collection="servicePrincipals",
    properties=_properties(
        TEXT="id deletedDateTime appDescription appDisplayName appId appOwnerOrganizationId applicationTemplateId "
        "createdByAppId description disabledByMicrosoftStatus displayName homepage loginUrl logoutUrl notes "
        "preferredSingleSignOnMode preferredTokenSigningKeyThumbprint servicePrincipalType signInAudience "
        "tokenEncryptionKeyId",
        FLAG="accountEnabled appRoleAssignmentRequired isDisabled",
        TEXTS="alternativeNames notificationEmailAddresses replyUrls servicePrincipalNames tags",
        OBJECTS="addIns appRoles keyCredentials oauth2PermissionScopes passwordCredentials "
        "resourceSpecificApplicationPermissions",
        OBJECT="customSecurityAttributes info samlSingleSignOnSettings verifiedPublisher",
    ),
    read_only=_names(
        "id deletedDateTime appDescription appDisplayName appOwnerOrganizationId applicationTemplateId createdByAppId "
        "disabledByMicrosoftStatus displayName resourceSpecificApplicationPermissions servicePrincipalType "
        "signInAudience verifiedPublisher"
    ),
    lengths={"description": 1024, "notes": 1024},
    filters={
        "id": frozenset({"eq"}),
        "appId": _TEXT_FILTER,
        "displayName": _TEXT_FILTER,
        "servicePrincipalNames": frozenset({"any"}),
        "tags": frozenset({"any"}),
    },
)

CREDENTIAL = EntityType(
    name="federatedIdentityCredential",
    collection="federatedIdentityCredentials",
    properties=_properties(TEXT="id name issuer subject description", TEXTS="audiences"),
    read_only=frozenset({"id"}),
    lengths={"issuer": 600, "subject": 600, "description": 600},
    filters={"name": frozenset({"eq"}), "subject": frozenset({"eq"})},
)

_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_LONGEST_AUDIENCE = 600

_NEW_APPLICATION: Json = {
    "deletedDateTime": None,
    "appId": None,
    "applicationTemplateId": None,
    "disabledByMicrosoftStatus": None,
    "createdByAppId": None,
    "createdDateTime": None,
    "displayName": None,
    "description": None,
    "groupMembershipClaims": None,
    "identifierUris": [],
    "isDeviceOnlyAuthSupported": None,
    "isDisabled": None,
    "isFallbackPublicClient": None,
    "nativeAuthenticationApisEnabled": None,
    "notes": None,
    "publisherDomain": "sandbox.onmicrosoft.com",
    "serviceManagementReference": None,
    "signInAudience": "AzureADMyOrg",
    "tags": [],
    "tokenEncryptionKeyId": None,
    "samlMetadataUrl": None,
    "uniqueName": None,
    "defaultRedirectUri": None,
    "certification": None,
    "optionalClaims": None,
    "requestSignatureVerification": None,
    "servicePrincipalLockConfiguration": None,
    "addIns": [],
    "api": {
        "acceptMappedClaims": None,
        "knownClientApplications": [],
        "requestedAccessTokenVersion": None,
        "oauth2PermissionScopes": [],
        "preAuthorizedApplications": [],
    },
    "appRoles": [],
    "info": {
        "logoUrl": None,
        "marketingUrl": None,
        "privacyStatementUrl": None,
        "supportUrl": None,
        "termsOfServiceUrl": None,
    },
    "keyCredentials": [],
    "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
    "passwordCredentials": [],
    "publicClient": {"redirectUris": []},
    "requiredResourceAccess": [],
    "verifiedPublisher": {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None},
    "web": {
        "homePageUrl": None,
        "logoutUrl": None,
        "redirectUris": [],
        "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
    },
    "spa": {"redirectUris": []},
}

_NEW_SERVICE_PRINCIPAL: Json = {
    "deletedDateTime": None,
    "accountEnabled": True,
    "alternativeNames": [],
    "appDisplayName": None,
    "appDescription": None,
    "appId": None,
    "applicationTemplateId": None,
    "appOwnerOrganizationId": AZURE_TENANT,
    "appRoleAssignmentRequired": False,
    "createdByAppId": None,
    "description": None,
    "disabledByMicrosoftStatus": None,
    "displayName": None,
    "homepage": None,
    "isDisabled": None,
    "loginUrl": None,
    "logoutUrl": None,
    "notes": None,
    "notificationEmailAddresses": [],
    "preferredSingleSignOnMode": None,
    "preferredTokenSigningKeyThumbprint": None,
    "replyUrls": [],
    "servicePrincipalNames": [],
    "servicePrincipalType": "Application",
    "signInAudience": None,
    "tags": [],
    "tokenEncryptionKeyId": None,
    "samlSingleSignOnSettings": None,
    "addIns": [],
    "appRoles": [],
    "info": _NEW_APPLICATION["info"],
    "keyCredentials": [],
    "oauth2PermissionScopes": [],
    "passwordCredentials": [],
    "resourceSpecificApplicationPermissions": [],
    "verifiedPublisher": _NEW_APPLICATION["verifiedPublisher"],
}


def new_application(sent: Json) -> Json:
    """A new application of a validated body. Raises GraphError 400 without a display name."""
    check_application(sent, creating=True)
    created = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    own = {"appId": str(uuid.uuid4()), "createdDateTime": created}
    return {"id": str(uuid.uuid4()), **copy.deepcopy(_NEW_APPLICATION), **sent, **own}


def new_service_principal(sent: Json) -> Json:
    """A new service principal of a validated body that holds an ``appId``."""
    names = {"servicePrincipalNames": [sent["appId"], *sent.get("servicePrincipalNames", [])]}
    return {"id": str(uuid.uuid4()), **copy.deepcopy(_NEW_SERVICE_PRINCIPAL), **sent, **names}


def new_credential(sent: Json) -> Json:
    """A new federated identity credential of a validated body. Raises GraphError 400 when a value is not allowed."""
    for key in ("name", "issuer", "subject", "audiences"):
        if sent.get(key) is None:
            raise CREDENTIAL.invalid_value(key)
    check_credential(sent)
    own = {"id": str(uuid.uuid4()), "name": None, "issuer": None, "subject": None, "description": None}
    return {**own, **sent}


def check_application(sent: Json, *, creating: bool) -> None:
    """The rules for an application's values that go beyond their kind. Raises GraphError 400."""
    if not sent.get("displayName", None if creating else "unchanged"):
        raise APPLICATION.invalid_value("displayName")
    if not sent.get("uniqueName", "unchanged"):
        raise APPLICATION.invalid_value("uniqueName")


def check_credential(sent: Json) -> None:
    """The rules for a credential's values
    (https://learn.microsoft.com/graph/api/resources/federatedidentitycredential). Raises GraphError 400.
    """
    name = sent.get("name")
    if name is not None and not _CREDENTIAL_NAME.fullmatch(name):
        message = f"Federated Identity Credential name '{name}' is invalid."
        raise errors.invalid_credential_value(message, "Name", name)
    for key in ("issuer", "subject"):
        if not sent.get(key, "unchanged"):
            raise errors.invalid_credential_value(f"The {key} must not be empty.", key.capitalize(), "")
    audiences = sent.get("audiences")
    if audiences is not None and (len(audiences) != 1 or not 0 < len(audiences[0]) <= _LONGEST_AUDIENCE):
        message = f"Exactly one audience of at most {_LONGEST_AUDIENCE} characters is allowed."
        raise errors.invalid_credential_value(message, "Audiences", ",".join(audiences))
