# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a parser is given, it gives a value or one of the errors that its callers know, and it ends soon."""

from __future__ import annotations

import ast
import contextlib
import re
import time
import typing as t

import pytest
from hypothesis import given

from demo.runs import ROOT
from tests.fuzz import inputs
from tests.fuzz.parsers import PARSERS, Parser

#: CPU seconds for an input that is as large as a real one may be. What is quadratic in it takes minutes.
_MOST_SECONDS = 20.0


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_value_or_an_error_that_is_known(parser: Parser) -> None:
    @given(value=parser.given)
    def parsed(value: t.Any) -> None:
        with contextlib.suppress(*parser.refusals):
            parser.parse(value)

    parsed()


_LARGE: t.Final = {
    "issuer URL": "https://" + "a." * 100_000,
    "ARNs of roles and workspaces": "arn:aws:iam::123456789012:role" + "/a" * 100_000,
    "resource ID of a cluster": inputs.CLUSTER + "/a" * 100_000,
    "resource ID of a managed identity": inputs.IDENTITY + "/a" * 100_000,
    "remote write URL": "https://h" + "/" * 200_000,
    "passwords in URLs": "http://u:" + ":@" * 20_000,
    "token claims": "." + "A" * 1_000_000 + ".",
    "prometheus.yml": inputs.CONFIG + "".join(f"# {'x' * 60} {n}\nsection_{n}: [a, b]\n" for n in range(1_500)),
    "record of changes": "[" * 100_000,
    "versions in images": "quay.io/" + "a/" * 100_000 + "prometheus:v3",
    "kubeconfig": "a: " + "[" * 900,
    "output of a command in the cluster": "{\n" * 3_000,
    "log of Prometheus": inputs.LOG * 200,
    "Helm values and manifests": inputs.VALUES + "".join(f"key_{n}: {{a: [1, 2]}}\n" for n in range(1_500)),
    "first line of a rendered file": "#" * 1_000_000,
}


@pytest.mark.parametrize("parser", [one for one in PARSERS if one.name in _LARGE], ids=lambda parser: parser.name)
def test_a_large_input_takes_no_time_that_grows_faster_than_it(parser: Parser) -> None:
    begun = time.process_time()
    with contextlib.suppress(*parser.refusals):
        parser.parse(_LARGE[parser.name])
    assert time.process_time() - begun < _MOST_SECONDS


def test_the_table_in_the_documentation_names_each_parser() -> None:
    text = (ROOT / "docs" / "endurance.md").read_text(encoding="utf-8")
    section = text.partition("\n## Fuzz\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|")[0].strip() for line in section.splitlines() if line.startswith("| ")]
    assert rows[1:] == [parser.name for parser in PARSERS]


#: How functions are called that make something of an input.
_PARSES: t.Final = re.compile(
    r"(parse|read)_\w+|parse|from_(json|cache)|document_of|of_image|shaped\w*|\w+_of_version|answer_of|origin_of"
)
#: Those that need no parser of their own above, and why.
_ELSEWHERE: t.Final = {
    "Cluster.from_json": "part of Report.from_json",
    "Drift.from_json": "part of Report.from_json",
    "Step.from_json": "part of Report.from_json",
    "arm_errors.answer_of": "refusals of Azure: the spoiled answers",
    "json_text.parse_json": "below every parser of JSON",
    "iam.read_or_none": "answers of IAM: the spoiled answers",
    "iam_oidc_provider.read_chains": "connections; the certificates in them are a parser",
    "kube_shapes.shaped_page": "answers of the API server: the spoiled answers; its items are shaped",
    "task_files.read_role": "files of the collection itself",
    "task_files.read_tasks": "files of the collection itself",
    "task_files.read_yaml": "files of the collection itself",
}


def parsing_functions() -> t.Iterator[str]:
    """Functions by their module, methods by their class."""
    for folder in ("module_utils", "plugin_utils"):
        for path in sorted((ROOT / "plugins" / folder).rglob("*.py")):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and _PARSES.fullmatch(node.name):
                    yield f"{path.stem.removeprefix('_')}.{node.name}"
                elif isinstance(node, ast.ClassDef):
                    methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
                    yield from (f"{node.name}.{name}" for name in methods if _PARSES.fullmatch(name))


def test_no_parser_is_left_out() -> None:
    used = "".join((ROOT / "tests" / "fuzz" / name).read_text(encoding="utf-8") for name in ("deeds.py", "parsers.py"))
    assert sorted(name for name in parsing_functions() if name not in used) == sorted(_ELSEWHERE)
