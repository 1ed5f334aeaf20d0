# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form that Kubernetes objects must have before the collection reads them."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    MUTATING_WEBHOOKS,
    NAMESPACE,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_shapes import Misshapen, shaped, shaped_page

METADATA = {"name": "prometheus", "namespace": "monitoring", "uid": "1", "resourceVersion": "2"}
FOUND: dict[str, t.Any] = {
    "metadata": METADATA,
    "spec": {"template": {"spec": {"containers": [{"name": "prometheus"}]}}, "selector": {}},
}


def changed(path: tuple[str | int, ...], value: object) -> dict[str, t.Any]:
    body = copy.deepcopy(FOUND)
    node: t.Any = body
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return body


def test_what_is_well_shaped_stays_as_it_is() -> None:
    body = changed(("spec", "replicas"), 3)
    body["spec"]["unknown"] = [None, {"to": "us"}]
    assert shaped(DEPLOYMENT, body) == body


def test_null_is_absent_where_the_field_is_known() -> None:
    body = changed(("metadata", "labels"), None)
    body["spec"]["template"]["spec"]["volumes"] = None
    assert shaped(DEPLOYMENT, body) == FOUND


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("metadata",), [], "Deployment.metadata is no object"),
        (("metadata", "uid"), None, "Deployment.metadata has no uid"),
        (("metadata", "namespace"), None, "Deployment.metadata has no namespace"),
        (("metadata", "labels"), {"a": 1}, "Deployment.metadata.labels.a is no str"),
        (("spec", "replicas"), True, "Deployment.spec.replicas is no int"),
        (("spec", "template", "spec", "containers"), {}, "Deployment.spec.template.spec.containers is no list"),
        (
            ("spec", "template", "spec", "containers", 0),
            "x",
            "Deployment.spec.template.spec.containers[0] is no object",
        ),
    ],
)
def test_what_is_not_well_shaped_is_named(path: tuple[str | int, ...], value: object, problem: str) -> None:
    with pytest.raises(Misshapen) as caught:
        shaped(DEPLOYMENT, changed(path, value))
    assert str(caught.value) == problem


def test_a_page_has_objects_and_a_token() -> None:
    item = {"metadata": METADATA}
    assert shaped_page(CONFIG_MAP, {"metadata": {"continue": "more"}, "items": [item]}) == ([item], "more")
    assert shaped_page(CONFIG_MAP, {"metadata": None, "items": None}) == ([], "")
    with pytest.raises(Misshapen, match="is no list"):
        shaped_page(CONFIG_MAP, {"items": {"a": 1}})


def test_objects_without_a_namespace_need_none() -> None:
    item = {"metadata": {"name": "monitoring", "uid": "1", "resourceVersion": "2"}}
    assert shaped(NAMESPACE, item) == item


@pytest.mark.parametrize(
    ("selector", "problem"),
    [
        (True, "objectSelector is no object"),
        ({"matchLabels": ["azure.workload.identity/use"]}, "objectSelector.matchLabels is no object"),
    ],
)
def test_what_selects_the_pods_of_a_webhook_has_its_form(selector: object, problem: str) -> None:
    metadata = {"name": "inject", "uid": "1", "resourceVersion": "2"}
    with pytest.raises(Misshapen) as caught:
        shaped(MUTATING_WEBHOOKS, {"metadata": metadata, "webhooks": [{"name": "inject", "objectSelector": selector}]})
    assert str(caught.value) == f"MutatingWebhookConfiguration.webhooks[0].{problem}"


def test_what_is_told_of_a_namespace_has_its_form() -> None:
    item = {"metadata": {"name": "monitoring", "uid": "1", "resourceVersion": "2"}}
    with pytest.raises(Misshapen, match=r"\ANamespace.status is no object\Z"):
        shaped(NAMESPACE, {**item, "status": ["Terminating"]})
    assert shaped(NAMESPACE, {**item, "status": {"phase": "Active"}})["status"] == {"phase": "Active"}


def test_what_is_told_of_a_cron_job_has_its_form() -> None:
    item = {"metadata": METADATA, "spec": {"jobTemplate": {"spec": {"template": FOUND["spec"]["template"]}}}}
    with pytest.raises(Misshapen, match=r"\ACronJob.status is no object\Z"):
        shaped(CRON_JOB, {**item, "status": ["done"]})
    assert shaped(CRON_JOB, {**item, "status": {"active": []}})["status"] == {"active": []}
