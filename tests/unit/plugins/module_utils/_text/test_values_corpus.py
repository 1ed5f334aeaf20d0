# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of values files and manifests as people have them: each comes out as stored, and only lines of ours differ."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish, Rendering
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import FORMATS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import plain_data
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import (
    MergedText,
    merge_values,
    remove_values,
)
from tests.unit.plugins.file_wishes import URL, file_wish

CORPUS = Path(__file__).resolve().parents[4] / "corpus" / "values"
STACK = "helm_kube_prometheus_stack"
PLACE = "values.yaml"


@dataclasses.dataclass(frozen=True)
class Shape:
    """One file of the corpus. ``replaced`` are its lines that give way; in all others nothing may change.

    ``comes_back`` is true where taking it out again gives the old bytes.
    """

    name: str
    format_name: str
    wish: FileWish
    replaced: tuple[str, ...] = ()
    comes_back: bool = True
    crlf: bool = False

    def read(self, kind: str) -> str:
        text = (CORPUS / f"{self.name}.{kind}").read_text(encoding="utf-8")
        return text.replace("\n", "\r\n") if self.crlf else text

    def rendering(self, text: str) -> Rendering:
        return FORMATS[self.format_name](self.wish, text, PLACE)

    @functools.cached_property
    def merged(self) -> MergedText:
        return self.merge(self.read("values"))

    def merge(self, text: str) -> MergedText:
        fragment = self.rendering(text).fragment
        assert fragment is not None
        return merge_values(text, fragment, place=PLACE)

    def remove(self, text: str) -> MergedText:
        fragment = self.rendering(text).fragment
        assert fragment is not None
        return remove_values(text, fragment, place=PLACE)


LABELED = file_wish(external_labels={"cluster": "payments-prod"}, pod_label=True)
PLAIN = file_wish()
SHAPES = [
    Shape("01-stack-comments", STACK, LABELED),
    Shape("02-stack-anchors", STACK, PLAIN),
    Shape("03-stack-crlf", STACK, LABELED, ("    volumes: []", "    volumeMounts: []"), comes_back=False, crlf=True),
    Shape("04-stack-tabs", STACK, PLAIN),
    Shape("05-empty", STACK, LABELED),
    Shape("06-only-comments", STACK, PLAIN),
    Shape("07-stack-empty-mapping", STACK, PLAIN, ("prometheus: {}  # defaults",), comes_back=False),
    Shape("08-stack-four-columns", STACK, PLAIN),
    Shape("09-umbrella", STACK, file_wish(values_path=("kube-prometheus-stack",))),
    Shape(
        "10-stack-guides-mistakes",
        STACK,
        PLAIN,
        (
            f'      - url: "{URL}/"',
            "          region: 'eu-west-1'",
            "          roleArn: arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role",
        ),
        comes_back=False,
    ),
    Shape(
        "11-stack-flow",
        STACK,
        PLAIN,
        ('        {"url": "https://mimir.example.com/api/v1/push"}', "      ]", "    }"),
    ),
    Shape("12-stack-block-scalars", STACK, PLAIN),
    Shape("13-chart-prometheus", "helm_prometheus", LABELED, comes_back=False),
    Shape(
        "14-chart-prometheus-nulls",
        "helm_prometheus",
        LABELED,
        ("  env: ~", "  extraVolumes: null"),
        comes_back=False,
    ),
    Shape(
        "15-collector",
        "opentelemetry_collector",
        LABELED,
        (
            "  extensions: [health_check, zpages]",
            "      exporters: [prometheusremotewrite/mimir]   # AMP comes next quarter",
        ),
    ),
    Shape("16-chart-collector", "helm_opentelemetry_collector", PLAIN),
    Shape(
        "17-manifest-prometheus",
        "prometheus_operator",
        file_wish(workload_kind="Prometheus", workload_name="k8s"),
        comes_back=False,
    ),
    Shape("18-manifest-deployment", "kustomize", file_wish(workload_name="prometheus"), comes_back=False),
    Shape("19-no-newline-at-the-end", STACK, PLAIN),
    Shape("20-templates-and-unicode", STACK, PLAIN),
]
ALL = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def test_every_file_of_the_corpus_is_tried() -> None:
    assert {shape.name for shape in SHAPES} == {path.stem for path in CORPUS.iterdir()}


@ALL
def test_the_result_is_the_stored_one(shape: Shape) -> None:
    assert shape.merged.summaries
    assert shape.merged.text == shape.read("expected")


@ALL
def test_only_lines_of_ours_come_and_only_named_ones_go(shape: Shape) -> None:
    before, after = shape.read("values"), shape.merged.text
    gone = [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line.startswith("- ")]
    assert tuple(gone) == shape.replaced


@ALL
def test_the_content_is_that_of_a_deep_merge(shape: Shape) -> None:
    """As Helm would lay our values over the file, but with lists joined by what identifies their items."""
    text = shape.read("values")
    fragment = shape.rendering(text).fragment
    assert fragment is not None
    assert _is_laid_over(_loaded(text) or {}, plain_data(fragment), _loaded(shape.merged.text))


@ALL
def test_the_second_time_nothing_changes(shape: Shape) -> None:
    once = shape.merged.text
    again = shape.merge(once)
    assert again.text == once
    assert again.summaries == ()


@ALL
def test_what_was_added_goes_again(shape: Shape) -> None:
    before = shape.read("values")
    removed = shape.remove(shape.merged.text)
    assert shape.remove(removed.text).summaries == ()
    if shape.comes_back:
        assert removed.text == before
    else:
        assert URL not in removed.text or removed.kept


def _loaded(text: str) -> t.Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # both are safe ones


def _is_laid_over(before: t.Any, ours: t.Any, after: t.Any) -> bool:
    """Whether ``after`` holds everything of both and nothing else; where both say something, it may be either's."""
    if isinstance(ours, dict) and (isinstance(before, dict) or before is None):
        base = before or {}
        return bool(
            after.keys() <= base.keys() | ours.keys()
            and all(after[key] == value for key, value in base.items() if key not in ours)
            and all(_is_laid_over(base.get(key), value, after[key]) for key, value in ours.items() if key in after)
        )
    if isinstance(ours, list) and (isinstance(before, list) or before is None):
        base = list(before or [])
        if not all(isinstance(item, dict) for item in [*ours, *base]):
            return bool(set(base) <= set(after) and set(ours) <= {*after, "health_check"})
        own = {_identity(item) for item in ours}
        others = [item for item in base if _identity(item) not in own]
        return bool(
            [item for item in after if _identity(item) not in own] == others
            and {_identity(item) for item in after} >= own
            and len(after) == len(others) + len(own)
        )
    return bool(after in (before, ours))


def _identity(item: dict[str, t.Any]) -> str:
    return str(item.get("url", item.get("mountPath", item.get("name")))).rstrip("/")
