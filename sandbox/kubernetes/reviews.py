# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reviews: questions about rights and identities, which are answered and never stored.

Shape: https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/ and .../authentication-resources/
"""

from __future__ import annotations

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.access import Access, Attempt, User
from sandbox.kubernetes.errors import invalid, required
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.objects import now
from sandbox.kubernetes.tokens import Tokens
from sandbox.world import Json


class Reviews:
    """Answers the reviews of one cluster."""

    def __init__(self, access: Access, tokens: Tokens) -> None:
        self._access = access
        self._tokens = tokens

    def answer(self, resource: Resource, body: Json, user: User) -> Json:
        """The decoded review with its ``status``.

        :raises ApiError: 422, the review is invalid.
        """
        if resource == kinds.ACCESS_REVIEWS:
            status = self._may_user(body.get("spec", {}), user)
        elif resource == kinds.TOKEN_REVIEWS:
            status = self._whose_token(body.get("spec", {}))
        else:
            status = {"userInfo": _user_info(user)}
        metadata = body.get("metadata", {}) | {"creationTimestamp": now()}
        answer = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        if "spec" in body:
            answer["spec"] = body["spec"]
        return answer | {"status": status}

    def _may_user(self, spec: Json, user: User) -> Json:
        about, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
        if about is not None and path is None:
            allowed = self._access.allows(user, _attempt(about))
        elif path is not None and about is None:
            allowed = self._access.allows_path(user, path.get("verb", ""), path.get("path", ""))
        else:
            detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            resource = kinds.ACCESS_REVIEWS
            cause = invalid("spec.resourceAttributes", about, detail)
            raise errors.invalid_object(resource.group, resource.kind, "", [cause])
        return {"allowed": True, "reason": f'RBAC: allowed to user "{user.name}"'} if allowed else {"allowed": False}

    def _whose_token(self, spec: Json) -> Json:
        token, audiences = spec.get("token", ""), spec.get("audiences", [])
        if not token:
            resource = kinds.TOKEN_REVIEWS
            raise errors.invalid_object(resource.group, resource.kind, "", [required("spec.token")])
        user = self._access.user_of(token)
        if user is not None:
            matching = [a for a in audiences or self._tokens.api_audiences if a in self._tokens.api_audiences]
            return _authenticated(_user_info(user), matching) if matching else {"user": {}}
        try:
            known = self._tokens.recognise(token, audiences)
        except ValueError as error:
            return {"user": {}, "error": str(error)}
        return _authenticated(_user_info(known.user) | {"extra": known.extra}, list(known.audiences))


def _attempt(about: Json) -> Attempt:
    return Attempt(
        verb=about.get("verb", ""),
        group=about.get("group", ""),
        resource=about.get("resource", ""),
        subresource=about.get("subresource", ""),
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
    )


def _authenticated(user: Json, audiences: list[str]) -> Json:
    return {"authenticated": True, "user": user, "audiences": audiences}


def _user_info(user: User) -> Json:
    info: Json = {"username": user.name, "groups": list(user.groups)}
    return info | {"uid": user.uid} if user.uid else info
