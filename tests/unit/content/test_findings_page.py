# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of findings (docs/docsite/rst/findings.rst) lists every kind that the code can emit, and no other.

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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import consequences
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import trust_policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain, explain_entra
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    diagnosis_azure,
    diagnosis_inside,
    diagnosis_pods,
    diagnosis_prometheus,
    entra_findings,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout import rollout_logs
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from tests.docs.pages import GUIDES, list_tables, section

ROOT = Path(__file__).resolve().parents[3]
PAGE = GUIDES / "findings.rst"
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
    LinkName.SERVICE_ACCOUNT,
    LinkName.WEBHOOK,
    LinkName.POD_TEMPLATE,
    LinkName.CONFIGURATION,
    LinkName.PODS,
    LinkName.TOKEN_EXCHANGE,
    LinkName.CHAINED_ROLE,
    LinkName.REMOTE_WRITE,
    LinkName.READ_BACK,
    LinkName.LABELS,
    LinkName.ENTRA_EXCHANGE,
    LinkName.INSIDE,
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

HEADER: t.Final = ["kind", "severity", "when", "fix"]


def rows() -> list[dict[str, str]]:
    """The rows of all tables of findings. A kind is without its quotes."""
    tables = [table for table in list_tables(PAGE.read_text(encoding="utf-8")) if table[0] == HEADER]
    found = [dict(zip(HEADER, row, strict=True)) for table in tables for row in table[1:]]
    return [{**row, "kind": row["kind"].strip("`")} for row in found]


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
        *_tables_of_the_cluster(),
        *_template_kinds(),
    }


def _tables_of_the_cluster() -> t.Iterator[str]:
    """What is looked up in the tables of the links that a cluster shows."""
    yield from (f"configuration_{ending}" for ending, _what in diagnosis_prometheus.MISTAKES.values())
    yield from (f"pods_{ending}" for ending in diagnosis_pods.WAITING.values())
    yield from (
        f"pods_{ending}"
        for ending in (diagnosis_pods.NOT_READY, diagnosis_pods.CRASHING, diagnosis_pods.VOLUME_NOT_MOUNTED)
    )
    refusals = (*explain.TOKEN_EXCHANGE, *explain.REMOTE_WRITE)
    yield from (f"pods_log_{rule.kind}" for rule in refusals)
    yield from (f"pods_log_{known.kind}" for known in rollout_logs.KNOWN)
    yield from (f"inside_{ending}" for ending in (*diagnosis_inside.WAITING.values(), diagnosis_inside.OTHERWISE))
    unreached = (*diagnosis_inside.UNREACHED.values(), diagnosis_inside.NO_ANSWER)
    steps = {"exchange": explain.TOKEN_EXCHANGE, "chaining": explain.CHAINING, "write": explain.REMOTE_WRITE}
    for step, rules in steps.items():
        yield from (f"inside_{step}_{ending}" for ending, _what, _fix in unreached)
        yield from (f"inside_{step}_{rule.kind}" for rule in rules)


#: Where a refusal's name is that of a finding: the files, and the links.
_REFUSING: t.Final = {
    "pod_template.py": ("pod_template", "pods"),
    "prometheus_config.py": ("configuration",),
    "prometheus_judge.py": ("configuration",),
    "several_entries.py": ("configuration",),
    "operator_entries.py": ("configuration",),
    "prometheus_source.py": ("configuration",),
}
#: What can't be found in a pod, because its record is that of its workload.
_OF_THE_TEMPLATE_ONLY: t.Final = frozenset({"pods_token_volume_surplus"})


def _template_kinds() -> set[str]:
    """The kinds of what a pod template or a pod lacks, and of what a step would not overwrite."""
    found = {
        f"{link}_{ending}"
        for ending in _endings(SOURCES / "_diagnosis" / "diagnosis_template.py", "finding")
        for link in _REFUSING["pod_template.py"]
    }
    for path in SOURCES.rglob("*.py"):
        found |= {f"{link}_{one}" for link in _REFUSING.get(path.name, ()) for one in _endings(path, "Refused")}
    return found - _OF_THE_TEMPLATE_ONLY


def _endings(path: Path, called: str) -> set[str]:
    """The ends of kinds in the calls of a function: its second argument, or ``kind``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given = [one.value for one in node.keywords if one.arg == "kind"]
        if name == called:
            found |= {text for one in (*node.args[1:2], *given) for text in _texts(one)}
    return {text for text in found if " " not in text}


def _texts(node: ast.expr) -> list[str]:
    """The text that an expression is, or those between which it chooses."""
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


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
            case ast.Constant(value=str() as text):
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
        self.kinds |= self._of_own_helpers(node, called)
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

    def _of_own_helpers(self, node: ast.Call, called: str) -> set[str]:
        """``note("<end>", ...)`` and ``_broken("<end>", ...)``, whose link is the file's own; ``finding`` with a choice
        of ends."""
        own = self._links[0].get("_NAME", "")
        if called in ("note", "_broken") and own and node.args:
            return {f"{own}_{text}" for text in _texts(node.args[0])}
        if called == "finding" and len(node.args) > 1 and isinstance(node.args[1], ast.IfExp):
            link = self._link(node.args[0])
            return {f"{link}_{text}" for text in _texts(node.args[1])} if link else set()
        return set()


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


def test_what_people_see_leads_to_findings_that_there_are() -> None:
    (table,) = list_tables(section(PAGE.read_text(encoding="utf-8"), "By what you see"))
    named = {kind for _seen, findings in table[1:] for kind in re.findall(r"``([a-z]+_[a-z_]+)``", findings)}
    assert len(named) > 20
    assert named <= emitted()


def test_every_row_of_the_tables_is_read() -> None:
    page = PAGE.read_text(encoding="utf-8").partition("\nThe cluster in Azure\n")[2]
    lines = [line for line in page.splitlines() if line.startswith("   * - ``")]
    assert len(lines) == len(rows()) > 100


def test_general_kinds_are_described_above_the_tables() -> None:
    head = PAGE.read_text(encoding="utf-8").partition("\nThe cluster in Azure\n")[0]
    assert all(f"``<link>_{one}``" in head for one in GENERAL)
