# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service accounts' tokens: made on request, signed by the cluster's key, and recognised again.

Source: ``pkg/serviceaccount/claims.go`` and ``pkg/registry/core/serviceaccount/storage/token.go`` of Kubernetes;
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import typing as t
import uuid

import jwt

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.access import AUTHENTICATED, SERVICE_ACCOUNTS_GROUP, User
from sandbox.kubernetes.errors import invalid
from sandbox.kubernetes.objects import now
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.volume_rules import check_token_seconds
from sandbox.world import AksCluster, Json, SigningKey

MAX_SECONDS = 86400  # AKS issues no longer ones
DEFAULT_SECONDS = 3600

_GROUP, _KIND = "authentication.k8s.io", "TokenRequest"


@dataclasses.dataclass(frozen=True)
class KnownToken:
    """A token that holds: whose it is and which of the asked audiences it has."""

    user: User
    audiences: tuple[str, ...]
    extra: Json


class Tokens:
    """The token endpoint and the token authenticator of one cluster."""

    def __init__(self, cluster: AksCluster, store: Store) -> None:
        self._cluster = cluster
        self._store = store

    @property
    def api_audiences(self) -> tuple[str, ...]:
        """The audiences of the API server itself. AKS names it as a URL and as a quoted name."""
        fqdn = self._cluster.body["properties"]["fqdn"]
        return f"https://{fqdn}", f'"{fqdn}"'

    def request(self, namespace: str, name: str, body: Json) -> tuple[Json, list[str]]:
        """Answer a decoded TokenRequest, with the warnings.

        :raises ApiError: 404 no such service account; 422 the request is invalid; 400, 409 the bound object is wrong.
        """
        self._check_metadata(body.get("metadata", {}), namespace, name)
        account = self._store.find(kinds.SERVICE_ACCOUNTS, namespace, name)
        if account is None:
            raise errors.not_found(kinds.SERVICE_ACCOUNTS, name)
        spec = body.get("spec", {})
        seconds = spec.get("expirationSeconds", DEFAULT_SECONDS)
        causes = check_token_seconds(seconds, "spec.expirationSeconds")
        if causes:
            raise errors.invalid_object(_GROUP, _KIND, "", causes)
        bound = self._bound_object(namespace, name, spec.get("boundObjectRef"))
        warnings = []
        if seconds > MAX_SECONDS:
            warnings.append(f"requested expiration of {seconds} seconds shortened to {MAX_SECONDS} seconds")
            seconds = MAX_SECONDS
        audiences = spec.get("audiences") or list(self.api_audiences)
        issued = int(time.time())
        token = self._cluster.signing_key.sign(self._claims(account, bound, audiences, issued, seconds))
        expires = dt.datetime.fromtimestamp(issued + seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = {
            "kind": _KIND,
            "apiVersion": f"{_GROUP}/v1",
            "metadata": {"name": name, "namespace": namespace, "creationTimestamp": now()},
            "spec": {
                "audiences": audiences,
                "expirationSeconds": seconds,
                "boundObjectRef": spec.get("boundObjectRef"),
            },
            "status": {"token": token, "expirationTimestamp": expires},
        }
        return answer, warnings

    def _check_metadata(self, metadata: Json, namespace: str, name: str) -> None:
        for field, wanted in (("name", name), ("namespace", namespace)):
            given = metadata.get(field)
            if given and given != wanted:
                detail = f"must match the service account {field} if specified"
                raise errors.invalid_object(_GROUP, _KIND, name, [invalid(f"metadata.{field}", given, detail)])

    def _bound_object(self, namespace: str, account: str, reference: Json | None) -> Json:
        """The claim of the pod or secret that the token is bound to."""
        if reference is None:
            return {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        resource = {"Pod": kinds.PODS, "Secret": kinds.SECRETS}.get(kind)
        if resource is None or reference.get("apiVersion") != "v1":
            version = reference.get("apiVersion", "")
            raise errors.bad_request(f"cannot bind token to object of type {version}, Kind={kind}")
        obj = self._store.find(resource, namespace, name)
        if obj is None:
            raise errors.not_found(resource, name)
        if resource == kinds.PODS and obj["spec"]["serviceAccountName"] != account:
            raise errors.bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        uid = obj["metadata"]["uid"]
        if reference.get("uid", uid) != uid:
            detail = (
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record."
                " The object might have been deleted and then recreated"
            )
            raise errors.conflict(resource, name, detail)
        return {kind.lower(): {"name": name, "uid": uid}}

    def _claims(self, account: Json, bound: Json, audiences: list[str], issued: int, seconds: int) -> Json:
        metadata = account["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        return {
            "aud": audiences,
            "exp": issued + seconds,
            "iat": issued,
            "iss": self._cluster.token_issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                **bound,
                "serviceaccount": {"name": name, "uid": metadata["uid"]},
            },
            "nbf": issued,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }

    def _verification_key(self, token: str) -> SigningKey:
        """The listed key that the token names; the one that signs for a token that names none."""
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError as error:
            raise ValueError(f"[invalid bearer token, {error}]") from error
        return self._cluster.verification_key(kid) or self._cluster.signing_key

    def recognise(self, token: str, audiences: t.Sequence[str] = ()) -> KnownToken:
        """Check a service account's token for any of these audiences; the API server's own when there are none.

        :raises ValueError: the token does not hold; the message says why.
        """
        wanted = tuple(audiences) or self.api_audiences
        key = jwt.PyJWK(self._verification_key(token).jwk())
        # Tokens of before the OIDC issuer was enabled keep their issuer and hold until they expire.
        issuers = [self._cluster.issuer_url, f"https://{self._cluster.body['properties']['fqdn']}"]
        try:
            claims = jwt.decode(token, key, algorithms=["RS256"], audience=list(wanted), issuer=issuers)
        except jwt.PyJWTError as error:
            raise ValueError(f"[invalid bearer token, {error}]") from error
        private = claims["kubernetes.io"]
        namespace, named = private["namespace"], private["serviceaccount"]
        account = self._store.find(kinds.SERVICE_ACCOUNTS, namespace, named["name"])
        if account is None or account["metadata"]["uid"] != named["uid"]:
            raise ValueError("[invalid bearer token, service account token has been invalidated]")
        groups = (SERVICE_ACCOUNTS_GROUP, f"{SERVICE_ACCOUNTS_GROUP}:{namespace}", AUTHENTICATED)
        user = User(claims["sub"], groups, named["uid"])
        matching = tuple(audience for audience in wanted if audience in claims["aud"])
        extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
        return KnownToken(user, matching, extra)
