# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file shall say, whatever its format, and the parts that several formats share; pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    WORKLOAD_IDENTITY_LABEL,
    ProjectedToken,
    RemoteWrite,
    ServiceAccount,
    WebIdentityToken,
    is_known,
    normal_url,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import STRAY_VARIABLES, TOKEN_FILE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import several_entries
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.fragments import (
    Block,
    Gone,
    Leaf,
    Node,
    Other,
    Rows,
    Single,
    asked_for,
    plain_data,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import MergedText, merge_values

Json = dict[str, t.Any]
Convert = t.Callable[[Json], Json]

#: Credentials that Prometheus takes instead of signing, as it and as the operator spells them.
_OTHER_AUTHENTICATION = (
    "authorization",
    "azureAd",
    "azuread",
    "basicAuth",
    "basic_auth",
    "bearerToken",
    "bearerTokenFile",
    "bearer_token",
    "bearer_token_file",
    "google_iam",
    "oauth2",
)
#: Settings of ``sigv4`` that put other credentials before the pod's web identity.
_OTHER_CREDENTIALS = ("accessKey", "access_key", "secretKey", "secret_key", "profile")
_SAME_ROLE = "the pod's web identity is that role already, and a role can't assume itself"


@dataclasses.dataclass(frozen=True)
class FileWish:
    """What one file shall say. ``values_path`` leads to the chart's own values, ``pipeline`` names a collector's.

    ``container`` and ``workload`` are those of the object that is patched.
    """

    account: ServiceAccount
    writes: RemoteWrites
    token: WebIdentityToken
    pod_label: bool = False
    container: str = "prometheus"
    workload_kind: str = "Deployment"
    workload_name: str = ""
    values_path: tuple[str, ...] = ()
    pipeline: str | None = None

    @property
    def labels(self) -> dict[str, str]:
        """The pod's labels: the Azure webhook gives its token to labelled pods only."""
        wanted = self.pod_label or not isinstance(self.token, ProjectedToken)
        return {WORKLOAD_IDENTITY_LABEL: "true"} if wanted else {}

    def pod(self) -> Json:
        """What the pod needs, as a pod template says it, for whoever writes that by hand."""
        token = self.token
        volume = isinstance(token, ProjectedToken)
        return {
            "serviceAccountName": self.account.name,
            "labels": self.labels,
            "env": [{"name": name, "value": value} for name, value in token.environment().items()],
            "volumes": [token.volume()] if isinstance(token, ProjectedToken) else [],
            "volumeMounts": [token.volume_mount()] if volume and isinstance(token, ProjectedToken) else [],
        }


@dataclasses.dataclass(frozen=True)
class Rendering:
    """A format's answer. ``title`` says what the file is, ``notes`` what goes where and what else is to do.

    ``fragment`` is merged into a file that is there already, by ``merge`` where the format has a way of its own;
    without one, only a file of our own is replaced.
    """

    title: str
    notes: tuple[str, ...]
    body: str
    fragment: Block | None = None
    merge: t.Callable[[str, str], MergedText] | None = None

    def merged_into(self, text: str, place: str) -> MergedText | None:
        """The text of somebody else with what is asked for; None for a format that is not merged. Raises Refused."""
        if self.fragment is None:
            return None
        return merge_values(text, self.fragment, place=place) if self.merge is None else self.merge(text, place)


# The pod --------------------------------------------------------------------------------------------------------------


def volumes(wish: FileWish) -> Rows | None:
    """The token's volume; None for a token that the webhook mounts."""
    if not isinstance(wish.token, ProjectedToken):
        return None
    volume = wish.token.volume()
    source = volume["projected"]["sources"][0]["serviceAccountToken"]
    token = Block(
        {name: Leaf(value, Other.REFUSE if name == "path" else Other.REPLACE) for name, value in source.items()}
    )
    projected = Block({"sources": Single(Block({"serviceAccountToken": token}, closed=True))})
    return Rows("name", (Block({"name": Leaf(volume["name"]), "projected": projected}, closed=True),))


def mounts(wish: FileWish) -> Rows | None:
    if not isinstance(wish.token, ProjectedToken):
        return None
    mount = {name: Leaf(value) for name, value in wish.token.volume_mount().items()}
    gone = {name: Gone() for name in ("subPath", "subPathExpr")}
    return Rows("mountPath", (Block({**mount, "readOnly": Leaf(True, Other.KEEP)}, gone),), _without_slash)


def _without_slash(path: str) -> str:
    return path.rstrip("/")


def environment(wish: FileWish) -> Rows:
    """The SDK's variables. Role and token file are somebody's decision; the others follow from the workspace."""
    decided = ("AWS_ROLE_ARN", TOKEN_FILE)
    return Rows(
        "name",
        tuple(
            Block(
                {"name": Leaf(name), "value": Leaf(value, _other(value, decided=name in decided))},
                closed=True,
            )
            for name, value in wish.token.environment().items()
        ),
        strays=STRAY_VARIABLES,
    )


def _other(value: str, *, decided: bool) -> Other:
    if not is_known(value):  # check mode before the role exists
        return Other.KEEP
    return Other.REFUSE if decided else Other.REPLACE


def labels(wish: FileWish) -> Block | None:
    found = wish.labels
    return Block({name: Leaf(value, Other.REPLACE) for name, value in found.items()}) if found else None


def chart_account(wish: FileWish) -> Block:
    """A chart's service account: an existing one, unless the values say that the chart makes it."""
    return Block({"create": Leaf(False, Other.KEEP), "name": Leaf(wish.account.name)})


def present(children: t.Mapping[str, Node | None]) -> dict[str, Node]:
    """Those children that there are."""
    return {name: child for name, child in children.items() if child is not None}


# The entries ----------------------------------------------------------------------------------------------------------


def remote_writes(wish: FileWish, convert: Convert = dict) -> Rows:
    """The ``remote_write`` entries, each found by its workspace; ``convert`` spells them as the format does."""
    version = wish.writes.version
    return Rows(
        "url",
        tuple(
            _entry(entry, convert(entry.entry(version)), convert(entry.asked_for(version)))
            for entry in wish.writes.entries
        ),
        comparable_url,
        several=_SeveralEntries(wish.writes),
    )


@dataclasses.dataclass(frozen=True)
class _SeveralEntries:
    """The rule for several entries of one workspace, as in a cluster."""

    writes: RemoteWrites

    def parts(self, item: Block, rows: t.Sequence[t.Any], place: str) -> t.Sequence[Block]:
        meant = several_entries.the_one_meant(rows, plain_data(asked_for(item) or item), place)
        rest = dataclasses.replace(item, children=several_entries.only_for_all(item.children))
        return [item if number == meant else rest for number in range(len(rows))]

    def check(self, rows: t.Sequence[t.Any], place: str) -> None:
        for entry in self.writes.entries:
            several_entries.refuse_alike(rows, entry.url, entry.name, place)


def comparable_url(url: str) -> str:
    return "|".join(normal_url(url))


def _entry(entry: RemoteWrite, full: Json, asked: Json) -> Block:
    children: dict[str, Node] = {}
    for name, value in full.items():
        if name == "sigv4":
            children[name] = _sigv4(entry, value)
        elif isinstance(value, t.Mapping):
            explicit = asked.get(name, {})
            children[name] = Block(
                {key: Leaf(item, Other.REPLACE if key in explicit else Other.NEW) for key, item in value.items()}
            )
        else:
            children[name] = Leaf(value, Other.REPLACE)
    return Block(children, {name: Gone() for name in _OTHER_AUTHENTICATION})


def _sigv4(entry: RemoteWrite, settings: Json) -> Block:
    """``role_arn`` is only for chaining; the federated role in it is the guide's mistake and goes."""
    federated = frozenset({entry.role_arn})
    roles = ("roleArn", "role_arn")
    children = {
        name: Leaf(value, repaired=federated) if name in roles else Leaf(value, Other.REPLACE)
        for name, value in settings.items()
    }
    gone = {name: Gone() for name in _OTHER_CREDENTIALS}
    if entry.chained_role_arn is None:
        gone.update({name: Gone(federated, _SAME_ROLE) for name in roles})
    return Block(children, gone)


def external_labels(wish: FileWish) -> Block | None:
    found = wish.writes.external_labels
    return Block({name: Leaf(value) for name, value in found.items()}) if found else None


def origins(wish: FileWish) -> tuple[str, ...]:
    """Which option each value came from, for the header of a new file."""
    token = "the Azure webhook's token" if not isinstance(wish.token, ProjectedToken) else "a token of its own"
    return (
        f"service_account {wish.account.namespace}/{wish.account.name}: the pod runs as it and exchanges {token}",
        f"audience {wish.token.audience}: for whom that token is",
        f"role_arn {wish.token.role_arn}: the role that the pod gets for it (AWS_ROLE_ARN)",
        *(f"region {entry.region}, remote_write_url {entry.url}" for entry in wish.writes.entries),
    )
