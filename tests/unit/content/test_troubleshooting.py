# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of error texts: the code explains every text on it as the page does, and all that it explains is there."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from azure.core.exceptions import ClientAuthenticationError

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain, explain_entra
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_pods
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout import rollout_logs
from tests.unit.content.troubleshooting_failures import FAILURES

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "docsite" / "rst" / "troubleshooting.rst"

CHAIN: t.Final = explain.Chain(
    issuer="https://westeurope.oic.prod-aks.azure.com/t/g/",
    audience="sts.amazonaws.com",
    subject="system:serviceaccount:monitoring:prometheus-sa",
    provider_arn="arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/",
    role_arn="arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role",
    workspace_arn="arn:aws:aps:eu-west-1:123456789012:workspace/ws-1",
    region="eu-west-1",
)
PARTIES: t.Final = explain_entra.Parties(CHAIN.issuer, CHAIN.subject, "api://AzureADTokenExchange", "client", "tenant")

EXCHANGE: t.Final = "Entra refuses the service account's token"
LOGIN: t.Final = "Entra refuses the login of Ansible"
#: Of "The machine that runs Ansible": what Ansible itself says, and the command that makes it say so.
ANSIBLES_OWN: t.Final[dict[str, tuple[str, ...]]] = {
    "the playbook ... could not be found": ("crosscloud.aks_amp.federate",),
    "couldn't resolve module/action": ("task.yml",),
    "Could not match supplied host pattern, ignoring: aks": ("play.yml",),
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One error on the page. ``texts`` are its lines, ``fields`` what follows, each in one line."""

    section: str
    title: str
    texts: tuple[str, ...]
    fields: t.Mapping[str, str]

    @property
    def kind(self) -> str:
        return self.fields.get("Kind", "").strip("`")

    def __str__(self) -> str:
        return f"{self.section}: {self.title}"


_TITLE = re.compile(r"^(?P<title>\S[^\n]*)\n(?P<line>-{3,}|\^{3,})$", re.MULTILINE)
_BLOCK = re.compile(r"^\.\. code-block:: text\n\n(?P<lines>(?: {4}.*\n|\n)+)", re.MULTILINE)
_FIELD = re.compile(r"^:(?P<name>\w+): (?P<text>.*\n(?: +\S.*\n)*)", re.MULTILINE)


@functools.cache
def entries() -> tuple[Entry, ...]:
    found, section = [], ""
    text = PAGE.read_text(encoding="utf-8")
    titles = list(_TITLE.finditer(text))
    for title, following in zip(titles, [*titles[1:], None], strict=True):
        if title["line"].startswith("-"):
            section = title["title"]
            continue
        body = text[title.end() : following.start() if following else None] + "\n"
        block = _BLOCK.search(body)
        assert block, title["title"]
        lines = tuple(line.strip() for line in block["lines"].splitlines() if line.strip())
        fields = {field["name"]: " ".join(field["text"].split()) for field in _FIELD.finditer(body)}
        found.append(Entry(section, title["title"], lines, fields))
    return tuple(found)


def of(section: str) -> list[Entry]:
    return [entry for entry in entries() if entry.section == section]


_CLI = re.compile(r"\((?P<code>\w+)\) when calling the \w+ operation: (?P<text>.*)")
_SDK = re.compile(r"(?P<code>\w+): (?P<text>.*)")
_HTTP = re.compile(r"HTTP (?P<status>\d{3}): (?P<text>.*)")

Explain = t.Callable[[str], explain.Explanation | rollout_logs.Cause]


def _coded(by: t.Callable[[str, str, explain.Chain], explain.Explanation]) -> Explain:
    def explained(text: str) -> explain.Explanation:
        match = _CLI.fullmatch(text) or _SDK.fullmatch(text)
        assert match, text
        return by(match["code"], match["text"], CHAIN)

    return explained


def _answered(by: t.Callable[[int, str, explain.Chain], explain.Explanation]) -> Explain:
    def explained(text: str) -> explain.Explanation:
        match = _HTTP.fullmatch(text)
        assert match, text
        return by(int(match["status"]), match["text"], CHAIN)

    return explained


def _by_entra(text: str) -> explain.Explanation:
    return explain_entra.exchange([int(text.partition(":")[0].removeprefix("AADSTS"))], PARTIES)


def _in_log(text: str) -> rollout_logs.Cause:
    return rollout_logs.cause_in(text, CHAIN)


@dataclasses.dataclass(frozen=True)
class Part:
    """How the code explains the texts of a section, and the kinds that it has for them."""

    explain: Explain
    kinds: frozenset[str]


def _kinds(rules: t.Iterable[explain.Rule | explain_entra.Rule | rollout_logs.Known]) -> frozenset[str]:
    return frozenset(rule.kind for rule in rules)


#: What means the same for writes, queries and label names is described once, with the writes.
_SHARED: t.Final = (
    _kinds(explain.REMOTE_WRITE) & _kinds(explain.QUERY) & _kinds(explain.LABELS) - {"permission_missing"}
)
PARTS: t.Final = {
    "STS refuses the token": Part(_coded(explain.token_exchange), _kinds(explain.TOKEN_EXCHANGE)),
    "STS refuses the chained role": Part(_coded(explain.role_chaining), _kinds(explain.CHAINING)),
    "The workspace refuses a write": Part(_in_log, _kinds(explain.REMOTE_WRITE)),
    "The workspace refuses a query": Part(_answered(explain.query), _kinds(explain.QUERY) - _SHARED),
    "The workspace refuses the label names": Part(_answered(explain.labels), _kinds(explain.LABELS) - _SHARED),
    "Prometheus does not get as far as AWS": Part(_in_log, _kinds(rollout_logs.KNOWN)),
    EXCHANGE: Part(_by_entra, _kinds(explain_entra.RULES)),
}
EXPLAINED: t.Final = [entry for entry in entries() if entry.section in PARTS]


def test_every_section_is_held_against_something() -> None:
    assert {entry.section for entry in entries()} == {*PARTS, *FAILURES, LOGIN, "Pods that do not start"}
    assert all(entry.texts for entry in entries())


@pytest.mark.parametrize("section", PARTS)
def test_all_that_the_code_explains_is_on_the_page_once(section: str) -> None:
    assert sorted(entry.kind for entry in of(section)) == sorted(PARTS[section].kinds)


@pytest.mark.parametrize("entry", EXPLAINED, ids=str)
def test_each_text_is_explained_by_the_code_with_the_entry_s_kind(entry: Entry) -> None:
    for text in entry.texts:
        assert PARTS[entry.section].explain(text).kind == entry.kind, text
    assert entry.fields["Cause"]
    assert entry.fields["Fix"]


@pytest.mark.parametrize("entry", EXPLAINED, ids=str)
def test_a_step_that_the_code_advises_is_on_the_page(entry: Entry) -> None:
    advised = re.findall(r"the step (\w+)", PARTS[entry.section].explain(entry.texts[0]).fix)
    assert all(f"``{step}``" in entry.fields["Fix"] for step in advised)


def test_what_the_sdk_writes_into_a_log_is_explained_as_its_code_is() -> None:
    for entry in of("STS refuses the token"):
        log = f"could not get SigV4 credentials: operation error STS, api error {entry.texts[0]}"
        assert rollout_logs.cause_in(log, CHAIN).kind == entry.kind, log


def test_every_code_of_entra_is_on_the_page() -> None:
    texts = [text for entry in of(EXCHANGE) for text in entry.texts]
    numbers = {int(text.partition(":")[0].removeprefix("AADSTS")) for text in texts}
    assert numbers == {code for rule in explain_entra.RULES for code in rule.codes}


def test_a_refused_login_is_mended_as_the_module_says() -> None:
    told = {}
    for entry in of(LOGIN):
        (text,) = entry.texts
        failure = azure.login_failure(ClientAuthenticationError(message=text), "reading AKS cluster x")
        assert failure is not None
        assert failure.fix == entry.fields["Fix"], text
        told[text.partition(":")[0]] = failure.fix
    assert told == dict(azure.AADSTS_FIXES)


def test_every_reason_of_a_waiting_pod_is_on_the_page() -> None:
    told = {text: entry.kind for entry in of("Pods that do not start") for text in entry.texts}
    assert told == diagnosis_pods.WAITING


@pytest.mark.parametrize(
    ("section", "title"), [(section, title) for section, cases in FAILURES.items() for title in cases]
)
def test_the_page_says_what_the_module_says(section: str, title: str) -> None:
    (entry,) = [entry for entry in of(section) if entry.title == title]
    assert " ".join(entry.texts) == FAILURES[section][title]().sentence()


@pytest.mark.parametrize("section", FAILURES)
def test_nothing_else_is_said_to_be_the_module_s(section: str) -> None:
    own = ANSIBLES_OWN if section == "The machine that runs Ansible" else {}
    assert [entry.title for entry in of(section)] == [*own, *FAILURES[section]]


@pytest.mark.parametrize("title", ANSIBLES_OWN)
def test_ansible_says_what_the_page_says(title: str, tmp_path: Path) -> None:
    (tmp_path / "task.yml").write_text(
        "- hosts: localhost\n  tasks:\n    - crosscloud.aks_amp.amp_workspace_info:\n", encoding="utf-8"
    )
    (tmp_path / "play.yml").write_text("- hosts: aks\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path), "ANSIBLE_NOCOLOR": "1", "COLUMNS": "1000"}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", *ANSIBLES_OWN[title]]
    done = subprocess.run(  # noqa: S603  # the arguments are this file's
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    (entry,) = [entry for entry in entries() if entry.title == title]
    assert " ".join(entry.texts) in " ".join(f"{done.stdout} {done.stderr}".split())
