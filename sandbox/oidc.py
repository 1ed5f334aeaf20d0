# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters' OIDC issuers: discovery and keys, as AKS publishes them while a cluster's issuer is enabled.

Shape and path as in Kubernetes' service account issuer discovery
(https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#service-account-issuer-discovery).
"""

from __future__ import annotations

import flask

from sandbox import web
from sandbox.hosts import without_port
from sandbox.world import AksCluster, World


def create_app(world: World) -> flask.Flask:
    """The application that answers for every host ``<region>.oic.prod-aks.azure.com``."""
    app = web.make_app(world, "oidc")

    @app.get("/<tenant>/<guid>/.well-known/openid-configuration")
    def discovery(tenant: str, guid: str) -> flask.Response:
        web.name_operation("OpenIdConfiguration")
        cluster = _cluster(world, tenant, guid)
        return flask.jsonify(
            {
                "issuer": cluster.issuer_url,
                "jwks_uri": f"{cluster.issuer_url}openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    @app.get("/<tenant>/<guid>/openid/v1/jwks")
    def keys(tenant: str, guid: str) -> flask.Response:
        web.name_operation("JsonWebKeySet")
        return flask.jsonify({"keys": _cluster(world, tenant, guid).key_set()})

    return app


def _cluster(world: World, tenant: str, guid: str) -> AksCluster:
    """The cluster whose enabled issuer the request names; 404 when there is none."""
    cluster = world.cluster_of_issuer(f"https://{without_port(flask.request.host)}/{tenant}/{guid}/")
    if cluster is None:
        flask.abort(404)
    return cluster
