# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's AWS account: what is in it at the start, and the application that answers for its hosts."""

from __future__ import annotations

import json
import time
import typing as t

from werkzeug.wrappers import Response

from sandbox import hosts
from sandbox.aws import amp, data_plane, iam, sts
from sandbox.aws.effective import EffectiveIam, IamView
from sandbox.aws.iam_store import IamStore
from sandbox.aws.identities import Credential, Credentials, Identity
from sandbox.aws.issuers import Issuers
from sandbox.aws.shared import Account
from sandbox.world import AWS_ACCOUNT, CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from sandbox.world import Json, World

CONTROLLER_ARN = f"arn:aws:iam::{AWS_ACCOUNT}:user/controller"
_CONTROLLER_ID = "AIDASANDBOXCONTROLLER"
_GLOBAL_STS = ("sts.amazonaws.com", "us-east-1")  # host, signing region
ADMINISTRATOR: Json = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class AwsAccount:
    """IAM, STS and Amazon Managed Service for Prometheus of one account in one world.

    ``fetch`` gets a URL's JSON over TLS that is verified with the sandbox's CA; it raises ``OSError`` or
    ``ValueError``. ``top_thumbprint`` gives the SHA-1 fingerprint of the last certificate that a URL's host sends, in
    hex; it raises ``OSError``. ``clock`` tells seconds since the epoch.
    """

    def __init__(
        self,
        world: World,
        *,
        fetch: Callable[[str], Json] | None = None,
        top_thumbprint: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._world = world
        self._regions = {region: amp.Workspaces(region) for region in hosts.AWS_REGIONS}
        controller = Identity(arn=CONTROLLER_ARN, user_id=_CONTROLLER_ID, principal_arn=CONTROLLER_ARN)
        self._account = Account(
            world=world,
            clock=clock,
            store=IamStore(AWS_ACCOUNT, [CONTROLLER_ARN]),
            effective=EffectiveIam(),
            credentials=Credentials(Credential(CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY, controller)),
            issuers=Issuers(),
            controller_policies=(ADMINISTRATOR,),
        )
        if fetch is not None:
            self.set_issuer_fetcher(fetch)
        if top_thumbprint is not None:
            self.set_thumbprint_fetcher(top_thumbprint)

    def set_issuer_fetcher(self, fetch: Callable[[str], Json]) -> None:
        """How STS and IAM get the documents of issuers."""
        self._account.issuers.fetch = fetch

    def set_thumbprint_fetcher(self, top_thumbprint: Callable[[str], str]) -> None:
        """How IAM gets the thumbprint of a provider that is created without one."""
        self._account.issuers.top_thumbprint = top_thumbprint

    def set_authority_of_issuers_known(self, *, known: bool) -> None:
        """Whether AWS' own list of authorities has the one that certifies the issuers' hosts. At first it has."""
        self._account.issuers.authority_is_known = known

    def set_controller_policies(self, *policies: Json) -> None:
        """What the controller may do, as identity policies. At first it may do everything."""
        with self._world.lock:
            self._account.controller_policies = policies

    def set_provider_quota(self, number: int) -> None:
        """How many OIDC providers the account may have, as AWS raises it on request."""
        with self._world.lock:
            self._account.store.providers_quota = number

    def create_wsgi(self) -> WSGIApplication:
        """One application for all host names; TLS is terminated before it. Unknown hosts get 421."""
        account = self._account
        applications: dict[str, WSGIApplication] = {
            hosts.IAM_HOST: iam.create_app(self._world, account),
            _GLOBAL_STS[0]: sts.create_app(self._world, account, _GLOBAL_STS[1]),
        }
        for region, workspaces in self._regions.items():
            applications[f"sts.{region}.amazonaws.com"] = sts.create_app(self._world, account, region)
            applications[f"aps.{region}.amazonaws.com"] = amp.create_app(self._world, account, workspaces)
            applications[f"aps-workspaces.{region}.amazonaws.com"] = data_plane.create_app(
                self._world, account, workspaces
            )

        def dispatch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            host = hosts.without_port(environ.get("HTTP_HOST", ""))
            return applications.get(host, _misdirected)(environ, start_response)

        return dispatch

    def seed_provider(
        self, url: str, client_ids: Sequence[str], thumbprints: Sequence[str], tags: Mapping[str, str] | None = None
    ) -> str:
        """An OIDC provider that has been there for long. Returns its ARN."""
        with self._world.lock:
            provider = self._account.store.create_open_id_connect_provider(
                url, list(thumbprints), list(client_ids), _tags(tags)
            )
            self._establish()
            return provider.arn

    def seed_role(
        self, name: str, trust: Json, inline_policies: Mapping[str, Json], tags: Mapping[str, str] | None = None
    ) -> str:
        """A role that has been there for long. Returns its ARN. Its trust policy may name a provider that is gone."""
        with self._world.lock:
            role = self._account.store.adopt_role(name, json.dumps(trust), _tags(tags))
            for policy_name, document in inline_policies.items():
                self._account.store.put_role_policy(name, policy_name, json.dumps(document))
            self._establish()
            return role.arn

    def seed_foreign_session(self, role_arn: str, *policies: Json) -> Credential:
        """A session of a role in another account, which has these identity policies. It does not expire."""
        account, name = role_arn.split(":")[4], role_arn.rpartition("/")[2]
        identity = Identity(
            arn=f"arn:aws:sts::{account}:assumed-role/{name}/seeded",
            user_id=f"AROASANDBOXFOREIGN{account[:3]}:seeded",
            principal_arn=role_arn,
            role_id=f"AROASANDBOXFOREIGN{account[:3]}",
            account=account,
            policies=policies,
        )
        with self._world.lock:
            return self._account.credentials.issue(identity, float("inf"))

    def seed_workspace(self, alias: str, region: str, tags: Mapping[str, str] | None = None) -> str:
        """An active workspace. Returns its id."""
        with self._world.lock:
            return self._regions[region].create_workspace(alias, dict(tags or {})).workspace_id

    def workspace_id(self, alias: str, region: str) -> str:
        """The id of the first workspace with this alias. Raises LookupError where there is none."""
        with self._world.lock:
            found = self._regions[region].matching(alias)
        if not found:
            raise LookupError(f"There is no workspace {alias} in {region}.")
        return found[0].workspace_id

    def _establish(self) -> None:
        self._account.effective.establish(IamView.of(self._account.store))


def _tags(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in (tags or {}).items()]


def _misdirected(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    response = Response(f"No service of this account is called {environ.get('HTTP_HOST', '')!r}.\n", 421)
    return response(environ, start_response)
