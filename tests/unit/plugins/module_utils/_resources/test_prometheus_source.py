# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration in a ConfigMap or a Secret, as text or packed: what is read, and what goes back."""

from __future__ import annotations

import base64
import gzip
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP, SECRET
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import patched
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_source
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource

Json = dict[str, t.Any]

MAP = TextSource(CONFIG_MAP.at("c", "monitoring"), "prometheus.yml")
HIDDEN = TextSource(SECRET.at("c", "monitoring"), "prometheus.yml")


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def stored(form: str, text: str) -> tuple[TextSource, Json]:
    """A text in one of the places in which it may be, beside another key."""
    plain, packed = base64_of(text.encode()), base64_of(gzip.compress(text.encode(), 1, mtime=7))
    objects: dict[str, tuple[TextSource, Json]] = {
        "map": (MAP, {"data": {"prometheus.yml": text, "other": "x"}}),
        "map binary": (MAP, {"data": {"other": "x"}, "binaryData": {"prometheus.yml": plain}}),
        "map packed": (MAP, {"binaryData": {"prometheus.yml": packed, "other": plain}}),
        "secret": (HIDDEN, {"data": {"prometheus.yml": plain, "other": plain}}),
        "secret packed": (HIDDEN, {"data": {"prometheus.yml": packed, "other": plain}}),
    }
    return objects[form]


FORMS = ("map", "map binary", "map packed", "secret", "secret packed")


@pytest.mark.parametrize("form", FORMS)
@given(text=st.text(st.characters(codec="utf-8")), other=st.text(st.characters(codec="utf-8")))
def test_a_text_goes_back_as_it_came(form: str, text: str, other: str) -> None:
    source, found = stored(form, text)
    assert source.is_in(found)
    assert source.text_of(found) == text
    after = patched(found, source.patch(found, other))
    assert source.text_of(after) == other
    field = next(name for name in ("data", "binaryData") if "prometheus.yml" in found.get(name, {}))
    assert after.keys() == found.keys()
    assert {k: v for k, v in after[field].items() if k != "prometheus.yml"} == {
        k: v for k, v in found[field].items() if k != "prometheus.yml"
    }
    if form != "map":
        packed = [base64.b64decode(item[field]["prometheus.yml"]).startswith(b"\x1f\x8b") for item in (found, after)]
        assert packed == [form.endswith("packed")] * 2
    assert source.patch(found, other) == source.patch(found, other)


def test_packed_text_carries_no_time() -> None:
    source, found = stored("secret packed", "a: 1\n")
    content = base64.b64decode(source.patch(found, "b: 2\n")["data"]["prometheus.yml"])
    assert content[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize("form", FORMS)
def test_a_key_that_is_not_there_is_named_with_those_that_are(form: str) -> None:
    source, found = stored(form, "a: 1\n")
    missing = TextSource(source.reference, "prometheus.yaml.gz")
    assert not missing.is_in(found)
    with pytest.raises(errors.NotFound) as caught:
        missing.text_of(found)
    assert f"{source.reference} has no key 'prometheus.yaml.gz'; its keys are: " in caught.value.message
    assert "other" in caught.value.message or form == "map binary"
    assert "prometheus.yml" in caught.value.message
    assert caught.value.fix == f"Correct 'key' or '{source.option}'."


def test_an_object_without_keys_is_named() -> None:
    with pytest.raises(errors.NotFound, match="its keys are: none"):
        HIDDEN.text_of({})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "is neither text in UTF-8 nor such text packed with gzip"),
        (gzip.compress(b"\xff\xfe", mtime=0), "is neither text in UTF-8 nor such text packed with gzip"),
        (gzip.compress(b"a: 1\n" * 100, mtime=0)[:-9], "begins like gzip but can't be unpacked"),
        (b"\x1f\x8b\x08rubbish", "begins like gzip but can't be unpacked"),
        (b"\x1f\x8b", "begins like gzip but can't be unpacked"),
        (gzip.compress(b"a: 1\n", mtime=0)[:-8] + b"\0" * 8, "begins like gzip but can't be unpacked"),
    ],
)
@pytest.mark.parametrize("form", ["map packed", "secret packed"])
def test_what_is_no_text_is_one_sentence(form: str, content: bytes, words: str) -> None:
    source, found = stored(form, "")
    field = "data" if form == "secret packed" else "binaryData"
    found[field]["prometheus.yml"] = base64_of(content)
    with pytest.raises(errors.Refused) as caught:
        source.text_of(found)
    assert caught.value.message.startswith(f"prometheus.yml in {source.reference} {words}")
    assert "\n" not in caught.value.sentence()


def test_what_unpacks_to_far_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus_source, "MAX_TEXT_BYTES", 1024 * 1024)
    source, found = stored("secret packed", " " * (1024 * 1024))
    assert len(source.text_of(found)) == 1024 * 1024
    source, found = stored("secret packed", " " * (1024 * 1024 + 1))
    with pytest.raises(errors.Refused, match="unpacks to more than 1 MiB"):
        source.text_of(found)


def test_the_option_and_the_place_in_words() -> None:
    assert (MAP.option, MAP.place) == ("configmap", "prometheus.yml in ConfigMap monitoring/c")
    assert (HIDDEN.option, HIDDEN.place) == ("config_secret", "prometheus.yml in Secret monitoring/c")


@pytest.mark.parametrize("encoded", ["\x80", "ü", "abc"])
def test_a_value_that_is_no_base64_is_said(encoded: str) -> None:
    with pytest.raises(errors.InvalidInput, match="no base64"):
        HIDDEN.text_of({"data": {"prometheus.yml": encoded}})
