# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof, and around it all that can be looked at, so that what keeps metrics from flowing has one name.

What is not given is found out first: the issuer by the cluster, the role and the workspace by their names. What may not
be read leaves its link unknown and keeps the others from nothing.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp_data import DataPlane
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.tls_chain import ChainReader
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import link_errors, links
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.consequences import settled
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    Link,
    LinkName,
    Proof,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    FederationError,
    Issuer,
    RoleArn,
    TokenSource,
    is_known,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_aws as aws_side
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_azure as azure_side
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_entra as entra_side
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_inside as inside_side
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import diagnosis_kube as kube_side
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_links as judge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_probes import (
    Budget,
    Clouds,
    FederationCheck,
    Findings,
    Seen,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.iam_oidc_provider import read_chains
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import Role
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import (
        AzureLook,
        DiagnosisWish,
        EntraLook,
        InsideLook,
    )
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_wish import Wish


class Diagnosis:
    """One diagnosis. Raises only for faults of the task itself."""

    def __init__(self, wish: Wish, look: DiagnosisWish, clouds: Clouds, check_mode: bool, budget: Budget) -> None:
        self._wish = wish
        self._look = look
        self._clouds = clouds
        self._check_mode = check_mode
        self._budget = budget
        self._read_role: Role | None = None

    def findings(self) -> tuple[Wish, Findings]:
        """The wish with what was found out, and what was found wrong."""
        named = [*self._cluster(), *self._role(), *self._workspace()]
        check = FederationCheck(self._wish, self._clouds, self._check_mode, self._budget, self._read_role)
        proven = check.prove()
        found = _merged(proven.proof.links, named)
        found = self._with_thumbprints(found, proven.seen)
        found += self._permission(proven.seen)
        found += self._azure_and_kubernetes()
        found += self._labels(proven)
        found += self._inside()
        proof = Proof(settled(found), proven.proof.proven_by)
        return self._wish, dataclasses.replace(proven, proof=proof)

    # What is found out first --------------------------------------------------------------------------------------

    def _cluster(self) -> list[Link]:
        """The cluster in Azure, and its issuer where none is given."""
        azure = self._look.azure
        if azure is None or azure.cluster is None:
            return []
        needs_webhook: Severity | None = None
        if self._wish.source is TokenSource.AZURE_WORKLOAD_IDENTITY:
            needs_webhook = Severity.HIGH
        elif self._look.entra is not None:
            needs_webhook = Severity.MEDIUM
        seen = azure_side.look_at_cluster(azure, needs_workload_identity=needs_webhook)
        link = seen.link
        if self._wish.issuer.known:
            if seen.issuer and seen.issuer != self._wish.issuer.url:
                link = aws_side.with_findings(link, [_other_issuer(self._wish.issuer.url, seen.issuer)])
            return [link]
        try:
            issuer = Issuer.parse(seen.issuer) if seen.issuer else None
        except FederationError as error:
            return [links.broken(LinkName.CLUSTER, str(error), kind="issuer_unusable", found=seen.issuer)]
        if issuer is None:
            self._because(issuer="the cluster's issuer is not known")
        else:
            self._wish = dataclasses.replace(self._wish, issuer=issuer)
        return [link]

    def _role(self) -> list[Link]:
        """The role by its name. The link is that of its trust policy, and stands only where there is no role."""
        name = self._wish.role_name
        if name is None:
            return []
        try:
            found = self._clouds.roles.get(name)
        except link_errors.ABOUT_A_LINK as error:
            self._because(role="the role could not be read")
            return [link_errors.failed(LinkName.TRUST_POLICY, error)]
        if found is None:
            self._because(role="there is no such role")
            fix = "The step iam_web_identity creates it; the name is that of aks_amp_role_name."
            summary = f"There is no IAM role {name} in the account of the credentials."
            return [judge.absent(LinkName.TRUST_POLICY, summary, fix, check_mode=self._check_mode)]
        self._read_role = found
        self._wish = dataclasses.replace(self._wish, role=RoleArn.parse(found.arn))
        return []

    def _workspace(self) -> list[Link]:
        """The workspace by its id or alias, where its ARN is not given."""
        wish = self._wish
        if wish.workspace_id is None and wish.workspace_alias is None:
            return []
        session = self._clouds.aws
        if wish.workspace_role is not None:
            auth = self._clouds.auth
            session = AwsSession(
                dataclasses.replace(
                    auth,
                    assume_role_arn=wish.workspace_role,
                    assume_role_external_id=wish.workspace_role_external_id,
                )
            )
        seen = aws_side.look_at_workspace(session, wish.workspace_id, wish.workspace_alias)
        if seen.facts is None:
            self._because(workspace="the workspace is not known")
            return [seen.link]
        self._wish = dataclasses.replace(
            wish,
            workspace_arn=seen.facts["arn"],
            remote_write_url=seen.facts["remote_write_url"],
            query_url=wish.query_url or seen.facts["query_url"],
            region=seen.facts["region"],
        )
        return [seen.link]

    def _because(self, **reasons: str) -> None:
        self._wish = dataclasses.replace(self._wish, unknown=dataclasses.replace(self._wish.unknown, **reasons))

    # AWS ----------------------------------------------------------------------------------------------------------

    def _with_thumbprints(self, found: list[Link], seen: Seen) -> list[Link]:
        """The provider's link with what its thumbprints say against the live certificates."""
        if seen.provider is None or seen.discovery is None:
            return found  # what is missing has a link of its own
        issuer, transport = self._wish.issuer, self._clouds.auth.transport
        try:
            public = read_chains(issuer, seen.discovery, ChainReader(transport, ()))
            trusted = not any(chain.distrust for chain in public)
            chains = public
            if not trusted and self._wish.trust_anchors:
                chains = read_chains(issuer, seen.discovery, ChainReader(transport, self._wish.trust_anchors))
        except link_errors.ABOUT_A_LINK:
            return found  # the link of the discovery says it
        except errors.InvalidInput:
            if self._wish.trust_anchors:
                raise
            return found  # a proxy through which certificates can't be seen
        if any(chain.distrust for chain in chains):
            return found  # behind a proxy that opens TLS nothing can be said
        remarks = aws_side.judge_thumbprints(seen.provider.thumbprints, chains, trusted)
        return [aws_side.with_findings(link, remarks) if link.name is LinkName.PROVIDER else link for link in found]

    def _permission(self, seen: Seen) -> list[Link]:
        """What the role may do: write to the workspace, or assume the role that does."""
        wish = self._wish
        if seen.role is None:
            return [
                links.not_tried(LinkName.PERMISSION, "the role could not be read" if wish.role else wish.unknown.role)
            ]
        if wish.chained_role is not None:
            needed = aws_side.Needed(aws_side.CHAINING, str(wish.chained_role))
        elif is_known(wish.workspace_arn):
            needed = aws_side.Needed("aps:RemoteWrite", wish.workspace_arn)
        else:
            return [links.not_tried(LinkName.PERMISSION, wish.unknown.workspace)]
        try:
            evidence = aws_side.PermissionReader(self._clouds.aws).read(seen.role, needed)
        except link_errors.ABOUT_A_LINK as error:
            return [link_errors.failed(LinkName.PERMISSION, error)]
        return [aws_side.judge_permission(seen.role, needed, evidence)]

    def _labels(self, proven: Findings) -> list[Link]:
        """The guide's own test, on request: it needs another right than Prometheus does."""
        wish, name = self._wish, LinkName.LABELS
        if not wish.labels_query:
            return []
        if proven.seen.session is None or wish.role is None or wish.query_url is None:
            return [links.not_tried(name, "there is no session of the role or no query URL")]
        plane = DataPlane(self._clouds.http, proven.seen.session, wish.region or "")
        url = f"{wish.query_url.removesuffix('/query')}/labels"
        try:
            names = plane.label_names(url)
        except errors.Unreachable as error:
            return [link_errors.failed(name, error)]
        except errors.CloudError as error:
            explanation = explain.labels(error.status, error.detail, wish.chain(wish.chained_role or wish.role))
            if isinstance(error, errors.Forbidden):
                return [links.unknown(name, f"{error.message} {explanation.cause}", fix=explanation.fix)]
            return [judge.refused(name, error, explanation)]
        return [links.ok(name, f"The workspace tells its {len(names)} label names.", found=url)]

    # Azure and Kubernetes -----------------------------------------------------------------------------------------

    def _azure_and_kubernetes(self) -> list[Link]:
        wish = self._wish
        azure, entra = self._look.azure, self._look.entra
        identity: entra_side.EntraSeen | None = None
        if azure is not None and entra is not None:
            if wish.issuer.known:
                identity = entra_side.look_at_entra(
                    azure, entra, wish.issuer, wish.account, check_mode=self._check_mode
                )
            else:
                identity = entra_side.EntraSeen(links.not_tried(LinkName.ENTRA, wish.unknown.issuer), "", "")
        chain = self._cluster_chain(identity.client_id if identity is not None else "")
        added = list(kube_side.look_at_cluster_objects(self._clouds.kube, chain, self._look.prometheus))
        if azure is not None and entra is not None and identity is not None:
            added += [identity.link, self._entra_exchange(azure, entra, identity)]
        return added

    def _cluster_chain(self, client_id: str) -> kube_side.ClusterChain:
        wish = self._wish
        return kube_side.ClusterChain(
            issuer=wish.issuer,
            audience=wish.audience,
            source=wish.source,
            account=wish.account,
            role=wish.role,
            region=wish.region,
            remote_write_url=wish.remote_write_url if is_known(wish.remote_write_url) else "",
            client_id=client_id,
        )

    def _entra_exchange(self, azure: AzureLook, entra: EntraLook, identity: entra_side.EntraSeen) -> Link:
        """A token of the service account for Entra, exchanged at the login endpoint as a pod would."""
        name, wish = LinkName.ENTRA_EXCHANGE, self._wish
        if not identity.client_id:
            return links.not_tried(name, "the identity is not known")
        try:
            token = self._clouds.kube.create_token(
                wish.account.namespace, wish.account.name, entra.audience, wish.token_seconds
            )
        except link_errors.ABOUT_A_LINK:
            return links.not_tried(name, "the cluster gives no token for it")
        return entra_side.try_entra_exchange(azure, identity, entra, token, poll=self._budget)

    # From inside --------------------------------------------------------------------------------------------------

    def _inside(self) -> list[Link]:
        look: InsideLook | None = self._look.inside
        if look is None:
            return []
        wish, name = self._wish, LinkName.INSIDE
        if self._check_mode:
            return [links.not_tried(name, "check mode creates no Job")]
        if wish.role is None or wish.region is None:
            return [links.not_tried(name, wish.unknown.role)]
        return [
            inside_side.try_inside(
                self._clouds.kube,
                self._cluster_chain(""),
                look,
                sleep=self._budget.sleep,
                monotonic=self._budget.monotonic,
                chained_role_arn=None if wish.chained_role is None else str(wish.chained_role),
                external_id=wish.external_id,
            )
        ]


def _merged(proven: t.Sequence[Link], named: t.Sequence[Link]) -> list[Link]:
    """The proof's links, and those that were found out before; where both have one, the one that was tried."""
    instead = {link.name: link for link in named}
    kept = [link for link in proven if link.tried or link.name not in instead]
    names = {link.name for link in kept}
    return [*kept, *(link for name, link in instead.items() if name not in names)]


def _other_issuer(given: str, found: str) -> Finding:
    return Finding(
        "cluster_issuer_differs",
        Severity.HIGH,
        "The cluster has another issuer than the one that was given, as after it was created anew.",
        expected=found,
        found=given,
        fix="Leave the issuer out, or take it from the step aks_oidc_issuer; then run federate.yml again.",
    )
