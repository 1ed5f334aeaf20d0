# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Entra application holds the credential, and when it and its service principal come and go; without any I/O."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import re
import typing as t
import uuid

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _ownership as ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Application,
    ApplicationDraft,
    Credential,
    ServicePrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change

MAX_DISPLAY_NAME = 256
SIGN_IN_AUDIENCE = "AzureADMyOrg"  # accounts of this tenant only

#: Display names that are safe as a unique name, too: Entra documents no rule for those.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class ApplicationKey(enum.Enum):
    """By what an application is named; the values are the module's options."""

    OBJECT_ID = "object_id"
    APP_ID = "app_id"
    UNIQUE_NAME = "unique_name"
    DISPLAY_NAME = "display_name"


APPLICATION_OPTIONS: t.Final = tuple(key.value for key in ApplicationKey)

_KEY_TITLES: t.Final[t.Mapping[ApplicationKey, str]] = {
    ApplicationKey.OBJECT_ID: "object ID",
    ApplicationKey.APP_ID: "client ID",
    ApplicationKey.UNIQUE_NAME: "unique name",
    ApplicationKey.DISPLAY_NAME: "display name",
}


@dataclasses.dataclass(frozen=True)
class ApplicationChoice:
    """Which application is meant. One that is named by an ID must exist, one that is named by a name is created."""

    key: ApplicationKey
    value: str

    @classmethod
    def from_params(cls, params: Params) -> ApplicationChoice:
        """From the one option that is given. Raises InvalidInput for what can't name an application."""
        (given,) = [cls(key, value) for key in ApplicationKey if (value := params.optional_text(key.value)) is not None]
        given._check()
        return given

    def _check(self) -> None:
        if self.names_existing:
            try:
                uuid.UUID(self.value)
            except ValueError as error:
                raise errors.InvalidInput(
                    f"{self.key.value} is '{self.value}', which is not a GUID.",
                    fix="Give a name in display_name or unique_name.",
                ) from error
        elif len(self.value) > MAX_DISPLAY_NAME:
            raise errors.InvalidInput(
                f"{self.key.value} has {len(self.value)} characters; Entra allows {MAX_DISPLAY_NAME}."
            )

    def __str__(self) -> str:
        return f"Entra application with the {_KEY_TITLES[self.key]} {self.value}"

    @property
    def names_existing(self) -> bool:
        """Whether it is named by an ID, so that it is never created."""
        return self.key in (ApplicationKey.OBJECT_ID, ApplicationKey.APP_ID)

    @property
    def unique_name(self) -> str | None:
        """The unique name that a new application gets, so that parallel runs can't create it twice.

        None for one that is named by an ID. A display name with other characters than letters, digits, dots, hyphens
        and underscores yields one that is made of its hash.
        """
        if self.key is ApplicationKey.UNIQUE_NAME:
            return self.value
        if self.key is not ApplicationKey.DISPLAY_NAME:
            return None
        if _PLAIN_NAME.fullmatch(self.value):
            return self.value
        return f"aks-amp-{hashlib.sha256(self.value.encode()).hexdigest()[:32]}"

    def draft(self) -> ApplicationDraft:
        """The application to be created where none was found."""
        return ApplicationDraft(self.value, self.unique_name, SIGN_IN_AUDIENCE, (ownership.ENTRA_TAG,))


@dataclasses.dataclass(frozen=True)
class CreateApplication:
    draft: ApplicationDraft


@dataclasses.dataclass(frozen=True)
class CreateServicePrincipal:
    """For the application that is there by then."""


@dataclasses.dataclass(frozen=True)
class DeleteApplication:
    application: Application


@dataclasses.dataclass(frozen=True)
class DeleteServicePrincipal:
    principal: ServicePrincipal


Operation: t.TypeAlias = "CreateApplication | CreateServicePrincipal | DeleteApplication | DeleteServicePrincipal"


def is_marked(of: Application | ServicePrincipal) -> bool:
    return ownership.ENTRA_TAG in of.tags


def adoption_warning(application: Application, choice: ApplicationChoice) -> str | None:
    """What must be said about an application that merely has the display name: nothing shows that it is meant."""
    if choice.key is not ApplicationKey.DISPLAY_NAME or is_marked(application):
        return None
    if application.unique_name is not None and application.unique_name == choice.unique_name:
        return None  # found by a key that no other application has
    return (
        f"The Entra application {application.display_name} was found by its display name, which any application may "
        "have, and was not created by this collection. It is used; name it by "
        f"app_id: {application.app_id} to say that it is the right one."
    )


@dataclasses.dataclass(frozen=True)
class Removal:
    """What goes when credentials have gone, and why the rest stays."""

    changes: tuple[Change[t.Any], ...] = ()
    application_stays: bool = True
    principal_stays: bool = True
    warnings: tuple[str, ...] = ()


def plan_removal(
    application: Application, principal: ServicePrincipal | None, credentials: t.Sequence[Credential]
) -> Removal:
    """What of the application is removed when these credentials are left.

    Whatever the collection created goes when nobody uses it any more: no credential, no secret, no key is left, and
    nobody gave the application a tag of his own. A service principal shows its application's tags, too, so its own mark
    counts only where the application has none.
    """
    uses = [f"the federated identity credential {one.name}" for one in credentials]
    if application.secrets:
        uses.append(f"{application.secrets} secrets or keys")
    owned = is_marked(application)
    if owned:
        uses += [f"the tag {tag}" for tag in application.tags if tag != ownership.ENTRA_TAG]
    principal_owned = principal is not None and is_marked(principal)
    if uses:
        what = f"Entra application {application.display_name}" if owned else "service principal"
        kept = f"The {what} is kept, because the application still has {' and '.join(uses)}."
        if owned and principal is None:
            kept += " It has no service principal: nobody can log in by it until the step entra_federation makes one."
        return Removal(warnings=(kept,) if owned or principal_owned else ())
    changes: list[Change[Operation]] = []
    if principal is not None and principal_owned:
        changes.append(_principal_deletion(application, principal))
    if owned:
        changes.append(_application_deletion(application))
    return Removal(
        changes=tuple(changes),
        application_stays=not owned,
        principal_stays=not (owned or principal_owned),
    )


def application_creation(draft: ApplicationDraft) -> Change[t.Any]:
    return Change(
        action=Action.CREATE,
        kind="Entra application",
        name=draft.display_name,
        summary=f"Create the Entra application {draft.display_name}.",
        before=None,
        after={
            "display_name": draft.display_name,
            "unique_name": draft.unique_name,
            "sign_in_audience": draft.sign_in_audience,
            "tags": list(draft.tags),
        },
        operation=CreateApplication(draft),
    )


def principal_creation(application: str) -> Change[t.Any]:
    return Change(
        action=Action.CREATE,
        kind="Entra service principal",
        name=application,
        summary=f"Create the service principal of the Entra application {application}.",
        before=None,
        after={"application": application, "tags": [ownership.ENTRA_TAG]},
        operation=CreateServicePrincipal(),
    )


def _application_deletion(application: Application) -> Change[Operation]:
    return Change(
        action=Action.DELETE,
        kind="Entra application",
        name=application.display_name,
        summary=f"Delete the Entra application {application.display_name}. The tenant keeps it among its deleted "
        "applications for 30 days, where it can be restored and may still hold its unique name.",
        before={
            "display_name": application.display_name,
            "unique_name": application.unique_name,
            "tags": list(application.tags),
        },
        after=None,
        operation=DeleteApplication(application),
    )


def _principal_deletion(application: Application, principal: ServicePrincipal) -> Change[Operation]:
    return Change(
        action=Action.DELETE,
        kind="Entra service principal",
        name=application.display_name,
        summary=f"Delete the service principal of the Entra application {application.display_name}.",
        before={"application": application.display_name, "tags": list(principal.tags)},
        after=None,
        operation=DeleteServicePrincipal(principal),
    )
