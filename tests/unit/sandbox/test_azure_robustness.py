# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever JSON a client sends, ARM and Graph answer it: taken, or refused with an error of theirs."""

from __future__ import annotations

import copy
import typing as t

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import arm
from sandbox.arm.body import READ_ONLY
from sandbox.graph.schema import APPLICATION, CREDENTIAL, SERVICE_PRINCIPAL
from sandbox.world import Settings, World
from tests.unit.sandbox.azure_support import (
    API_VERSION,
    ARM,
    GraphClient,
    add_cluster,
    bearer,
    cluster_body,
    writes,
)
from tests.unit.sandbox.azure_support import CREDENTIAL as CREDENTIAL_BODY

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.world import Json

# An example is some HTTP requests: on a busy machine they may take long without anything being wrong.
_WITHOUT_DEADLINE = settings(deadline=None, max_examples=60)

_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "enabled", "x"]), inner),
    max_leaves=6,
)


def _bodies(names: Iterable[str]) -> st.SearchStrategy[Json]:
    """Bodies with some of these properties, of any value."""
    return st.dictionaries(st.sampled_from(sorted(names)), _VALUES, max_size=4)


@_WITHOUT_DEADLINE
@given(top=_bodies({*READ_ONLY, "location", "sku", "tags"}), properties=_bodies(cluster_body()["properties"]))
def test_arm_answers_any_put(top: Json, properties: Json) -> None:
    world = World(Settings(aks_operation_seconds=0.0))
    world.entra_key = _WORLD.entra_key
    cluster = add_cluster(world)
    sent = copy.deepcopy(cluster.body)
    sent["properties"].update(properties)
    sent.update(top)
    address = f"{cluster.body['id']}?api-version={API_VERSION}"
    response = arm.create_app(world).test_client().put(address, json=sent, headers=bearer(world, ARM))
    assert response.status_code in (200, 400, 409)
    assert writes(world) == (["ManagedClusters_CreateOrUpdate"] if response.status_code == 200 else [])


@_WITHOUT_DEADLINE
@given(_bodies([*APPLICATION.properties, "@odata.type", "unknown"]))
def test_graph_answers_any_application(sent: Json) -> None:
    for body in (sent, {"displayName": "one", **sent}):
        assert _GRAPH.call("POST", "/applications", body).status_code in (201, 400, 409)
    assert _GRAPH.call("PATCH", f"/applications/{_APPLICATION['id']}", sent).status_code in (204, 400, 409)
    assert _GRAPH.get("/applications", top="999")["value"]


@_WITHOUT_DEADLINE
@given(_bodies(SERVICE_PRINCIPAL.properties))
def test_graph_answers_any_service_principal(sent: Json) -> None:
    body = {"appId": _APPLICATION["appId"], **sent}
    assert _GRAPH.call("POST", "/servicePrincipals", body).status_code in (201, 400, 409)
    path = f"/servicePrincipals(appId='{_APPLICATION['appId']}')"
    assert _GRAPH.call("PATCH", path, sent).status_code in (204, 400, 404)


@_WITHOUT_DEADLINE
@given(_bodies(CREDENTIAL.properties))
def test_graph_answers_any_credential(sent: Json) -> None:
    path = f"/applications/{_APPLICATION['id']}/federatedIdentityCredentials"
    for body in (sent, {**CREDENTIAL_BODY, **sent}):
        assert _GRAPH.call("POST", path, body).status_code in (201, 400, 409)
    assert _GRAPH.call("PATCH", f"{path}/prometheus-sa", sent).status_code in (204, 400, 404)


# One of each for all examples: a signing key takes longer to make than a hundred requests.
_WORLD = World()
_GRAPH = GraphClient()
_APPLICATION = _GRAPH.directory.seed_application("one")
