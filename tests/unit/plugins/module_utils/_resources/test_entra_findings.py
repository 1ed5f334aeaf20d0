# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict on federated credentials, held against the login service of the sandbox: whatever credentials there are,
nothing grave is found exactly when the service account's token is accepted."""

from __future__ import annotations

import typing as t

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import Credential
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ENTRA_AUDIENCE,
    EntraTrust,
    Issuer,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import Holder, IssuerState
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_findings import CredentialJudge, Kind
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox import login

ISSUER = "https://northeurope.oic.prod-aks.azure.com/tenant/cluster/"
OTHER = "https://northeurope.oic.prod-aks.azure.com/tenant/another/"
ACCOUNT = ServiceAccount("monitoring", "prometheus-sa")
TRUST = EntraTrust(Issuer.parse(ISSUER), ACCOUNT)

#: What a finding says about which the login service has a code of its own.
CODES: t.Final = {
    Kind.SUBJECT_CASE: 7002138,
    Kind.SUBJECT_DIFFERS: 700213,
    Kind.AUDIENCE_DIFFERS: 700212,
    Kind.CREDENTIAL_MISSING: 700211,
    Kind.ISSUER_GONE: 700211,
}

_ISSUERS = st.sampled_from([ISSUER, ISSUER.rstrip("/"), ISSUER.upper(), f"https://{ISSUER}/", OTHER])
_SUBJECTS = st.sampled_from(
    [
        ACCOUNT.subject,
        ACCOUNT.subject.upper(),
        "system:serviceaccount:default:prometheus-sa",
        "system:serviceaccount:monitoring:other",
        "system:serviceaccount:monitoring",
        "",
        None,
    ]
)
_AUDIENCES = st.sampled_from([ENTRA_AUDIENCE, "sts.amazonaws.com", f"{ENTRA_AUDIENCE}/"])


@st.composite
def credentials(draw: st.DrawFn) -> tuple[Credential, ...]:
    """As a holder may have them: issuer and subject together are unique."""
    pairs = draw(st.lists(st.tuples(_ISSUERS, _SUBJECTS), unique=True, max_size=8))
    return tuple(
        Credential(str(number), f"name{number}", issuer, subject, (draw(_AUDIENCES),))
        for number, (issuer, subject) in enumerate(pairs)
    )


def refusal(held: t.Sequence[Credential]) -> int:
    """The code with which the login service refuses the service account's token; 0 when it accepts it."""
    claims = {"iss": ISSUER, "sub": ACCOUNT.subject, "aud": [ENTRA_AUDIENCE]}
    bodies = [{"issuer": one.issuer, "subject": one.subject, "audiences": list(one.audiences)} for one in held]
    try:
        login._match_credential(claims, bodies)
    except login.LoginError as error:
        return error.code
    return 0


@settings(deadline=None)
@given(credentials(), st.sampled_from(IssuerState), st.booleans())
@example((Credential("1", "n", ISSUER, None, (ENTRA_AUDIENCE,)),), IssuerState.FOUND, True)
def test_what_is_found_is_what_the_login_service_says(
    held: tuple[Credential, ...], other: IssuerState, marks: bool
) -> None:
    judge = CredentialJudge(TRUST, Holder("application x", marks=marks), held)
    found = judge.findings(dict.fromkeys(judge.doubtful_issuers(), other))
    grave = [one for one in found if one.severity is Severity.HIGH]
    code = refusal(held)
    assert bool(grave) is (code != 0)
    if grave:
        (finding,) = grave
        kind = Kind(finding.kind)
        assert CODES.get(kind, code) == code
        assert finding.expected
        assert finding.cause.endswith(".")


@settings(deadline=None)
@given(credentials())
@example((Credential("1", "n", ISSUER.upper(), ACCOUNT.subject, (ENTRA_AUDIENCE,)),))
def test_an_issuer_is_asked_about_only_where_that_matters(held: tuple[Credential, ...]) -> None:
    judge = CredentialJudge(TRUST, Holder("application x", marks=True), held)
    assert set(judge.doubtful_issuers()) <= {OTHER}
    if refusal(held) != 700211:
        assert judge.doubtful_issuers() == ()
