# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod template whose token comes from one source and from the other, in any order, and is as it was in the end."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ProjectedToken, WebhookToken
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_removal import (
    recorded_change,
    undo_pod_changes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PodWish,
    merge_pod_template,
    patched,
)

Json = dict[str, t.Any]

PLACE = "Deployment monitoring/prometheus"
ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
OLD = "/var/run/secrets/azure/tokens/azure-identity-token"
NEW = "/var/run/secrets/azure/wi/token/azure-identity-token"
LABEL = "azure.workload.identity/use"
TOKENS = (
    ProjectedToken(ROLE, "eu-west-1"),
    ProjectedToken(ROLE, "eu-west-1", "api://AzureADTokenExchange", 7200),
    WebhookToken(ROLE, "eu-west-1", OLD),
    WebhookToken(ROLE, "eu-west-1", NEW),
)


def template(**container: t.Any) -> Json:
    return {"metadata": {}, "spec": {"containers": [{"name": "prometheus", **container}]}}


class Pod:
    """A template with the record of what was changed in it."""

    def __init__(self, start: Json) -> None:
        self.template = copy.deepcopy(start)
        self.record: Json = {}

    def give(self, token: ProjectedToken | WebhookToken) -> tuple[str, ...]:
        change = merge_pod_template(self.template, PodWish("sa", token), PLACE, self.record)
        self.record = json.loads(json.dumps(recorded_change(self.record, change)))  # as an annotation holds it
        self.template = patched(self.template, change.patch)
        return change.summaries

    def undo(self) -> Json:
        return patched(self.template, undo_pod_changes(self.template, self.record, PLACE).patch)

    @property
    def variables(self) -> dict[str, str]:
        return {item["name"]: item["value"] for item in self.template["spec"]["containers"][0]["env"]}


_NAMES = st.sampled_from(["AWS_REGION", "AWS_WEB_IDENTITY_TOKEN_FILE", "GOMEMLIMIT"])
_VARIABLES = st.lists(
    st.fixed_dictionaries({"name": _NAMES, "value": st.sampled_from(["x", OLD, "eu-west-1"])}),
    unique_by=lambda item: item["name"],
    min_size=1,
)
_LABELS = st.dictionaries(st.sampled_from(["app", LABEL]), st.sampled_from(["true", "false"]))


@given(env=_VARIABLES, labels=_LABELS, order=st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6))
def test_any_order_of_sources_ends_as_the_last_one_alone_would_and_comes_undone(
    env: list[Json], labels: Json, order: list[ProjectedToken | WebhookToken]
) -> None:
    start = template(env=env)
    start["metadata"] = {"labels": labels} if labels else {}
    pod, alone = Pod(start), Pod(start)
    for token in order:
        pod.give(token)
        assert pod.give(token) == ()
    alone.give(order[-1])
    # A label that one source set stays while another has its turn: it does no harm.
    for each in (pod.template, alone.template):
        each["metadata"].get("labels", {}).pop(LABEL, None)
    assert pod.variables == alone.variables
    assert sorted(map(str, pod.template["spec"].get("volumes") or [])) == sorted(
        map(str, alone.template["spec"].get("volumes") or [])
    )
    pod_again = Pod(start)
    for token in order:
        pod_again.give(token)
    undone = pod_again.undo()
    undone["metadata"] = {key: value for key, value in undone["metadata"].items() if value}
    undone["spec"].pop("serviceAccountName", None)
    undone["spec"].pop("serviceAccount", None)
    assert undone == start


def test_the_webhook_s_token_brings_no_volume_and_the_label() -> None:
    pod = Pod(template())
    pod.give(TOKENS[2])
    assert pod.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] == OLD
    assert "volumes" not in pod.template["spec"]
    assert "volumeMounts" not in pod.template["spec"]["containers"][0]
    assert pod.template["metadata"]["labels"][LABEL] == "true"


def test_a_volume_that_somebody_changed_since_stays() -> None:
    pod = Pod(template())
    pod.give(TOKENS[0])
    pod.template["spec"]["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] = 900
    pod.give(TOKENS[2])
    assert [volume["name"] for volume in pod.template["spec"]["volumes"]] == ["aws-iam-token"]


def test_a_token_of_the_webhook_s_name_is_warned_of() -> None:
    start = template()
    token = {"audience": "a", "path": "azure-identity-token"}
    start["spec"]["volumes"] = [{"name": "other", "projected": {"sources": [{"serviceAccountToken": token}]}}]
    change = merge_pod_template(start, PodWish("sa", TOKENS[2]), PLACE)
    assert any("azure-identity-token" in warning and "other" in warning for warning in change.warnings)


@pytest.mark.parametrize("skipped", ["prometheus", "a; prometheus", "prometheus;b"])
def test_a_container_that_the_webhook_shall_skip_is_refused(skipped: str) -> None:
    start = template()
    start["metadata"] = {"annotations": {"azure.workload.identity/skip-containers": skipped}}
    with pytest.raises(errors.Refused, match="skip-containers"):
        merge_pod_template(start, PodWish("sa", TOKENS[2]), PLACE)
    assert merge_pod_template(start, PodWish("sa", TOKENS[0]), PLACE).summaries
