# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OIDC issuer's discovery document, the only source of the issuer that tokens really carry.

https://openid.net/specs/openid-connect-discovery-1_0.html, section 4. Azure Resource Manager has been seen to show an
issuer URL that differs from the tokens' ``iss`` by a trailing slash, and IAM and Entra compare the whole string.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient

SERVICE = "The OIDC issuer"


@dataclasses.dataclass(frozen=True)
class Discovery:
    """What relying parties need: the issuer verbatim, as in every token's ``iss``, and where its keys are."""

    issuer: Issuer
    jwks_uri: str


class NotPublished(errors.CloudError):
    """The issuer's host answered, but not with the document: normal for some seconds after the issuer is enabled."""


def discover(http: HttpClient, url: str) -> Discovery:
    """The discovery document of the issuer at ``url``, as a cloud's API shows it: at most a trailing slash off.

    Raises Unreachable when nothing answers, NotPublished for another status than 200, CloudError for a document that
    is none, Refused when the document names another issuer, FederationError for an issuer that no cloud can trust.
    """
    shown = Issuer.parse(url)
    action = f"reading the discovery document {shown.discovery_url}"
    answer = http.request(
        "GET", shown.discovery_url, service=SERVICE, action=action, headers={"Accept": "application/json"}
    )
    if answer.status != 200:
        raise NotPublished(
            service=SERVICE,
            action=action,
            status=answer.status,
            detail="",
            fix="Check that the issuer is enabled and that no proxy answers in its place.",
        )
    return _parse(answer.text(), shown, action)


def _parse(text: str, shown: Issuer, action: str) -> Discovery:
    try:
        document = parse_json(text)
    except ValueError as error:
        raise errors.CloudError(service=SERVICE, action=action, detail="the answer is not JSON") from error
    values = document if isinstance(document, dict) else {}
    issuer, jwks_uri = values.get("issuer"), values.get("jwks_uri")
    if not isinstance(issuer, str) or not isinstance(jwks_uri, str):
        raise errors.CloudError(service=SERVICE, action=action, detail="the answer lacks issuer or jwks_uri")
    if not jwks_uri.startswith("https://"):
        raise errors.CloudError(service=SERVICE, action=action, detail=f"its jwks_uri is not https: {jwks_uri}")
    if _without_slash(issuer) != _without_slash(shown.url):
        raise errors.Refused(
            f"The discovery document {shown.discovery_url} names the issuer '{issuer}', not '{shown.url}'.",
            fix="Tokens carry the document's issuer, so trusting the other one would trust nobody: find out which of "
            "the two is right, and whether a proxy changes the answer.",
        )
    return Discovery(Issuer.parse(issuer), jwks_uri)


def _without_slash(url: str) -> str:
    """The URL without its last slash, if it ends in one: exactly one slash more or less is tolerated."""
    return url.removesuffix("/")
