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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import IamProviders, Provider
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import Discovery, discover
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.tls_chain import HTTPS_PORT, ChainReader
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AWS_AUDIENCE,
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    parse_audience,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import aws_tags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.thumbprints import (
    AUTO,
    Decision,
    Pinning,
    SentChain,
    decide,
    is_placeholder,
    report,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AWS,
    STATE,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK, MARK_KEY, is_marked
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result

#: IAM's limit for a provider.
MAX_CLIENT_IDS = 100
_KIND = "IAM OIDC provider"
#: How many trusting roles a message names at most.
_SHOWN_ROLES = 10

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
        "force": {"type": "bool", "default": False},
        "if_shared": {"type": "str", "default": "fail", "choices": ["fail", "keep"]},
        "ignore_roles": {"type": "list", "elements": "str", "default": []},
    }
).merge(STATE, AWS, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the provider shall be.

    The last four are for ``absent``: ``force`` removes a provider that is not the collection's own or still trusted,
    ``keep_shared`` leaves such a one without failing, and roles in ``ignored_roles`` don't count as trusting it.
    """

    issuer: Issuer
    client_ids: tuple[str, ...] = (AWS_AUDIENCE,)
    purge_client_ids: bool = False
    pinning: Pinning = dataclasses.field(default_factory=lambda: Pinning(automatic=True))
    tags: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    purge_tags: bool = False
    state: State = State.PRESENT
    force: bool = False
    keep_shared: bool = False
    ignored_roles: frozenset[str] = frozenset()

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
            tags=aws_tags.parse_tags(params.text_map("tags"), aws_tags.KeyCase.COUNTS),
            purge_tags=params.flag("purge_tags"),
            state=State.from_params(params),
            force=params.flag("force"),
            keep_shared=params.text("if_shared") == "keep",
            ignored_roles=frozenset(params.texts("ignore_roles")),
        )


@dataclasses.dataclass(frozen=True)
class Current:
    """The provider, None while there is none, and what the decision needs beside it.

    ``similar`` are ARNs of providers that differ by a slash or by case only, looked for before a creation and for
    ``absent``: a converged run must not list; ``unlisted`` says which right that needs, if it is missing. ``chains``
    are what the issuer's hosts send, read only where thumbprints are found automatically. ``trusting_roles`` are the
    names of roles that trust the provider, looked for when it shall go.
    """

    account: AwsAccount
    provider: Provider | None
    similar: tuple[str, ...] = ()
    chains: tuple[SentChain, ...] = ()
    trusting_roles: tuple[str, ...] = ()
    unlisted: str = ""


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


@dataclasses.dataclass(frozen=True)
class Delete:
    pass


Update: t.TypeAlias = "AddClientId | RemoveClientId | SetThumbprints | SetTags | RemoveTags"
Operation: t.TypeAlias = "Create | Update | Delete"


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
    if isinstance(operation, Delete):
        return dataclasses.replace(current, provider=None)
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
            return dataclasses.replace(provider, tags=aws_tags.with_added(provider.tags, tags, aws_tags.KeyCase.COUNTS))
        case RemoveTags(keys):
            return dataclasses.replace(provider, tags=aws_tags.without(provider.tags, keys))


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """The writes in their order: nothing is removed before what replaces it is there."""
    if wish.state is State.ABSENT:
        return _removal(current, wish)
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


def _removal(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """Remove the collection's own provider that nobody trusts any more; raises Refused for another."""
    provider = current.provider
    similar = tuple(
        f"There is an IAM OIDC provider {arn}, which differs from {wish.issuer.url} by a slash or by case only. It is "
        "another one and stays: if it was meant for this issuer, delete it."
        for arn in current.similar
    ) + _unlisted_warnings(current, wish)
    if provider is None:
        return Plan((), current, similar)
    obstacle, fix = "", ""
    if not wish.force:
        obstacle, fix = _obstacle(provider, current.trusting_roles)
    if obstacle and not wish.keep_shared:
        raise errors.Refused(obstacle, fix=f"{fix} if_shared 'keep' leaves it without failing, force deletes it.")
    if obstacle:
        return Plan((), current, (f"{obstacle} It is kept.", *similar))
    after = advance(current, Delete())
    summary = f"Delete the IAM OIDC provider for {wish.issuer.url}: AWS then accepts none of its tokens."
    return Plan((_change(wish, Delete(), summary, current, after),), after, similar)


def _obstacle(provider: Provider, trusting_roles: tuple[str, ...]) -> tuple[str, str]:
    """Why a provider must not go, and what to do about it; empty when it may."""
    if not is_marked(provider.tags):
        return (
            f"The IAM OIDC provider {provider.arn} was not created by this collection: it has no tag {MARK_KEY}.",
            "Others may depend on it.",
        )
    if trusting_roles:
        shown = ", ".join(sorted(trusting_roles)[:_SHOWN_ROLES])
        more = f" and {len(trusting_roles) - _SHOWN_ROLES} more" if len(trusting_roles) > _SHOWN_ROLES else ""
        what = f"The IAM OIDC provider {provider.arn} is still trusted by roles that nobody could assume without it"
        return f"{what}: {shown}{more}.", "Remove their trust first."
    return "", ""


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
    tags = len(aws_tags.with_added(provider.tags, added, aws_tags.KeyCase.COUNTS))
    if tags > aws_tags.MAX_TAGS:
        raise errors.Refused(
            f"The provider {provider.arn} would have {tags} tags, and IAM takes {aws_tags.MAX_TAGS}.",
            fix="Remove those that are no longer used.",
        )
    if added:
        yield SetTags(added), f"Set the tags {', '.join(sorted(added))}."
    removed = aws_tags.to_remove(provider.tags, wish.tags, aws_tags.KeyCase.COUNTS) if wish.purge_tags else ()
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


_ACTIONS: t.Final[t.Mapping[type, Action]] = {Create: Action.CREATE, Delete: Action.DELETE}


def _change(wish: Wish, operation: Operation, summary: str, before: Current, after: Current) -> Change[Operation]:
    return Change(
        action=_ACTIONS.get(type(operation), Action.UPDATE),
        kind=_KIND,
        name=wish.issuer.url,
        summary=summary,
        before=_document(before.provider),
        after=_document(after.provider),
        operation=operation,
        last_changed_by=last_change.of_tags(before.provider.tags) if before.provider is not None else None,
        part=operation.client_id if isinstance(operation, (AddClientId, RemoveClientId)) else "",
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
    yield from _unlisted_warnings(current, wish)


def _unlisted_warnings(current: Current, wish: Wish) -> tuple[str, ...]:
    if not current.unlisted:
        return ()
    url = wish.issuer.url
    what = f"Whether there is an IAM OIDC provider that differs from {url} by a slash or by case only can't be told."
    return (f"{what} {current.unlisted}",)


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
        arn = account.provider_arn(issuer)
        provider = self._providers.get(arn)
        if self._wish.state is State.ABSENT:
            return self._with_similar(Current(account, provider, trusting_roles=self._trusting(provider)))
        current = Current(account, provider, chains=self._chains() if self._chains else ())
        return current if provider else self._with_similar(current)

    def _trusting(self, provider: Provider | None) -> tuple[str, ...]:
        """Asked only where it decides: an account may have a thousand roles."""
        if provider is None or self._wish.force or not is_marked(provider.tags):
            return ()
        try:
            roles = self._providers.trusting_roles(provider.arn)
        except errors.Forbidden as error:
            error.fix += " Without it nobody can tell whether the provider is still used; force deletes it unasked."
            raise
        return tuple(role for role in roles if role not in self._wish.ignored_roles)

    def _with_similar(self, current: Current) -> Current:
        """Only for a warning, so a missing right to list is no failure."""
        prefix, issuer = current.account.provider_arn(Issuer("")), self._wish.issuer
        try:
            arns = self._providers.arns()
        except errors.Forbidden as error:
            return dataclasses.replace(current, unlisted=error.fix)
        similar = tuple(arn for arn in arns if issuer.differs_by_slash_or_case(arn.removeprefix(prefix)))
        return dataclasses.replace(current, similar=similar)

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        after = advance(current, operation)
        if isinstance(operation, Create):
            return dataclasses.replace(after, provider=self._create(operation, current.account))
        if isinstance(operation, Delete):
            self._providers.delete(current.account.provider_arn(self._wish.issuer))
            return after
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
            return self._read_created(arn) or created  # IAM has chosen the thumbprint
        return created

    def _read_created(self, arn: str) -> Provider | None:
        try:
            return self._providers.get(arn)
        except errors.AksAmpError as error:
            error.accepted = True  # the provider is there
            raise

    def _tag_created(self, arn: str, tags: t.Mapping[str, str]) -> None:
        try:
            self._providers.tag(arn, tags)
        except errors.CloudError as error:
            error.accepted = True  # the provider is there
            raise


def read_chains(issuer: Issuer, discovery: Discovery, reader: ChainReader) -> tuple[SentChain, ...]:
    """What the issuer's host and its keys' host send; one reading where they are the same.

    Raises Refused when the discovery document names another issuer, even by a slash: tokens carry that one.
    """
    if discovery.issuer != issuer:
        raise errors.Refused(
            f"The issuer's discovery document names '{discovery.issuer.url}', not '{issuer.url}'.",
            fix="Tokens carry the document's issuer and IAM compares the whole text: give that one.",
        )
    keys = urllib.parse.urlsplit(discovery.jwks_uri)
    places = dict.fromkeys([(issuer.host, HTTPS_PORT), (keys.hostname or issuer.host, keys.port or HTTPS_PORT)])
    return tuple(reader.read(host, port) for host, port in places)


def facts(current: Current, wish: Wish) -> dict[str, object]:
    """The provider as the module returns it; only its identity where there is none."""
    document = _document(current.provider)
    if document is None or current.provider is None:
        return {"arn": current.account.provider_arn(wish.issuer), "url": wish.issuer.url}
    certificates = report(current.provider.thumbprints, current.chains) if wish.issuer.known else None
    return {**document, "certificates": certificates}


def run(params: Params, context: Context) -> Result:
    """Converge the provider."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    auth = AwsAuth.from_params(params)
    chains: t.Callable[[], tuple[SentChain, ...]] | None = None
    if wish.pinning.automatic and wish.state is State.PRESENT:
        reader, http = ChainReader(auth.transport, params.texts("trust_anchors")), HttpClient(auth.transport)

        def chains() -> tuple[SentChain, ...]:
            return read_chains(wish.issuer, discover(http, wish.issuer.url), reader)

    outcome = context.converge(ProviderResource(wish, AwsSession(auth), chains))
    return Result.of(outcome, facts(outcome.state, wish))


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
