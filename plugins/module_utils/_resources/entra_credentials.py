# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which federated identity credentials a holder shall have: the decisions, without any I/O.

The holder is an application or a user-assigned managed identity. For both: at most 20 credentials, exactly one
audience, issuer and subject compared verbatim and unique together
(https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _ownership as ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import Credential, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, Issuer, is_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change

MAX_CREDENTIALS = 20
MAX_AUDIENCE = 600

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")


class Existing(enum.Enum):
    """What to do about a credential that has the trust under another name; the values are the option's."""

    ADOPT = "adopt"  # use it, and repair its audience
    REPORT = "report"  # refuse


class IssuerState(enum.Enum):
    """What an issuer's host says about its discovery document."""

    FOUND = "found"
    GONE = "gone"  # 404, the only proof that a cluster is no more
    UNKNOWN = "unknown"  # anything else, such as no answer


@dataclasses.dataclass(frozen=True)
class Holder:
    """What holds the credentials. ``title`` names it in sentences ("application x").

    ``marks`` is whether its credentials have a description, by which those that the collection created are known.
    """

    title: str
    marks: bool


@dataclasses.dataclass(frozen=True)
class CredentialWish:
    """The credential that shall be there, or shall not. ``trust`` is None where it is to be removed by name alone.

    ``force`` takes what may be somebody else's: it points a credential of the name at another issuer though its own is
    alive, and removes one that is not the collection's own. ``keep_shared`` is for the removal: it leaves such a one
    instead of failing.
    """

    name: str
    trust: Trust | None
    issuer: Issuer | None
    existing: Existing = Existing.ADOPT
    prune_stale: bool = False
    force: bool = False
    keep_shared: bool = False


@dataclasses.dataclass(frozen=True)
class CreateCredential:
    name: str
    trust: Trust
    description: str | None


@dataclasses.dataclass(frozen=True)
class UpdateCredential:
    credential: Credential  # as it was
    trust: Trust


@dataclasses.dataclass(frozen=True)
class DeleteCredential:
    credential: Credential


Operation: t.TypeAlias = "CreateCredential | UpdateCredential | DeleteCredential"


@dataclasses.dataclass(frozen=True)
class CredentialPlan:
    """What is done with a holder's credentials, and which it has afterwards."""

    changes: tuple[Change[t.Any], ...]
    credentials: tuple[Credential, ...]
    warnings: tuple[str, ...] = ()


def check_name(name: str) -> str:
    """Raises InvalidInput for a name that Entra would not take."""
    if not _NAME.fullmatch(name):
        raise errors.InvalidInput(
            f"The credential's name '{name}' is not one that Entra takes.",
            fix="Use 3 to 120 letters, digits, hyphens and underscores, beginning with a letter or digit.",
        )
    return name


def check_audience(audience: str) -> str:
    """Raises InvalidInput for an audience that Entra would not take."""
    if len(audience) > MAX_AUDIENCE or re.search(r"\s", audience):
        raise errors.InvalidInput(
            f"The audience '{audience}' is malformed: Entra takes up to {MAX_AUDIENCE} characters without white space.",
            fix="Usually it is api://AzureADTokenExchange.",
        )
    return audience


def is_marked(credential: Credential) -> bool:
    """Whether the collection created it; people may have added to the description."""
    return (credential.description or "").startswith(ownership.DESCRIPTION)


def plan_all(
    credentials: tuple[Credential, ...],
    wishes: t.Sequence[CredentialWish],
    plan: t.Callable[[tuple[Credential, ...], CredentialWish], CredentialPlan],
) -> CredentialPlan:
    """What one wish after the other does with a holder's credentials."""
    planned = CredentialPlan((), credentials)
    for wish in wishes:
        step = plan(planned.credentials, wish)
        warnings = tuple(warning for warning in step.warnings if warning not in planned.warnings)
        planned = CredentialPlan((*planned.changes, *step.changes), step.credentials, (*planned.warnings, *warnings))
    return planned


def find(credentials: t.Sequence[Credential], wish: CredentialWish) -> Credential | None:
    """The credential that serves the wish: the one with its trust, whatever its name, else the one with its name."""
    return _by_trust(credentials, wish) or _by_name(credentials, wish)


def replaced(credentials: t.Sequence[Credential], credential: Credential) -> tuple[Credential, ...]:
    """The credentials with one added, or put in the place of the one with its ID. Several may be yet to be created."""
    new = not is_known(credential.id)
    return (*(other for other in credentials if new or other.id != credential.id), credential)


def without(credentials: t.Sequence[Credential], credential: Credential) -> tuple[Credential, ...]:
    return tuple(other for other in credentials if other.id != credential.id)


def prunable(credentials: t.Sequence[Credential], wish: CredentialWish) -> tuple[Credential, ...]:
    """Credentials that would be pruned if their issuers were gone: the collection's own for other issuers."""
    if not wish.prune_stale or wish.trust is None:
        return ()
    chosen, issuer = find(credentials, wish), wish.trust.issuer
    return tuple(one for one in credentials if one is not chosen and is_marked(one) and one.issuer != issuer)


def displaced(credentials: t.Sequence[Credential], wish: CredentialWish) -> Credential | None:
    """The credential that would lose its trust in another issuer, since it has the wish's name.

    An issuer that was meant to be the wish's is no other one. Two clusters may have been given the same name for their
    credentials; with one that was built again the old issuer is gone.
    """
    trust, issuer, named = wish.trust, wish.issuer, _by_name(credentials, wish)
    if trust is None or named is None or named.subject is None or _by_trust(credentials, wish) is not None:
        return None
    if named.issuer == trust.issuer:
        return None
    if issuer is not None and issuer.known and issuer.differs_by_slash_or_case(named.issuer):
        return None
    return named


def doubtful_issuers(credentials: t.Sequence[Credential], wishes: t.Sequence[CredentialWish]) -> frozenset[str]:
    """The issuers of which the plan must know whether they are gone."""
    stale = {one.issuer for wish in wishes for one in prunable(credentials, wish)}
    losing = (displaced(credentials, wish) for wish in wishes if not wish.force)
    return frozenset(stale | {one.issuer for one in losing if one is not None})


def plan_presence(
    credentials: tuple[Credential, ...],
    wish: CredentialWish,
    holder: Holder,
    issuers: t.Mapping[str, IssuerState],
) -> CredentialPlan:
    """What must be deleted, created or changed, in that order.

    ``issuers`` holds what is known of :func:`doubtful_issuers`. Raises Refused when the holder can't take the
    credential, has the trust under another name and that shall be reported, or has the name for another issuer that is
    alive.
    """
    if wish.trust is None:
        raise AssertionError("a credential that shall be there has a trust")
    _require_own_name(credentials, wish, holder)
    stale = prunable(credentials, wish)
    deletions = tuple(
        _change(
            Action.DELETE,
            one,
            None,
            f"Delete the {_name(one, 'of', holder)}: its issuer is gone.",
            DeleteCredential(one),
        )
        for one in stale
        if issuers.get(one.issuer) is IssuerState.GONE
    )
    warnings = tuple(
        f"The federated identity credential {one.name} is kept: whether its issuer '{one.issuer}' is gone could not be "
        "found out."
        for one in stale
        if issuers.get(one.issuer, IssuerState.UNKNOWN) is IssuerState.UNKNOWN
    )
    gone = {change.operation.credential.id for change in deletions}
    left = tuple(one for one in credentials if one.id not in gone)
    displacements = _displacement_warnings(left, wish, holder, issuers)
    change, credential = _plan_credential(left, wish, wish.trust, holder)
    return CredentialPlan(
        changes=(*deletions, *((change,) if change else ())),
        credentials=replaced(left, credential) if change else left,
        warnings=(*warnings, *displacements, *_never_matching_warnings(left, wish, wish.trust.issuer)),
    )


def plan_absence(credentials: tuple[Credential, ...], wish: CredentialWish, holder: Holder) -> CredentialPlan:
    """What must be deleted. Raises Refused for what the collection did not create, unless that is forced or kept."""
    target = _by_name(credentials, wish) if wish.trust is None else _by_trust(credentials, wish)
    named = _by_name(credentials, wish)
    warnings: tuple[str, ...] = ()
    if named is not None and named is not target:
        kept = f"The {_name(named, 'of', holder)} is kept: it trusts {_subject(named)} of '{named.issuer}', "
        warnings = (f"{kept}which is not what is to be removed.",)
    if target is None:
        return CredentialPlan((), credentials, warnings)
    obstacle = None if wish.force else _obstacle(target, wish, holder)
    if obstacle and wish.keep_shared:
        kept = f"The {_name(target, 'of', holder)} is kept: {obstacle}."
        return CredentialPlan((), credentials, (*warnings, kept))
    if obstacle:
        raise errors.Refused(
            f"The {_name(target, 'of', holder)} is not deleted: {obstacle}.",
            fix="Delete it yourself if nobody needs it, set if_shared to keep to leave it without failing, or force to "
            "true to delete it all the same.",
        )
    summary = f"Delete the {_name(target, 'of', holder)}: it trusts {_subject(target)} of {target.issuer}."
    change = _change(Action.DELETE, target, None, summary, DeleteCredential(target))
    return CredentialPlan((change,), without(credentials, target), warnings)


def document(credential: Credential) -> dict[str, object]:
    """A credential as results and diffs show it."""
    return {
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": list(credential.audiences),
        "description": credential.description,
    }


def _by_trust(credentials: t.Sequence[Credential], wish: CredentialWish) -> Credential | None:
    """Entra allows a pair of issuer and subject once for a holder."""
    if wish.trust is None:
        return None
    wanted = (wish.trust.issuer, wish.trust.subject)
    return next((one for one in credentials if (one.issuer, one.subject) == wanted), None)


def _by_name(credentials: t.Sequence[Credential], wish: CredentialWish) -> Credential | None:
    # Graph compares names exactly, Azure Resource Manager without case, and neither allows two that differ so.
    return next((one for one in credentials if one.name.lower() == wish.name.lower()), None)


def _require_own_name(credentials: t.Sequence[Credential], wish: CredentialWish, holder: Holder) -> None:
    """For ``existing: report``: the trust must not be there under another name."""
    found, named = _by_trust(credentials, wish), _by_name(credentials, wish)
    if wish.existing is Existing.ADOPT or found is None or found is named:
        return
    beside = f"; {named.name} trusts {_subject(named)} of '{named.issuer}'" if named else ""
    raise errors.Refused(
        f"The {holder.title} trusts {_subject(found)} of '{found.issuer}' already, by the federated identity "
        f"credential {found.name} and not by {wish.name}{beside}.",
        fix=f"Give that one's name in name, or set existing to {Existing.ADOPT.value} to use it as it is.",
    )


def _displacement_warnings(
    credentials: t.Sequence[Credential], wish: CredentialWish, holder: Holder, issuers: t.Mapping[str, IssuerState]
) -> tuple[str, ...]:
    """What is said where the wish takes another issuer's credential. Raises Refused while that issuer is alive."""
    losing = None if wish.force else displaced(credentials, wish)
    if losing is None:
        return ()
    name, state = _name(losing, "of", holder), issuers.get(losing.issuer, IssuerState.UNKNOWN)
    if state is IssuerState.FOUND:
        raise errors.Refused(
            f"The {name} trusts {_subject(losing)} of '{losing.issuer}', which is alive: to point it at this "
            "cluster would end the logins by it.",
            fix="Give this cluster's credential a name of its own (name, in the roles aks_amp_credential_name), or set "
            "the module's force to true to take this one.",
        )
    if state is IssuerState.GONE:
        return ()
    doubt = (
        f"The {name} is pointed at this cluster; it trusted {_subject(losing)} of '{losing.issuer}', and whether that "
        "issuer is still in use could not be found out. If it is, give this cluster's credential a name of its own."
    )
    return (doubt,)


def _obstacle(target: Credential, wish: CredentialWish, holder: Holder) -> str | None:
    """Why a credential is not known to be the collection's own."""
    if holder.marks and not is_marked(target):
        return (
            "it was not created by this collection, since its description does not begin with "
            f"'{ownership.DESCRIPTION}'"
        )
    if not holder.marks and target.name.lower() != wish.name.lower():
        return f"it has the issuer and subject, but not the name {wish.name}, by which this collection knows its own"
    return None


def _plan_credential(
    credentials: tuple[Credential, ...], wish: CredentialWish, trust: Trust, holder: Holder
) -> tuple[Change[Operation] | None, Credential]:
    existing = find(credentials, wish)
    if existing is None:
        return _plan_creation(credentials, wish, trust, holder)
    if existing.subject is None:
        raise errors.Refused(
            f"The federated identity credential {existing.name} of the {holder.title} matches claims by an expression, "
            "which Entra takes for other kinds of issuers only.",
            fix="Choose another name for the cluster's own credential.",
        )
    updated = dataclasses.replace(existing, issuer=trust.issuer, subject=trust.subject, audiences=trust.audiences)
    if updated == existing:
        return None, existing
    differing = [
        name
        for name, was, shall in (
            ("issuer", existing.issuer, updated.issuer),
            ("subject", existing.subject, updated.subject),
            ("audience", existing.audiences, updated.audiences),
        )
        if was != shall
    ]
    summary = f"Change {' and '.join(differing)} of the {_name(existing, 'on', holder)}."
    return _change(Action.UPDATE, existing, updated, summary, UpdateCredential(existing, trust)), updated


def _plan_creation(
    credentials: tuple[Credential, ...], wish: CredentialWish, trust: Trust, holder: Holder
) -> tuple[Change[Operation], Credential]:
    if len(credentials) >= MAX_CREDENTIALS:
        raise errors.Refused(
            f"The {holder.title} has {len(credentials)} federated identity credentials, and Entra allows "
            f"{MAX_CREDENTIALS}.",
            fix=(
                "Delete those of clusters that are gone (prune_stale does it for the collection's own), or use another "
                "application for this one."
                if holder.marks
                else "Delete those of clusters that are gone, or use another managed identity for this one."
            ),
        )
    created = Credential(
        id=KNOWN_AFTER_APPLY,
        name=wish.name,
        issuer=trust.issuer,
        subject=trust.subject,
        audiences=trust.audiences,
        description=ownership.DESCRIPTION if holder.marks else None,
    )
    summary = f"Create the {_name(created, 'on', holder)}: it trusts {created.subject} of {created.issuer}."
    operation = CreateCredential(created.name, trust, created.description)
    return _change(Action.CREATE, None, created, summary, operation), created


def never_matching(credentials: t.Sequence[Credential], wish: CredentialWish) -> tuple[Credential, ...]:
    """Credentials of other names that were meant for this trust and can never match a token."""
    chosen, issuer, trust = find(credentials, wish), wish.issuer, wish.trust
    if issuer is None or trust is None or not issuer.known:
        return ()
    return tuple(
        other
        for other in credentials
        if other is not chosen and other.subject == trust.subject and issuer.differs_by_slash_or_case(other.issuer)
    )


def never_matching_sentence(credential: Credential, issuer: str) -> str:
    """What is wrong with one of :func:`never_matching`."""
    return (
        f"The federated identity credential {credential.name} has the issuer '{credential.issuer}', which never "
        f"matches a token of '{issuer}'."
    )


def _never_matching_warnings(credentials: t.Sequence[Credential], wish: CredentialWish, issuer: str) -> tuple[str, ...]:
    return tuple(
        f"{never_matching_sentence(other, issuer)} Delete it if it was meant for that."
        for other in never_matching(credentials, wish)
    )


def _name(credential: Credential, preposition: str, holder: Holder) -> str:
    return f"federated identity credential {credential.name} {preposition} the {holder.title}"


def _subject(credential: Credential) -> str:
    return credential.subject or "claims by an expression"


def _change(
    action: Action, before: Credential | None, after: Credential | None, summary: str, operation: Operation
) -> Change[t.Any]:
    named = after or before
    return Change(
        action=action,
        kind="federated identity credential",
        name=named.name if named else "",
        summary=summary,
        before=None if before is None else document(before),
        after=None if after is None else document(after),
        operation=operation,
    )
