# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS shows of the chain beyond what the proof needs: thumbprints against the live certificates, what the role may
do and what keeps it from that, and the workspace."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import AmpWorkspaces
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_policies import IamPolicies
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import IamRoles, Role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_simulation import (
    IamSimulation,
    Simulation,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import link_errors, links
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, Link, LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.iam_decision import (
    Answer,
    Decision,
    NamedDocument,
    decide,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import UNEXPLAINED
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.thumbprints import SentChain

_STEP: t.Final = links.run_step("iam_web_identity")
#: The action by which the federated role takes on the chained one.
CHAINING: t.Final = "sts:AssumeRole"
#: The quota of managed policies is 20 at most; no role has more to be read.
_MOST_POLICIES: t.Final = 30

ReadT = t.TypeVar("ReadT")


# Thumbprints ----------------------------------------------------------------------------------------------------------


def judge_thumbprints(
    pinned: Sequence[str], chains: Sequence[SentChain], publicly_trusted: bool
) -> tuple[Finding, ...]:
    """The provider's thumbprints against what the issuer's hosts send. ``chains`` are verified, by the public roots or
    by anchors that were given.

    IAM looks at thumbprints only where its own list of authorities does not know the host's
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html).
    """
    listed = {value.lower() for value in pinned}
    sent = {value for chain in chains for value in chain.thumbprints}
    leaves = {chain.leaf for chain in chains if chain.leaf is not None}
    tops = ", ".join(dict.fromkeys(chain.top or chain.leaf or "" for chain in chains))
    if not sent or not listed:
        return ()
    if not publicly_trusted and not listed & sent:
        return (
            Finding(
                "provider_thumbprint_mismatch",
                Severity.HIGH,
                "The issuer's certificates come from an authority of its own, and none of them is one that the IAM "
                "OIDC provider lists by its thumbprint, so STS does not trust the keys.",
                expected=tops,
                found=", ".join(sorted(listed)),
                fix=f"{_STEP} The default thumbprints (auto) pin the last certificate of the chain.",
            ),
        )
    if listed & leaves:
        return (
            Finding(
                "provider_thumbprint_of_the_leaf",
                Severity.LOW,
                "The IAM OIDC provider pins the issuer's own certificate, which changes with every renewal; where AWS "
                "knows the authority that harms nothing, and else it breaks the chain one day.",
                expected=tops,
                found=", ".join(sorted(listed & leaves)),
                fix=f"{_STEP} The default thumbprints (auto) pin the last certificate of the chain.",
            ),
        )
    return ()


def with_findings(link: Link, findings: Sequence[Finding]) -> Link:
    """A link that was judged already, with more that was found in it."""
    if not findings:
        return link
    more = links.judged(link.name, [*link.findings, *findings], "")
    if link.status is links.Status.OK and more.status is links.Status.OK:
        return dataclasses.replace(link, findings=more.findings, summary=f"{link.summary} {more.summary}", fix=more.fix)
    return more


# Permission -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Needed:
    """What the role must be allowed: the action, and on what."""

    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What could be read of a role's rights; None stands for what may not be read, and ``hidden`` names the rights."""

    simulation: Simulation | None
    documents: tuple[NamedDocument, ...] | None
    boundary: NamedDocument | None
    hidden: tuple[str, ...] = ()


class PermissionReader:
    """Reads what decides about a role's rights, as far as the caller may."""

    def __init__(self, session: AwsSession) -> None:
        self._roles = IamRoles(session)
        self._policies = IamPolicies(session)
        self._simulation = IamSimulation(session)
        self._hidden: list[str] = []

    def read(self, role: Role, needed: Needed) -> Evidence:
        """Raises CloudError for anything but a missing right."""
        simulation = self._may(lambda: self._simulation.ask(role.arn, needed.action, needed.resource))
        if simulation is not None and simulation.allowed:
            return Evidence(simulation, None, None)
        documents = self._may(lambda: tuple(self._documents(role.name)))
        boundary = None
        if role.permissions_boundary is not None:
            arn = role.permissions_boundary
            boundary = self._may(lambda: self._managed(arn, "permissions boundary"))
        return Evidence(simulation, documents, boundary, tuple(dict.fromkeys(self._hidden)))

    def _documents(self, role: str) -> Iterable[NamedDocument]:
        for name in self._roles.inline_policy_names(role):
            document = self._roles.inline_policy(role, name)
            if document is not None:
                yield NamedDocument(f"inline policy {name}", document)
        for arn in self._roles.attached_policy_arns(role)[:_MOST_POLICIES]:
            yield self._managed(arn, "managed policy")

    def _managed(self, arn: str, what: str) -> NamedDocument:
        found = self._policies.get(arn)
        return NamedDocument(f"{what} {arn}", found.document if found is not None else {})

    def _may(self, read: t.Callable[[], ReadT]) -> ReadT | None:
        try:
            return read()
        except errors.Forbidden as error:
            self._hidden.append(error.fix)
            return None


def judge_permission(role: Role, needed: Needed, evidence: Evidence) -> Link:
    """Whether the role may do what is needed, with the cause when it may not."""
    name, simulation = LinkName.PERMISSION, evidence.simulation
    if simulation is not None and simulation.allowed:
        return links.ok(name, f"The role's policies allow {needed}.", expected=str(needed), found="allowed")
    if simulation is not None and simulation.by_organization is False:
        return links.judged(name, [_by_organization(role, needed)], "")
    if evidence.documents is None and simulation is None:
        return links.unknown(name, "What the role is allowed may not be read.", fix=" ".join(evidence.hidden))
    decision = decide(evidence.documents or (), needed.action, needed.resource)
    findings = _findings(role, needed, evidence, decision)
    if not findings and simulation is not None and decision.answer is not Answer.CONDITIONAL:
        findings = [_unexplained(role, needed, simulation)]
    if findings:
        return links.judged(name, findings, "")
    return _open_question(role, needed, evidence, decision) or links.ok(
        name,
        f"The role's policies allow {needed}.",
        expected=str(needed),
        found=f"allowed by the {decision.by}",
    )


def _findings(role: Role, needed: Needed, evidence: Evidence, decision: Decision) -> list[Finding]:
    """What the documents that could be read say against it."""
    found = _identity_finding(role, needed, decision) if evidence.documents is not None else None
    findings = [found] if found is not None else []
    if evidence.boundary is not None:
        bound = decide([evidence.boundary], needed.action, needed.resource)
        if bound.answer in (Answer.DENIED, Answer.NOT_ALLOWED):
            findings.append(_bounded(role, needed, bound))
    return findings


def _open_question(role: Role, needed: Needed, evidence: Evidence, decision: Decision) -> Link | None:
    """What documents leave open."""
    if role.permissions_boundary is not None and evidence.boundary is None:
        return links.unknown(
            LinkName.PERMISSION,
            f"The role's policies allow {needed}, but its permissions boundary {role.permissions_boundary} may not be "
            "read, and that is an upper limit.",
            fix=" ".join(evidence.hidden),
        )
    if decision.answer is Answer.CONDITIONAL:
        return links.unknown(
            LinkName.PERMISSION,
            f"The {decision.by} has conditions on {needed.action} that only a real request decides. The remote write "
            "tells.",
        )
    return None


def _identity_finding(role: Role, needed: Needed, decision: Decision) -> Finding | None:
    expected = str(needed)
    if decision.answer is Answer.DENIED:
        return Finding(
            "permission_denied",
            Severity.HIGH,
            f"The {decision.by} of the role {role.name} denies {needed}, and that wins over every Allow.",
            expected=expected,
            found=f"Deny in the {decision.by}",
            fix="Take the Deny out of that policy, or use a role of its own (aks_amp_role_name).",
        )
    if decision.answer is not Answer.NOT_ALLOWED:
        return None
    if decision.elsewhere:
        return Finding(
            "permission_on_another_resource",
            Severity.HIGH,
            f"The role {role.name} may do {needed.action}, but not on {needed.resource}.",
            expected=expected,
            found=f"{needed.action} on {', '.join(decision.elsewhere)}",
            fix=_fix(needed, f"{_STEP} It takes the workspace from aks_amp_workspace_id or aks_amp_workspace_alias."),
        )
    return Finding(
        "permission_missing",
        Severity.HIGH,
        f"No policy of the role {role.name} allows {needed.action}.",
        expected=expected,
        found="no statement for it",
        fix=_fix(needed, _STEP),
    )


def _fix(needed: Needed, of_workspace: str) -> str:
    """What the step needs to be told; it grants a chained role only where it is named."""
    if needed.action == CHAINING:
        return f"Name {needed.resource} in aks_amp_assumable_role_arns. {_STEP}"
    return of_workspace


def _bounded(role: Role, needed: Needed, decision: Decision) -> Finding:
    return Finding(
        "permission_boundary",
        Severity.HIGH,
        f"The permissions boundary of the role {role.name} does not allow {needed}, and it is an upper limit to "
        "all of its policies.",
        expected=str(needed),
        found=f"{role.permissions_boundary}: {decision.answer.value}",
        fix="Let the boundary allow it, or give another one (aks_amp_permissions_boundary) and run the step "
        "iam_web_identity.",
    )


def _by_organization(role: Role, needed: Needed) -> Finding:
    return Finding(
        "permission_denied_by_organization",
        Severity.HIGH,
        f"A policy of the organization (SCP) keeps the account of {role.arn} from {needed.action}.",
        expected=f"{needed.action} allowed by the organization's policies",
        found="not allowed",
        fix="Ask those who keep the organization's service control policies to allow it for this account.",
    )


def _unexplained(role: Role, needed: Needed, simulation: Simulation) -> Finding:
    return Finding(
        f"permission_{UNEXPLAINED}",
        Severity.HIGH,
        f"IAM's policy simulator says that {role.arn} may not do {needed}, and no policy that may be read explains it.",
        expected="allowed",
        found=simulation.decision,
        fix=f"{_STEP} If it stays, look at the role's policies in the IAM console.",
        source=simulation.decision,
    )


# Workspace ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class WorkspaceSeen:
    """The link, and the workspace as ``amp_workspace_info`` gives it where it was found."""

    link: Link
    facts: t.Mapping[str, str] | None = None


def look_at_workspace(session: AwsSession, workspace_id: str | None, alias: str | None) -> WorkspaceSeen:
    """Find the workspace that is named."""
    name = LinkName.WORKSPACE
    step = "Correct aks_amp_workspace_id, aks_amp_workspace_alias or aks_amp_aws_region."
    try:
        found = amp_workspace.find_named(AmpWorkspaces(session), workspace_id, alias)
    except errors.NotReady as error:
        return WorkspaceSeen(links.broken(name, error.message, kind="not_active", fix=error.fix))
    except errors.NotFound as error:
        return WorkspaceSeen(links.broken(name, error.message, kind="missing", fix=step))
    except errors.Ambiguous as error:
        return WorkspaceSeen(links.broken(name, error.message, kind="ambiguous", fix=error.fix))
    except link_errors.ABOUT_A_LINK as error:
        return WorkspaceSeen(link_errors.failed(name, error))
    return WorkspaceSeen(links.ok(name, "The workspace is active.", found=found["arn"]), found)
