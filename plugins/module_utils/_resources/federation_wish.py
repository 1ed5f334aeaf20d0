# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a proof is about: the chain, and how far and how patiently it is tried."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    RoleArn,
    ServiceAccount,
    TokenSource,
    WebIdentityTrust,
    is_known,
    parse_workspace_arn,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import DiagnosisWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_links import Expectation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import audience_of

METRIC: t.Final = "aks_amp_federation_check"
SCOPE_TOKEN_EXCHANGE: t.Final = "token_exchange"  # noqa: S105 - a scope, not a secret
SCOPE_FULL: t.Final = "full"
SCOPE_DIAGNOSIS: t.Final = "diagnosis"

#: Kubernetes' shortest lifetime of a token, and its longest.
_TOKEN_SECONDS: t.Final = (600, 86400)


#: The options by which a diagnosis finds out what a proof is given.
_NAMES: t.Final = ("role_name", "workspace_id", "workspace_alias", "workspace_assume_role_arn")


@dataclasses.dataclass(frozen=True)
class Unknown:
    """Why a part of the chain is not known: each completes "not tried because"."""

    issuer: str = "the issuer is known after apply"
    role: str = "the role's ARN is known after apply"
    workspace: str = "the workspace is known after apply"


@dataclasses.dataclass(frozen=True)
class Wish:
    """The chain that shall be proven. ``role`` and ``region`` are None while they are not known; times in seconds.

    ``chained_role`` is another role that writes, assumed with the federated session. ``diagnosis`` is what is looked at
    beside the chain, None for a mere proof.
    """

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
    fail_severity: Severity = Severity.HIGH
    chained_role: RoleArn | None = None
    external_id: str | None = None
    trust_anchors: tuple[str, ...] = ()
    labels_query: bool = False
    role_name: str | None = None
    workspace_id: str | None = None
    workspace_alias: str | None = None
    workspace_role: str | None = None
    workspace_role_external_id: str | None = None
    diagnosis: DiagnosisWish | None = None
    source: TokenSource = TokenSource.PROJECTED
    unknown: Unknown = Unknown()

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what can't be a chain."""

        def known(option: str, step: str) -> str:
            value = params.optional_text(option)
            if value is None:
                raise errors.InvalidInput(
                    f"The option '{option}' is empty.",
                    fix=f"Take it from the step {step}, or see what scope diagnosis takes.",
                )
            return require_known(value, option=option, step=step, check_mode=check_mode)

        scope = params.text("scope")
        diagnosed = scope == SCOPE_DIAGNOSIS
        account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
        _refuse_out_of_scope(params, scope)

        def needed(option: str, step: str, *, named_otherwise: bool) -> str:
            """The value; the placeholder where a diagnosis finds it out."""
            if params.optional_text(option) is None and diagnosed and named_otherwise:
                return KNOWN_AFTER_APPLY
            return known(option, step)

        full = scope != SCOPE_TOKEN_EXCHANGE
        workspace_id, alias = params.optional_text("workspace_id"), params.optional_text("workspace_alias")
        by_name = workspace_id is not None or alias is not None
        role_arn = needed("role_arn", "iam_web_identity", named_otherwise=params.optional_text("role_name") is not None)
        arn, url = (
            needed(option, "iam_web_identity", named_otherwise=by_name) if full else params.optional_text(option) or ""
            for option in ("workspace_arn", "remote_write_url")
        )
        chained = params.optional_text("chained_role_arn")
        wait_timeout, poll_interval = params.integer("wait_timeout"), params.number("poll_interval")
        if wait_timeout < 0 or poll_interval <= 0:
            raise errors.InvalidInput("wait_timeout must not be negative, and poll_interval must be greater than zero.")
        diagnosis = DiagnosisWish.from_params(params, account.namespace) if diagnosed else None
        has_cluster = diagnosis is not None and diagnosis.azure is not None and diagnosis.azure.cluster is not None
        return cls(
            issuer=Issuer.parse(needed("issuer", "aks_oidc_issuer", named_otherwise=has_cluster)),
            audience=audience_of(params),
            account=account,
            role=RoleArn.parse(role_arn) if is_known(role_arn) else None,
            region=_region(arn) or params.optional_text("region"),
            workspace_arn=arn,
            remote_write_url=_https("remote_write_url", url),
            query_url=_https("query_url", params.optional_text("query_url") or "") or None,
            full=full,
            wait_timeout=wait_timeout,
            poll_interval=poll_interval,
            fail_on_broken=params.flag("fail_on_broken"),
            fail_severity=Severity(params.text("fail_severity")),
            chained_role=None if chained is None else RoleArn.parse(chained),
            external_id=params.optional_text("external_id"),
            trust_anchors=params.texts("trust_anchors"),
            labels_query=params.flag("labels_query"),
            role_name=params.optional_text("role_name"),
            workspace_id=workspace_id,
            workspace_alias=alias,
            workspace_role=params.optional_text("workspace_assume_role_arn"),
            workspace_role_external_id=params.optional_text("workspace_assume_role_external_id"),
            diagnosis=diagnosis,
            source=TokenSource(params.text("token_source")),
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


def _refuse_out_of_scope(params: Params, scope: str) -> None:
    """Raises InvalidInput for what the scope would not look at, so that nobody takes it for checked."""
    given = [name for name in ("azure", "entra", "inside") if params.optional_item(name) is not None]
    given += [name for name in _NAMES if params.optional_text(name)]
    given += ["prometheus"] if params.items("prometheus") else []
    if scope != SCOPE_DIAGNOSIS and given:
        raise errors.InvalidInput(
            f"{' and '.join(given)} {'is' if len(given) == 1 else 'are'} given, and the scope is {scope}, which "
            "does not look at it.",
            fix=f"Give scope: {SCOPE_DIAGNOSIS}, or leave it out.",
        )


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
