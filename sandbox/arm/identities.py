# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM's user-assigned managed identities of Microsoft.ManagedIdentity, and their federated identity credentials.

https://learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials; limits and refusals are those of
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations. An identity itself can only
be read: the sandbox's are made when it starts, or by a test.
"""

from __future__ import annotations

import re
import time
import typing as t

import flask

from sandbox import web
from sandbox.arm import access, errors, query

if t.TYPE_CHECKING:
    from sandbox.world import AksCluster, Json, UserAssignedIdentity, World

CREDENTIALS_PER_IDENTITY = 20

_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
_IDENTITY = (
    "/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity"
    "/userAssignedIdentities/<name>"
)
_CREDENTIALS = f"{_IDENTITY}/federatedIdentityCredentials"
_CREDENTIAL = f"{_CREDENTIALS}/<credential>"

#: The words of the paths, as the routes spell them.
WORDS = ("Microsoft.ManagedIdentity", "userAssignedIdentities", "federatedIdentityCredentials")

_API_VERSIONS = ("2022-01-31-preview", "2023-01-31", "2024-11-30", "2025-01-31-preview")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_LONGEST = 600  # characters of issuer, subject and audience


def create_blueprint(world: World) -> flask.Blueprint:
    """The routes of identities and their credentials."""
    service = _Identities(world)
    routes = flask.Blueprint("managed-identities", __name__)
    for rule, method, view in (
        (_IDENTITY, "GET", service.get),
        (_CREDENTIALS, "GET", service.list_credentials),
        (_CREDENTIAL, "GET", service.get_credential),
        (_CREDENTIAL, "PUT", service.put_credential),
        (_CREDENTIAL, "DELETE", service.delete_credential),
    ):
        routes.add_url_rule(
            rule, endpoint=view.__name__, view_func=view, methods=[method], provide_automatic_options=False
        )
    return routes


class _Identities:
    """One method for each operation of the API."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, subscription: str, group: str, name: str) -> flask.Response:
        self._begin("UserAssignedIdentities_Get", f"{_TYPE}/read")
        with self._world.lock:
            return flask.jsonify(_identity_view(self._identity(subscription, group, name)))

    def list_credentials(self, subscription: str, group: str, name: str) -> flask.Response:
        self._begin("FederatedIdentityCredentials_List", f"{_TYPE}/federatedIdentityCredentials/read")
        with self._world.lock:
            identity = self._identity(subscription, group, name)
            bodies = [_credential_view(identity, one) for one in identity.credentials]
            return flask.jsonify(query.page(bodies, self._world.settings.arm_page_size, lambda body: body))

    def get_credential(self, subscription: str, group: str, name: str, credential: str) -> flask.Response:
        self._begin("FederatedIdentityCredentials_Get", f"{_TYPE}/federatedIdentityCredentials/read")
        with self._world.lock:
            identity = self._identity(subscription, group, name)
            found = identity.credential(credential)
            if found is None:
                raise _not_found(f"{_TYPE}/{name}/federatedIdentityCredentials/{credential}", group)
            return flask.jsonify(_credential_view(identity, found))

    def put_credential(self, subscription: str, group: str, name: str, credential: str) -> flask.Response:
        self._begin("FederatedIdentityCredentials_CreateOrUpdate", f"{_TYPE}/federatedIdentityCredentials/write")
        if not _NAME.fullmatch(credential):
            raise _bad_request(f"Federated Identity Credential name '{credential}' is invalid.")
        sent = _properties()
        with self._world.lock:
            identity = self._identity(subscription, group, name)
            self._require_idle(identity)
            found = identity.credential(credential)
            others = [one for one in identity.credentials if one is not found]
            if (sent["issuer"], sent["subject"]) in ((one["issuer"], one["subject"]) for one in others):
                raise _bad_request("Issuer and subject combination already exists for this Managed Identity.")
            if found is None and len(others) >= CREDENTIALS_PER_IDENTITY:
                message = f"Too many federated identity credentials: at most {CREDENTIALS_PER_IDENTITY} are allowed."
                raise _bad_request(message)
            if found is None:
                found = {"name": credential}
                identity.credentials.append(found)
                status = 201
            else:
                status = 200
            found.update(sent)
            self._written(identity)
            response = flask.jsonify(_credential_view(identity, found))
        response.status_code = status
        return response

    def delete_credential(self, subscription: str, group: str, name: str, credential: str) -> flask.Response:
        self._begin("FederatedIdentityCredentials_Delete", f"{_TYPE}/federatedIdentityCredentials/delete")
        with self._world.lock:
            identity = self._identity(subscription, group, name)
            self._require_idle(identity)
            found = identity.credential(credential)
            if found is None:
                return flask.Response(status=204)
            identity.credentials.remove(found)
            self._written(identity)
            return flask.Response(status=200)

    def _begin(self, operation: str, action: str) -> None:
        """What ARM does before it hands a request on: name it, check token and API version."""
        web.name_operation(operation)
        access.require_role(self._world, flask.request.headers.get("Authorization"), action, flask.request.path)
        version = query.require_api_version()
        supported = ", ".join(_API_VERSIONS)
        query.require_registered(
            version, "userAssignedIdentities", served=version in _API_VERSIONS, supported=supported
        )

    def _identity(self, subscription: str, group: str, name: str) -> UserAssignedIdentity:
        world = self._world
        found = world.find_identity(subscription, group, name)
        if found is not None:
            return found
        owners: list[AksCluster | UserAssignedIdentity] = [*world.clusters, *world.identities]
        places = [(one.subscription.lower(), one.resource_group.lower()) for one in owners]
        subscriptions = {one.id.lower() for one in world.subscriptions} | {place[0] for place in places}
        if subscription.lower() not in subscriptions:
            message = f"The subscription '{subscription}' could not be found."
            raise errors.gateway(404, "SubscriptionNotFound", message)
        if (subscription.lower(), group.lower()) not in places:
            raise errors.gateway(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        raise _not_found(f"{_TYPE}/{name}", group)

    def _require_idle(self, identity: UserAssignedIdentity) -> None:
        if identity.busy_until > time.monotonic():
            raise errors.gateway(
                409,
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed identity "
                f"'{identity.id}'. Concurrent Federated Identity Credentials writes under the same managed identity "
                "are not supported.",
            )

    def _written(self, identity: UserAssignedIdentity) -> None:
        identity.busy_until = time.monotonic() + self._world.settings.identity_write_seconds
        web.mark_write()


def _properties() -> Json:
    """Issuer, subject and audiences of a PUT's body. Raises ArmError 400 for what the service does not take."""
    content = flask.request.get_json(silent=True)
    properties = content.get("properties") if isinstance(content, dict) else None
    if not isinstance(properties, dict):
        raise _bad_request("Federated Identity Credential from HTTP body has empty properties")
    issuer, subject, audiences = (properties.get(name) for name in ("issuer", "subject", "audiences"))
    for name, value in (("issuer", issuer), ("subject", subject)):
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
            raise _bad_request(f"The property '{name}' of the Federated Identity Credential is invalid.")
    if not isinstance(audiences, list) or len(audiences) != 1:
        raise _bad_request("Federated identity credentials must have exactly 1 audience.")
    if not isinstance(audiences[0], str) or not 0 < len(audiences[0]) <= _LONGEST:
        raise _bad_request("The property 'audiences' of the Federated Identity Credential is invalid.")
    return {"issuer": issuer, "subject": subject, "audiences": list(audiences)}


def _identity_view(identity: UserAssignedIdentity) -> Json:
    return {
        "id": identity.id,
        "name": identity.name,
        "type": _TYPE,
        "location": identity.location,
        "tags": {},
        "properties": {
            "tenantId": identity.tenant,
            "principalId": identity.principal_id,
            "clientId": identity.client_id,
        },
    }


def _credential_view(identity: UserAssignedIdentity, credential: Json) -> Json:
    properties = {name: credential[name] for name in ("issuer", "subject", "audiences")}
    return {
        "id": f"{identity.id}/federatedIdentityCredentials/{credential['name']}",
        "name": credential["name"],
        "type": f"{_TYPE}/federatedIdentityCredentials",
        "properties": properties,
    }


def _not_found(what: str, group: str) -> errors.ArmError:
    message = f"The Resource '{what}' under resource group '{group}' was not found. For more details please go to "
    return errors.gateway(404, "ResourceNotFound", f"{message}https://aka.ms/ARMResourceNotFoundFix")


def _bad_request(message: str) -> errors.ArmError:
    return errors.gateway(400, "BadRequest", message)
