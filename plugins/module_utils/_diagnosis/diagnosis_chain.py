# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's objects are held against when a chain is diagnosed. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import (
    Survey,
    file_of_version,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    ProjectedToken,
    RemoteWrite,
    RoleArn,
    ServiceAccount,
    TokenSource,
    WebhookToken,
    WebIdentityToken,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    TOKEN_FILE,
    PodWish,
    token_lifetime,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    UNKNOWN_WORKSPACE,
    chain_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import (
    MAX_TOKEN_SECONDS,
    MIN_TOKEN_SECONDS,
)

Json = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class ClusterChain:
    """The chain as a cluster has to show it.

    ``role`` and ``region`` are None while they are not known, ``remote_write_url`` is empty then. ``client_id`` is the
    Entra client ID that the service account's annotation should have, empty where Entra is not looked at.
    """

    issuer: Issuer
    audience: str
    source: TokenSource
    account: ServiceAccount
    role: RoleArn | None
    region: str | None
    remote_write_url: str
    client_id: str = ""

    @property
    def needs_webhook(self) -> bool:
        """Whether nothing flows without the Azure webhook."""
        return self.source is TokenSource.AZURE_WORKLOAD_IDENTITY

    def explained(self) -> explain.Chain:
        """The chain for explanations."""
        described = chain_of(
            namespace=self.account.namespace,
            account=self.account.name,
            role_arn=None if self.role is None else str(self.role),
            audience=self.audience,
            region=self.region,
            workspace=self.remote_write_url or UNKNOWN_WORKSPACE,
        )
        if not self.issuer.known:
            return described
        described = dataclasses.replace(described, issuer=self.issuer.url)
        if self.role is None:
            return described
        account = AwsAccount(self.role.partition, self.role.account_id)
        return dataclasses.replace(described, provider_arn=account.provider_arn(self.issuer))

    def entry(self, chained_role_arn: str | None) -> RemoteWrite | None:
        """The entry of the workspace; None while region or URL are not known. Raises FederationError."""
        if not self.region or not self.remote_write_url:
            return None
        role = KNOWN_AFTER_APPLY if self.role is None else str(self.role)
        return RemoteWrite(self.remote_write_url, self.region, role, chained_role_arn)

    def pod(self, template: Json, container: str, survey: Survey | None) -> PodWish | None:
        """What a pod must have; None while role or region are not known.

        What may be chosen freely is taken from the template: the token's lifetime, and where the webhook may mount its
        token the path that stands there.
        """
        if self.role is None or not self.region:
            return None
        role = str(self.role)
        token: WebIdentityToken
        if self.needs_webhook:
            token = WebhookToken(role, self.region, _azure_file(template, container, survey), self.audience)
        else:
            token = ProjectedToken(role, self.region, self.audience, _lifetime(template))
        return PodWish(self.account.name, token, container)


def _lifetime(template: Json) -> int:
    present = token_lifetime(template, ProjectedToken.volume_name)
    if present is None or not MIN_TOKEN_SECONDS <= present <= MAX_TOKEN_SECONDS:
        return ProjectedToken.expiration_seconds
    return present


def _azure_file(template: Json, container: str, survey: Survey | None) -> str:
    present = value_of(template["spec"], container, TOKEN_FILE)
    seen = (file_of_version(survey.image), *(pod.token_file for pod in survey.pods)) if survey is not None else ()
    known = [file for file in seen if file]
    if present in known or not known:
        return present or KNOWN_AFTER_APPLY
    return known[0]


def value_of(pod: Json, container: str, variable: str) -> str:
    """The value of a container's variable in a pod spec; empty without one."""
    return next(
        (
            str(item.get("value") or "")
            for one in pod.get("containers") or ()
            if one.get("name") == container
            for item in reversed(one.get("env") or ())
            if item.get("name") == variable
        ),
        "",
    )
