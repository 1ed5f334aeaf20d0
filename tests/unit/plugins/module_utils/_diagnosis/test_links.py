# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    Link,
    LinkName,
    Proof,
    Status,
    broken,
    judged,
    not_tried,
    ok,
    unknown,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity


def _proof(*links: Link) -> Proof:
    return Proof(links, proven_by=LinkName.TOKEN_EXCHANGE)


GOOD = (
    ok(LinkName.DISCOVERY, "Reachable."),
    ok(LinkName.TOKEN, "Right."),
    ok(LinkName.PROVIDER, "There."),
    ok(LinkName.TRUST_POLICY, "Exact."),
    ok(LinkName.TOKEN_EXCHANGE, "Accepted."),
)


def test_a_proven_chain_is_healthy_and_leaves_no_doubt() -> None:
    proof = _proof(*GOOD)

    assert proof.healthy
    assert proof.doubt() == ""
    assert proof.drawing() == "discovery ok > token ok > provider ok > trust policy ok > token exchange ok"


def test_a_link_that_is_unknown_on_the_way_does_not_matter_when_the_exchange_works() -> None:
    proof = _proof(*GOOD[:2], unknown(LinkName.PROVIDER, "No right to look."), *GOOD[3:])

    assert proof.healthy
    assert proof.doubt() == ""


def test_a_chain_that_works_with_a_finding_is_not_healthy() -> None:
    proof = _proof(*GOOD[:3], broken(LinkName.TRUST_POLICY, "Open.", kind="open"), GOOD[4])

    assert not proof.healthy


def test_a_chain_that_could_not_be_proven_says_why() -> None:
    proof = _proof(
        GOOD[0],
        unknown(LinkName.TOKEN, "The API server refused.", fix="Allow create."),
        *GOOD[2:4],
        not_tried(LinkName.TOKEN_EXCHANGE, "there is no token"),
    )

    assert not proof.healthy
    assert proof.doubt() == (
        "The trust chain is not proven. discovery ok > token unknown > provider ok > trust policy ok > "
        "token exchange not tried. The API server refused. Allow create."
    )


def test_a_failure_names_the_links_draws_the_chain_and_gives_each_cause_and_fix() -> None:
    proof = _proof(
        *GOOD[:2],
        broken(LinkName.PROVIDER, "It lacks the client ID.", kind="lacking", fix="Add it."),
        broken(LinkName.TRUST_POLICY, "It has a doubled slash.", kind="misspelled", fix="Repair it."),
        broken(LinkName.TOKEN_EXCHANGE, "STS refused.", kind="refused"),
        not_tried(LinkName.REMOTE_WRITE, "there is no session"),
    )

    assert proof.failure("the account", "the role") == (
        "The trust chain from the account to the role is broken at: provider, trust policy and token exchange. "
        "discovery ok > token ok > provider BROKEN > trust policy BROKEN > token exchange BROKEN > "
        "remote write not tried. "
        "Provider: It lacks the client ID. Add it. "
        "Trust policy: It has a doubled slash. Repair it. "
        "Token exchange: STS refused."
    )
    assert proof.doubt() == ""


def test_one_broken_link_is_named_alone() -> None:
    assert "is broken at: discovery. " in _proof(broken(LinkName.DISCOVERY, "Gone.", kind="missing")).failure("a", "b")


@pytest.mark.parametrize(
    ("link", "status"),
    [
        (ok(LinkName.TOKEN, "s", expected="e", found="f"), "ok"),
        (broken(LinkName.TOKEN, "s", kind="k", expected="e", found="f", fix=""), "broken"),
    ],
)
def test_a_link_reports_all_its_fields(link: Link, status: str) -> None:
    assert link.report() == {
        "link": "token",
        "status": status,
        "tried": True,
        "summary": "s",
        "expected": "e",
        "found": "f",
        "fix": "",
    }


def test_a_link_that_was_not_tried_says_so() -> None:
    link = not_tried(LinkName.READ_BACK, "no sample was written")

    assert link.report()["status"] == "unknown"
    assert link.report()["summary"] == "Not tried because no sample was written."


WRONG = Finding("provider_wrong", Severity.HIGH, "It is wrong.", "this", "that", "Do this.", source="No.")
UNTIDY = Finding("provider_untidy", Severity.LOW, "It is untidy.", "", "", "Tidy it.")


def test_a_grave_finding_breaks_a_link_and_others_are_remarks() -> None:
    assert judged(LinkName.PROVIDER, [], "Fine.") == ok(LinkName.PROVIDER, "Fine.")
    remark = judged(LinkName.PROVIDER, [UNTIDY], "Fine.")
    assert (remark.status, remark.summary, remark.fix) == (Status.OK, "It is untidy.", "Tidy it.")
    both = judged(LinkName.PROVIDER, [UNTIDY, WRONG], "Fine.")
    assert (both.status, both.summary) == (Status.BROKEN, "It is wrong. It is untidy.")
    assert (both.expected, both.found) == ("this", "that")


def test_what_could_not_be_seen_leaves_a_link_unknown_unless_it_is_broken() -> None:
    unseen = judged(LinkName.PROVIDER, [], "Fine.", unseen="It may not be read.", seen_fix="Grant it.")
    assert (unseen.status, unseen.summary, unseen.fix) == (Status.UNKNOWN, "It may not be read.", "Grant it.")
    assert judged(LinkName.PROVIDER, [WRONG], "Fine.", unseen="It may not be read.").status is Status.BROKEN


def test_findings_come_gravest_first_and_from_a_severity_on() -> None:
    proof = _proof(
        judged(LinkName.PROVIDER, [UNTIDY], "Fine."), broken(LinkName.TOKEN_EXCHANGE, "Refused.", kind="unexplained")
    )
    assert [finding["kind"] for finding in proof.report()] == ["token_exchange_unexplained", "provider_untidy"]
    assert [finding.kind for _link, finding in proof.from_severity(Severity.HIGH)] == ["token_exchange_unexplained"]
    assert len(proof.from_severity(Severity.LOW)) == 2


def test_what_is_not_explained_says_what_was_ruled_out() -> None:
    proof = _proof(*GOOD[:3], broken(LinkName.TOKEN_EXCHANGE, "Refused.", kind="unexplained", source="Odd."))
    (finding,) = proof.report()
    assert finding["ruled_out"] == ["discovery", "token", "provider"]
    assert finding["source"] == "Odd."
    explained = _proof(*GOOD[:3], broken(LinkName.TOKEN_EXCHANGE, "Refused.", kind="token_expired"))
    assert explained.report()[0]["ruled_out"] == []


def test_the_text_draws_the_chain_and_puts_both_sides_under_each_other() -> None:
    unread = unknown(LinkName.TRUST_POLICY, "No right.", fix="G.")
    proof = _proof(GOOD[0], judged(LinkName.PROVIDER, [WRONG], ""), unread)
    assert proof.text("the account", "the role") == [
        "From the account to the role:",
        "discovery ok > provider BROKEN > trust policy unknown",
        "",
        "HIGH provider: It is wrong.",
        "    should be: this",
        "    is:        that",
        "    said by the service: No.",
        "    fix: Do this.",
        "",
        "unknown Trust policy: No right. G.",
    ]


def test_a_chain_that_fails_for_a_remark_only_does_not_say_broken() -> None:
    proof = _proof(GOOD[0], judged(LinkName.PROVIDER, [UNTIDY], ""))
    failure = proof.failure("a", "b", Severity.LOW)
    assert failure.startswith("The trust chain from a to b is not broken, but not in order either. discovery ok >")
    assert failure.endswith("Provider: It is untidy. Tidy it.")
