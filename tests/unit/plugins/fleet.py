# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""More clusters and subscriptions in the sandbox, for the tests of lists: as ARM shows them, without API servers."""

from __future__ import annotations

import typing as t
import uuid

from sandbox import bodies
from sandbox.estate import RESOURCE_GROUP
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, AksCluster, Subscription

if t.TYPE_CHECKING:
    from sandbox.world import Json
    from tests.unit.plugins.azure_estate import AzureEstate

SECOND_SUBSCRIPTION = "5a0c9d52-6d4f-4a0e-8a57-2f0b6c1d9e02"


def add_cluster(
    estate: AzureEstate,
    name: str,
    *,
    group: str = RESOURCE_GROUP,
    subscription: str = AZURE_SUBSCRIPTION,
    location: str = "westeurope",
    tags: dict[str, str] | None = None,
    **properties: t.Any,
) -> Json:
    """Another cluster; its ARM body."""
    cluster = AksCluster(subscription, group, name, AZURE_TENANT, str(uuid.uuid4()), body={})
    cluster.body = bodies.managed_cluster(cluster, location=location, version="1.33.4", environment="test")
    cluster.body["tags"] = {"environment": "test"} if tags is None else tags
    cluster.body["properties"].update(properties)
    with estate.sandbox.world.lock:
        estate.sandbox.world.clusters.append(cluster)
    return cluster.body


def add_subscription(estate: AzureEstate, subscription_id: str = SECOND_SUBSCRIPTION, **values: t.Any) -> None:
    """Another subscription that the controller sees."""
    estate.sandbox.world.subscriptions.append(Subscription(subscription_id, "another", **values))
