# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: bearer tokens, users and a small RBAC.

Shape of a rule: https://kubernetes.io/docs/reference/access-authn-authz/rbac/; its texts are those of the authorizer.
"""

from __future__ import annotations

import dataclasses
import itertools
import typing as t

from sandbox.entra_tokens import CONTROLLER_OBJECT_ID
from sandbox.kubernetes import errors
from sandbox.kubernetes.kinds import Resource

_ANY = "*"
AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"
SERVICE_ACCOUNTS_GROUP = "system:serviceaccounts"


@dataclasses.dataclass(frozen=True)
class Rule:
    """What may be done. ``resources`` names plurals and subresources (``pods``, ``pods/log``); ``*`` is any.

    ``namespaces`` restricts the rule as a RoleBinding does; a rule with named namespaces does not hold for cluster-wide
    requests. No ``resource_names`` means all.
    """

    verbs: tuple[str, ...]
    resources: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ("",)
    namespaces: tuple[str, ...] = (_ANY,)
    resource_names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class User:
    """An authenticated user."""

    name: str
    groups: tuple[str, ...] = (AUTHENTICATED,)
    uid: str = ""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What a request wants to do to a resource. Verbs are the API's: get, list, create, update, patch, delete."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


EVERYTHING = Rule(verbs=(_ANY,), resources=(_ANY,), api_groups=(_ANY,), paths=(_ANY,))

# ClusterRoles that every cluster binds to all authenticated users, and one that it binds to service accounts.
_BASIC_USER = (
    Rule(verbs=("create",), resources=("selfsubjectaccessreviews",), api_groups=("authorization.k8s.io",)),
    Rule(verbs=("create",), resources=("selfsubjectreviews",), api_groups=("authentication.k8s.io",)),
    Rule(
        verbs=("get",),
        paths=("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version", "/version/"),
    ),
)
_ISSUER_DISCOVERY = Rule(verbs=("get",), paths=("/.well-known/openid-configuration", "/openid/v1/jwks"))


class Access:
    """The users of a cluster and their rules."""

    def __init__(self, controller_token: str, unprivileged_token: str, granted: set[str] | None = None) -> None:
        """``granted`` collects the rights that were asked for and found in rules, as ``verb resource.group``."""
        self._granted = set() if granted is None else granted
        self._controller_token = controller_token
        self._unprivileged_token = unprivileged_token
        self._numbers = itertools.count(1)
        self._users: dict[str, User] = {}
        self._rules: dict[str, list[Rule]] = {}
        self.reset()

    def reset(self) -> None:
        """Back to the two users that the sandbox comes with, and to the controller's rights as an Entra user."""
        self._users = {
            self._controller_token: User("clusterAdmin", (MASTERS, AUTHENTICATED)),
            self._unprivileged_token: User("sandbox-unprivileged"),
        }
        self._rules = {
            "clusterAdmin": [EVERYTHING],
            CONTROLLER_OBJECT_ID: [EVERYTHING],
            "sandbox-unprivileged": [Rule(verbs=("get", "list"), resources=("namespaces",))],
        }

    def grant(self, token: str, rules: t.Iterable[Rule], name: str | None = None) -> User:
        """Add rules to the user of a token, who comes into being with the first of them."""
        user = self._users.get(token)
        if user is None:
            user = self._users[token] = User(name or f"sandbox-user-{next(self._numbers)}")
        self._rules.setdefault(user.name, []).extend(rules)
        return user

    def set_controller_rules(self, rules: t.Iterable[Rule], admin_token: str) -> None:
        """Leave the controller no other rights, by its own token or as an Entra user. The administrator's token is
        another one then."""
        self._users[self._controller_token] = User("controller")
        self._users[admin_token] = User("clusterAdmin", (MASTERS, AUTHENTICATED))
        granted = list(rules)
        self._rules |= {"controller": granted, CONTROLLER_OBJECT_ID: granted}

    def user_of(self, token: str) -> User | None:
        return self._users.get(token)

    def allows(self, user: User, attempt: Attempt) -> bool:
        allowed = any(_permits(rule, attempt) for rule in self._rules_of(user))
        if allowed:
            self._granted.add(f"{attempt.verb} {attempt.full_resource}.{attempt.group}".rstrip("."))
        return allowed

    def allows_path(self, user: User, verb: str, path: str) -> bool:
        return any(_permits_path(rule, verb, path) for rule in self._rules_of(user))

    def check(self, user: User, attempt: Attempt, resource: Resource | None = None) -> None:
        """``resource`` is None for one that the server does not have.

        :raises ApiError: 403.
        """
        if self.allows(user, attempt):
            return
        if resource is None:
            raise errors.forbidden_path(_refusal(user, attempt))
        raise errors.forbidden(resource, attempt.name, _refusal(user, attempt))

    def check_path(self, user: User, verb: str, path: str) -> None:
        """:raises ApiError: 403."""
        if not self.allows_path(user, verb, path):
            raise errors.forbidden_path(f'User "{user.name}" cannot {verb} path "{path}"')

    def _rules_of(self, user: User) -> t.Iterator[Rule]:
        yield from self._rules.get(user.name, ())
        yield from _BASIC_USER
        if SERVICE_ACCOUNTS_GROUP in user.groups:
            yield _ISSUER_DISCOVERY


def _refusal(user: User, attempt: Attempt) -> str:
    where = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
    what = f'cannot {attempt.verb} resource "{attempt.full_resource}" in API group "{attempt.group}"'
    return f'User "{user.name}" {what} {where}'


def _has(wanted: str, allowed: tuple[str, ...]) -> bool:
    return _ANY in allowed or wanted in allowed


def _permits(rule: Rule, attempt: Attempt) -> bool:
    resources = {attempt.full_resource, f"*/{attempt.subresource}"} if attempt.subresource else {attempt.resource}
    return (
        _has(attempt.verb, rule.verbs)
        and _has(attempt.group, rule.api_groups)
        and (_ANY in rule.resources or not resources.isdisjoint(rule.resources))
        and _has(attempt.namespace, rule.namespaces)
        and (not rule.resource_names or attempt.name in rule.resource_names)
    )


def _permits_path(rule: Rule, verb: str, path: str) -> bool:
    return _has(verb, rule.verbs) and any(
        path == allowed or (allowed.endswith(_ANY) and path.startswith(allowed[:-1])) for allowed in rule.paths
    )
