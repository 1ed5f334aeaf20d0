# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.consequences import settled
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    LinkName,
    Status,
    broken,
    ok,
    unknown,
)

REFUSED = broken(LinkName.TOKEN_EXCHANGE, "STS refused.", kind="not_authorized", fix="Give it a statement.")
TRUST = broken(LinkName.TRUST_POLICY, "It names another subject.", kind="subject_mismatch", fix="Correct it.")


def test_a_refusal_that_is_explained_stays_broken_and_is_no_finding() -> None:
    trust, exchange = settled([REFUSED, TRUST])  # in the order of the chain, whatever theirs was
    assert trust == TRUST
    assert exchange.status is Status.BROKEN
    assert exchange.findings == ()
    assert exchange.summary == "STS refused. It follows from what is wrong with the trust policy."
    assert exchange.fix == ""


def test_what_is_not_broken_explains_nothing() -> None:
    for other in (ok(LinkName.TRUST_POLICY, "Exact."), unknown(LinkName.TRUST_POLICY, "No right.")):
        assert settled([other, REFUSED]) == (other, REFUSED)


def test_a_refusal_of_another_kind_is_not_explained_by_it() -> None:
    expired = broken(LinkName.TOKEN_EXCHANGE, "STS refused.", kind="token_expired")
    assert settled([TRUST, expired]) == (TRUST, expired)


def test_what_prometheus_logs_of_a_known_cause_is_no_finding_either() -> None:
    logged = broken(LinkName.PODS, "Its log says AccessDenied.", kind="log_not_authorized")
    trust, pods = settled([TRUST, logged])
    assert (trust.findings, pods.findings) == (TRUST.findings, ())
    assert pods.status is Status.BROKEN
    assert settled([logged]) == (logged,)
