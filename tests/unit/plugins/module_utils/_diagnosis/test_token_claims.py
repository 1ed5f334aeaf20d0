# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.token_claims import (
    Claims,
    TokenFormatError,
    read_claims,
)

SECRET = "0123456789abcdef0123456789abcdef"
CLAIMS: dict[str, object] = {
    "iss": "https://westeurope.oic.prod-aks.azure.com/t/g/",
    "aud": ["sts.amazonaws.com"],
    "sub": "system:serviceaccount:monitoring:prometheus-sa",
    "exp": 1_790_000_000,
}


def _token(claims: object, header: object = None) -> str:
    def segment(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return ".".join((segment({"alg": "RS256", "kid": "k1"} if header is None else header), segment(claims), "c2ln"))


def test_claims_of_a_token_that_another_library_signed() -> None:
    token = jwt.encode(CLAIMS, SECRET, algorithm="HS256", headers={"kid": "key-1"})

    assert read_claims(token) == Claims(
        issuer="https://westeurope.oic.prod-aks.azure.com/t/g/",
        audiences=("sts.amazonaws.com",),
        subject="system:serviceaccount:monitoring:prometheus-sa",
        expires=1_790_000_000,
        key_id="key-1",
        algorithm="HS256",
    )


def test_the_report_has_the_claims_by_their_own_names() -> None:
    assert read_claims(_token(CLAIMS)).report() == CLAIMS


def test_one_audience_may_be_a_plain_text() -> None:
    assert read_claims(_token({**CLAIMS, "aud": "a"})).audiences == ("a",)


@pytest.mark.parametrize("header", [{}, {"alg": "RS256"}])
def test_a_header_may_lack_the_key_id(header: dict[str, str]) -> None:
    assert read_claims(_token(CLAIMS, header)).key_id == ""


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"iss": None}, "'iss'"),
        ({"iss": ""}, "'iss'"),
        ({"sub": 7}, "'sub'"),
        ({"aud": {"a": 1}}, "'aud'"),
        ({"aud": ["a", 1]}, "'aud'"),
        ({"exp": "soon"}, "'exp'"),
        ({"exp": True}, "'exp'"),
        ({"exp": float("inf")}, "'exp'"),
    ],
)
def test_a_claim_of_the_wrong_type_is_named(change: dict[str, object], part: str) -> None:
    with pytest.raises(TokenFormatError, match=part):
        read_claims(_token({**CLAIMS, **change}))


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d", "not base64!.e30.x", "e30.bm8.x", "W10.e30.x", "é.e30.x"])
def test_other_text_is_refused(token: str) -> None:
    with pytest.raises(TokenFormatError):
        read_claims(token)


@given(st.text(min_size=4).map("@@@@".__add__))
def test_an_error_never_quotes_the_token(text: str) -> None:
    token = f"{text}.{text}.{text}"
    with pytest.raises(TokenFormatError) as raised:
        read_claims(token)

    assert text not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__ or raised.value.__context__ is None
