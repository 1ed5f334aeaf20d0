# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM: the list of subscriptions, and a subscription that the controller's role does not cover."""

from __future__ import annotations

import typing as t

import pytest

from sandbox import arm
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, Settings, Subscription, World
from tests.unit.sandbox.azure_support import API_VERSION, ARM, STRANGER, add_cluster, bearer, writes

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

SECOND = "5a0c9d52-6d4f-4a0e-8a57-2f0b6c1d9e02"
_SUBSCRIPTIONS = "2022-12-01"


@pytest.fixture
def world() -> World:
    world = World(Settings(arm_page_size=1))
    world.subscriptions.append(Subscription(SECOND, "second", state="Disabled", readable=False))
    add_cluster(world)
    return world


def get(world: World, path: str, headers: dict[str, str] | None = None, **query: str) -> TestResponse:
    client = arm.create_app(world).test_client()
    query = query or {"api-version": _SUBSCRIPTIONS if path.lower() == "/subscriptions" else API_VERSION}
    return client.get(path, query_string=query, headers=bearer(world, ARM) if headers is None else headers)


def code(response: TestResponse) -> tuple[int, str]:
    return response.status_code, str((response.get_json() or {})["error"]["code"])


def test_the_list_comes_in_pages_in_the_services_shape(world: World) -> None:
    first = get(world, "/Subscriptions").get_json() or {}
    assert first["count"] == {"type": "Total", "value": 1}
    (one,) = first["value"]
    assert one["id"] == f"/subscriptions/{AZURE_SUBSCRIPTION}"
    assert one["subscriptionId"] == AZURE_SUBSCRIPTION
    assert one["tenantId"] == AZURE_TENANT
    assert one["state"] == "Enabled"
    second = arm.create_app(world).test_client().get(first["nextLink"], headers=bearer(world, ARM)).get_json() or {}
    assert [(each["subscriptionId"], each["state"]) for each in second["value"]] == [(SECOND, "Disabled")]
    assert "nextLink" not in second
    assert [one.operation for one in world.log.since()] == ["Subscriptions_List"] * 2
    assert writes(world) == []


def test_who_has_no_role_sees_no_subscription(world: World) -> None:
    answer = get(world, "/subscriptions", bearer(world, ARM, STRANGER))
    assert answer.status_code == 200
    assert (answer.get_json() or {})["value"] == []


def test_the_list_needs_a_token_and_an_api_version(world: World) -> None:
    assert code(get(world, "/subscriptions", {})) == (401, "AuthenticationFailed")
    assert code(get(world, "/subscriptions", x="y")) == (400, "MissingApiVersionParameter")


@pytest.mark.parametrize("subscription", [SECOND, SECOND.upper()])
def test_a_subscription_that_the_role_does_not_cover_is_refused(world: World, subscription: str) -> None:
    path = f"/subscriptions/{subscription}/providers/Microsoft.ContainerService/managedClusters"
    assert code(get(world, path)) == (403, "AuthorizationFailed")


def test_the_subscriptions_that_are_covered_are_not_refused(world: World) -> None:
    path = f"/subscriptions/{AZURE_SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters"
    assert get(world, path).status_code == 200


def test_a_known_subscription_without_clusters_has_an_empty_list(world: World) -> None:
    world.subscriptions[1].readable = True
    answer = get(world, f"/subscriptions/{SECOND}/providers/Microsoft.ContainerService/managedClusters")
    assert answer.get_json() == {"value": []}


def test_a_version_that_was_never_served_is_refused(world: World) -> None:
    answer = get(world, "/subscriptions", **{"api-version": "2022-12-31"})
    assert code(answer) == (400, "InvalidApiVersionParameter")
    assert get(world, "/subscriptions", **{"api-version": "2022-12-01"}).status_code == 200
