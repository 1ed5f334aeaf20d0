# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM's list of the subscriptions that the caller sees (https://learn.microsoft.com/rest/api/resources/subscriptions/list).

It needs no right: who has no role on any subscription gets an empty list.
"""

from __future__ import annotations

import typing as t

import flask

from sandbox import web
from sandbox.arm import access, errors, query
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from sandbox.world import Json, Subscription, World

_API_VERSIONS = (
    *("2022-12-01", "2021-10-01", "2021-01-01", "2020-01-01", "2019-11-01", "2019-06-01", "2019-05-01", "2018-06-01"),
    *("2016-06-01", "2015-11-01", "2014-04-01"),
)


def create_blueprint(world: World) -> flask.Blueprint:
    """The route of the list."""
    routes = flask.Blueprint("subscriptions", __name__)

    @routes.get("/subscriptions", provide_automatic_options=False)
    def list_subscriptions() -> flask.Response:
        web.name_operation("Subscriptions_List")
        caller = access.authenticated(world, flask.request.headers.get("Authorization"))
        version = query.require_api_version()
        if version not in _API_VERSIONS:
            message = f"The api-version '{version}' is invalid. The supported versions are '{','.join(_API_VERSIONS)}'."
            raise errors.gateway(400, "InvalidApiVersionParameter", message)
        with world.lock:
            seen = [one for one in world.subscriptions if caller.is_controller and access.sees(world, one.id)]
            answer = query.page(seen, world.settings.arm_page_size, _view)
            answer["count"] = {"type": "Total", "value": len(answer["value"])}
        return flask.jsonify(answer)

    return routes


def _view(subscription: Subscription) -> Json:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": AZURE_TENANT,
        "displayName": subscription.name,
        "state": subscription.state,
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "EnterpriseAgreement_2014-09-01",
            "spendingLimit": "Off",
        },
    }
