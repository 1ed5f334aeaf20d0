# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes a run's writes back from an object, and nothing else."""

from __future__ import annotations

import copy
import typing as t

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import patched
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_undo import (
    Written,
    is_untouched,
    undo_patch,
)

Json = dict[str, t.Any]

PLACE = CONFIG_MAP.at("c", "m")

_LEAF = st.one_of(st.integers(0, 3), st.text("ab", max_size=2), st.lists(st.integers(0, 2), max_size=2))
_TREE = st.recursive(_LEAF, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8)
_PART = st.dictionaries(st.sampled_from("abc"), _TREE, max_size=3)
_OBJECT = st.builds(
    lambda data, spec, annotations: body(data=data, spec=spec, annotations=annotations),
    st.dictionaries(st.sampled_from("abc"), st.text("xy", max_size=2), max_size=3),
    _PART,
    st.dictionaries(st.sampled_from("abc"), st.text("xy", max_size=2), max_size=3),
)


def body(
    *, data: Json | None = None, spec: Json | None = None, annotations: Json | None = None, uid: str = "u"
) -> Json:
    metadata = {"uid": uid, "resourceVersion": "1", "annotations": annotations or {}}
    return {"metadata": metadata, "data": data or {}, "spec": spec or {}, "status": {"x": 1}}


def content(found: Json) -> Json:
    return {
        "annotations": found["metadata"].get("annotations") or {},
        "data": found.get("data") or {},
        "spec": found.get("spec") or {},
    }


@given(before=_OBJECT, after=_OBJECT)
def test_the_patch_makes_of_the_object_what_it_was(before: Json, after: Json) -> None:
    patch = undo_patch(Written(PLACE, before, after))
    assert content(patched(after, patch)) == content(before)
    assert bool(patch) is (content(after) != content(before))
    assert "status" not in patch


@given(before=_OBJECT, after=_OBJECT, key=st.sampled_from("de"), value=st.text("xy", max_size=2))
def test_what_others_do_elsewhere_stays_and_is_no_hindrance(before: Json, after: Json, key: str, value: str) -> None:
    written = Written(PLACE, before, after)
    now = copy.deepcopy(after)
    now["data"][key] = value
    now["metadata"]["resourceVersion"] = "2"
    assert is_untouched(now, written)
    back = content(patched(now, undo_patch(written)))
    assert back["data"].pop(key) == value
    assert back == content(before)


@given(before=_OBJECT, after=_OBJECT, now=_OBJECT)
def test_only_what_the_run_changed_must_be_as_the_run_wrote_it(before: Json, after: Json, now: Json) -> None:
    found = is_untouched(now, Written(PLACE, before, after))
    if content(now) == content(after):
        assert found
    changed = {key for key in {*before["data"], *after["data"]} if before["data"].get(key) != after["data"].get(key)}
    if any(now["data"].get(key) != after["data"].get(key) for key in changed):
        assert not found


def test_another_object_of_the_name_is_never_touched() -> None:
    written = Written(PLACE, body(data={"a": "1"}), body(data={"a": "2"}))
    assert is_untouched(body(data={"a": "2"}), written)
    assert not is_untouched(body(data={"a": "2"}, uid="another"), written)


def test_what_controllers_note_is_not_put_back() -> None:
    revision = "deployment.kubernetes.io/revision"
    written = Written(PLACE, body(annotations={revision: "1"}), body(annotations={revision: "1"}, spec={"a": 1}))
    now = body(annotations={revision: "2"}, spec={"a": 1})
    assert is_untouched(now, written)
    assert undo_patch(written) == {"spec": {"a": None}}
