# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of entra_federated_credential, and what they ask for."""

from __future__ import annotations

import dataclasses

from ansible.module_utils.basic import env_fallback

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import IdentityRef, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ENTRA_AUDIENCE,
    KNOWN_AFTER_APPLY,
    EntraTrust,
    Issuer,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AZURE,
    STATE,
    TRANSPORT,
    ArgumentSpec,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    APPLICATION_OPTIONS,
    ApplicationChoice,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import (
    CredentialWish,
    Existing,
    check_audience,
    check_name,
)

_IDENTITY_OPTIONS = ("managed_identity_id", "managed_identity_name")
_HOLDER_OPTIONS = (*APPLICATION_OPTIONS, *_IDENTITY_OPTIONS)
_TRUST_OPTIONS = ("issuer", "namespace", "service_account")

ARGUMENT_SPEC = ArgumentSpec(
    {
        **{name: {"type": "str"} for name in _HOLDER_OPTIONS},
        "resource_group": {"type": "str"},
        "subscription_id": {"type": "str", "fallback": (env_fallback, ["AZURE_SUBSCRIPTION_ID"])},
        "name": {"type": "str", "required": True},
        **{name: {"type": "str"} for name in _TRUST_OPTIONS},
        "more_service_accounts": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {name: {"type": "str", "required": True} for name in ("namespace", "service_account", "name")},
        },
        "audience": {"type": "str", "default": ENTRA_AUDIENCE},
        "service_principal": {"type": "bool", "default": True},
        "existing": {
            "type": "str",
            "default": Existing.ADOPT.value,
            "choices": [Existing.ADOPT.value, Existing.REPORT.value],
        },
        "prune_stale": {"type": "bool", "default": False},
        "force": {"type": "bool", "default": False},
        "if_shared": {"type": "str", "default": "fail", "choices": ["fail", "keep"]},
    },
    required_one_of=(_HOLDER_OPTIONS,),
    mutually_exclusive=(_HOLDER_OPTIONS,),
    required_if=(("state", State.PRESENT.value, _TRUST_OPTIONS),),
).merge(STATE, AZURE, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the holder shall have, or shall not have any more."""

    state: State
    holder: ApplicationChoice | IdentityRef
    credential: CredentialWish
    service_principal: bool
    tenant: str | None  # as the login names it, an ID or a domain
    more: tuple[CredentialWish, ...] = ()  # of further service accounts

    @property
    def credentials(self) -> tuple[CredentialWish, ...]:
        return (self.credential, *self.more)

    def forced(self, *, force: bool) -> Wish:
        """The same with or without force."""
        first, *more = (dataclasses.replace(one, force=force) for one in self.credentials)
        return dataclasses.replace(self, credential=first, more=tuple(more))

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput or FederationError for what Entra would not take."""
        state = State.from_params(params)
        trust = _trust(params, state, check_mode=check_mode)
        credential = CredentialWish(
            name=check_name(params.text("name")),
            trust=None if trust is None else Trust(trust.issuer.url, trust.subject, (trust.audience,)),
            issuer=None if trust is None else trust.issuer,
            existing=Existing(params.text("existing")),
            prune_stale=params.flag("prune_stale") and state is State.PRESENT,
            force=params.flag("force"),
            keep_shared=params.text("if_shared") == "keep",
        )
        wish = cls(
            state=state,
            holder=_holder(params),
            credential=credential,
            service_principal=params.flag("service_principal"),
            tenant=params.optional_text("tenant"),
            more=tuple(_more(item, credential) for item in params.items("more_service_accounts")),
        )
        _refuse_repeated(wish)
        if isinstance(wish.holder, IdentityRef):
            _check_identity_wish(wish.credential)
        return wish


def _holder(params: Params) -> ApplicationChoice | IdentityRef:
    given = [name for name in _HOLDER_OPTIONS if params.optional_text(name) is not None]
    if len(given) != 1:
        raise errors.InvalidInput(
            f"Exactly one of {', '.join(_HOLDER_OPTIONS)} must name the credential's holder, not {len(given)} of them."
        )
    if given[0] not in _IDENTITY_OPTIONS:
        return ApplicationChoice.from_params(params)
    resource_id, name = params.optional_text("managed_identity_id"), params.optional_text("managed_identity_name")
    if resource_id is not None:
        return IdentityRef.parse(resource_id)
    group, subscription = params.optional_text("resource_group"), params.optional_text("subscription_id")
    if name is None or group is None or subscription is None:
        missing = "resource_group" if group is None else "subscription_id (AZURE_SUBSCRIPTION_ID)"
        raise errors.InvalidInput(
            f"managed_identity_name is '{name}', but there is no {missing}.",
            fix=f"Give {missing} too, or the identity's resource ID in managed_identity_id.",
        )
    return IdentityRef(subscription, group, name)


def _trust(params: Params, state: State, *, check_mode: bool) -> EntraTrust | None:
    """What the credential trusts; None for a credential that is to be removed by its name alone."""
    given = [name for name in _TRUST_OPTIONS if params.optional_text(name) is not None]
    if state is State.ABSENT and not given:
        return None
    if state is State.ABSENT and len(given) != len(_TRUST_OPTIONS):
        raise errors.InvalidInput(
            f"Of {', '.join(_TRUST_OPTIONS)} only {' and '.join(given)} is given.",
            fix="Give all three to remove what has this issuer and subject, or none to remove by name.",
        )
    issuer = Issuer.parse(params.text("issuer"))
    if not issuer.known and not check_mode and state is State.PRESENT:
        raise errors.InvalidInput(
            f"The issuer is '{KNOWN_AFTER_APPLY}', which is good for check mode only.",
            fix="Run the step that enables the cluster's OIDC issuer (tag aks_oidc_issuer) first.",
        )
    account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
    return EntraTrust(issuer, account, check_audience(params.text("audience")))


def _more(params: Params, first: CredentialWish) -> CredentialWish:
    """The credential of a further service account: like the first one but for name and subject."""
    subject = ServiceAccount.parse(params.text("namespace"), params.text("service_account")).subject
    trust = None if first.trust is None else dataclasses.replace(first.trust, subject=subject)
    return dataclasses.replace(first, name=check_name(params.text("name")), trust=trust)


def _refuse_repeated(wish: Wish) -> None:
    names = [one.name for one in wish.credentials]
    subjects = [one.trust.subject for one in wish.credentials if one.trust is not None]
    for what, values in (("credentials", names), ("service accounts", subjects)):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise errors.InvalidInput(
                f"Two of the {what} in name and more_service_accounts are {twice}.",
                fix="Give each service account once, with a name of its own for its credential.",
            )


def _check_identity_wish(wish: CredentialWish) -> None:
    """Credentials of managed identities have no description, so nothing but its trust tells one from another."""
    if wish.prune_stale:
        raise errors.InvalidInput(
            "prune_stale is true, but the credentials of a managed identity carry no description that tells who "
            "created them.",
            fix="Leave it out, and delete those of clusters that are gone yourself.",
        )
    if wish.trust is None:
        raise errors.InvalidInput(
            "A managed identity's credential is removed by name, issuer and subject together, because it carries no "
            f"description that tells who created it, but {', '.join(_TRUST_OPTIONS)} are not given.",
            fix="Give all three.",
        )
