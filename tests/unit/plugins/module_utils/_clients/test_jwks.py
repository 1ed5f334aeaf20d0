# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient, Response
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.jwks import signing_key_ids
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

URI = "https://issuer.example/openid/v1/jwks"


class Answering(HttpClient):
    """The HTTP seam with one prepared answer."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(Transport())
        self._answer = Response(status, {}, body)

    def request(self, method: str, url: str, **_: t.Any) -> Response:
        assert (method, url) == ("GET", URI)
        return self._answer


def test_only_keys_that_sign_with_rs256_count() -> None:
    keys = [
        {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "a"},
        {"kty": "RSA", "kid": "b"},
        {"kty": "RSA"},
        {"kty": "RSA", "use": "enc", "kid": "c"},
        {"kty": "RSA", "alg": "RS512", "kid": "d"},
        {"kty": "EC", "alg": "ES256", "kid": "e"},
    ]

    assert signing_key_ids(Answering(200, json.dumps({"keys": keys}).encode()), URI) == ("a", "b", "")


def test_a_set_without_keys_is_empty() -> None:
    assert signing_key_ids(Answering(200, b'{"keys": []}'), URI) == ()


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"keys": 1}', b'{"keys": ["a"]}'])
def test_what_is_not_a_key_set_is_an_error(body: bytes) -> None:
    with pytest.raises(errors.CloudError, match="not a key set"):
        signing_key_ids(Answering(200, body), URI)


def test_another_status_is_an_error() -> None:
    with pytest.raises(errors.CloudError) as caught:
        signing_key_ids(Answering(404, b""), URI)

    assert caught.value.status == 404
