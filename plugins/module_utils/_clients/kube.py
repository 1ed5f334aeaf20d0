# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a Kubernetes API server, with paths and plain dictionaries.

The package's typed API classes would cost half a second of imports and its dynamic client discovery requests, for
five kinds of objects. What is used of the package is what is hard: the kubeconfig, credential plugins, TLS, proxies.
API: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_config
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import (
    DRY_RUN,
    JSON_TYPE,
    MERGE_PATCH,
    SERVICE,
    STRICT,
    Advice,
    Answer,
    HttpTransport,
    Json,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import shared
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_discovery import apis_of, kinds_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    SERVICE_ACCOUNT,
    ObjectKind,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_shapes import (
    FLAG,
    TEXT,
    Fields,
    Misshapen,
    shaped,
    shaped_page,
)

try:
    import urllib3
    from kubernetes.client.rest import RESTClientObject
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import Transport
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth

PAGE_SIZE = 500

#: How much of a container's log is read: its end, and of that no more than an error needs.
LOG_LINES: t.Final = 200
LOG_BYTES: t.Final = 64 * 1024

_ADMISSION = re.compile(r"admission webhook \"([^\"]+)\" denied the request|ValidatingAdmissionPolicy '([^']+)'")
_FAILED_WEBHOOK = "failed calling webhook"

_REVIEW_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_REVIEWED: t.Final = Fields({"status": Fields(allowed=FLAG)})
_ISSUED: t.Final = Fields({"status": Fields({"token": TEXT})})


@dataclasses.dataclass(frozen=True)
class Access:
    """A right, as RBAC names it (https://kubernetes.io/docs/reference/access-authn-authz/rbac/)."""

    verb: str
    resource: str  # plural, with its subresource: "serviceaccounts/token"
    group: str = ""
    namespace: str | None = None
    name: str = ""

    @classmethod
    def to(cls, verb: str, reference: ObjectReference, subresource: str = "") -> Access:
        resource = f"{reference.kind.plural}/{subresource}" if subresource else reference.kind.plural
        # RBAC can't limit a creation to a name, because the object does not exist yet; a subresource's owner does.
        name = "" if verb == "create" and not subresource else reference.name
        return cls(verb, resource, reference.kind.group, reference.namespace, name)

    def __str__(self) -> str:
        group = f" of the API group '{self.group}'" if self.group else ""
        scope = "the cluster (ClusterRole)" if self.namespace is None else f"namespace '{self.namespace}'"
        return f"'{self.verb}' on '{self.resource}'{group} in {scope}"


class KubeClient:
    """One cluster's API server. Every method raises CloudError, Forbidden or Unreachable; writes raise Conflict too,
    and of Conflict's kinds Interrupted when the answer leaves open whether the object was stored.

    Through Azure, every method may also raise NotFound, NotReady, Refused or MissingCredentials for the cluster itself.
    """

    def __init__(self, auth: KubeAuth) -> None:
        """Read options and kubeconfig; nothing is sent yet, not even to Azure.

        Raises MissingLibrary, MissingCredentials or InvalidInput.
        """
        self._auth = auth
        self._found: Transport | None = None
        self._kinds: tuple[ObjectKind, ...] | None = None
        if auth.aks is None:
            self._found = shared("kubeconfig", auth, lambda: _kubeconfig_transport(auth))

    @property
    def _transport(self) -> Transport:
        """The way to the API server. For an AKS cluster Azure is asked for it once, and may refuse."""
        if self._found is None:
            self._found = shared("aks", self._auth, lambda: _aks_transport(self._auth))
        return self._found

    @property
    def server(self) -> str:
        """The API server's URL, or the cluster's name where Azure runs the commands."""
        return self._transport.server

    def get(self, reference: ObjectReference) -> Json | None:
        """The object, or None when it (or its namespace) does not exist."""
        action = f"reading {reference}"
        access = Access.to("get", reference)
        answer = self._send("GET", reference.path, action)
        # A wrong URL answers 404 as well, but not with the API's own reason.
        if answer.status == 404 and answer.reason == "NotFound":
            return None
        return self._object(reference, answer, action, access)

    def create(self, reference: ObjectReference, body: Json) -> Json:
        """Create the object from a manifest without kind, name and namespace, which the reference supplies.

        Raises Conflict when it exists meanwhile, NotFound when its namespace does not.
        """
        manifest = {
            **body,
            "apiVersion": reference.kind.api_version,
            "kind": reference.kind.name,
            "metadata": {**body.get("metadata", {}), **_names(reference)},
        }
        action = f"creating {reference}"
        answer = self._send("POST", reference.collection_path, action, manifest)
        if answer.status == 404 and answer.reason == "NotFound":
            raise errors.NotFound(
                f"{SERVICE} failed while {action}: {answer.message}.", fix="Create the namespace first."
            )
        return self._object(reference, answer, action, Access.to("create", reference), writes=True)

    def merge_patch(
        self,
        reference: ObjectReference,
        body: Json,
        *,
        resource_version: str,
        dry_run: bool = False,
        strict: bool = False,
    ) -> Json:
        """Apply a JSON merge patch (RFC 7386) to the version of the object that was read, and to no other.

        Lists are replaced whole. With ``dry_run`` the API server does everything, admission included, but store it
        (https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run). With ``strict`` it refuses fields that
        it does not know, where the way to it can say so. Raises Conflict when another writer changed or deleted the
        object since.
        """
        metadata = {**body.get("metadata", {}), "resourceVersion": resource_version}
        action = f"rehearsing the update of {reference} (dry run)" if dry_run else f"updating {reference}"
        query = "&".join(word for word, wanted in ((DRY_RUN, dry_run), (STRICT, strict)) if wanted)
        path = f"{reference.path}?{query}" if query else reference.path
        answer = self._send("PATCH", path, action, {**body, "metadata": metadata}, MERGE_PATCH)
        if answer.status == 404 and answer.reason == "NotFound":
            raise errors.Conflict(
                service=SERVICE,
                action=action,
                code=answer.reason,
                status=answer.status,
                detail=answer.message,
                request_id=answer.request_id,
                fix="It was deleted during the run: rerun.",
            )
        return self._object(reference, answer, action, Access.to("patch", reference), writes=not dry_run)

    def delete(self, reference: ObjectReference, *, uid: str, resource_version: str) -> None:
        """Delete the version of the object that was read, and no other; one that is gone already is no error.

        Raises Conflict when another writer changed it, or put another object in its place, since.
        """
        action = f"deleting {reference}"
        body: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": resource_version},
        }
        answer = self._send("DELETE", reference.path, action, body)
        if answer.status == 404 and answer.reason == "NotFound":
            return
        # A deletion is answered with the object's last state, or with a Status that says Success.
        if not (200 <= answer.status < 300 and answer.body.get("status") == "Success"):
            self._accepted(answer, action, Access.to("delete", reference), writes=True)

    def list_in(self, kind: ObjectKind, namespace: str, *, labels: str = "", fields: str = "") -> list[Json]:
        """All objects of a kind in a namespace; none where the API server does not know the kind.

        ``labels`` and ``fields`` are selectors
        (https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/).
        """
        action = f"listing {kind.plural} in namespace {namespace}"
        collection = kind.at("", namespace).collection_path
        access = Access("list", kind.plural, kind.group, namespace)
        selectors = {"labelSelector": labels, "fieldSelector": fields}
        chosen = {name: value for name, value in selectors.items() if value}
        found: list[Json] = []
        token = ""
        while True:
            more = {**chosen, **({"continue": token} if token else {})}
            query = "".join(f"&{name}={urllib.parse.quote(value, safe='')}" for name, value in more.items())
            answer = self._send("GET", f"{collection}?limit={PAGE_SIZE}{query}", action)
            if answer.status == 404:
                return found
            page = self._accepted(answer, action, access)
            with _well_shaped(action):
                items, token = shaped_page(kind, page)
            found += items
            if not token:
                return found

    def kinds_in_namespaces(self) -> tuple[ObjectKind, ...]:
        """Every kind of object that a namespace can hold, in all its versions, the preferred one of a group first.

        They are read once. Values that are only measured (``metrics.k8s.io``) are left out. Raises CloudError when a
        part of it can't be read, as of an aggregated API whose server is down.
        """
        if self._kinds is None:
            self._kinds = tuple(self._read_kinds())
        return self._kinds

    def _read_kinds(self) -> list[ObjectKind]:
        action = "reading which API groups there are"
        with _well_shaped(action):
            apis = apis_of(self._described("apis", action))
        found: list[ObjectKind] = []
        for api in apis:
            action = f"reading which kinds {api} has"
            with _well_shaped(action):
                found += kinds_of(api, self._described(api, action))
        return found

    def _described(self, path: str, action: str) -> Json:
        return self._accepted(self._send("GET", f"/{path}", action), action, Access("get", f"/{path}"))

    def create_token(self, namespace: str, name: str, audience: str, seconds: int) -> str:
        """A token of a service account for one audience; ``seconds`` is its lifetime, 600 at least.

        Raises NotFound when the service account does not exist.
        https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
        """
        account = SERVICE_ACCOUNT.at(name, namespace)
        action = f"requesting a token of {account}"
        body: Json = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": seconds},
        }
        answer = self._send("POST", f"{account.path}/token", action, body)
        if answer.status == 404 and answer.reason == "NotFound":
            raise errors.NotFound(f"There is no {account} in the cluster.", fix="Create it (tag service_account).")
        accepted = self._accepted(answer, action, Access.to("create", account, "token"))
        with _well_shaped(action):
            return str(_ISSUED.of(accepted, "TokenRequest")["status"]["token"])

    def delete_whole(self, reference: ObjectReference, *, uid: str) -> None:
        """Delete an object whatever its version, and in the background all that it owns; one that is gone is no error.

        https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion
        """
        action = f"deleting {reference}"
        body: Json = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        answer = self._send("DELETE", reference.path, action, body)
        if answer.status == 404 and answer.reason == "NotFound":
            return
        if not (200 <= answer.status < 300 and answer.body.get("status") == "Success"):
            self._accepted(answer, action, Access.to("delete", reference), writes=True)

    def log(self, pod: ObjectReference, container: str, *, previous: bool = False, since: int | None = None) -> str:
        """The end of a container's log, or of the one before its last restart; empty where there is none.

        ``since`` leaves out what is older than so many seconds.

        Raises Forbidden without the right, and what else keeps the API server from answering.
        https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
        """
        query = {"container": container, "tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        if previous:
            query["previous"] = "true"
        if since is not None:
            query["sinceSeconds"] = str(since)
        action = f"reading the log of the container {container} of {pod}"
        answer = self._transport.ask_pod("GET", f"{pod.path}/log?{urllib.parse.urlencode(query)}", action)
        if answer.status in (400, 404):  # it has not been started, or was not started before
            return ""
        if answer.status != 200:
            self._accepted(answer, action, Access.to("get", pod, "log"))
        return answer.text

    def ask_pod(self, method: str, pod: ObjectReference, path: str, action: str) -> Answer:
        """What a pod answers by HTTP. ``path`` leads there through the API server.

        Raises Forbidden without the right, Unreachable when the API server itself does not answer.
        """
        verb = "get" if method == "GET" else "create"
        answer = self._transport.ask_pod(method, path, action)
        if answer.status == 401 or (answer.status == 403 and answer.reason == "Forbidden"):
            self._accepted(answer, action, Access.to(verb, pod, "proxy"))
        return answer

    def issuer(self) -> str:
        """The issuer of service-account tokens by the API server's own discovery document; empty where it is not told.

        https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery
        """
        answer = self._send("GET", "/.well-known/openid-configuration", "reading the cluster's issuer")
        return str(answer.body.get("issuer") or "") if answer.status == 200 else ""

    def may(self, access: Access) -> bool:
        """Whether the caller has a right, by a self subject access review: a read, though it is sent as POST.

        https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/
        """
        resource, _unused, subresource = access.resource.partition("/")
        attributes = {
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": access.namespace or "",
            "name": access.name,
        }
        body: Json = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
        }
        action = f"asking whether the right {access} is granted"
        review = self._accepted(
            self._send("POST", _REVIEW_PATH, action, body),
            action,
            Access("create", "selfsubjectaccessreviews", "authorization.k8s.io"),
        )
        with _well_shaped(action):
            return bool(_REVIEWED.of(review, "SelfSubjectAccessReview")["status"].get("allowed"))

    def _send(
        self, method: str, path: str, action: str, body: Json | None = None, content_type: str = JSON_TYPE
    ) -> Answer:
        return self._transport.send(method, path, action, body, content_type)

    def _object(
        self, reference: ObjectReference, answer: Answer, action: str, access: Access, *, writes: bool = False
    ) -> Json:
        accepted = self._accepted(answer, action, access, writes=writes)
        with _well_shaped(action, writes=writes):
            return shaped(reference.kind, accepted)

    def _accepted(self, answer: Answer, action: str, access: Access, *, writes: bool = False) -> Json:
        """The answer's object. Raises the error that fits any other answer."""
        if 200 <= answer.status < 300 and answer.body.get("kind") not in (None, "Status"):
            return answer.body
        kind, fix = self._failure(answer, access, writes=writes)
        raise kind(
            service=SERVICE,
            action=action,
            code=answer.reason,
            status=answer.status,
            detail=answer.message or f"{self.server} answered HTTP {answer.status} without an object of the API's",
            request_id=answer.request_id,
            fix=fix,
        )

    def _failure(self, answer: Answer, access: Access, *, writes: bool) -> tuple[type[errors.CloudError], str]:
        if answer.status == 401:
            return errors.CloudError, self._transport.advice.unauthorized
        if "NamespaceTerminating" in answer.causes:
            return errors.CloudError, "Rerun when the namespace is gone, or use another one."
        policy = admission_in(answer.message)
        if policy is not None:
            return errors.CloudError, f"Satisfy {policy}, or have its owner let this change through."
        if _FAILED_WEBHOOK in answer.message:
            return errors.CloudError, "See that this admission webhook's pods run, or ask its owner."
        if answer.status == 403 and answer.reason == "Forbidden":
            other = self._transport.advice.forbidden
            return errors.Forbidden, f"Grant the right {access} by an RBAC role{other}, if it is missing."
        if answer.status == 409:
            return errors.Conflict, "Another writer changed it again and again: rerun when it has finished."
        if writes and _is_open(answer):
            return errors.Interrupted, errors.LOOK_AGAIN
        if answer.status == 429 or answer.status >= 500:
            return errors.CloudError, "The API server is overloaded or restarting: rerun later."
        if not answer.reason:
            return errors.CloudError, self._transport.advice.no_api
        return errors.CloudError, ""


def _is_open(answer: Answer) -> bool:
    """Whether the answer to a write leaves open if it was done: a store that did not answer in time, or a proxy's word.

    The API server's own 503 says that it takes no request.
    """
    if 200 <= answer.status < 300:
        return True
    return answer.status >= 500 and not (answer.status == 503 and answer.reason)


def admission_in(message: str) -> str | None:
    """What of the API server's admission refused a request, in words; None where it was something else.

    Texts: k8s.io/apiserver, pkg/admission/plugin/webhook/errors and pkg/admission/plugin/policy/validating.
    """
    match = _ADMISSION.search(message)
    if match is None:
        return None
    return f"the admission webhook {match[1]}" if match[1] else f"the admission policy {match[2]}"


@contextlib.contextmanager
def _well_shaped(action: str, *, writes: bool = False) -> Iterator[None]:
    try:
        yield
    except Misshapen as problem:
        detail = f"the answer is odd: {problem}"
        fix = "See that this is a Kubernetes API server, and that its definitions are those of the installed operator."
        kind = errors.Interrupted if writes else errors.CloudError
        raise kind(service=SERVICE, action=action, detail=detail, fix=fix) from None


def _names(reference: ObjectReference) -> dict[str, str]:
    names = {"name": reference.name}
    return names if reference.namespace is None else {**names, "namespace": reference.namespace}


def _aks_transport(auth: KubeAuth) -> Transport:
    # Azure's libraries take half a second to import, which nobody pays who does not need them.
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import aks_access

    return aks_access.transport(auth)


def _kubeconfig_transport(auth: KubeAuth) -> HttpTransport:
    """The way that options and kubeconfig name."""
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary("kubernetes", IMPORT_ERROR)
    configuration = kube_config.load_configuration(auth)
    try:
        pool = RESTClientObject(configuration).pool_manager
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        raise errors.InvalidInput(
            f"The API server {configuration.host} can't be addressed: {error}.", fix="Correct proxy or ca_cert."
        ) from error

    def authorization() -> dict[str, str]:
        """A credential that has expired meanwhile is renewed by the package."""
        settings = configuration.auth_settings().values()
        return {item["key"]: item["value"] for item in settings if item["in"] == "header" and item["value"]}

    unauthorized = "The request carried no credentials: give a kubeconfig with a user, or api_key."
    if kube_config.has_credentials(configuration):
        unauthorized = "Renew the kubeconfig's credentials or api_key (K8S_AUTH_API_KEY)."
    advice = Advice(
        unreachable="Check that this machine reaches the API server (kubeconfig and context, host, proxy; a private "
        "cluster needs a route to it) and trusts its certificate (ca_cert).",
        unauthorized=unauthorized,
    )
    return HttpTransport(str(configuration.host), pool, authorization, advice)
