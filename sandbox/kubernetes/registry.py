# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes: creation, replacement, patch and deletion of objects, with all that the server checks and fills in.

Source: ``k8s.io/apiserver/pkg/registry/{rest,generic}`` and ``pkg/endpoints/handlers``; the texts are theirs.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import typing as t

from sandbox.kubernetes import custom, errors, kinds, patches
from sandbox.kubernetes.admission import Admission
from sandbox.kubernetes.controllers import Controllers
from sandbox.kubernetes.defaults import fill_defaults
from sandbox.kubernetes.errors import Cause, invalid
from sandbox.kubernetes.kind_rules import check_object, check_update, object_warnings
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.managed_fields import Manager
from sandbox.kubernetes.objects import (
    begin,
    namespace_of,
    now,
    raised_generation,
    record_manager,
    same_content,
)
from sandbox.kubernetes.pods import Pods
from sandbox.kubernetes.schema import Decoded, DecodeError, decode
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.strategy import count_templates, prepare_create, prepare_update
from sandbox.world import Json

_WRONG_NAMESPACE = "the namespace of the provided object does not match the namespace sent on the request"
_PROTECTED_NAMESPACES = ("default", "kube-public", "kube-system")
_STATIC_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


class FieldValidation(enum.Enum):
    """What becomes of fields that the server does not know."""

    IGNORE = "Ignore"
    WARN = "Warn"
    STRICT = "Strict"


@dataclasses.dataclass
class WriteOptions:
    """How a write is to be done; ``warnings`` collects what the answer is to warn of."""

    manager: str
    dry_run: bool = False
    field_validation: FieldValidation = FieldValidation.WARN
    warnings: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class DeleteOptions:
    """The conditions of a deletion. ``orphan`` leaves the objects that the deleted one owns."""

    uid: str | None = None
    resource_version: str | None = None
    orphan: bool = False


class Registry:
    """Writes to the objects of one cluster. Each gives the object for the answer and raises ApiError."""

    def __init__(self, store: Store, controllers: Controllers, pods: Pods) -> None:
        self.admission = Admission()
        self._store = store
        self._controllers = controllers
        self._pods = pods

    # --- create -------------------------------------------------------------------------------------------------------

    def create(self, resource: Resource, namespace: str, body: Json, options: WriteOptions) -> Json:
        obj = self.read(resource, body, options)
        _fit_namespace(obj, namespace)
        self.check_namespace(resource, namespace, obj["metadata"].get("name", ""))
        had_version = bool(obj["metadata"].get("resourceVersion"))
        begin(resource, obj)
        self._complete(resource, obj)
        self.admission.admit(resource, obj, dry_run=options.dry_run)
        fill_defaults(resource, obj)
        self._refuse(resource, obj, [*check_object(resource, obj), *self._check_custom(resource, obj)])
        options.warnings += object_warnings(resource, obj)
        if had_version:
            raise errors.server_error("resourceVersion should not be set on objects to be created")
        name = obj["metadata"]["name"]
        if self._store.find(resource, namespace, name) is not None:
            raise errors.already_exists(resource, name)
        record_manager(resource, {}, obj, Manager(options.manager))
        if options.dry_run:
            return obj
        return self._keep(resource, obj)

    def check_namespace(self, resource: Resource, namespace: str, name: str) -> None:
        """Refuse to make anything in a namespace that is not there (404) or is going (403)."""
        if not resource.namespaced:
            return
        home = self._store.find(kinds.NAMESPACES, "", namespace)
        if home is None:
            raise errors.not_found(kinds.NAMESPACES, namespace)
        if home["status"]["phase"] == "Terminating":
            because = f"unable to create new content in namespace {namespace} because it is being terminated"
            refusal = errors.forbidden(resource, name, because)
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
            refusal.details = (refusal.details or {}) | {"causes": [cause | {"field": "metadata.namespace"}]}
            raise refusal

    def _complete(self, resource: Resource, obj: Json) -> None:
        """All that the server adds to a new object before it looks whether it is valid."""
        prepare_create(resource, obj)
        fill_defaults(resource, obj)
        if resource.custom:
            self._prepare_custom(resource, obj, None)
        if resource == kinds.PODS:
            self._pods.admit(obj)

    def seed(self, resource: Resource, body: Json) -> Json:
        """Store an object as if somebody had created it earlier; one of the same name is replaced.

        A ``uid`` and a ``creationTimestamp`` that are given stay.
        """
        options = WriteOptions(manager="kubectl-create", field_validation=FieldValidation.STRICT)
        obj = self.read(resource, body, options)
        given = {name: obj["metadata"][name] for name in ("uid", "creationTimestamp") if name in obj["metadata"]}
        old = self._store.find(resource, namespace_of(obj), obj["metadata"].get("name", ""))
        begin(resource, obj)
        if old is not None:
            obj["metadata"] |= {name: old["metadata"][name] for name in ("uid", "creationTimestamp")}
            obj["metadata"] |= {"generation": old["metadata"]["generation"]} if resource.generation else {}
        obj["metadata"] |= given
        self._complete(resource, obj)
        self._refuse(resource, obj, [*check_object(resource, obj), *self._check_custom(resource, obj)])
        if old is not None and "status" in old:
            obj["status"] = old["status"]
        record_manager(resource, {}, obj, Manager(options.manager))
        return self._keep(resource, obj)

    # --- update -------------------------------------------------------------------------------------------------------

    def replace(self, resource: Resource, namespace: str, name: str, body: Json, options: WriteOptions) -> Json:
        new = self.read(resource, body, options)
        _check_name(new, name)
        _fit_namespace(new, namespace)
        old = self._store.find(resource, namespace, name)
        uid = new["metadata"].get("uid")
        if uid and uid != (old["metadata"]["uid"] if old else ""):
            # A replacement that carries a uid means that very object and no later one of the name.
            raise errors.conflict(resource, name, _wrong_uid(uid, old))
        if old is None:
            raise errors.not_found(resource, name)
        if not new["metadata"].get("resourceVersion") and not resource.unconditional_update:
            causes = [invalid("metadata.resourceVersion", 0, "must be specified for an update")]
            raise errors.invalid_object(resource.group, resource.kind, name, causes)
        return self._update(resource, old, new, options)

    def patch(
        self, resource: Resource, namespace: str, name: str, content_type: str, patch: t.Any, options: WriteOptions
    ) -> Json:
        old = self._store.find(resource, namespace, name)
        if old is None:
            raise errors.not_found(resource, name)
        if resource.custom and content_type == patches.STRATEGIC:
            raise errors.unsupported_media_type((patches.JSON_PATCH, patches.MERGE))
        patched = patches.apply_patch(content_type, resource.model, old, patch)
        new = self._read_patched(resource, patched, options)
        _fit_namespace(new, namespace)
        _check_name(new, name)
        return self._update(resource, old, new, options)

    def _update(self, resource: Resource, old: Json, new: Json, options: WriteOptions) -> Json:
        name = old["metadata"]["name"]
        version = old["metadata"]["resourceVersion"]
        if new["metadata"].get("resourceVersion", version) != version:
            raise errors.conflict(resource, name, errors.STALE)
        metadata = new["metadata"]
        for field in _STATIC_METADATA:
            if field not in metadata and field in old["metadata"]:
                metadata[field] = old["metadata"][field]
        prepare_update(resource, new, old)
        fill_defaults(resource, new)
        self.admission.admit(resource, new, dry_run=options.dry_run)
        fill_defaults(resource, new)
        count_templates(resource, new, old)
        if resource.custom:
            self._prepare_custom(resource, new, old)
        metadata["resourceVersion"] = version
        self._refuse(resource, new, [*check_update(resource, new, old), *self._check_custom(resource, new)])
        options.warnings += object_warnings(resource, new)
        if resource.generation:
            metadata["generation"] = raised_generation(resource, new, old)
        if same_content(new, old) and metadata.get("managedFields") != [{}]:
            return old
        record_manager(resource, old, new, Manager(options.manager))
        if options.dry_run:
            return new
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self._store.remove(resource, old)
            self._settle(resource, new)
            return new
        return self._keep(resource, new)

    # --- delete -------------------------------------------------------------------------------------------------------

    def delete(
        self, resource: Resource, namespace: str, name: str, conditions: DeleteOptions, options: WriteOptions
    ) -> Json:
        """Gives the object in its last state, or the Status that this resource's deletions are answered with."""
        if resource == kinds.NAMESPACES and name in _PROTECTED_NAMESPACES:
            raise errors.forbidden(resource, name, "this namespace may not be deleted")
        obj = self._store.find(resource, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        _check_preconditions(resource, obj, conditions)
        if not options.dry_run:
            obj = self._delete(resource, obj, conditions)
        elif resource == kinds.NAMESPACES:
            obj = _terminating(obj)
        if resource.returns_deleted or "deletionTimestamp" in obj["metadata"]:
            return obj
        details = {"name": name, "group": resource.group, "kind": resource.plural, "uid": obj["metadata"]["uid"]}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }

    def _delete(self, resource: Resource, obj: Json, conditions: DeleteOptions) -> Json:
        if resource == kinds.NAMESPACES:
            marked = self._store.put(resource, _terminating(obj))
            self._controllers.settle(obj["metadata"]["name"])
            return marked
        if conditions.orphan:
            self._orphan_dependents(obj)
        deleted = self._controllers.discard(resource, obj)
        if resource == kinds.CUSTOM_RESOURCE_DEFINITIONS:
            self._forget(deleted["metadata"]["name"])
        self._settle(resource, obj)
        if resource == kinds.PODS:
            grace = {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
            return deleted | {"metadata": grace | deleted["metadata"]}
        return deleted

    def _forget(self, definition: str) -> None:
        """The objects of a kind go with its definition."""
        for resource in kinds.CUSTOM:
            if resource.qualified == definition:
                for obj in self._store.select(resource):
                    self._controllers.discard(resource, obj)
                    self._settle(resource, obj)

    def _orphan_dependents(self, owner: Json) -> None:
        for resource, obj in self._store.content(namespace_of(owner)):
            references = obj["metadata"].get("ownerReferences", [])
            others = [r for r in references if r["uid"] != owner["metadata"]["uid"]]
            if len(others) < len(references):
                metadata = {k: v for k, v in obj["metadata"].items() if k != "ownerReferences"}
                self._store.put(
                    resource, obj | {"metadata": metadata | ({"ownerReferences": others} if others else {})}
                )

    # --- shared -------------------------------------------------------------------------------------------------------

    def read(self, resource: Resource, body: Json, options: WriteOptions) -> Json:
        """Decode a request's object, with its kind, apiVersion and metadata.

        :raises ApiError: 400.
        """
        _check_type(resource, body)
        try:
            decoded = self._decode(resource, body)
        except DecodeError as error:
            raise errors.bad_request(f"{_cannot(resource)}: {error}") from error
        unknown = [f'unknown field "{path}"' for path in decoded.unknown]
        if unknown and options.field_validation is FieldValidation.STRICT:
            raise errors.bad_request(f"{_cannot(resource)}: strict decoding error: {', '.join(unknown)}")
        if options.field_validation is FieldValidation.WARN:
            options.warnings += unknown
        return _typed(resource, decoded.value)

    def _read_patched(self, resource: Resource, patched: Json, options: WriteOptions) -> Json:
        """Decode the outcome of a patch, whose faults are reported as those of a field ``patch``."""
        try:
            decoded = self._decode(resource, patched)
        except DecodeError as error:
            raise _bad_patch(patched, str(error)) from error
        unknown = [f'unknown field "{path}"' for path in decoded.unknown]
        if unknown and options.field_validation is FieldValidation.STRICT:
            raise _bad_patch(patched, f"strict decoding error: {', '.join(unknown)}")
        if options.field_validation is FieldValidation.WARN:
            options.warnings += unknown
        return _typed(resource, decoded.value)

    def _decode(self, resource: Resource, body: Json) -> Decoded:
        """:raises DecodeError: a value has the wrong type."""
        decoded = decode(resource.model, body)
        if not resource.custom:
            return decoded
        rest = {name: value for name, value in body.items() if name != "metadata"}  # decoding leaves out a null
        pruned = custom.prune(self._schema(resource), {**rest, **decoded.value})
        unknown = [path for path in decoded.unknown if path.startswith("metadata.")]
        return Decoded(pruned.value, (*unknown, *pruned.unknown))

    def _schema(self, resource: Resource) -> Json:
        """The schema of a custom resource, which is served only while it is defined."""
        found = custom.definition_of(self._store, resource)
        return custom.schema_of(found) if found is not None else {}

    def _prepare_custom(self, resource: Resource, new: Json, old: Json | None) -> None:
        """Defaults, and the status, which a client can't write where it is a subresource."""
        found = custom.definition_of(self._store, resource)
        if found is None:
            return
        if custom.has_status(found):
            new.pop("status", None)
            new.update({"status": old["status"]} if old is not None and "status" in old else {})
        custom.fill_defaults(custom.schema_of(found), new)

    def _check_custom(self, resource: Resource, obj: Json) -> list[Cause]:
        return custom.check(self._schema(resource), obj) if resource.custom else []

    def _refuse(self, resource: Resource, obj: Json, causes: list[Cause]) -> None:
        if causes:
            name = obj["metadata"].get("name", "")
            raise errors.invalid_object(resource.group, resource.kind, name, causes)

    def _keep(self, resource: Resource, obj: Json) -> Json:
        """Store an object and let the controllers work. The answer shows it as it was before they did."""
        stored = self._store.put(resource, obj)
        self._settle(resource, stored)
        return stored

    def _settle(self, resource: Resource, obj: Json) -> None:
        if resource.namespaced or resource == kinds.NAMESPACES:
            self._controllers.settle(namespace_of(obj) or obj["metadata"]["name"])


def _typed(resource: Resource, obj: Json) -> Json:
    typed: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {}}
    return typed | copy.deepcopy(obj) | {"kind": resource.kind, "apiVersion": resource.api_version}


def _cannot(resource: Resource) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'


def _check_type(resource: Resource, body: Json) -> None:
    kind, version = body.get("kind", resource.kind), body.get("apiVersion", resource.api_version)
    if version != resource.api_version:
        raise errors.bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        raise errors.bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}')


def _bad_patch(patched: Json, message: str) -> errors.ApiError:
    text = json.dumps(patched, separators=(",", ":"))
    return errors.invalid_object("", "", "", [invalid("patch", text, message)])


def _fit_namespace(obj: Json, namespace: str) -> None:
    """The request's path says the namespace; the object may leave it out but not contradict."""
    given = obj["metadata"].get("namespace", "")
    if given and given != namespace and (namespace or given != "default"):
        raise errors.bad_request(_WRONG_NAMESPACE)
    if namespace:
        obj["metadata"]["namespace"] = namespace
    else:
        obj["metadata"].pop("namespace", None)


def _check_name(obj: Json, name: str) -> None:
    given = obj["metadata"].setdefault("name", name)
    if given != name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


def _wrong_uid(uid: str, old: Json | None) -> str:
    stored = old["metadata"]["uid"] if old else ""
    return f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored}"


def _check_preconditions(resource: Resource, obj: Json, conditions: DeleteOptions) -> None:
    metadata = obj["metadata"]
    if conditions.uid is not None and conditions.uid != metadata["uid"]:
        raise errors.conflict(resource, metadata["name"], _wrong_uid(conditions.uid, obj))
    version = conditions.resource_version
    if version is not None and version != metadata["resourceVersion"]:
        detail = (
            f"Precondition failed: ResourceVersion in precondition: {version},"
            f" ResourceVersion in object meta: {metadata['resourceVersion']}"
        )
        raise errors.conflict(resource, metadata["name"], detail)


def _terminating(namespace: Json) -> Json:
    metadata = namespace["metadata"]
    marked = metadata if "deletionTimestamp" in metadata else metadata | {"deletionTimestamp": now()}
    return namespace | {"metadata": marked, "status": {"phase": "Terminating"}}
