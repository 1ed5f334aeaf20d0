# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at the Entra side of a sandbox as the diagnosis does, and following its advice: what its tests share."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import IdentityRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ENTRA_AUDIENCE,
    Issuer,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import entra_federated_credential
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_entra import (
    EntraSeen,
    look_at_entra,
    try_entra_exchange,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import AzureLook, EntraLook
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    ApplicationChoice,
    ApplicationKey,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_probes import Budget
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result
from sandbox import estate as seeded
from sandbox.graph.directory import Key
from sandbox.manifests import NAMESPACE
from sandbox.world import AZURE_SUBSCRIPTION, AksCluster, Json, UserAssignedIdentity
from tests.unit.plugins.azure_estate import AzureEstate, context
from tests.unit.plugins.module_utils._resources.aws_modules import Clock

if t.TYPE_CHECKING:
    from sandbox.graph import Directory

ACCOUNT = ServiceAccount(NAMESPACE, seeded.SERVICE_ACCOUNT)
IDENTITY = IdentityRef(AZURE_SUBSCRIPTION, seeded.RESOURCE_GROUP, seeded.MANAGED_IDENTITY)
SUBJECT = ACCOUNT.subject


class EntraWard:
    """The Entra side of one cluster. That of ``finished`` is healthy, federated by hand."""

    def __init__(self, estate: AzureEstate, cluster: str = "finished") -> None:
        self.estate = estate
        self.name = cluster
        self.clock = Clock()

    @property
    def cluster(self) -> AksCluster:
        return self.estate.sandbox.cluster(self.name)

    @property
    def issuer(self) -> str:
        return self.cluster.issuer_url

    @property
    def directory(self) -> Directory:
        return self.estate.sandbox.directory

    # The application, its service principal and its credentials, and the managed identity

    @property
    def application(self) -> Json:
        wanted = seeded.application_name(self.name)
        return next(one for one in self.directory.applications() if one["displayName"] == wanted)

    @property
    def principal(self) -> Json:
        return self.directory.service_principal(Key("appId", self.application["appId"]))

    @property
    def identity(self) -> UserAssignedIdentity:
        (found,) = self.estate.sandbox.world.identities
        return found

    @property
    def credentials(self) -> list[Json]:
        return self.directory.credentials(Key("id", self.application["id"]))

    @property
    def credential(self) -> Json:
        (found,) = self.credentials
        return found

    def change_credential(self, **values: t.Any) -> None:
        self.directory.update_credential(
            Key("id", self.application["id"]), Key("id", self.credential["id"]), dict(values)
        )

    def delete_credential(self) -> None:
        self.directory.delete_credential(Key("id", self.application["id"]), Key("id", self.credential["id"]))

    def add_credential(self, name: str, **values: t.Any) -> None:
        body = {"name": name, "issuer": self.issuer, "subject": SUBJECT, "audiences": [ENTRA_AUDIENCE], **values}
        self.directory.seed_federated_credential(self.application["id"], body)

    def change_principal(self, **values: t.Any) -> None:
        self.directory.update_service_principal(Key("appId", self.application["appId"]), dict(values))

    def delete_principal(self) -> None:
        self.directory.delete_service_principal(Key("appId", self.application["appId"]))

    # The diagnosis

    def choice(self, key: ApplicationKey = ApplicationKey.DISPLAY_NAME, value: str = "") -> ApplicationChoice:
        return ApplicationChoice(key, value or seeded.application_name(self.name))

    def look(
        self,
        holder: ApplicationChoice | IdentityRef | None = None,
        *,
        check_mode: bool = False,
        audience: str = ENTRA_AUDIENCE,
        account: ServiceAccount = ACCOUNT,
        issuer: Issuer | None = None,
        **auth: t.Any,
    ) -> EntraSeen:
        writes = len(self.estate.writes())
        seen = look_at_entra(
            AzureLook(self.estate.auth(**auth), None),
            EntraLook(holder or self.choice(), audience),
            issuer or Issuer.parse(self.issuer),
            account,
            check_mode=check_mode,
        )
        assert len(self.estate.writes()) == writes
        return seen

    def token(self, **claims: t.Any) -> str:
        """A token of the service account, but for what is given."""
        now = int(time.time())
        defaults = {"iss": self.issuer, "sub": SUBJECT, "aud": [ENTRA_AUDIENCE], "iat": now, "exp": now + 600}
        return self.cluster.signing_key.sign({**defaults, **claims})

    def exchange(
        self,
        seen: EntraSeen | None = None,
        token: str | None = None,
        *,
        patience: float = 0.0,
        **auth: t.Any,
    ) -> Link:
        """The exchange with what was seen of the identity before."""
        given = self.token() if token is None else token
        link = try_entra_exchange(
            AzureLook(self.estate.auth(**auth), None),
            self.look() if seen is None else seen,
            EntraLook(self.choice(), ENTRA_AUDIENCE),
            given,
            poll=Budget(self.clock.monotonic() + patience, 2.0, self.clock.sleep, self.clock.monotonic),
        )
        assert given not in str(link)
        assert "eyJ" not in str(link)
        return link

    # The repair

    def run_step(self, **values: t.Any) -> Result:
        """What ``federate.yml --tags entra_federation`` does."""
        definition = entra_federated_credential.DEFINITION
        named = {"object_id", "app_id", "unique_name", "display_name", "managed_identity_id"} & values.keys()
        holder = {} if named else {"display_name": seeded.application_name(self.name)}
        options = {
            **holder,
            "name": f"aks-prometheus-federation-{self.name}",
            "issuer": self.issuer,
            "namespace": ACCOUNT.namespace,
            "service_account": ACCOUNT.name,
            **values,
        }
        return definition.run(self.estate.params(definition.spec, **options), context())


def kinds(link: Link) -> list[str]:
    return [one.kind for one in link.findings]
