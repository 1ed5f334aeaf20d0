# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say where a pod's web-identity token comes from, parsed once for every module that needs them."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    ProjectedToken,
    TokenSource,
    WebhookToken,
    WebIdentityToken,
    parse_audience,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, Params

#: What the API server accepts for a projected token (ServiceAccountTokenProjection, and AKS' own upper bound).
MIN_TOKEN_SECONDS = 600
MAX_TOKEN_SECONDS = 86400

#: The namespace in which AKS keeps webhooks from pods (its admissions enforcer).
_UNTOUCHED_NAMESPACE: t.Final = "kube-system"
_FILE = re.compile(r"/[\x21-\x7e]*[^/\s]")

#: Source and audience, for modules that only ask for such a token.
AUDIENCE_OPTIONS: t.Final = ArgumentSpec(
    {
        "token_source": {
            "type": "str",
            "default": TokenSource.PROJECTED.value,
            "choices": [source.value for source in TokenSource],
            "no_log": False,
        },
        "audience": {"type": "str"},
    }
)

#: All of it, for modules that change pods.
TOKEN_OPTIONS: t.Final = ArgumentSpec(
    {
        "token_file": {"type": "str", "no_log": False},
        "token_expiration_seconds": {"type": "int", "default": 3600, "no_log": False},
    }
).merge(AUDIENCE_OPTIONS)


def audience_of(params: Params) -> str:
    """The audience that is given, else that of the token's source. Raises FederationError."""
    given = params.optional_text("audience")
    return parse_audience(given if given is not None else TokenSource(params.text("token_source")).audience)


@dataclasses.dataclass(frozen=True)
class TokenWish:
    """Where the token comes from. ``file`` is where the webhook mounts it, None for what the cluster shows."""

    source: TokenSource
    audience: str
    file: str | None
    expiration_seconds: int

    @classmethod
    def from_params(cls, params: Params) -> TokenWish:
        """Raises InvalidInput and FederationError for what can't be."""
        source = TokenSource(params.text("token_source"))
        file = params.optional_text("token_file")
        if file is not None and source is TokenSource.PROJECTED:
            raise errors.InvalidInput(
                f"token_file is {file}, but the projected token is mounted where this collection puts it.",
                fix="Leave token_file out, or give token_source: azure_workload_identity.",
            )
        if file is not None and not _FILE.fullmatch(file):
            raise errors.InvalidInput(
                f"token_file is '{file}', which is not the absolute path of a file.",
                fix="Give it as AZURE_FEDERATED_TOKEN_FILE stands in a pod that the Azure webhook has changed.",
            )
        return cls(source, audience_of(params), file, _seconds(params))

    def token(self, role_arn: str, region: str, namespace: str) -> WebIdentityToken:
        """The token for a role. Raises InvalidInput for a namespace in which the source gives none."""
        if self.source is TokenSource.PROJECTED:
            return ProjectedToken(role_arn, region, self.audience, self.expiration_seconds)
        if namespace == _UNTOUCHED_NAMESPACE:
            raise errors.InvalidInput(
                f"AKS keeps the Azure webhook from the namespace {_UNTOUCHED_NAMESPACE}, so its pods get no token.",
                fix="Use token_source: projected there.",
            )
        return WebhookToken(role_arn, region, self.file or KNOWN_AFTER_APPLY, self.audience)


def _seconds(params: Params) -> int:
    seconds = params.integer("token_expiration_seconds")
    if not MIN_TOKEN_SECONDS <= seconds <= MAX_TOKEN_SECONDS:
        raise errors.InvalidInput(
            f"token_expiration_seconds is {seconds}.",
            fix=f"Kubernetes on AKS takes {MIN_TOKEN_SECONDS} to {MAX_TOKEN_SECONDS}.",
        )
    return seconds
