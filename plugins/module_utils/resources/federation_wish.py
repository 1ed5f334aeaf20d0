# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proof is about: the chain, and how far and how patiently it is tried."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors, explain, remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    AwsAccount,
    Issuer,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
    is_known,
    parse_workspace_arn,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.links import LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.federation_links import Expectation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.token_options import audience_of

METRIC: t.Final = "aks_amp_federation_check"
SCOPE_TOKEN_EXCHANGE: t.Final = "token_exchange"  # noqa: S105 - a scope, not a secret
SCOPE_FULL: t.Final = "full"

#: Kubernetes' shortest lifetime of a token, and its longest.
_TOKEN_SECONDS: t.Final = (600, 86400)


@dataclasses.dataclass(frozen=True)
class Wish:
    """The chain that shall be proven. ``role`` and ``region`` are None while they are not known; times in seconds."""

    issuer: Issuer
    audience: str
    account: ServiceAccount
    role: RoleArn | None
    region: str | None
    workspace_arn: str
    remote_write_url: str
    query_url: str | None
    full: bool
    wait_timeout: float
    poll_interval: float
    fail_on_broken: bool

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what can't be a chain."""

        def known(option: str, step: str) -> str:
            return require_known(params.text(option), option=option, step=step, check_mode=check_mode)

        full = params.text("scope") == SCOPE_FULL
        role_arn = known("role_arn", "iam_web_identity")
        arn = known("workspace_arn", "iam_web_identity") if full else params.optional_text("workspace_arn") or ""
        url = known("remote_write_url", "iam_web_identity") if full else params.optional_text("remote_write_url") or ""
        wait_timeout, poll_interval = params.integer("wait_timeout"), params.number("poll_interval")
        if wait_timeout < 0 or poll_interval <= 0:
            raise errors.InvalidInput("wait_timeout must not be negative, and poll_interval must be greater than zero.")
        return cls(
            issuer=Issuer.parse(known("issuer", "aks_oidc_issuer")),
            audience=audience_of(params),
            account=ServiceAccount.parse(params.text("namespace"), params.text("service_account")),
            role=RoleArn.parse(role_arn) if is_known(role_arn) else None,
            region=_region(arn) or params.optional_text("region"),
            workspace_arn=arn,
            remote_write_url=_https("remote_write_url", url),
            query_url=_https("query_url", params.optional_text("query_url") or "") or None,
            full=full,
            wait_timeout=wait_timeout,
            poll_interval=poll_interval,
            fail_on_broken=params.flag("fail_on_broken"),
        )

    @property
    def proven_by(self) -> LinkName:
        return LinkName.REMOTE_WRITE if self.full else LinkName.TOKEN_EXCHANGE

    @property
    def expectation(self) -> Expectation:
        return Expectation(self.issuer.url, self.audience, self.account.subject)

    @property
    def target(self) -> str:
        return self.workspace_arn if self.full else str(self.role)

    @property
    def token_seconds(self) -> int:
        """Long enough for all retries."""
        shortest, longest = _TOKEN_SECONDS
        return int(min(shortest + self.wait_timeout, longest))

    def trust(self, role: RoleArn) -> WebIdentityTrust:
        account = AwsAccount(role.partition, role.account_id)
        return WebIdentityTrust(self.issuer, self.audience, (self.account,), account)

    def chain(self, role: RoleArn) -> explain.Chain:
        return explain.Chain(
            issuer=self.issuer.url,
            audience=self.audience,
            subject=self.account.subject,
            provider_arn=self.trust(role).provider_arn,
            role_arn=str(role),
            workspace_arn=self.workspace_arn or "the workspace",
            region=self.region or "the region",
        )

    def sample(self, role: RoleArn, now: float) -> remote_write.Sample:
        """The sample of a proof; one series a chain, without ``__replica__``, so that no HA deduplication drops it."""
        labels = (
            ("issuer", self.issuer.url),
            ("namespace", self.account.namespace),
            ("role", role.name),
            ("service_account", self.account.name),
        )
        return remote_write.Sample(METRIC, labels, value=1.0, timestamp=int(now * 1000))


def _region(workspace_arn: str) -> str | None:
    """The workspace's region, None while the workspace is not known. Raises FederationError for a malformed ARN."""
    if not workspace_arn or not is_known(workspace_arn):
        return None
    return parse_workspace_arn(workspace_arn).split(":")[3]


def _https(option: str, url: str) -> str:
    """The URL, which may be empty or not known yet. Raises InvalidInput for one that is not https."""
    if url and is_known(url) and not url.startswith("https://"):
        raise errors.InvalidInput(f"{option}: '{url}' is not an https URL.", fix="Take it from amp_workspace_info.")
    return url
