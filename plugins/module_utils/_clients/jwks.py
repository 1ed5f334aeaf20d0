# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The public keys with which an OIDC issuer's tokens are verified (JSON Web Key Set, RFC 7517, section 5)."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import SERVICE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient


def signing_key_ids(http: HttpClient, jwks_uri: str) -> tuple[str, ...]:
    """The ``kid`` of each RSA key that signs with RS256, the only algorithm that AWS and Entra both accept.

    Raises Unreachable when nothing answers and CloudError for an answer that is not a key set.
    """
    action = f"reading the key set {jwks_uri}"
    answer = http.request("GET", jwks_uri, service=SERVICE, action=action, headers={"Accept": "application/json"})
    if answer.status != 200:
        raise errors.CloudError(service=SERVICE, action=action, status=answer.status)
    try:
        keys = parse_json(answer.text())["keys"]
        return tuple(str(key.get("kid", "")) for key in keys if _signs(key))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise errors.CloudError(service=SERVICE, action=action, detail="the answer is not a key set") from error


def _signs(key: t.Mapping[str, object]) -> bool:
    """``use`` and ``alg`` are optional (sections 4.2 and 4.4): an RSA key without them may sign with RS256."""
    return key.get("kty") == "RSA" and key.get("use", "sig") == "sig" and key.get("alg", "RS256") == "RS256"
