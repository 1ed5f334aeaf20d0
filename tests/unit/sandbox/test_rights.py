# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller with exactly the rights of documents: how they are read, and what each cloud makes of them."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes.rbac import rules_of
from sandbox.rights import GRAPH, AzureRole, Rights
from tests.unit.sandbox.aws_support import ACCOUNT, CONTROLLER_ARN, ROLE, ROLE_ARN, Aws, allow, failure, policy
from tests.unit.sandbox.azure_support import GraphClient, graph_refusal
from tests.unit.sandbox.kubernetes_support import MONITORING, new_api

if t.TYPE_CHECKING:
    from sandbox.world import Json

READ, WRITE = "Microsoft.ContainerService/managedClusters/read", "Microsoft.ContainerService/managedClusters/write"
GROUP = "/subscriptions/s/resourceGroups/g"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/c"
BOUNDARY = "arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"
OWNED, READ_ALL = "18a4783c-866b-4cc7-a460-3d5e5662c884", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"


def role(*actions: str, scope: str = GROUP, no: tuple[str, ...] = ()) -> Json:
    return {"Name": "r", "Actions": list(actions), "NotActions": list(no), "AssignableScopes": [scope]}


def permissions(*ids: str, kind: str = "Role", resource: str = GRAPH) -> list[Json]:
    return [{"resourceAppId": resource, "resourceAccess": [{"id": one, "type": kind} for one in ids]}]


def test_without_documents_a_cloud_has_no_limits() -> None:
    assert Rights.from_json({}) == Rights()
    assert Rights.from_json({"aws": []}) == Rights(aws=())


@pytest.mark.parametrize(
    ("documents", "complaint"),
    [
        ({"google": []}, "no cloud 'google'"),
        ({"azure": [{"Name": "r"}]}, "not complete: KeyError"),
        ({"graph": [permissions(OWNED, kind="Scope")]}, "type Role"),
        ({"graph": [permissions(OWNED, resource="other")]}, "other is not Microsoft Graph"),
        ({"graph": [permissions("unknown")]}, "not complete: KeyError"),
    ],
)
def test_what_is_no_document_is_refused(documents: Json, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Rights.from_json(documents)


@pytest.mark.parametrize(
    ("definition", "action", "scope", "allowed"),
    [
        (role(READ), READ, CLUSTER, True),
        (role(READ), READ.upper(), CLUSTER.upper(), True),
        (role(READ), WRITE, CLUSTER, False),
        (role(READ), READ, GROUP + "2", False),
        (role("Microsoft.ContainerService/*"), WRITE, CLUSTER, True),
        (role("*/read"), READ, CLUSTER, True),
        (role("*/read"), WRITE, CLUSTER, False),
        (role("*", no=(WRITE,)), WRITE, CLUSTER, False),
        (role("*", no=(WRITE,)), READ, CLUSTER, True),
        (role(READ, scope="/"), READ, CLUSTER, True),
    ],
)
def test_a_role_allows_its_actions_below_its_scopes(definition: Json, action: str, scope: str, allowed: bool) -> None:
    assert AzureRole.of(definition).allows(action, scope) is allowed


def test_an_owner_changes_its_applications_and_reads_no_other() -> None:
    azure = GraphClient()
    others = azure.directory.seed_application("others")
    azure.world.rights = Rights.from_json({"graph": [permissions(OWNED)]})
    own = azure.call("POST", "/applications", {"displayName": "own"}).get_json()
    assert azure.call("PATCH", f"/applications/{own['id']}", {"tags": ["x"]}).status_code == 204
    assert azure.call("POST", "/servicePrincipals", {"appId": own["appId"]}).status_code == 201
    assert len(azure.call("GET", "/applications").get_json()["value"]) == 2
    denied = (403, "Authorization_RequestDenied")
    assert graph_refusal(azure.call("GET", f"/applications/{others['id']}")) == denied
    assert graph_refusal(azure.call("PATCH", f"/applications/{others['id']}", {"tags": ["x"]})) == denied
    assert graph_refusal(azure.call("POST", "/servicePrincipals", {"appId": others["appId"]})) == denied
    azure.directory.add_owner()
    assert azure.call("PATCH", f"/applications/{others['id']}", {"tags": ["x"]}).status_code == 204


def test_a_reader_changes_nothing() -> None:
    azure = GraphClient()
    azure.directory.seed_application("others")
    azure.world.rights = Rights.from_json({"graph": [permissions(READ_ALL)]})
    assert azure.call("GET", "/applications").status_code == 200
    assert graph_refusal(azure.call("POST", "/applications", {"displayName": "x"}))[0] == 403
    assert azure.world.granted == {"Application.Read.All"}


def test_a_role_anywhere_in_a_subscription_shows_the_subscription() -> None:
    found = AzureRole.of(role(READ, scope="/subscriptions/Other/resourceGroups/g"))
    assert found.touches("other")
    assert not found.touches("another")


def test_tags_of_what_is_created_are_a_right_of_their_own() -> None:
    aws = Aws()
    aws.account.set_controller_policies(policy(allow("iam:CreateRole")))
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, '
    wish = {"RoleName": ROLE, "AssumeRolePolicyDocument": f'{trust}"Action": "sts:AssumeRole"}}]}}'}
    refusal = failure(lambda: aws.iam().create_role(**wish, Tags=[{"Key": "a", "Value": "b"}]))
    assert refusal[2].startswith(
        f"User: {CONTROLLER_ARN} is not authorized to perform: iam:TagRole on resource: {ROLE_ARN} because "
    )
    assert aws.iam().create_role(**wish)["Role"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"


def test_a_role_may_be_allowed_within_a_boundary_only() -> None:
    aws = Aws()
    bounded = {**allow("iam:*"), "Condition": {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}}
    aws.account.set_controller_policies(policy(bounded))
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, '
    wish = {"RoleName": ROLE, "AssumeRolePolicyDocument": f'{trust}"Action": "sts:AssumeRole"}}]}}'}
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "aps:*", "Resource": "*"}]}'
    assert "iam:CreateRole" in failure(lambda: aws.iam().create_role(**wish))[2]
    aws.iam().create_role(**wish, PermissionsBoundary=BOUNDARY)
    aws.iam().put_role_policy(RoleName=ROLE, PolicyName="p", PolicyDocument=document)
    assert "iam:GetRole" in failure(lambda: aws.iam().get_role(RoleName=ROLE))[2]  # reads know no boundary


def manifests(namespace: str = "monitoring", **rule: t.Any) -> list[Json]:
    place = {"name": "r", "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    given = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], **rule}
    return [
        {"kind": "Role", "metadata": place, "rules": [given]},
        {"kind": "RoleBinding", "metadata": place, "roleRef": reference, "subjects": []},
    ]


def test_bindings_give_their_roles_in_their_namespaces() -> None:
    api = new_api()
    api.server.set_controller_rules(rules_of(manifests()))
    assert api.call("GET", f"{MONITORING}/configmaps/none", {}).status_code == 404
    for path in (
        "/api/v1/namespaces/default/configmaps/none",
        f"{MONITORING}/configmaps",
        f"{MONITORING}/secrets/none",
    ):
        api.refused(api.call("GET", path, {}), 403, "Forbidden")


def test_a_role_that_is_not_bound_gives_nothing_and_a_missing_one_is_refused() -> None:
    found = manifests()
    assert rules_of(found[:1]) == []
    with pytest.raises(ValueError, match="RoleBinding r: there is no Role r"):
        rules_of(found[1:])


def test_rights_are_asked_before_it_is_looked_whether_there_is_such_a_resource() -> None:
    api = new_api()
    path = "/apis/networking.k8s.io/v1/namespaces/monitoring/ingresses"
    assert api.call("GET", path, {}).status_code == 404
    api.server.set_controller_rules([])
    message = api.refused(api.call("GET", path, {}), 403, "Forbidden")["message"]
    assert 'cannot list resource "ingresses" in API group "networking.k8s.io" in the namespace "monitoring"' in message
