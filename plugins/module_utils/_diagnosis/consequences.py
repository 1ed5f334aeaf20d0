# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which refusals only follow from what was found before them, so that each cause is one finding. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, LinkName, Status

#: What nobody can look at while the cluster is stopped or gone.
_OF_THE_CLUSTER: t.Final = (
    LinkName.DISCOVERY,
    LinkName.TOKEN,
    LinkName.SERVICE_ACCOUNT,
    LinkName.WEBHOOK,
    LinkName.POD_TEMPLATE,
    LinkName.CONFIGURATION,
    LinkName.PODS,
    LinkName.INSIDE,
)

#: By a finding's kind, the links that explain it when they are broken.
EXPLAINED_BY: t.Final[t.Mapping[str, tuple[LinkName, ...]]] = {
    **{
        f"{name.value}_{ending}": (LinkName.CLUSTER,)
        for name in _OF_THE_CLUSTER
        for ending in ("unreachable", "not_readable")
    },
    "token_missing": (LinkName.SERVICE_ACCOUNT,),
    "token_claims_differ": (LinkName.CLUSTER,),
    "token_exchange_audience_not_listed": (LinkName.PROVIDER,),
    "token_exchange_no_provider_for_issuer": (LinkName.PROVIDER,),
    "token_exchange_thumbprint_mismatch": (LinkName.PROVIDER,),
    "token_exchange_keys_not_retrieved": (LinkName.DISCOVERY,),
    "token_exchange_not_authorized": (LinkName.TRUST_POLICY,),
    "chained_role_not_authorized": (LinkName.PERMISSION,),
    "remote_write_permission_missing": (LinkName.PERMISSION,),
    "remote_write_workspace_not_found": (LinkName.WORKSPACE,),
    "entra_exchange_no_matching_credential": (LinkName.ENTRA,),
    "entra_exchange_issuer_not_trusted": (LinkName.ENTRA,),
    "entra_exchange_subject_not_trusted": (LinkName.ENTRA,),
    "entra_exchange_audience_not_trusted": (LinkName.ENTRA,),
    "entra_exchange_subject_form": (LinkName.ENTRA,),
    "entra_exchange_subject_case": (LinkName.ENTRA,),
    "entra_exchange_principal_missing": (LinkName.ENTRA,),
    "entra_exchange_application_unknown": (LinkName.ENTRA,),
    "entra_exchange_application_disabled": (LinkName.ENTRA,),
    "entra_exchange_issuer_not_reached": (LinkName.CLUSTER,),
    "pods_not_made": (LinkName.SERVICE_ACCOUNT, LinkName.WEBHOOK),
    "pods_log_audience_not_listed": (LinkName.PROVIDER, LinkName.POD_TEMPLATE),
    "pods_log_no_provider_for_issuer": (LinkName.PROVIDER,),
    "pods_log_thumbprint_mismatch": (LinkName.PROVIDER,),
    "pods_log_keys_not_retrieved": (LinkName.DISCOVERY,),
    "pods_log_not_authorized": (LinkName.TRUST_POLICY,),
    "pods_log_no_web_identity": (LinkName.POD_TEMPLATE,),
    "pods_log_token_file_missing": (LinkName.WEBHOOK, LinkName.POD_TEMPLATE),
    "pods_log_role_chained_to_itself": (LinkName.CONFIGURATION, LinkName.PERMISSION),
    "pods_log_region_missing": (LinkName.CONFIGURATION,),
    "pods_log_url_not_of_the_workspace": (LinkName.CONFIGURATION,),
    "pods_log_signed_for_another_region": (LinkName.CONFIGURATION,),
    "pods_log_permission_missing": (LinkName.PERMISSION,),
    "pods_log_workspace_not_found": (LinkName.WORKSPACE,),
    "inside_pod_refused": (LinkName.SERVICE_ACCOUNT,),
    "inside_exchange_audience_not_listed": (LinkName.PROVIDER, LinkName.TOKEN_EXCHANGE),
    "inside_exchange_no_provider_for_issuer": (LinkName.PROVIDER, LinkName.TOKEN_EXCHANGE),
    "inside_exchange_thumbprint_mismatch": (LinkName.PROVIDER, LinkName.TOKEN_EXCHANGE),
    "inside_exchange_keys_not_retrieved": (LinkName.DISCOVERY, LinkName.TOKEN_EXCHANGE),
    "inside_exchange_not_authorized": (LinkName.TRUST_POLICY, LinkName.TOKEN_EXCHANGE),
    "inside_chaining_not_authorized": (LinkName.PERMISSION, LinkName.CHAINED_ROLE),
    "inside_write_permission_missing": (LinkName.PERMISSION, LinkName.REMOTE_WRITE),
    "inside_write_workspace_not_found": (LinkName.WORKSPACE, LinkName.REMOTE_WRITE),
    "inside_write_url_not_of_the_workspace": (LinkName.REMOTE_WRITE,),
    "inside_write_quota_exceeded": (LinkName.REMOTE_WRITE,),
    "inside_write_service_in_trouble": (LinkName.REMOTE_WRITE,),
}


def settled(links: t.Sequence[Link]) -> tuple[Link, ...]:
    """The links in the order of the chain. A refusal that an earlier broken link explains stays broken and says so, but
    is no finding of its own."""
    ordered = sorted(links, key=lambda link: link.name.rank)
    broken = {link.name for link in ordered if link.status is Status.BROKEN}
    return tuple(_settled(link, broken) for link in ordered)


def _settled(link: Link, broken: set[LinkName]) -> Link:
    causes = {
        finding.kind: [name for name in EXPLAINED_BY.get(finding.kind, ()) if name in broken]
        for finding in link.findings
    }
    explained = [kind for kind, names in causes.items() if names]
    if not explained:
        return link
    names = dict.fromkeys(name.title for kind in explained for name in causes[kind])
    kept = tuple(finding for finding in link.findings if finding.kind not in explained)
    note = f"It follows from what is wrong with the {' and the '.join(names)}."
    return dataclasses.replace(link, findings=kept, summary=f"{link.summary} {note}", fix="" if not kept else link.fix)
