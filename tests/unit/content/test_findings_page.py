# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of findings (docs/findings.md) lists every kind that the code can emit, and no other.

Kinds are read from the code: from the enumerations and tables that hold them, and from the places where a finding is
made. Those that every link can have (``GENERAL``) are described once, above the tables.
"""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import (
    consequences,
    explain,
    explain_entra,
    trust_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.links import LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import diagnosis_azure, entra_findings
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.severity import Severity

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "findings.md"
SOURCES = ROOT / "plugins" / "module_utils"

#: The ends of kinds that any link can have: an error while reading, and a refusal whose cause is not known.
GENERAL: t.Final = frozenset({"unreachable", "not_readable", "unexplained"})

#: The links whose findings the page describes.
DESCRIBED: t.Final = (
    LinkName.CLUSTER,
    LinkName.DISCOVERY,
    LinkName.TOKEN,
    LinkName.PROVIDER,
    LinkName.TRUST_POLICY,
    LinkName.PERMISSION,
    LinkName.WORKSPACE,
    LinkName.ENTRA,
    LinkName.TOKEN_EXCHANGE,
    LinkName.CHAINED_ROLE,
    LinkName.REMOTE_WRITE,
    LinkName.READ_BACK,
    LinkName.LABELS,
    LinkName.ENTRA_EXCHANGE,
)

#: The tables of what AWS refuses, by the link whose findings are made from them.
REFUSALS: t.Final = {
    LinkName.TOKEN_EXCHANGE: explain.TOKEN_EXCHANGE,
    LinkName.CHAINED_ROLE: explain.CHAINING,
    LinkName.REMOTE_WRITE: explain.REMOTE_WRITE,
    # Without the right to query these links are unknown, since Prometheus does not need it.
    LinkName.READ_BACK: [rule for rule in explain.QUERY if rule.codes != {"403"}],
    LinkName.LABELS: [rule for rule in explain.LABELS if rule.codes != {"403"}],
}

_ROW = re.compile(r"^\| `(?P<kind>\w+)` \| (?P<severity>[^|]+) \| (?P<when>[^|]+) \| (?P<fix>[^|]+) \|$", re.MULTILINE)


def rows() -> list[re.Match[str]]:
    return list(_ROW.finditer(PAGE.read_text(encoding="utf-8")))


def link_of(kind: str) -> LinkName:
    """A kind begins with its link's name; one link's name may begin with another's."""
    fitting = [name for name in LinkName if kind.startswith(f"{name.value}_")]
    return max(fitting, key=lambda name: len(name.value))


def tables() -> set[str]:
    """The kinds of enumerations and of tables of refusals."""
    return {
        *(kind.value for kind in diagnosis_azure.Kind),
        *(kind.value for kind in entra_findings.Kind),
        *(f"{LinkName.ENTRA_EXCHANGE.value}_{rule.kind}" for rule in explain_entra.RULES),
        *(f"{LinkName.TRUST_POLICY.value}_{kind.value}" for kind in trust_policy.Kind),
        *(f"{name.value}_{rule.kind}" for name, rules in REFUSALS.items() for rule in rules),
    }


class _Calls(ast.NodeVisitor):
    """The kinds of findings that a file makes with a name that stands in the call.

    ``Finding("<kind>", ...)``; ``broken(<link>, ..., kind="<end>")`` and ``absent(<link>, ...)``;
    ``finding(<link>, "<end>", ...)``. The link is written out, or the value of a variable. In a file that judges one
    link, ``prefix``, findings have the end only.
    """

    def __init__(self, prefix: str = "") -> None:
        self.kinds: set[str] = set()
        self._prefix = prefix
        self._links: list[dict[str, str]] = [{}]
        self._texts: dict[str, set[str]] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._links.append({})
        self.generic_visit(node)
        self._links.pop()

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._remember(target, node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._remember(node.target, node.value)
        self.generic_visit(node)

    def _remember(self, target: ast.expr, value: ast.expr) -> None:
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=False))
        for name, bound in pairs:
            link = self._link(bound)
            if isinstance(name, ast.Name) and link:
                self._links[-1][name.id] = link
            if isinstance(name, ast.Name) and isinstance(bound, ast.Constant) and isinstance(bound.value, str):
                self._texts.setdefault(name.id, set()).add(bound.value)

    def _link(self, node: ast.expr) -> str:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "LinkName":
            return LinkName[node.attr].value
        if isinstance(node, ast.Name):
            return next((known[node.id] for known in reversed(self._links) if node.id in known), "")
        return ""

    def _texts_of(self, node: ast.expr) -> set[str]:
        """The texts that an expression may be."""
        match node:
            case ast.Constant(value=str(text)):
                return {text}
            case ast.IfExp():
                return self._texts_of(node.body) | self._texts_of(node.orelse)
            case ast.Name():
                return self._texts.get(node.id, set())
        return set()

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
        link = self._link(node.args[0]) if node.args else ""
        ending: object = None
        match called:
            case "Finding" if node.args:
                self.kinds |= {self._prefix + text for text in self._texts_of(node.args[0])}
            case "broken":
                kinds = [one.value for one in node.keywords if one.arg == "kind"]
                ending = kinds[0].value if kinds and isinstance(kinds[0], ast.Constant) else None
            case "absent":
                ending = "missing"
            case "finding" if len(texts) > 1:
                ending = texts[1]
        if link and isinstance(ending, str):
            self.kinds.add(f"{link}_{ending}")
        self.generic_visit(node)


@functools.cache
def emitted() -> frozenset[str]:
    """All kinds but the general ones."""
    made: set[str] = set()
    for path in sorted(SOURCES.rglob("*.py")):
        calls = _Calls(f"{LinkName.TRUST_POLICY.value}_" if path.name == "trust_policy.py" else "")
        calls.visit(ast.parse(path.read_text(encoding="utf-8")))
        made |= calls.kinds
    prefixes = tuple(f"{name.value}_" for name in LinkName)
    found = {kind for kind in made if kind.startswith(prefixes)} | tables()
    return frozenset(kind for kind in found if not kind.endswith(tuple(f"_{one}" for one in GENERAL)))


def test_the_code_is_read() -> None:
    """One kind of each way in which findings are made."""
    assert {"cluster_stopped", "entra_exchange_subject_case", "entra_exchange_token_malformed"} <= emitted()
    assert {"provider_url_misspelled", "cluster_issuer_differs", "trust_policy_missing"} <= emitted()


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_kind_stands_in_the_page_and_every_kind_of_the_page_is_one(name: LinkName) -> None:
    described = {row["kind"] for row in rows() if link_of(row["kind"]) is name}
    assert described == {kind for kind in emitted() if link_of(kind) is name}


def test_kinds_stand_once_in_the_order_of_the_chain() -> None:
    kinds = [row["kind"] for row in rows()]
    assert len(kinds) == len(set(kinds))
    ranks = [link_of(kind).rank for kind in kinds]
    assert ranks == sorted(ranks)


def test_a_row_says_how_grave_when_and_what_to_do() -> None:
    known = {severity.value for severity in Severity}
    for row in rows():
        assert {word.strip() for word in row["severity"].split(" or ")} <= known, row["kind"]
        assert len(row["when"]) > 10, row["kind"]
        assert len(row["fix"]) > 5, row["kind"]


def test_what_only_follows_is_named_by_kinds_that_there_are() -> None:
    general = {f"{name.value}_{ending}" for name in LinkName for ending in GENERAL}
    assert set(consequences.EXPLAINED_BY) <= emitted() | general


def test_every_row_of_the_tables_is_read() -> None:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(lines) == len(rows())


def test_general_kinds_are_described_above_the_tables() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("\n| kind |")[0]
    assert all(f"`<link>_{one}`" in head for one in GENERAL)
