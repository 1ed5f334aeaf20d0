# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's API (query protocol, version 2010-05-08) at iam.amazonaws.com.

moto parses and serialises; signature, parameters, permissions and the rules in :mod:`sandbox.aws.iam_store` come on
top. https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import copy
import typing as t

from moto.core.responses import ActionResult, EmptyResult
from moto.core.serialize import url_encode
from moto.iam.responses import IamResponse

from sandbox import web
from sandbox.aws import query
from sandbox.aws.effective import IamView
from sandbox.aws.errors import AwsError
from sandbox.aws.iam_store import check_provider_url
from sandbox.aws.issuers import IssuerUnreachableError
from sandbox.aws.policy import Decision, Question, evaluate
from sandbox.aws.shared import Stale
from sandbox.aws.sigv4 import Scope
from sandbox.world import AWS_ACCOUNT

if t.TYPE_CHECKING:
    import flask

    from sandbox.aws.effective import RoleView
    from sandbox.aws.iam_store import IamStore
    from sandbox.aws.identities import Identity
    from sandbox.aws.requests import AwsRequest
    from sandbox.aws.shared import Account
    from sandbox.world import Json, World

_SCOPE = Scope(service="iam", region="us-east-1")
_READS = ("Get", "List", "Simulate")

# The operations that are served, by the parameter that names the resource; "" where it is the whole account.
_RESOURCES = {
    "OpenIDConnectProviderArn": (
        "GetOpenIDConnectProvider",
        "UpdateOpenIDConnectProviderThumbprint",
        "AddClientIDToOpenIDConnectProvider",
        "RemoveClientIDFromOpenIDConnectProvider",
        "DeleteOpenIDConnectProvider",
        "TagOpenIDConnectProvider",
        "UntagOpenIDConnectProvider",
        "ListOpenIDConnectProviderTags",
    ),
    "Url": ("CreateOpenIDConnectProvider",),
    "RoleName": (
        "CreateRole",
        "GetRole",
        "UpdateRole",
        "UpdateRoleDescription",
        "UpdateAssumeRolePolicy",
        "DeleteRole",
        "PutRolePolicy",
        "GetRolePolicy",
        "DeleteRolePolicy",
        "ListRolePolicies",
        "AttachRolePolicy",
        "DetachRolePolicy",
        "ListAttachedRolePolicies",
        "ListInstanceProfilesForRole",
        "PutRolePermissionsBoundary",
        "DeleteRolePermissionsBoundary",
        "TagRole",
        "UntagRole",
        "ListRoleTags",
    ),
    "PolicyArn": (
        "GetPolicy",
        "DeletePolicy",
        "CreatePolicyVersion",
        "GetPolicyVersion",
        "ListPolicyVersions",
        "DeletePolicyVersion",
        "SetDefaultPolicyVersion",
        "ListEntitiesForPolicy",
        "TagPolicy",
        "UntagPolicy",
        "ListPolicyTags",
    ),
    "PolicySourceArn": ("SimulatePrincipalPolicy",),
    "PolicyName": ("CreatePolicy",),
    "InstanceProfileName": (
        "CreateInstanceProfile",
        "AddRoleToInstanceProfile",
        "RemoveRoleFromInstanceProfile",
    ),
    "": ("ListOpenIDConnectProviders", "ListRoles", "ListPolicies"),
}
#: Creations that need a second right for the tags that they carry.
_TAGGING = {
    "CreateOpenIDConnectProvider": "TagOpenIDConnectProvider",
    "CreateRole": "TagRole",
    "CreatePolicy": "TagPolicy",
}
_ATTACHING = frozenset({"AttachRolePolicy", "DetachRolePolicy"})
#: Operations that can be allowed for roles of one boundary only.
_BOUNDED = _ATTACHING | {
    "CreateRole",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutRolePermissionsBoundary",
    "DeleteRolePermissionsBoundary",
}
_RESOURCE_PARAMETER = {operation: parameter for parameter, names in _RESOURCES.items() for operation in names}


class _Front(IamResponse):
    """moto's view of one request, over this account's own objects."""

    RESPONSE_KEY_PATH_TO_TRANSFORMER = IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER | {
        "GetPolicyVersionResponse.PolicyVersion.Document": url_encode,
        "ListRolesResponse.Roles.Role.AssumeRolePolicyDocument": url_encode,
    }

    def __init__(self, store: IamStore) -> None:
        super().__init__()
        self._store = store

    @property
    def backend(self) -> IamStore:
        return self._store

    def update_role(self) -> ActionResult:
        """moto fills in what is not given."""
        self.backend.update_role(
            self._get_param("RoleName"), self._get_param("Description"), self._get_param("MaxSessionDuration")
        )
        return EmptyResult()

    # The next two are missing in moto. It finds methods by the operation's name in snake case, as it spells it.

    def add_client_id_to_open_id_connect_provider(self) -> ActionResult:
        self.backend.add_client_id(self._get_param("OpenIDConnectProviderArn"), self._get_param("ClientID"))
        return EmptyResult()

    def remove_client_id_from_open_id_connect_provider(self) -> ActionResult:
        self.backend.remove_client_id(self._get_param("OpenIDConnectProviderArn"), self._get_param("ClientID"))
        return EmptyResult()

    def simulate_principal_policy(self) -> ActionResult:
        """Of a role, without the organization's policies, which an account does not show
        (https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html)."""
        arn = self._get_param("PolicySourceArn")
        role = IamView.of(self.backend).roles.get(arn)
        if role is None:
            raise AwsError("NoSuchEntity", f"The role with name {arn.rpartition('/')[2]} cannot be found.", 404)
        results = [
            _simulated(role, action, resource)
            for action in self._get_param("ActionNames")
            for resource in self._get_param("ResourceArns") or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})


_DECISIONS = {
    Decision.ALLOW: "allowed",
    Decision.DENY: "explicitDeny",
    Decision.IMPLICIT_DENY: "implicitDeny",
}


def _simulated(role: RoleView, action: str, resource: str) -> Json:
    """One result; a boundary is an upper limit, and what it says is told apart."""
    question = Question(action=action, resource=resource)
    own = evaluate(role.policies, question)
    result: Json = {"EvalActionName": action, "EvalResourceName": resource}
    if role.boundary is None:
        return result | {"EvalDecision": _DECISIONS[own]}
    bound = evaluate([role.boundary], question)
    both = own if bound is Decision.ALLOW else Decision.DENY if Decision.DENY in (own, bound) else bound
    return result | {
        "EvalDecision": _DECISIONS[both],
        "PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": bound is Decision.ALLOW},
    }


def create_app(world: World, account: Account) -> flask.Flask:
    """The application for iam.amazonaws.com."""

    def handle(request: AwsRequest, operation: str) -> flask.Response:
        caller = account.caller(request, _SCOPE)
        reads = operation.startswith(_READS)
        with world.lock:
            front = _Front(account.shown_store() if reads else account.store)
        params = query.parse(front, request, "iam", operation)
        _authorize(account, caller, operation, params)
        if operation == "CreateOpenIDConnectProvider":
            _add_thumbprint(account, params)
        with world.lock:
            if not reads:
                _go_stale(account)
            response = query.act(front)
            if response.status_code < 400 and not reads:
                delay = world.settings.iam_propagation_seconds + web.late_seconds()
                account.effective.change(IamView.of(account.store), account.clock() + delay)
                web.mark_write()
        return response

    return query.create_app(world, "iam", frozenset(_RESOURCE_PARAMETER), handle)


def _go_stale(account: Account) -> None:
    """When the current write is late, readers see until then what is there now, or what they have seen till now."""
    late = web.late_seconds()
    if late:
        until = account.clock() + late
        shown, before = account.shown_store(), account.stale
        store = copy.deepcopy(shown) if before is None else shown
        account.stale = Stale(store, until if before is None else max(until, before.until))


def _authorize(account: Account, caller: Identity, operation: str, params: Json) -> None:
    resource, context = _resource(account, operation, params), _context(account, operation, params)
    account.require(caller, f"iam:{operation}", resource, context)
    if params.get("Tags") and operation in _TAGGING:
        account.require(caller, f"iam:{_TAGGING[operation]}", resource)


def _context(account: Account, operation: str, params: Json) -> dict[str, tuple[str, ...]]:
    """IAM's own condition keys
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html): the boundary that a
    role is given, else the one that it has, and the policy that is attached or detached."""
    boundary, policy, name = params.get("PermissionsBoundary"), params.get("PolicyArn"), params.get("RoleName")
    with account.world.lock:
        bounds = [role.permissions_boundary_arn for role in account.store.get_roles() if role.name == name]
    boundary = boundary or next(iter(bounds), None)
    if operation not in _BOUNDED:
        boundary = None
    found = {"iam:permissionsboundary": boundary, "iam:policyarn": policy if operation in _ATTACHING else None}
    return {key: (str(value),) for key, value in found.items() if value}


def _resource(account: Account, operation: str, params: Json) -> str:
    """The ARN that policies are asked about."""
    parameter = _RESOURCE_PARAMETER[operation]
    value = str(params.get(parameter, ""))
    prefix = f"arn:aws:iam::{AWS_ACCOUNT}:"
    if parameter == "Url":
        return f"{prefix}oidc-provider/{value.removeprefix('https://')}"
    if parameter == "RoleName":
        with account.world.lock:
            existing = [role.arn for role in account.store.get_roles() if role.name == value]
        return existing[0] if existing else f"{prefix}role{params.get('Path', '/')}{value}"
    if parameter == "InstanceProfileName":
        return f"{prefix}instance-profile{params.get('Path', '/')}{value}"
    if parameter == "PolicyName":
        return f"{prefix}policy{params.get('Path', '/')}{value}"
    return value or f"{prefix}*"


def _add_thumbprint(account: Account, params: Json) -> None:
    """Without thumbprints IAM asks the issuer itself. No lock may be held meanwhile: the issuer is a service here."""
    check_provider_url(params["Url"])
    if params.get("ThumbprintList"):
        return
    try:
        params["ThumbprintList"] = [account.issuers.thumbprint(params["Url"])]
    except IssuerUnreachableError as error:
        raise AwsError("OpenIdIdpCommunicationError", f"Could not connect to {params['Url']}") from error
