# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every link from a service account's token to a sample in the workspace, tried in its order.

It goes the way that Prometheus goes: a token of the service account, its exchange for a session of the role, a signed
remote write. What can also be read (issuer, provider, trust policy) is read, so that a refusal can be explained. The
token and the session's keys live in local variables only.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import jwks, oidc_discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp_data import DataPlane
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import IamProviders, Provider
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import IamRoles, Role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import Discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials, TokenExchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import link_errors, links
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.consequences import settled
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, LinkName, Proof, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.token_claims import (
    Claims,
    TokenFormatError,
    read_claims,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    RoleArn,
    is_known,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import Passing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_links as judge
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_wish import METRIC, Wish

#: The session's name in CloudTrail.
SESSION_NAME: t.Final = "aks-amp-federation-check"

_NO_TOKEN: t.Final = "there is no token to exchange"  # noqa: S105 - a reason, not a secret
_NO_SESSION: t.Final = "there is no session of the role"
_UPPER: t.Final = (LinkName.PROVIDER, LinkName.TRUST_POLICY, LinkName.TOKEN_EXCHANGE)
_DATA_PLANE: t.Final = (LinkName.REMOTE_WRITE, LinkName.READ_BACK)

AnswerT = t.TypeVar("AnswerT")


@dataclasses.dataclass(frozen=True)
class Clouds:
    """The clients that the proof needs, made once."""

    http: HttpClient
    kube: KubeClient
    providers: IamProviders
    roles: IamRoles
    sts: TokenExchange
    aws: AwsSession
    auth: AwsAuth

    @classmethod
    def of(cls, auth: AwsAuth, kube: KubeAuth, region: str | None) -> Clouds:
        if region is None:
            raise errors.InvalidInput(
                "No AWS region is known for the token exchange.", fix="Give workspace_arn or region, or set AWS_REGION."
            )
        session = AwsSession(auth)
        return cls(
            http=HttpClient(auth.transport),
            kube=KubeClient(kube),
            providers=IamProviders(session),
            roles=IamRoles(session),
            sts=TokenExchange(auth, region),
            aws=session,
            auth=auth,
        )


@dataclasses.dataclass(frozen=True)
class Budget:
    """The time that all retries of a proof share. ``end`` is on the clock of ``monotonic``, ``interval`` in seconds."""

    end: float
    interval: float
    sleep: t.Callable[[float], None]
    monotonic: t.Callable[[], float]

    def spent(self) -> Budget:
        """A budget that allows one attempt only."""
        return dataclasses.replace(self, end=self.monotonic())

    def poll(self, attempt: t.Callable[[], AnswerT], *, again: t.Callable[[AnswerT], bool]) -> AnswerT:
        """The first answer that ``again`` does not reject, or the last one within the budget."""
        while again(answer := attempt()) and (left := self.end - self.monotonic()) > 0:
            self.sleep(min(self.interval, left))
        return answer


@dataclasses.dataclass(frozen=True)
class Minted:
    """A token and what it says of itself."""

    claims: Claims
    token: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the proof met on its way, for whoever looks further, so that nothing is read twice: the issuer's document,
    the objects in IAM, the token, the last session."""

    discovery: Discovery | None = None
    provider: Provider | None = None
    role: Role | None = None
    minted: Minted | None = None
    session: SessionCredentials | None = None


@dataclasses.dataclass(frozen=True)
class Findings:
    """What a proof found: the links, the token's claims and the sample that was stored."""

    proof: Proof
    claims: Claims | None
    sample: remote_write.Sample | None
    seen: Seen = dataclasses.field(default=Seen(), repr=False)

    def facts(self, wish: Wish) -> dict[str, object]:
        """The module's return values."""
        return {
            "healthy": self.proof.healthy,
            "issuer": wish.issuer.url,
            "role_arn": str(wish.role) if wish.role is not None else KNOWN_AFTER_APPLY,
            "chain": self.proof.drawing(),
            "findings": self.proof.report(),
            "text": self.proof.text(wish.account.subject, wish.target),
            "links": [link.report() for link in self.proof.links],
            "claims": self.claims.report() if self.claims else None,
            "sample": self.sample.report() if self.sample else None,
        }


@dataclasses.dataclass(frozen=True)
class Lower:
    """The links of the data plane, the session that writes, and the sample that was stored."""

    links: tuple[Link, ...]
    session: SessionCredentials | None = dataclasses.field(repr=False)
    sample: remote_write.Sample | None = None


@dataclasses.dataclass(frozen=True)
class FederationCheck:
    """One proof. ``read_role`` is the role where it was read already; ``now`` gives seconds since 1970."""

    wish: Wish
    clouds: Clouds
    check_mode: bool
    budget: Budget
    read_role: Role | None = None
    now: t.Callable[[], float] = time.time

    def prove(self) -> Findings:
        """Try every link in its order. Raises only for faults of the task itself."""
        discovery, published, key_ids = self._discovery()
        token, minted = self._token(key_ids)
        role = self.wish.role
        if role is None:
            upper = [links.not_tried(name, self.wish.unknown.role) for name in _UPPER]
            found = [discovery, token, *upper, *self._lower(None, None).links]
            return self._findings(found, Seen(published, minted=minted), None)
        (provider, read_provider), (trust, read_role) = self._provider(role), self._trust_policy(role)
        exchange, session = self._token_exchange(role, minted, (provider, trust))
        lower = self._lower(role, session)
        seen = Seen(published, read_provider, read_role, minted, lower.session)
        return self._findings([discovery, token, provider, trust, exchange, *lower.links], seen, lower.sample)

    def _findings(self, found: t.Sequence[Link], seen: Seen, sample: remote_write.Sample | None) -> Findings:
        proven_by = LinkName.TOKEN_EXCHANGE if self.check_mode else self.wish.proven_by
        claims = seen.minted.claims if seen.minted else None
        return Findings(Proof(settled(found), proven_by), claims, sample, seen)

    def _discovery(self) -> tuple[Link, Discovery | None, tuple[str, ...]]:
        """The first link, the discovery document, and the IDs of the published keys."""
        if not self.wish.issuer.known:
            return links.not_tried(LinkName.DISCOVERY, self.wish.unknown.issuer), None, ()
        found: Discovery | None = None
        try:
            found = oidc_discovery.discover(self.clouds.http, self.wish.issuer.url)
            key_ids = jwks.signing_key_ids(self.clouds.http, found.jwks_uri)
        except link_errors.ABOUT_A_LINK as error:
            return link_errors.failed(LinkName.DISCOVERY, error), found, ()
        return judge.discovery(self.wish.issuer, found.issuer, key_ids), found, key_ids

    def _token(self, key_ids: t.Sequence[str]) -> tuple[Link, Minted | None]:
        """The second link, and the token when there is one."""
        wish, name = self.wish, LinkName.TOKEN
        if not wish.issuer.known:
            return links.not_tried(name, wish.unknown.issuer), None
        try:
            token = self.clouds.kube.create_token(
                wish.account.namespace, wish.account.name, wish.audience, wish.token_seconds
            )
            minted = Minted(read_claims(token), token)
        except errors.NotFound as error:
            return judge.absent(name, error.message, error.fix, check_mode=self.check_mode), None
        except TokenFormatError as error:
            fix = "Check that kubeconfig and context lead to the cluster."
            return links.broken(name, str(error), kind="malformed", fix=fix), None
        except link_errors.ABOUT_A_LINK as error:
            return link_errors.failed(name, error), None
        return judge.token(minted.claims, wish.expectation, key_ids), minted

    def _provider(self, role: RoleArn) -> tuple[Link, Provider | None]:
        wish, name = self.wish, LinkName.PROVIDER
        if not wish.issuer.known:
            return links.not_tried(name, wish.unknown.issuer), None
        arn = wish.trust(role).provider_arn
        try:
            found = self.clouds.providers.get(arn)
        except link_errors.ABOUT_A_LINK as error:
            return link_errors.failed(name, error), None
        if found is None:
            return judge.no_provider(wish.issuer, arn, self._provider_arns(), check_mode=self.check_mode), None
        return judge.provider(found.client_ids, wish.audience), found

    def _provider_arns(self) -> tuple[str, ...]:
        """All providers, to find one that was meant; none when the caller may not list them."""
        try:
            return self.clouds.providers.arns()
        except link_errors.ABOUT_A_LINK:
            return ()

    def _trust_policy(self, role: RoleArn) -> tuple[Link, Role | None]:
        wish, name = self.wish, LinkName.TRUST_POLICY
        if not wish.issuer.known:
            return links.not_tried(name, wish.unknown.issuer), None
        try:
            found = self.read_role or self.clouds.roles.get(role.name)
        except link_errors.ABOUT_A_LINK as error:
            return link_errors.failed(name, error), None
        if found is None:
            fix = "The step iam_web_identity creates it."
            return judge.absent(name, f"There is no IAM role {role}.", fix, check_mode=self.check_mode), None
        return judge.trust_policy(role, found.arn, found.trust_policy, wish.trust(role), wish.account), found

    def _token_exchange(
        self, role: RoleArn, minted: Minted | None, read: tuple[Link, Link]
    ) -> tuple[Link, SessionCredentials | None]:
        """The fifth link, and the session. ``read`` are the links of provider and trust policy.

        A refusal is retried while IAM's propagation may be its cause, unless what was read explains it already.
        """
        name, wish = LinkName.TOKEN_EXCHANGE, self.wish
        if minted is None:
            return links.not_tried(name, _NO_TOKEN), None
        if not judge.claims_are_right(minted.claims, wish.expectation):
            return links.not_tried(name, "the token's claims are not those of the chain"), None
        missing = [link.name.title for link in read if link.status is Status.UNKNOWN and link.missing]
        if missing:
            return links.not_tried(name, f"the {' and the '.join(missing)} may be created first"), None
        chain = wish.chain(role)

        def attempt() -> SessionCredentials | errors.CloudError:
            try:
                return self.clouds.sts.exchange(str(role), minted.token, SESSION_NAME)
            except errors.CloudError as error:
                return error

        provider, _unused = read
        waited_for = {Passing.SOON, *((Passing.IF_LISTED,) if provider.status is Status.OK else ())}
        explained = any(link.status is Status.BROKEN for link in read)
        answer = (self.budget.spent() if explained else self.budget).poll(
            attempt,
            again=lambda answer: (
                isinstance(answer, errors.CloudError)
                and explain.token_exchange(answer.code, answer.detail, chain).passing in waited_for
            ),
        )
        if isinstance(answer, errors.Unreachable):
            return link_errors.failed(name, answer), None
        if isinstance(answer, errors.CloudError):
            return judge.refused(name, answer, explain.token_exchange(answer.code, answer.detail, chain)), None
        return links.ok(name, "STS gives a session of the role for the service account's token."), answer

    def _lower(self, role: RoleArn | None, session: SessionCredentials | None) -> Lower:
        """The links of the data plane when they are in scope, and what was stored."""
        wish = self.wish
        if not wish.full:
            return Lower((), session)
        names = (*((LinkName.CHAINED_ROLE,) if wish.chained_role is not None else ()), *_DATA_PLANE)
        if role is None or session is None:
            return Lower(tuple(links.not_tried(name, _NO_SESSION) for name in names), None)
        chained: tuple[Link, ...] = ()
        writer: SessionCredentials | None = session
        if wish.chained_role is not None:
            link, writer = self._chained_role(role, wish.chained_role, session)
            chained = (link,)
        if writer is None:
            return Lower((*chained, *(links.not_tried(name, _NO_SESSION) for name in _DATA_PLANE)), None)
        if self.check_mode:
            unsent = Link(LinkName.REMOTE_WRITE, Status.UNKNOWN, "Not sent in check mode.", tried=False)
            return Lower((*chained, unsent, links.not_tried(LinkName.READ_BACK, "no sample was sent")), writer)
        if not is_known(wish.remote_write_url):
            unsent = links.not_tried(LinkName.REMOTE_WRITE, wish.unknown.workspace)
            return Lower((*chained, unsent, links.not_tried(LinkName.READ_BACK, "no sample was sent")), writer)
        chain = wish.chain(wish.chained_role or role)
        data_plane = DataPlane(self.clouds.http, writer, wish.region or "")
        sample = wish.sample(role, self.now())
        written = self._remote_write(data_plane, sample, chain)
        if written.status is not Status.OK:
            return Lower((*chained, written, links.not_tried(LinkName.READ_BACK, "no sample was stored")), writer)
        return Lower((*chained, written, self._read_back(data_plane, sample, chain)), writer, sample)

    def _chained_role(
        self, role: RoleArn, chained: RoleArn, session: SessionCredentials
    ) -> tuple[Link, SessionCredentials | None]:
        """The link of another role that writes, and its session. Retried as the exchange is."""
        name, chain = LinkName.CHAINED_ROLE, self.wish.chain(role)

        def attempt() -> SessionCredentials | errors.CloudError:
            try:
                return self.clouds.sts.assume(session, str(chained), SESSION_NAME, self.wish.external_id)
            except errors.CloudError as error:
                return error

        answer = self.budget.poll(
            attempt,
            again=lambda answer: (
                isinstance(answer, errors.CloudError)
                and explain.role_chaining(answer.code, answer.detail, chain).passing is Passing.SOON
            ),
        )
        if isinstance(answer, errors.Unreachable):
            return link_errors.failed(name, answer), None
        if isinstance(answer, errors.CloudError):
            return judge.refused(name, answer, explain.role_chaining(answer.code, answer.detail, chain)), None
        return links.ok(
            name, "STS gives a session of the chained role for the federated one.", found=str(chained)
        ), answer

    def _remote_write(self, data_plane: DataPlane, sample: remote_write.Sample, chain: explain.Chain) -> Link:
        """The sixth link. Retried for the same reason: a role's policy takes its time to be known, too."""
        name, url = LinkName.REMOTE_WRITE, self.wish.remote_write_url
        body = remote_write.body(sample)

        def attempt() -> errors.CloudError | None:
            try:
                data_plane.remote_write(url, body)
            except errors.CloudError as error:
                return error
            return None

        answer = self.budget.poll(
            attempt,
            again=lambda answer: (
                answer is not None and explain.remote_write(answer.status, answer.detail, chain).passing is Passing.SOON
            ),
        )
        if answer is None:
            return links.ok(name, f"The workspace took a sample of {METRIC}.", found=url)
        if isinstance(answer, errors.Unreachable):
            return link_errors.failed(name, answer)
        return judge.refused(name, answer, explain.remote_write(answer.status, answer.detail, chain))

    def _read_back(self, data_plane: DataPlane, sample: remote_write.Sample, chain: explain.Chain) -> Link:
        """The last link: unknown when the role may not query, which Prometheus does not need."""
        name, url = LinkName.READ_BACK, self.wish.query_url
        if url is None:
            return links.not_tried(name, "no query URL is given")

        def attempt() -> bool | errors.CloudError:
            try:
                times = data_plane.sample_times(url, sample.selector())
            except errors.CloudError as error:
                return error
            return any(round(seconds * 1000) >= sample.timestamp for seconds in times)

        answer = self.budget.poll(
            attempt,
            again=lambda answer: (
                explain.query(answer.status, answer.detail, chain).passing is Passing.SOON
                if isinstance(answer, errors.CloudError)
                else not answer
            ),
        )
        if isinstance(answer, errors.Unreachable):
            return link_errors.failed(name, answer)
        if isinstance(answer, errors.CloudError):
            explanation = explain.query(answer.status, answer.detail, chain)
            if isinstance(answer, errors.Forbidden):
                return links.unknown(name, f"{answer.message} {explanation.cause}", fix=explanation.fix)
            return judge.refused(name, answer, explanation)
        if not answer:
            return links.broken(
                name,
                f"The workspace took the sample but does not show it after {self.wish.wait_timeout:g} seconds.",
                kind="sample_not_shown",
                fix="Check this machine's clock, and query the workspace for the metric.",
            )
        return links.ok(name, "The sample can be queried.", found=sample.selector())
