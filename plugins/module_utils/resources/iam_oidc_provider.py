# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The IAM OIDC provider of an issuer: client IDs, thumbprints and tags.

The URL is the issuer verbatim and the ARN follows from it, so the provider is read by one call and never searched.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import aws_tags, errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.http import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.iam import IamProviders, Provider
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.oidc_discovery import discover
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.tls_chain import HTTPS_PORT, ChainReader
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    AWS_AUDIENCE,
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    parse_audience,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    AWS,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.thumbprints import (
    AUTO,
    Decision,
    Pinning,
    SentChain,
    decide,
    is_placeholder,
)

#: IAM's limit for a provider.
MAX_CLIENT_IDS = 100
_KIND = "IAM OIDC provider"

#: What IAM answers in partitions that don't take tags on creation.
_TAGS_REFUSED_CODES = frozenset(
    {
        "AccessDenied",
        "InvalidAction",
        "InvalidInput",
        "InvalidParameterValue",
        "OperationNotPermitted",
        "UnsupportedOperation",
        "ValidationError",
    }
)
_STANDARD_PARTITION = "aws"

ARGUMENT_SPEC = ArgumentSpec(
    {
        "issuer": {"type": "str", "required": True},
        "client_ids": {"type": "list", "elements": "str", "default": [AWS_AUDIENCE]},
        "purge_client_ids": {"type": "bool", "default": False},
        "thumbprints": {"type": "list", "elements": "str", "default": [AUTO]},
        "trust_anchors": {"type": "list", "elements": "path", "default": []},
        "tags": {"type": "dict", "default": {}},
        "purge_tags": {"type": "bool", "default": False},
    }
).merge(AWS, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the provider shall be."""

    issuer: Issuer
    client_ids: tuple[str, ...] = (AWS_AUDIENCE,)
    purge_client_ids: bool = False
    pinning: Pinning = dataclasses.field(default_factory=lambda: Pinning(automatic=True))
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    purge_tags: bool = False

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what no provider can be."""
        issuer = require_known(params.text("issuer"), option="issuer", step="aks_oidc_issuer", check_mode=check_mode)
        client_ids = tuple(dict.fromkeys(parse_audience(value) for value in params.texts("client_ids")))
        if not 1 <= len(client_ids) <= MAX_CLIENT_IDS:
            raise errors.InvalidInput(
                f"client_ids names {len(client_ids)} audiences.", fix=f"IAM takes 1 to {MAX_CLIENT_IDS}."
            )
        return cls(
            issuer=Issuer.parse(issuer),
            client_ids=client_ids,
            purge_client_ids=params.flag("purge_client_ids"),
            pinning=Pinning.parse(params.texts("thumbprints")),
            tags=aws_tags.parse_tags(params.text_map("tags")),
            purge_tags=params.flag("purge_tags"),
        )


@dataclasses.dataclass(frozen=True)
class Current:
    """The provider, None while there is none, and what the decision needs beside it.

    ``similar`` are ARNs of providers that differ by a slash or by case only, looked for while there is no provider.
    ``chains`` are what the issuer's hosts send, read only where thumbprints are found automatically.
    """

    account: AwsAccount
    provider: Provider | None
    similar: tuple[str, ...] = ()
    chains: tuple[SentChain, ...] = ()


@dataclasses.dataclass(frozen=True)
class Create:
    """``thumbprints`` None lets IAM fetch the issuer's itself."""

    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...] | None
    tags: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class AddClientId:
    client_id: str


@dataclasses.dataclass(frozen=True)
class RemoveClientId:
    client_id: str


@dataclasses.dataclass(frozen=True)
class SetThumbprints:
    thumbprints: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class SetTags:
    tags: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class RemoveTags:
    keys: tuple[str, ...]


Update: t.TypeAlias = "AddClientId | RemoveClientId | SetThumbprints | SetTags | RemoveTags"
Operation: t.TypeAlias = "Create | Update"


def advance(current: Current, operation: Operation) -> Current:
    """What is there after an operation; prediction and real run share it."""
    if isinstance(operation, Create):
        return dataclasses.replace(
            current,
            provider=Provider(
                arn=current.account.provider_arn(Issuer(operation.url)),
                url=operation.url,
                client_ids=operation.client_ids,
                thumbprints=operation.thumbprints or (KNOWN_AFTER_APPLY,),
                tags=operation.tags,
            ),
        )
    if current.provider is None:
        raise AssertionError("only an existing provider is updated")
    return dataclasses.replace(current, provider=_updated(current.provider, operation))


def _updated(provider: Provider, operation: Update) -> Provider:
    match operation:
        case AddClientId(client_id):
            return dataclasses.replace(provider, client_ids=(*provider.client_ids, client_id))
        case RemoveClientId(client_id):
            kept = tuple(known for known in provider.client_ids if known != client_id)
            return dataclasses.replace(provider, client_ids=kept)
        case SetThumbprints(thumbprints):
            return dataclasses.replace(provider, thumbprints=thumbprints)
        case SetTags(tags):
            return dataclasses.replace(provider, tags=aws_tags.with_added(provider.tags, tags))
        case RemoveTags(keys):
            return dataclasses.replace(provider, tags=aws_tags.without(provider.tags, keys))


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The writes in their order: nothing is removed before what replaces it is there."""
    provider = current.provider
    decision = decide(wish.pinning, provider.thumbprints if provider else (), current.chains)
    steps = [_creation(wish, decision)] if provider is None else list(_updates(provider, wish, decision, current))
    changes: list[Change[Operation]] = []
    state = current
    for operation, summary in steps:
        after = advance(state, operation)
        changes.append(_change(wish, operation, summary, state, after))
        state = after
    return Plan(tuple(changes), state, (*_similar_warnings(current, wish), *decision.warnings))


def _creation(wish: Wish, decision: Decision) -> tuple[Operation, str]:
    operation = Create(wish.issuer.url, wish.client_ids, decision.thumbprints, {**wish.tags, **MARK})
    return operation, f"Create the IAM OIDC provider for {wish.issuer.url} with {_counted(wish.client_ids)}."


def _counted(client_ids: tuple[str, ...]) -> str:
    return f"client ID{'s' if len(client_ids) > 1 else ''} {', '.join(client_ids)}"


def _updates(provider: Provider, wish: Wish, decision: Decision, current: Current) -> t.Iterator[tuple[Operation, str]]:
    missing = [client_id for client_id in wish.client_ids if client_id not in provider.client_ids]
    count = len(provider.client_ids) + len(missing)
    if count > MAX_CLIENT_IDS:
        raise errors.Refused(
            f"The provider {provider.arn} would have {count} client IDs, and IAM takes {MAX_CLIENT_IDS}.",
            fix="Remove those that are no longer used.",
        )
    for client_id in missing:
        yield AddClientId(client_id), f"Add client ID {client_id}, without which no token for it is accepted."
    if decision.thumbprints is not None and decision.differs_from(provider.thumbprints):
        yield SetThumbprints(decision.thumbprints), _thumbprint_summary(provider, decision.thumbprints, current.chains)
    added = aws_tags.to_add(provider.tags, wish.tags)
    if added:
        yield SetTags(added), f"Set the tags {', '.join(sorted(added))}."
    removed = aws_tags.to_remove(provider.tags, wish.tags) if wish.purge_tags else ()
    if removed:
        yield RemoveTags(removed), f"Remove the tags {', '.join(removed)}."
    if wish.purge_client_ids:
        for client_id in provider.client_ids:
            if client_id not in wish.client_ids:
                yield RemoveClientId(client_id), f"Remove client ID {client_id}, which was not asked for."


def _thumbprint_summary(provider: Provider, wanted: tuple[str, ...], chains: tuple[SentChain, ...]) -> str:
    before = [value.lower() for value in provider.thumbprints]
    leaves = {chain.leaf for chain in chains}
    parts = [f"pin {value}" for value in wanted if value not in before]
    parts += [f"drop {value}{_fault(value, leaves)}" for value in before if value not in wanted]
    return f"Change the thumbprints: {'; '.join(parts)}."


def _fault(value: str, leaves: t.Collection[str | None]) -> str:
    if value in leaves:
        return ", the host's own certificate, which changes with every renewal"
    return ", a placeholder" if is_placeholder(value) else ""


def _change(wish: Wish, operation: Operation, summary: str, before: Current, after: Current) -> Change[Operation]:
    return Change(
        action=Action.CREATE if isinstance(operation, Create) else Action.UPDATE,
        kind=_KIND,
        name=wish.issuer.url,
        summary=summary,
        before=_document(before.provider),
        after=_document(after.provider),
        operation=operation,
    )


def _document(provider: Provider | None) -> dict[str, object] | None:
    if provider is None:
        return None
    return {
        "arn": provider.arn,
        "url": provider.url,
        "client_ids": list(provider.client_ids),
        "thumbprints": list(provider.thumbprints),
        "tags": dict(provider.tags),
    }


def _similar_warnings(current: Current, wish: Wish) -> t.Iterator[str]:
    for arn in current.similar:
        yield (
            f"There is an IAM OIDC provider {arn}, which differs from {wish.issuer.url} by a slash or by case only. "
            "No token of this issuer ever matches it: if it was meant for this issuer, delete it."
        )


class ProviderResource:
    """Reads and writes the provider; ``chains`` is None where thumbprints are not found automatically."""

    def __init__(self, wish: Wish, session: AwsSession, chains: t.Callable[[], tuple[SentChain, ...]] | None) -> None:
        self._wish = wish
        self._session = session
        self._providers = IamProviders(session)
        self._chains = chains

    def read(self) -> Current:
        issuer = self._wish.issuer
        account = self._session.caller_account()
        if not issuer.known:
            return Current(account, None)
        provider = self._providers.get(account.provider_arn(issuer))
        return Current(
            account,
            provider,
            similar=() if provider else self._similar(account),
            chains=self._chains() if self._chains else (),
        )

    def _similar(self, account: AwsAccount) -> tuple[str, ...]:
        """Only for a warning, so a missing right to list is no failure."""
        prefix = account.provider_arn(Issuer(""))
        try:
            arns = self._providers.arns()
        except errors.Forbidden:
            return ()
        return tuple(arn for arn in arns if self._wish.issuer.differs_by_slash_or_case(arn.removeprefix(prefix)))

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        after = advance(current, operation)
        if isinstance(operation, Create):
            return dataclasses.replace(after, provider=self._create(operation, current.account))
        arn = current.account.provider_arn(self._wish.issuer)
        match operation:
            case AddClientId(client_id):
                self._providers.add_client_id(arn, client_id)
            case RemoveClientId(client_id):
                self._providers.remove_client_id(arn, client_id)
            case SetThumbprints(thumbprints):
                self._providers.set_thumbprints(arn, thumbprints)
            case SetTags(tags):
                self._providers.tag(arn, tags)
            case RemoveTags(keys):
                self._providers.untag(arn, keys)
        return after

    def _create(self, operation: Create, account: AwsAccount) -> Provider:
        try:
            arn = self._providers.create(operation.url, operation.client_ids, operation.thumbprints, operation.tags)
        except errors.CloudError as error:
            if account.partition == _STANDARD_PARTITION or error.code not in _TAGS_REFUSED_CODES:
                raise
            arn = self._providers.create(operation.url, operation.client_ids, operation.thumbprints, {})
            self._tag_created(arn, operation.tags)
        created = Provider(arn, operation.url, operation.client_ids, operation.thumbprints or (), operation.tags)
        if operation.thumbprints is None:
            return self._providers.get(arn) or created  # IAM has chosen the thumbprint
        return created

    def _tag_created(self, arn: str, tags: t.Mapping[str, str]) -> None:
        try:
            self._providers.tag(arn, tags)
        except errors.CloudError as error:
            error.accepted = True  # the provider is there
            raise


def read_chains(issuer: Issuer, http: HttpClient, reader: ChainReader) -> tuple[SentChain, ...]:
    """What the issuer's host and its keys' host send; one reading where they are the same.

    Raises Refused when the discovery document names another issuer, even by a slash: tokens carry that one.
    """
    discovery = discover(http, issuer.url)
    if discovery.issuer != issuer:
        raise errors.Refused(
            f"The issuer's discovery document names '{discovery.issuer.url}', not '{issuer.url}'.",
            fix="Tokens carry the document's issuer and IAM compares the whole text: give that one.",
        )
    keys = urllib.parse.urlsplit(discovery.jwks_uri)
    places = dict.fromkeys([(issuer.host, HTTPS_PORT), (keys.hostname or issuer.host, keys.port or HTTPS_PORT)])
    return tuple(reader.read(host, port) for host, port in places)


def facts(current: Current) -> dict[str, object]:
    """The provider as the module returns it."""
    if current.provider is None:
        raise AssertionError("a converged provider exists")
    return _document(current.provider) or {}


def run(params: Params, context: Context) -> Result:
    """Converge the provider."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    auth = AwsAuth.from_params(params)
    chains: t.Callable[[], tuple[SentChain, ...]] | None = None
    if wish.pinning.automatic:
        reader, http = ChainReader(auth.transport, params.texts("trust_anchors")), HttpClient(auth.transport)

        def chains() -> tuple[SentChain, ...]:
            return read_chains(wish.issuer, http, reader)

    outcome = context.converge(ProviderResource(wish, AwsSession(auth), chains))
    return Result.of(outcome, facts(outcome.state))


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
