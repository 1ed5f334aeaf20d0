# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a service account and its namespace may go, and what is undone on one that existed before.

Only what carries the collection's mark is deleted, and only while nobody else uses it; when that can't be told, it is
kept and the reason said.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CLAIM_TEMPLATE,
    CONFIG_MAP,
    CRON_JOB,
    DISRUPTION_BUDGET,
    INGRESS,
    JOB,
    LIMIT_RANGE,
    NETWORK_POLICY,
    POD,
    POD_AUTOSCALER,
    POD_RUNNERS,
    POD_TEMPLATE,
    REPLICATION_CONTROLLER,
    RESOURCE_CLAIM,
    RESOURCE_QUOTA,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    VOLUME_CLAIM,
    VOLUME_SNAPSHOT,
    ObjectKind,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import SET, WAS, section_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import service_account_of

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient

Json = dict[str, t.Any]

#: What a namespace in use mostly holds, looked at first; what else the cluster has kinds for comes after it.
_OCCUPANTS = (
    *(SECRET, *POD_RUNNERS, SERVICE, VOLUME_CLAIM, CONFIG_MAP, SERVICE_ACCOUNT, ROLE, ROLE_BINDING, INGRESS),
    *(NETWORK_POLICY, RESOURCE_QUOTA, LIMIT_RANGE, DISRUPTION_BUDGET, POD_AUTOSCALER, REPLICATION_CONTROLLER),
    *(POD_TEMPLATE, RESOURCE_CLAIM, CLAIM_TEMPLATE, VOLUME_SNAPSHOT),
)
#: What the cluster keeps of other objects, by group and plural: it says nothing that they do not.
_BY_THE_CLUSTER = frozenset(
    {
        ("", "endpoints"),
        ("", "events"),
        ("apps", "controllerrevisions"),
        ("coordination.k8s.io", "leases"),
        ("discovery.k8s.io", "endpointslices"),
        ("events.k8s.io", "events"),
        ("storage.k8s.io", "csistoragecapacities"),
    }
)
_OF_EVERY_NAMESPACE = {SERVICE_ACCOUNT: "default", CONFIG_MAP: "kube-root-ca.crt"}
_TOKEN_SECRET = "kubernetes.io/service-account-token"  # noqa: S105  # a type's name
_WELL_KNOWN = frozenset(kind.group for kind in POD_RUNNERS)
_RUNNERS = frozenset((kind.group, kind.name) for kind in POD_RUNNERS)
_SHOWN_NAMES = 5


@dataclasses.dataclass(frozen=True)
class Survey:
    """The objects that stand against a deletion. ``unknown`` says why it can't be told; empty when it can."""

    found: tuple[str, ...] = ()
    unknown: str = ""

    def objection(self, because: str) -> str:
        """Why to keep what was surveyed; empty when nothing speaks against its deletion.

        ``because`` introduces the names of what was found, for example "it is used by".
        """
        if self.unknown or not self.found:
            return self.unknown
        names = ", ".join(self.found[:_SHOWN_NAMES])
        more = len(self.found) - _SHOWN_NAMES
        return f"{because} {names}{f' and {more} more' if more > 0 else ''}"


NOTHING_FOUND: t.Final = Survey()


def users_of(client: KubeClient, account: ObjectReference, *, released_by: t.AbstractSet[str] = frozenset()) -> Survey:
    """Who runs pods as this service account, but those of ``released_by`` ("Deployment monitoring/prometheus").

    What a controller made is left to its owner: pods that are being replaced do not keep the service account.
    """
    return _survey(
        client,
        POD_RUNNERS,
        str(account.namespace),
        lambda kind, item: (
            service_account_of(_pod_spec(kind, item)) == account.name
            and not _is_finished(kind, item)
            and released_by.isdisjoint(_names(kind, item))
        ),
    )


def occupants_of(client: KubeClient, namespace: str, *, besides: ObjectReference) -> Survey:
    """What a namespace holds beside one service account and what every namespace has by itself.

    Whatever its kind: with the namespace all of it would be gone. The kinds that only this cluster has are asked for
    where nothing else was found.
    """

    def counts(kind: ObjectKind, item: Json) -> bool:
        return (
            _reference(kind, item) != besides
            and _OF_EVERY_NAMESPACE.get(kind) != item["metadata"]["name"]
            and not (kind == SECRET and item.get("type") == _TOKEN_SECRET)
        )

    try:
        found = _survey(client, _OCCUPANTS, namespace, counts)
        if found.unknown or found.found:
            return found
        return _survey(client, _further_kinds(client.kinds_in_namespaces()), namespace, counts)
    except errors.Unreachable:
        raise
    except errors.CloudError as error:
        return Survey(unknown=f"whether others use it can't be told. {error.sentence()}")


def _further_kinds(announced: t.Iterable[ObjectKind]) -> list[ObjectKind]:
    """Each kind once, without those that were looked at in one of the versions that the cluster has."""
    every = list(announced)
    looked_at = {(kind.api, kind.plural) for kind in _OCCUPANTS}
    seen = {(kind.group, kind.plural) for kind in every if (kind.api, kind.plural) in looked_at} | _BY_THE_CLUSTER
    further: dict[tuple[str, str], ObjectKind] = {}
    for kind in every:
        further.setdefault((kind.group, kind.plural), kind)
    return [kind for key, kind in further.items() if key not in seen]


def _survey(
    client: KubeClient, kinds: t.Iterable[ObjectKind], namespace: str, counts: t.Callable[[ObjectKind, Json], bool]
) -> Survey:
    found: list[str] = []
    hidden: list[str] = []
    fix = ""
    for kind in kinds:
        try:
            items = client.list_in(kind, namespace)
        except errors.Forbidden as error:
            hidden.append(kind.plural if kind.group in _WELL_KNOWN else f"{kind.plural}.{kind.group}")
            fix = fix or error.fix
            if not error.status:
                break  # no server said so: this way to it has none of them, and each further look may take seconds
            continue
        found += [str(_reference(kind, item)) for item in items if not _belongs_to_another(item) and counts(kind, item)]
    if hidden:
        return Survey(unknown=f"whether others use it can't be told without listing {', '.join(hidden)}. {fix}")
    return Survey(tuple(found))


def _reference(kind: ObjectKind, item: Json) -> ObjectReference:
    return kind.at(item["metadata"]["name"], item["metadata"]["namespace"])


def _names(kind: ObjectKind, item: Json) -> set[str]:
    """An object, and what made it: prometheus-operator's Prometheus has its pods run by a StatefulSet."""
    namespace = item["metadata"]["namespace"]
    owners = item["metadata"].get("ownerReferences") or ()
    makers = {f"{owner['kind']} {namespace}/{owner['name']}" for owner in owners if owner.get("controller")}
    return {str(_reference(kind, item)), *makers}


def _belongs_to_another(item: Json) -> bool:
    """Whether a controller that is surveyed itself made the object; others have kinds of the same names."""
    owners = item["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") and (_group(owner), owner["kind"]) in _RUNNERS for owner in owners)


def _group(owner: Json) -> str:
    """The API group of an owner, empty for the core group."""
    return str(owner.get("apiVersion") or "").rpartition("/")[0]


def _pod_spec(kind: ObjectKind, item: Json) -> Json:
    spec = item["spec"]
    if kind == POD:
        return t.cast("Json", spec)
    if kind == CRON_JOB:
        spec = spec["jobTemplate"]["spec"]
    return t.cast("Json", spec["template"]["spec"])


def _is_finished(kind: ObjectKind, item: Json) -> bool:
    status = item.get("status") or {}
    if kind == POD:
        return "deletionTimestamp" in item["metadata"] or status.get("phase") in ("Succeeded", "Failed")
    conditions = status.get("conditions") or ()
    return kind == JOB and any(
        condition.get("type") in ("Complete", "Failed") and condition.get("status") == "True"
        for condition in conditions
    )


@dataclasses.dataclass(frozen=True)
class Undoing:
    """How recorded values are put back: ``values`` for a merge patch, in which None removes; and what is kept."""

    values: dict[str, str | None]
    kept: tuple[str, ...]


def undo(record: t.Mapping[str, t.Any], section: str, present: t.Mapping[str, str]) -> Undoing:
    """Put back what a record says of labels or annotations; what others changed since stays."""
    values: dict[str, str | None] = {}
    kept: list[str] = []
    for name, entry in section_of(record, section).items():
        if present.get(name) == entry[SET]:
            values[name] = entry[WAS]
        elif name in present:
            kept.append(name)
    return Undoing(values, tuple(kept))
