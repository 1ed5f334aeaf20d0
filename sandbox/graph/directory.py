# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenant's directory: its objects, the rules between them, and how long replicas take to see a change.

A change is true at once for what must be unique, but reads, and writes that look their object up, see it only after
``settings.graph_replication_seconds``. The caller holds the world's lock, or none of it is shared yet.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import re
import time
import typing as t
import uuid

from sandbox import web
from sandbox.graph import errors, schema

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.world import Json, World

CREDENTIALS_PER_APPLICATION = 20
_OBJECT_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclasses.dataclass(frozen=True)
class Key:
    """How a path names an object: by its id or by an alternate key."""

    property: str
    value: str


class _Replicated:
    """An object with its versions; None is the version after its deletion."""

    def __init__(self, body: Json, visible_at: float) -> None:
        self._versions: list[tuple[float, Json | None]] = [(visible_at, body)]

    @property
    def latest(self) -> Json | None:
        return self._versions[-1][1]

    @property
    def visible(self) -> Json | None:
        """The version that replicas show now."""
        now = time.monotonic()
        return next((body for visible_at, body in reversed(self._versions) if visible_at <= now), None)

    def write(self, body: Json | None, visible_at: float) -> None:
        self._versions.append((visible_at, body))


class _Table:
    """Objects of one type, by id."""

    def __init__(self) -> None:
        self._rows: dict[str, _Replicated] = {}

    def visible(self) -> list[Json]:
        return [body for row in self._rows.values() if (body := row.visible) is not None]

    def latest(self) -> list[Json]:
        return [body for row in self._rows.values() if (body := row.latest) is not None]

    def find(self, key: Key) -> Json | None:
        wanted = key.value.lower() if key.property in ("id", "appId") else key.value
        return next((body for body in self.visible() if body[key.property] == wanted), None)

    def insert(self, body: Json, visible_at: float) -> None:
        self._rows[body["id"]] = _Replicated(body, visible_at)

    def update(self, object_id: str, changes: Json, visible_at: float) -> None:
        row, latest = self._existing(object_id)
        row.write({**latest, **changes}, visible_at)

    def delete(self, object_id: str, visible_at: float) -> None:
        row, _unused = self._existing(object_id)
        row.write(None, visible_at)

    def _existing(self, object_id: str) -> tuple[_Replicated, Json]:
        """A row that is not deleted, even if replicas still show one that is. Raises GraphError 404."""
        row = self._rows[object_id]
        if row.latest is None:
            raise errors.not_found(object_id)
        return row, row.latest


class Directory:
    """Applications, service principals and federated identity credentials of the sandbox's tenant.

    ``seed_…`` put objects in that were there before the sandbox's clients came: visible at once. Everything else is
    what Graph does for a client, and raises GraphError as Graph refuses it. Bodies that come in are validated by
    :mod:`sandbox.graph.schema` already; bodies that go out are copies.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._applications = _Table()
        self._principals = _Table()
        self._credentials: dict[str, _Table] = {}  # by the application's object id
        self._deleted: dict[str, Json] = {}  # soft deleted applications
        self._owned: set[str] = set()  # client ids of the applications whose owner the controller is

    # What was there before

    def seed_application(self, display_name: str, *, unique_name: str | None = None, tags: Sequence[str] = ()) -> Json:
        """An existing application. ``id`` is its object id, ``appId`` its client id."""
        sent: Json = {"displayName": display_name, "tags": list(tags)}
        if unique_name is not None:
            sent["uniqueName"] = unique_name
        return self._insert_application(schema.APPLICATION.validated(sent), 0.0)

    def seed_service_principal(self, app_id: str) -> Json:
        """The service principal of an existing application."""
        return self._insert_principal({"appId": app_id}, 0.0)

    def seed_federated_credential(self, application_object_id: str, body: Json) -> Json:
        """An existing federated identity credential; ``body`` as a client would post it."""
        return self._insert_credential(application_object_id, schema.CREDENTIAL.validated(body), 0.0)

    def seed_flexible_credential(self, application_object_id: str, name: str, issuer: str) -> Json:
        """An existing credential that matches claims by an expression, which only the beta API creates and shows.

        https://learn.microsoft.com/entra/workload-id/workload-identities-flexible-federated-identity-credentials
        """
        flexible: Json = {"id": str(uuid.uuid4()), "name": name, "issuer": issuer, "subject": None, "description": None}
        flexible["audiences"] = ["api://AzureADTokenExchange"]
        self._credentials[application_object_id].insert(flexible, 0.0)
        return copy.deepcopy(flexible)

    def add_secret(self, application_object_id: str) -> None:
        """Give an existing application a client secret, as people do; its value is nobody's business here."""
        secret: Json = {"keyId": str(uuid.uuid4()), "displayName": "by hand", "hint": "abc", "secretText": None}
        self._applications.update(application_object_id, {"passwordCredentials": [secret]}, 0.0)

    # Whose it is

    def add_owner(self) -> None:
        """Make the controller an owner of all applications that are there, as an administrator does."""
        self._owned.update(application["appId"] for application in self._applications.latest())

    def owns_application(self, key: Key) -> bool:
        """Whether the controller may do what an owner may: with what is not there everybody may."""
        return self._is_owned(self._applications.find(key))

    def owns_principal(self, key: Key) -> bool:
        return self._is_owned(self._principals.find(key))

    def owns_item(self, object_id: str) -> bool:
        return self._is_owned(self._deleted.get(object_id.lower()))

    def _is_owned(self, found: Json | None) -> bool:
        return found is None or found["appId"] in self._owned

    # Applications

    def applications(self) -> list[Json]:
        return copy.deepcopy(self._applications.visible())

    def application(self, key: Key) -> Json:
        """Raises GraphError 404."""
        _require_object_id(key)
        return copy.deepcopy(_found(self._applications.find(key), key))

    def create_application(self, sent: Json) -> Json:
        """Whoever creates an application becomes its owner."""
        created = self._insert_application(sent, self._visible_at())
        self._owned.add(created["appId"])
        return created

    def update_application(self, key: Key, sent: Json) -> None:
        """Change an application. ``uniqueName`` can be given once to an application that has none."""
        current = self.application(key)
        schema.check_application(sent, creating=False)
        unique_name = sent.get("uniqueName", current["uniqueName"])
        if unique_name != current["uniqueName"]:
            if current["uniqueName"] is not None:
                raise errors.bad_request("Property 'uniqueName' is immutable and cannot be changed.")
            self._require_free_unique_name(unique_name)
        self._applications.update(current["id"], sent, self._visible_at())

    def delete_application(self, key: Key) -> None:
        """Move an application to the deleted items. Its service principal goes with it."""
        application = self.application(key)
        visible_at = self._visible_at()
        deleted = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._deleted[application["id"]] = {**application, "deletedDateTime": deleted}
        self._applications.delete(application["id"], visible_at)
        for principal in self._principals.latest():
            if principal["appId"] == application["appId"]:
                self._principals.delete(principal["id"], visible_at)

    def deleted_item(self, object_id: str) -> Json:
        """Raises GraphError 404."""
        _require_object_id(Key("id", object_id))
        return copy.deepcopy(_found(self._deleted.get(object_id.lower()), Key("id", object_id)))

    def purge(self, object_id: str) -> None:
        """Delete a deleted item for good."""
        item = self.deleted_item(object_id)
        del self._deleted[item["id"]]
        self._credentials.pop(item["id"], None)

    # Service principals

    def service_principals(self) -> list[Json]:
        return [self._with_application(principal) for principal in self._principals.visible()]

    def service_principal(self, key: Key) -> Json:
        """Raises GraphError 404."""
        _require_object_id(key)
        return self._with_application(_found(self._principals.find(key), key))

    def create_service_principal(self, sent: Json) -> Json:
        """Raises GraphError 400 while replicas do not see the application, 409 when it has a service principal."""
        return self._insert_principal(sent, self._visible_at())

    def update_service_principal(self, key: Key, sent: Json) -> None:
        current = self.service_principal(key)
        if sent.get("appId", current["appId"]) != current["appId"]:
            raise errors.bad_request("Property 'appId' is read-only and cannot be set.")
        self._principals.update(current["id"], sent, self._visible_at())

    def delete_service_principal(self, key: Key) -> None:
        self._principals.delete(self.service_principal(key)["id"], self._visible_at())

    # Federated identity credentials

    def credentials(self, application: Key) -> list[Json]:
        """Raises GraphError 404 for an unknown application."""
        return copy.deepcopy(self._credential_table(application).visible())

    def credential(self, application: Key, key: Key) -> Json:
        """A credential by its id or name: a path segment may hold either. Raises GraphError 404."""
        table = self._credential_table(application)
        found = table.find(key) or table.find(Key("name", key.value))
        return copy.deepcopy(_found(found, key))

    def create_credential(self, application: Key, sent: Json) -> Json:
        """Raises GraphError 400 for values that are not allowed, 409 for a name that is taken."""
        self._credential_table(application)
        return self._insert_credential(self.application(application)["id"], sent, self._visible_at())

    def update_credential(self, application: Key, key: Key, sent: Json) -> None:
        current = self.credential(application, key)
        if sent.get("name", current["name"]) != current["name"]:
            raise errors.bad_request("Property 'name' is immutable and cannot be changed.")
        schema.check_credential(sent)
        if current["subject"] is None and sent.get("subject") is not None:
            message = "The subject must be empty when claimsMatchingExpression is set."
            raise errors.invalid_credential_value(message, "Subject", str(sent["subject"]))
        table = self._credential_table(application)
        _require_unique_subject({**current, **sent}, table.latest())
        table.update(current["id"], sent, self._visible_at())

    def delete_credential(self, application: Key, key: Key) -> None:
        current = self.credential(application, key)
        self._credential_table(application).delete(current["id"], self._visible_at())

    # How all of that is done

    def _visible_at(self) -> float:
        return time.monotonic() + self._world.settings.graph_replication_seconds + web.late_seconds()

    def _insert_application(self, sent: Json, visible_at: float) -> Json:
        application = schema.new_application(sent)
        self._require_free_unique_name(application["uniqueName"])
        self._applications.insert(application, visible_at)
        self._credentials[application["id"]] = _Table()
        return copy.deepcopy(application)

    def _require_free_unique_name(self, unique_name: str | None) -> None:
        taken = {application["uniqueName"] for application in self._applications.latest()} - {None}
        if unique_name in taken:
            raise errors.already_exists("Another object with the same value for property uniqueName already exists.")

    def _insert_principal(self, sent: Json, visible_at: float) -> Json:
        app_id = sent.get("appId")
        if not app_id:
            raise schema.SERVICE_PRINCIPAL.invalid_value("appId")
        if self._applications.find(Key("appId", app_id)) is None:
            raise errors.GraphError(
                400,
                "NoBackingApplicationObject",
                f"The appId '{app_id}' of the service principal does not reference a valid application object.",
            )
        principal = schema.new_service_principal({**sent, "appId": app_id.lower()})
        if any(other["appId"] == principal["appId"] for other in self._principals.latest()):
            raise errors.already_exists(
                "The service principal cannot be created, updated, or restored because the service principal name "
                f"{app_id} is already in use."
            )
        self._principals.insert(principal, visible_at)
        return self._with_application(principal)

    def _with_application(self, principal: Json) -> Json:
        """A service principal with what it shows of its application: names, audience, and the union of both's tags."""
        key = Key("appId", principal["appId"])
        application = self._applications.find(key) or {}
        tags = [*principal["tags"], *(tag for tag in application.get("tags", []) if tag not in principal["tags"])]
        shown: Json = {
            "appDisplayName": application.get("displayName"),
            "appDescription": application.get("description"),
            "displayName": application.get("displayName"),
            "signInAudience": application.get("signInAudience"),
            "tags": tags,
        }
        return {**copy.deepcopy(principal), **shown}

    def _credential_table(self, application: Key) -> _Table:
        table = self._credentials.get(self.application(application)["id"])
        if table is None:  # purged, which replicas do not see yet
            raise errors.not_found(application.value)
        return table

    def _insert_credential(self, application_id: str, sent: Json, visible_at: float) -> Json:
        table = self._credentials[application_id]
        credential = schema.new_credential(sent)
        existing = table.latest()
        if any(other["name"] == credential["name"] for other in existing):
            raise errors.already_exists(f"FederatedIdentityCredential with name {credential['name']} already exists.")
        _require_unique_subject(credential, existing)
        if len(existing) >= CREDENTIALS_PER_APPLICATION:
            raise errors.bad_request(
                f"The application has {CREDENTIALS_PER_APPLICATION} federated identity credentials, which is the most "
                "that it can have."
            )
        table.insert(credential, visible_at)
        return copy.deepcopy(credential)


def _require_unique_subject(credential: Json, existing: Iterable[Json]) -> None:
    issuer, subject = credential["issuer"], credential["subject"]
    others = ((o["issuer"], o["subject"]) for o in existing if o["id"] != credential["id"])
    if (issuer, subject) in others:
        raise errors.invalid_credential_value(
            "The combination of issuer and subject must be unique for the application. "
            f"Issuer {issuer} and Subject: {subject} already exist.",
            "Subject",
            subject,
        )


def _require_object_id(key: Key) -> None:
    if key.property == "id" and not _OBJECT_ID.fullmatch(key.value):
        raise errors.bad_request(f"Invalid object identifier '{key.value}'.")


def _found(body: Json | None, key: Key) -> Json:
    if body is None:
        raise errors.not_found(key.value)
    return body
