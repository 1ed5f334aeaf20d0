# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A drift report: what each cluster's steps would change, and what of the chain is broken.

``to_json`` and ``Report.from_json`` are the report's published form; ``docs/schemas/drift-report.schema.json``
describes it. All texts are plain: no control characters, no markup.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

FORMAT: t.Final = "crosscloud.aks_amp/drift-report"
#: Raised when a reader of the earlier form could no longer read it. Readers pass over keys that they do not know.
FORMAT_VERSION: t.Final = 1

#: The steps in their order; each is a column of the report.
STEPS: t.Final = (
    "aks_oidc_issuer",
    "iam_web_identity",
    "entra_federation",
    "service_account",
    "prometheus_remote_write",
    "federation_check",
)

Json = dict[str, t.Any]


class NotAReport(Exception):
    """A document is no drift report of a version that is understood. The message is one sentence."""


class Status(enum.Enum):
    """What is known of a step, or of a whole cluster. The order is that of gravity."""

    BROKEN = "broken"  # a link of the trust chain does not hold
    DRIFTED = "drifted"  # a run would change something
    FAILED = "failed"  # the step ended with an error, so nothing is known of it
    UNKNOWN = "unknown"  # the step was not reached, or its answer leaves open what is
    IN_SYNC = "in_sync"
    SKIPPED = "skipped"  # not selected, or switched off for the cluster

    @property
    def rank(self) -> int:
        """0 for the gravest."""
        return list(Status).index(self)

    @property
    def title(self) -> str:
        return self.value.replace("_", " ")


#: What a drift is recognised by from one report to the next: cluster, step, kind, object's kind, object's name.
Key = tuple[str, str, str, str, str]


@dataclasses.dataclass(frozen=True)
class Drift:
    """One difference between what is and what was asked for.

    ``kind`` is its name for programs, ``meaning`` one sentence for people, ``repair`` what a run would do. ``before``
    and ``after`` are the object as it is and as it should be, as text. ``since`` is the time of the first report in
    an unbroken row that has it; ``new`` is None when there is no earlier report to compare with. ``last_changed_by`` is
    None where the service does not tell.
    """

    kind: str
    severity: Severity
    meaning: str
    repair: str
    action: str
    object_kind: str
    object_name: str
    before: str = ""
    after: str = ""
    since: str = ""
    new: bool | None = None
    last_changed_by: LastChange | None = None

    def key(self, cluster: str, step: str) -> Key:
        return (cluster, step, self.kind, self.object_kind, self.object_name)

    def to_json(self) -> Json:
        last = self.last_changed_by
        told = {"severity": self.severity.value, "last_changed_by": None if last is None else last.report()}
        return {**dataclasses.asdict(self), **told}

    @classmethod
    def from_json(cls, values: Json) -> Drift:
        known = _known(cls, values)
        last = known.get("last_changed_by")
        told = {
            "severity": Severity(known["severity"]),
            "last_changed_by": None
            if last is None
            else LastChange(_text(last, "who"), _text(last, "when"), Told(last["how"])),
        }
        return cls(**{**known, **told})


def _known(kind: type, values: object) -> Json:
    """The values of a dataclass's fields; what a later version has added is passed over. Raises TypeError."""
    if not isinstance(values, dict):
        raise TypeError(f"a {kind.__name__} is no object")
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    for name in (name for name in values if types.get(name) == "str"):
        _text(values, name)
    if not isinstance(values.get("new"), (bool, type(None))):
        raise TypeError("new is neither true, false nor null")
    return {name: value for name, value in values.items() if name in types}


def _text(values: t.Any, name: str) -> str:
    """Raises KeyError and TypeError."""
    value = values[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


@dataclasses.dataclass(frozen=True)
class Step:
    """One step of one cluster. ``note`` is the error or the reason of a status that needs one."""

    name: str
    status: Status
    note: str = ""
    drifts: tuple[Drift, ...] = ()

    def to_json(self) -> Json:
        drifts = [drift.to_json() for drift in self.drifts]
        return {"name": self.name, "status": self.status.value, "note": self.note, "drifts": drifts}

    @classmethod
    def from_json(cls, values: Json) -> Step:
        drifts = tuple(Drift.from_json(drift) for drift in values["drifts"])
        return cls(_text(values, "name"), Status(values["status"]), _text(values, "note"), drifts)


@dataclasses.dataclass(frozen=True)
class ChainLink:
    """One link of the trust chain, as ``federation_check`` found it: ``ok``, ``broken`` or ``unknown``."""

    name: str
    status: str
    summary: str
    expected: str = ""
    found: str = ""
    fix: str = ""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """One cluster. ``steps`` has every step once, in order."""

    name: str
    steps: tuple[Step, ...]
    chain: tuple[ChainLink, ...] = ()

    @property
    def status(self) -> Status:
        """The gravest of its steps'."""
        return min((step.status for step in self.steps), key=lambda status: status.rank, default=Status.UNKNOWN)

    @property
    def drifts(self) -> tuple[Drift, ...]:
        return tuple(drift for step in self.steps for drift in step.drifts)

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "status": self.status.value,
            "steps": [step.to_json() for step in self.steps],
            "chain": [dataclasses.asdict(link) for link in self.chain],
        }

    @classmethod
    def from_json(cls, values: Json) -> Cluster:
        steps = tuple(Step.from_json(step) for step in values["steps"])
        return cls(
            _text(values, "name"), steps, tuple(ChainLink(**_known(ChainLink, link)) for link in values["chain"])
        )


@dataclasses.dataclass(frozen=True)
class Repaired:
    """A drift of the previous report that is no more."""

    cluster: str
    step: str
    kind: str
    meaning: str
    object_kind: str
    object_name: str
    since: str


@dataclasses.dataclass(frozen=True)
class Report:
    """The fleet at one time. Times are ISO 8601 in UTC; ``compared_with`` is the previous report's, or empty."""

    generated_at: str
    clusters: tuple[Cluster, ...]
    compared_with: str = ""
    repaired: tuple[Repaired, ...] = ()

    @property
    def counts(self) -> dict[Status, int]:
        """How many clusters have each status."""
        return {status: sum(cluster.status is status for cluster in self.clusters) for status in Status}

    @property
    def drifts(self) -> tuple[tuple[Cluster, Step, Drift], ...]:
        return tuple(
            (cluster, step, drift) for cluster in self.clusters for step in cluster.steps for drift in step.drifts
        )

    def to_json(self) -> Json:
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "generated_at": self.generated_at,
            "compared_with": self.compared_with,
            "summary": {
                "clusters": len(self.clusters),
                **{status.value: number for status, number in self.counts.items()},
                "drifts": len(self.drifts),
                "repaired": len(self.repaired),
            },
            "clusters": [cluster.to_json() for cluster in self.clusters],
            "repaired": [dataclasses.asdict(repaired) for repaired in self.repaired],
        }

    @classmethod
    def from_json(cls, values: object) -> Report:
        """Raises NotAReport."""
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise NotAReport("It is not a drift report.")
        if values.get("format_version") != FORMAT_VERSION:
            raise NotAReport(
                f"It is a drift report of version {values.get('format_version')}, and version {FORMAT_VERSION} is read."
            )
        try:
            return cls(
                generated_at=_text(values, "generated_at"),
                clusters=tuple(Cluster.from_json(cluster) for cluster in values["clusters"]),
                compared_with=_text(values, "compared_with"),
                repaired=tuple(Repaired(**_known(Repaired, repaired)) for repaired in values["repaired"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NotAReport(f"It is a damaged drift report: {type(error).__name__} {error}.") from None
