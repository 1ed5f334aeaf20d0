# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports to test with: hand-made ones, and strategies for any."""

from __future__ import annotations

import dataclasses
import typing as t

from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    ChainLink,
    Cluster,
    Drift,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

NOW: t.Final = "2026-05-04T03:02:01Z"
EARLIER: t.Final = "2026-05-03T03:02:01Z"
HOSTILE: t.Final = "<script>alert(1)</script> \"'&amp; | `x` [a](javascript:b) ]]> {{ 7 * 7 }}"


def drift(kind: str = "client_id_missing", severity: Severity = Severity.HIGH, **fields: t.Any) -> Drift:
    return dataclasses.replace(
        Drift(
            kind=kind,
            severity=severity,
            meaning="The IAM OIDC provider lost the client ID sts.amazonaws.com.",
            repair="Add client ID sts.amazonaws.com.",
            action="update",
            object_kind="IAM OIDC provider",
            object_name="https://issuer.example/",
            before='{\n  "client_ids": []\n}',
            after='{\n  "client_ids": [\n    "sts.amazonaws.com"\n  ]\n}',
        ),
        **fields,
    )


def cluster(name: str, **steps: Step) -> Cluster:
    """A cluster in sync but for these steps."""
    return Cluster(name, tuple(steps.get(step, Step(step, Status.IN_SYNC)) for step in STEPS))


def drifted(name: str, *drifts: Drift) -> Cluster:
    return cluster(name, iam_web_identity=Step("iam_web_identity", Status.DRIFTED, "", drifts or (drift(),)))


_texts = st.one_of(st.text(max_size=20), st.just(HOSTILE))
_lines = st.lists(st.text(alphabet='ab<&"{} ', max_size=5), max_size=8).map("\n".join)


_last_changes = st.none() | st.builds(LastChange, _texts, st.just(EARLIER), st.sampled_from(Told))


@st.composite
def _steps(draw: st.DrawFn) -> tuple[Step, ...]:
    made = []
    for name in STEPS:
        status = draw(st.sampled_from(Status))
        kinds = draw(st.lists(st.sampled_from(("a_missing", "b_changed", "c_wide")), unique=True, max_size=3))
        drifts = tuple(
            Drift(
                kind,
                draw(st.sampled_from(Severity)),
                draw(_texts),
                draw(_texts),
                draw(st.sampled_from(("create", "update", "delete"))),
                draw(_texts),
                draw(_texts),
                draw(_lines),
                draw(_lines),
                since=EARLIER,
                new=draw(st.sampled_from((None, True, False))),
                last_changed_by=draw(_last_changes),
            )
            for kind in kinds
            if status in (Status.DRIFTED, Status.FAILED)
        )
        made.append(Step(name, status, draw(_texts), drifts))
    return tuple(made)


_links = st.builds(
    ChainLink, _texts, st.sampled_from(("ok", "broken", "unknown")), _texts, expected=_texts, found=_texts, fix=_texts
)
_clusters = st.builds(Cluster, st.text(min_size=1, max_size=12), _steps(), st.lists(_links, max_size=3).map(tuple))
#: Any report; clusters differ by name.
REPORTS: t.Final = st.builds(
    Report, st.just(NOW), st.lists(_clusters, max_size=4, unique_by=lambda one: one.name).map(tuple)
)
