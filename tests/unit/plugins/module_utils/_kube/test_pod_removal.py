# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web identity taken out of pod templates: what was there comes back, what others changed or use stays."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ProjectedToken
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_removal import (
    recorded_change,
    undo_pod_changes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PodChange,
    PodWish,
    merge_pod_template,
    patched,
)

Json = dict[str, t.Any]

ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
TOKEN = ProjectedToken(ROLE, "eu-central-1")
WISH = PodWish("prometheus-sa", TOKEN, pod_label=True)
PLACE = "Deployment monitoring/prometheus"
LABEL = "azure.workload.identity/use"

_volume_of_ours = {
    "name": TOKEN.volume_name,
    "projected": {
        "defaultMode": 420,
        "sources": [{"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": TOKEN.file_name}}],
    },
}
_variables = st.lists(
    st.builds(
        lambda name, value: {"name": name, "value": value},
        st.sampled_from(["GOMEMLIMIT", "AWS_REGION", "AWS_ROLE_ARN", "AWS_STS_REGIONAL_ENDPOINTS"]),
        st.sampled_from(["", "x", "eu-central-1", ROLE]),
    ),
    max_size=4,
    unique_by=lambda variable: variable["name"],
)
_mounts = st.lists(st.sampled_from([{"name": "config", "mountPath": "/etc/prometheus"}]), max_size=1)


@st.composite
def templates(draw: st.DrawFn) -> Json:
    """Templates of an ordinary Prometheus, as an API server keeps them: without empty lists."""
    container = {"name": "prometheus", "image": "p", "env": draw(_variables), "volumeMounts": draw(_mounts)}
    volumes = draw(st.lists(st.sampled_from([{"name": "config", "emptyDir": {}}, _volume_of_ours]), max_size=2))
    spec = {
        "containers": [{"name": "sidecar"}, {key: value for key, value in container.items() if value}],
        "volumes": [volume for index, volume in enumerate(volumes) if volume not in volumes[:index]],
    }
    name = draw(st.sampled_from([None, "default", "metrics", "prometheus-sa"]))
    if name is not None:
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    labels = draw(st.dictionaries(st.sampled_from(["app", LABEL]), st.sampled_from(["true", "x"]), max_size=2))
    return {"metadata": {"labels": labels}, "spec": {key: value for key, value in spec.items() if value}}


def served(template: Json) -> Json:
    """The template as an API server answers it, which mirrors the service account's name and fills in a mode."""
    spec = dict(template["spec"])
    name = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if name:
        spec["serviceAccountName"] = spec["serviceAccount"] = name
    if spec.get("volumes"):
        spec["volumes"] = [_with_mode(volume) for volume in spec["volumes"]]
    return {**template, "spec": spec}


def _with_mode(volume: Json) -> Json:
    if "projected" not in volume:
        return volume
    return {**volume, "projected": {"defaultMode": 420, **volume["projected"]}}


def federated(template: Json, wish: PodWish = WISH, record: Json | None = None) -> tuple[Json, Json]:
    """The template with the identity, and the record."""
    change = merge_pod_template(template, wish, PLACE)
    return served(patched(template, change.patch)), recorded_change(record or {}, change)


def undone(template: Json, record: Json) -> tuple[PodChange, Json]:
    before = copy.deepcopy(template)
    change = undo_pod_changes(template, record, PLACE)
    assert template == before, "the template that was read has been changed"
    return change, served(patched(template, change.patch))


@given(templates(), st.booleans())
def test_what_was_there_comes_back(template: Json, twice: bool) -> None:
    try:
        after, record = federated(template)
    except errors.Refused:
        return
    if twice:
        other = dataclasses.replace(WISH, token=ProjectedToken(f"{ROLE}-2", "us-east-1", expiration_seconds=7200))
        after, record = federated(after, other, record)
    change, restored = undone(after, record)
    assert restored == template
    assert change.warnings == ()
    assert bool(change.summaries) == (after != template)


def plain() -> Json:
    return {
        "metadata": {"labels": {"app": "prometheus"}},
        "spec": {"containers": [{"name": "prometheus"}, {"name": "sidecar"}]},
    }


def container(template: Json) -> Json:
    return t.cast("Json", template["spec"]["containers"][0])


def test_diff_and_summaries_say_what_goes() -> None:
    change, _unused = undone(*federated(plain()))
    assert change.after == {}
    assert set(change.before) == {"serviceAccountName", "containers", "volumes", "labels"}
    assert "run as the service account default again" in change.summaries
    assert "remove AWS_ROLE_ARN" in change.summaries


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: t["spec"].update(serviceAccountName="mine"),
            f"The service account of {PLACE} is kept: it is mine by now.",
        ),
        (
            lambda t: container(t)["env"][0].update(value="other"),
            f"AWS_ROLE_ARN in the container prometheus of {PLACE} is kept: it was changed since.",
        ),
        (
            lambda t: t["spec"]["containers"][1].update(
                volumeMounts=[{"name": TOKEN.volume_name, "mountPath": "/token"}]
            ),
            f"The volume {TOKEN.volume_name} of {PLACE} is kept: it is mounted by sidecar.",
        ),
        (
            lambda t: t["spec"]["volumes"][0].update(projected={"sources": []}),
            f"The volume {TOKEN.volume_name} of {PLACE} is kept",
        ),
        (lambda t: t["metadata"]["labels"].update({LABEL: "false"}), f"The pods' label {LABEL} of {PLACE} is kept"),
    ],
)
def test_what_others_changed_or_use_is_kept_and_said(change: t.Callable[[Json], object], words: str) -> None:
    template, record = federated(plain())
    template = copy.deepcopy(template)
    change(template)
    undoing, after = undone(template, record)
    (warning,) = undoing.warnings
    assert words in warning
    assert len(undoing.summaries) >= 5
    assert undone(after, {})[0].summaries == ()


def test_parts_that_are_gone_already_are_no_change() -> None:
    _unused, record = federated(plain())
    change, after = undone(plain(), record)
    assert (change.patch, change.summaries) == ({}, ())
    assert after == plain()
    renamed = plain()
    renamed["spec"]["containers"] = [{"name": "another"}]
    assert undone(renamed, record)[0].patch == {}
