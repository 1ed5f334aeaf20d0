# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph's operations on the directory: reads a request, lets the directory do it, writes the answer."""

from __future__ import annotations

import datetime as dt
import typing as t

import flask

from sandbox import web
from sandbox.graph import errors, query, schema
from sandbox.graph.directory import Key
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.graph.directory import Directory
    from sandbox.graph.schema import EntityType
    from sandbox.world import Json, World


class GraphOperations:
    """One method for each operation of the API. ``version`` is the path's: v1.0 or beta."""

    def __init__(self, world: World, directory: Directory) -> None:
        self._world = world
        self._directory = directory

    # Applications

    def list_applications(self, version: str) -> flask.Response:
        options = self._query(schema.APPLICATION)
        return self._page(version, "applications", options, self._directory.applications(), self._expanded)

    def create_application(self, version: str) -> flask.Response:
        return self._created_application(version, _body(schema.APPLICATION))

    def get_application(self, version: str, application: Key) -> flask.Response:
        options = self._query(schema.APPLICATION, single=True)
        found = self._directory.application(application)
        return _entity(version, f"applications{options.context}", options.selected(self._expanded(found, options)))

    def update_application(self, version: str, application: Key) -> flask.Response:
        sent = _body(schema.APPLICATION)
        if _is_missing(lambda: self._directory.application(application)) and application.property == "uniqueName":
            return self._created_application(version, {**sent, "uniqueName": application.value})
        self._directory.update_application(application, sent)
        return _changed()

    def delete_application(self, version: str, application: Key) -> flask.Response:  # noqa: ARG002 - from the path
        self._directory.delete_application(application)
        return _changed()

    def get_deleted_item(self, version: str, object_id: str) -> flask.Response:
        return _entity(version, "directoryObjects", self._directory.deleted_item(object_id))

    def delete_deleted_item(self, version: str, object_id: str) -> flask.Response:  # noqa: ARG002 - from the path
        self._directory.purge(object_id)
        return _changed()

    # Service principals

    def list_service_principals(self, version: str) -> flask.Response:
        options = self._query(schema.SERVICE_PRINCIPAL)
        return self._page(version, "servicePrincipals", options, self._directory.service_principals())

    def create_service_principal(self, version: str) -> flask.Response:
        return self._created_principal(version, _body(schema.SERVICE_PRINCIPAL))

    def get_service_principal(self, version: str, principal: Key) -> flask.Response:
        options = self._query(schema.SERVICE_PRINCIPAL, single=True)
        found = self._directory.service_principal(principal)
        return _entity(version, f"servicePrincipals{options.context}", options.selected(found))

    def update_service_principal(self, version: str, principal: Key) -> flask.Response:
        sent = _body(schema.SERVICE_PRINCIPAL)
        if _is_missing(lambda: self._directory.service_principal(principal)) and principal.property == "appId":
            return self._created_principal(version, {**sent, "appId": principal.value})
        self._directory.update_service_principal(principal, sent)
        return _changed()

    def delete_service_principal(self, version: str, principal: Key) -> flask.Response:  # noqa: ARG002 - from the path
        self._directory.delete_service_principal(principal)
        return _changed()

    # Federated identity credentials

    def list_credentials(self, version: str, application: Key) -> flask.Response:
        options = self._query(schema.CREDENTIAL)
        found = self._directory.credentials(application)
        return self._page(version, self._credentials_of(application), options, found)

    def create_credential(self, version: str, application: Key) -> flask.Response:
        return self._created_credential(version, application, _body(schema.CREDENTIAL))

    def get_credential(self, version: str, application: Key, credential: Key) -> flask.Response:
        options = self._query(schema.CREDENTIAL, single=True)
        found = self._directory.credential(application, credential)
        return _entity(version, self._credentials_of(application) + options.context, options.selected(found))

    def update_credential(self, version: str, application: Key, credential: Key) -> flask.Response:
        sent = _body(schema.CREDENTIAL)
        missing = _is_missing(lambda: self._directory.credential(application, credential))
        if missing and credential.property == "name":
            return self._created_credential(version, application, {**sent, "name": credential.value})
        self._directory.update_credential(application, credential, sent)
        return _changed()

    def delete_credential(self, version: str, application: Key, credential: Key) -> flask.Response:  # noqa: ARG002 - from the path
        self._directory.delete_credential(application, credential)
        return _changed()

    # What they share

    def _query(self, entity_type: EntityType, *, single: bool = False) -> query.Query:
        return query.parse(
            entity_type,
            flask.request.args,
            eventual=flask.request.headers.get("ConsistencyLevel", "").lower() == "eventual",
            page_size=self._world.settings.graph_page_size,
            single=single,
        )

    def _expanded(self, application: Json, options: query.Query) -> Json:
        if options.expand:
            key = schema.CREDENTIAL.collection
            application[key] = self._directory.credentials(Key("id", application["id"]))
        return application

    def _page(
        self,
        version: str,
        path: str,
        options: query.Query,
        entities: list[Json],
        expanded: Callable[[Json, query.Query], Json] = lambda entity, _: entity,
    ) -> flask.Response:
        matching = options.matching(entities)
        end = options.skip + options.top
        answer: Json = {"@odata.context": _context(version, path + options.context)}
        if options.count:
            answer["@odata.count"] = len(matching)
        if end < len(matching):
            answer["@odata.nextLink"] = query.next_link(flask.request.base_url, flask.request.args, end)
        answer["value"] = [options.selected(expanded(entity, options)) for entity in matching[options.skip : end]]
        return flask.jsonify(answer)

    def _credentials_of(self, application: Key) -> str:
        object_id = self._directory.application(application)["id"]
        return f"applications('{object_id}')/federatedIdentityCredentials"

    def _created_application(self, version: str, sent: Json) -> flask.Response:
        created = self._directory.create_application(sent)
        # Only this answer has the fraction of the second.
        created["createdDateTime"] = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        location = f"directoryObjects/{created['id']}/Microsoft.DirectoryServices.Application"
        return _created(version, "applications", created, location)

    def _created_principal(self, version: str, sent: Json) -> flask.Response:
        created = self._directory.create_service_principal(sent)
        location = f"directoryObjects/{created['id']}/Microsoft.DirectoryServices.ServicePrincipal"
        return _created(version, "servicePrincipals", created, location)

    def _created_credential(self, version: str, application: Key, sent: Json) -> flask.Response:
        created = self._directory.create_credential(application, sent)
        location = f"federatedIdentityCredentials/{created['id']}"
        return _created(version, self._credentials_of(application), created, location)


def _body(entity_type: EntityType) -> Json:
    """The request's body, validated. Graph answers a body of another media type like one that is not JSON."""
    content = flask.request.get_json(silent=True) if flask.request.is_json else None
    return entity_type.validated(content)


def _is_missing(read: Callable[[], Json]) -> bool:
    """Whether this request may create what it addresses, and the object does not exist
    (https://learn.microsoft.com/graph/api/application-upsert).
    """
    preferences = flask.request.headers.get("Prefer", "").split(",")
    if "create-if-missing" not in (preference.strip().lower() for preference in preferences):
        return False
    try:
        read()
    except errors.GraphError as error:
        if error.status != 404:
            raise
        return True
    return False


def _context(version: str, path: str) -> str:
    return f"https://{flask.request.host}/{version}/$metadata#{path}"


def _entity(version: str, path: str, entity: Json) -> flask.Response:
    return flask.jsonify({"@odata.context": _context(version, f"{path}/$entity"), **entity})


def _created(version: str, path: str, entity: Json, location: str) -> flask.Response:
    web.mark_write()
    response = _entity(version, path, entity)
    response.status_code = 201
    response.headers["Location"] = f"https://{flask.request.host}/v2/{AZURE_TENANT}/{location}"
    return response


def _changed() -> flask.Response:
    web.mark_write()
    return flask.Response(status=204)
