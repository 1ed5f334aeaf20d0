# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``remoteWrite`` and ``externalLabels`` of prometheus-operator's resources lack, and how that is mended; pure.

The lists are somebody else's. What is added is recorded with the settings that were set; an entry that was there
before is only repaired, and is given beyond that what was asked for by name.
https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.RemoteWriteSpec
"""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite, is_known, is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import (
    SET,
    forgotten,
    kept,
    noted,
    section_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import operator_entry
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import entry_sentences, several_entries
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import has_userinfo
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import (
    REDACTED,
    is_secret_name,
    redact_url,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion

Json = dict[str, t.Any]

#: Sections of the record, named like the fields.
REMOTE_WRITE: t.Final = "remoteWrite"
EXTERNAL_LABELS: t.Final = "externalLabels"
_SIGV4: t.Final = "sigv4"
_QUEUE: t.Final = "queueConfig"
_RELABELING: t.Final = "writeRelabelConfigs"

#: Fields by which Prometheus authenticates otherwise than by signing; it accepts none of them beside ``sigv4``.
_OTHER_AUTHENTICATION = (
    "authorization",
    "azureAd",
    "basicAuth",
    "bearerToken",
    "bearerTokenFile",
    "oauth2",
)
#: Fields of ``sigv4`` that put other credentials before the pod's web identity.
_OTHER_CREDENTIALS = ("accessKey", "secretKey", "profile")
_SIGV4_FIELDS = frozenset({"region", "roleArn", "externalID", "useFIPSSTSEndpoint", "serviceName", *_OTHER_CREDENTIALS})
#: Fields whose values may be shown: names of secrets and their keys, and what is no secret by itself.
_SHOWN = frozenset(
    {
        "bearerTokenFile",
        "clientId",
        "cloud",
        "credentialsFile",
        "key",
        "name",
        "optional",
        "profile",
        "region",
        "roleArn",
        "tenantId",
        "tokenUrl",
        "type",
    }
)
#: Fields whose keys are chosen freely and whose values may be credentials.
_FREE = frozenset({"endpointParams", "headers", "httpHeaders", "proxyConnectHeader"})
_WORKSPACE_URL = re.compile(r"https://(?:[\w-]+\.)?aps-workspaces(?:-fips)?\.[a-z0-9-]+\.")


@dataclasses.dataclass(frozen=True)
class PartChange:
    """A changed part of a resource and the record with it. Without summaries there is nothing to do.

    ``value`` is the whole list or mapping as it is then, ``before`` and ``after`` are what of it changes.
    """

    value: t.Any
    record: Json
    before: Json = dataclasses.field(default_factory=dict)
    after: Json = dataclasses.field(default_factory=dict)
    summaries: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is asked of one entry: all of it for an entry that is added, and what was named for any other."""

    write: RemoteWrite
    full: Json
    explicit: Json

    @classmethod
    def of(cls, write: RemoteWrite, version: PrometheusVersion | None, unknown: t.Collection[str] = ()) -> Asked:
        """For a version of Prometheus. ``unknown`` are fields of the queue that the operator does not know: a default
        for one of them is left out."""
        full, explicit = _with_actions(write.entry(version)), _with_actions(write.asked_for(version))
        named = explicit.get(_QUEUE, {})
        queue = {name: value for name, value in full.get(_QUEUE, {}).items() if name in named or name not in unknown}
        full = {**full, _QUEUE: queue} if queue else {name: full[name] for name in full if name != _QUEUE}
        return cls(write, full, explicit)

    def of_several(self, *, meant: bool) -> Asked:
        """What is asked of one of several entries: which of them the collection added can't be told."""
        named = self.explicit if meant else several_entries.only_for_all(self.explicit)
        return Asked(self.write, named, named)


def _with_actions(entry: Json) -> Json:
    """The operator's entry with the action of each relabeling rule, which the API server would fill in."""
    converted = operator_entry(entry)
    rules = converted.get(_RELABELING)
    return {**converted, _RELABELING: [{"action": "replace", **rule} for rule in rules]} if rules else converted


def merge_entries(entries: t.Sequence[Json], asked: t.Sequence[Asked], record: Json, place: str) -> PartChange:
    """The entries with those that are asked for among them. ``place`` names the resource for messages.

    Raises Refused when an entry for a workspace has other credentials, or a name is another entry's.
    """
    merger = _Merger(entries, record, place)
    for wanted in asked:
        merger.merge(wanted)
    return merger.change()


class _Merger:
    """Collects the changes of one list."""

    def __init__(self, entries: t.Sequence[Json], record: Json, place: str) -> None:
        self._entries: list[Json] = list(entries)
        self._record = record
        self._place = place
        self._before: Json = {}
        self._after: Json = {}
        self._summaries: list[str] = []
        self._warnings: list[str] = []

    def change(self) -> PartChange:
        return PartChange(
            self._entries, self._record, self._before, self._after, tuple(self._summaries), tuple(self._warnings)
        )

    def merge(self, asked: Asked) -> None:
        url = asked.write.url
        found = [index for index, entry in enumerate(self._entries) if is_same_url(str(entry.get("url", "")), url)]
        moved = None if found else self._of_the_name(asked)
        own = found if moved is None else [moved]
        self._refuse_name(asked, own)
        if own:
            self._repair(own, asked)
        else:
            self._entries.append(asked.full)
            self._note(url, asked.full)
            self._after[url] = _fit_to_show(asked.full)
            self._summaries.append(entry_sentences.missing("remoteWrite", url, asked.full[_SIGV4].get("roleArn")))

    def _of_the_name(self, asked: Asked) -> int | None:
        """An entry of ours under the name that is asked for, which went to another workspace so far."""
        if asked.write.name is None:
            return None
        return next(
            (
                index
                for index, entry in enumerate(self._entries)
                if entry.get("name") == asked.write.name and self._recorded_url(entry) is not None
            ),
            None,
        )

    def _refuse_name(self, asked: Asked, own: t.Collection[int]) -> None:
        for index, entry in enumerate(self._entries):
            if index not in own and asked.write.name is not None and entry.get("name") == asked.write.name:
                there = redact_url(str(entry.get("url", "")))
                raise errors.Refused(
                    f"{self._place} has a remoteWrite entry called '{asked.write.name}' for {there}; wanted is that "
                    f"name for {asked.write.url}, and Prometheus refuses a name twice.",
                    fix="Choose another name, or remove that entry.",
                )

    def _recorded_url(self, entry: Json) -> str | None:
        """Under which URL an entry of ours is recorded; None for one of others."""
        present = str(entry.get("url", ""))
        return next((url for url in section_of(self._record, REMOTE_WRITE) if is_same_url(present, url)), None)

    def _note(self, url: str, settings: Json) -> None:
        self._record = noted(self._record, REMOTE_WRITE, url, was=None, to=settings)

    def _repair(self, own: t.Sequence[int], asked: Asked) -> None:
        """``own`` are the places of the entries for the workspace."""
        write, entries = asked.write, [self._entries[index] for index in own]
        meant = several_entries.the_one_meant(entries, asked.explicit, self._place)
        recorded = self._recorded_url(entries[0])
        earlier: Json | None = None if recorded is None else section_of(self._record, REMOTE_WRITE)[recorded][SET]
        followed, settings = earlier, asked.full
        if len(own) > 1 and earlier is not None:
            followed = {_SIGV4: earlier.get(_SIGV4) or {}}
            settings = {**earlier, **several_entries.only_for_all(asked.full)}
        for number, index in enumerate(own):
            part = asked if len(own) == 1 else asked.of_several(meant=number == meant)
            _refuse_other_credentials(self._entries[index], part, earlier or {}, self._place)
            self._replace(index, part, followed)
        several_entries.refuse_alike(self._entries, write.url, write.name, self._place)
        if recorded is not None and (earlier != settings or recorded != write.url):
            self._record = forgotten(self._record, REMOTE_WRITE, recorded)
            self._note(write.url, settings)

    def _replace(self, index: int, asked: Asked, earlier: Json | None) -> None:
        entry = self._entries[index]
        update = _Update(entry, asked, earlier)
        update.run()
        self._warnings += update.warnings
        if update.summaries:
            self._entries[index] = update.entry
            changed = [key for key in {**entry, **update.entry} if entry.get(key) != update.entry.get(key)]
            self._before[asked.write.url] = _fit_to_show({key: entry[key] for key in changed if key in entry})
            after = {key: update.entry[key] for key in changed if key in update.entry}
            self._after[asked.write.url] = _fit_to_show(after)
            self._summaries += update.summaries


class _Update:
    """What one entry needs. ``earlier`` are the settings that the collection set in it, None for one of others."""

    def __init__(self, entry: Json, asked: Asked, earlier: Json | None) -> None:
        self.entry = dict(entry)
        self.summaries: list[str] = []
        self.warnings: list[str] = []
        self._asked = asked
        self._earlier = earlier
        self._url = asked.write.url

    def run(self) -> None:
        self._set_url()
        self._sign()
        self._drop_what_is_not_wished()
        self._set_settings()

    def _set_url(self) -> None:
        present = self.entry.get("url")
        if present != self._url:
            self.entry["url"] = self._url
            self.summaries.append(entry_sentences.misspelled_url(self._url, str(present)))

    def _sign(self) -> None:
        wanted: Json = self._asked.full[_SIGV4]
        present: Json | None = self.entry.get(_SIGV4)
        if not present:
            self.entry[_SIGV4] = wanted
            self.summaries.append(entry_sentences.unsigned(self._url, wanted["region"]))
            return
        sigv4 = dict(present)
        if sigv4.get("region") != wanted["region"]:
            self.summaries.append(entry_sentences.other_region(wanted["region"], str(sigv4.get("region") or "")))
            sigv4["region"] = wanted["region"]
        self._judge_role(sigv4, wanted.get("roleArn"))
        for name, value in wanted.items():
            if name not in ("region", "roleArn") and sigv4.get(name) != value:
                self.summaries.append(f"set sigv4.{name} to {_spelled(value)}{_was(sigv4.get(name))}")
                sigv4[name] = value
        self.entry[_SIGV4] = sigv4

    def _judge_role(self, sigv4: Json, chained: str | None) -> None:
        role = sigv4.get("roleArn")
        if not role and not chained:
            return
        if chained:
            if role != chained:
                self.summaries.append(entry_sentences.other_chained_role(chained, str(role or "")))
                sigv4["roleArn"] = chained
        elif not is_known(self._asked.write.role_arn):
            self.warnings.append(
                f"The entry's sigv4.roleArn {role} can't be judged before the federated role's ARN is known."
            )
        elif role == self._asked.write.role_arn:
            del sigv4["roleArn"]
            # Prometheus refuses an external ID without a role.
            sigv4.pop("externalID", None)
            self.summaries.append(entry_sentences.own_role("sigv4.roleArn", str(role)))

    def _drop_what_is_not_wished(self) -> None:
        """Settings that the collection set, that nobody changed since, and that are not asked for any more."""
        for name, value in (self._earlier or {}).items():
            wanted = self._asked.full.get(name)
            if isinstance(value, dict):
                inner: Json = dict(self.entry.get(name) or {})
                gone = [key for key in value if key not in (wanted or {}) and inner.get(key) == value[key]]
                if name == _SIGV4 and "roleArn" in gone and "externalID" in inner and "externalID" not in gone:
                    gone.append("externalID")  # Prometheus refuses an external ID without a role
                if gone:
                    rest = {key: item for key, item in inner.items() if key not in gone}
                    self.entry = {**self.entry, name: rest} if rest else _without(self.entry, name)
                    self.summaries.append(f"remove {', '.join(f'{name}.{key}' for key in gone)}")
            elif wanted is None and name in self.entry and self.entry[name] == value:
                self.entry = _without(self.entry, name)
                self.summaries.append(f"remove {name}")

    def _set_settings(self) -> None:
        for name, wanted in self._asked.full.items():
            if name in ("url", _SIGV4):
                continue
            if isinstance(wanted, dict):
                self._set_inner(name, wanted)
            elif (name in self._asked.explicit) and self.entry.get(name) != wanted:
                self.summaries.append(f"set {name}{_shortly(wanted)}")
                self.entry[name] = wanted

    def _set_inner(self, name: str, wanted: Json) -> None:
        explicit: Json = self._asked.explicit.get(name, {})
        present: Json = dict(self.entry.get(name) or {})
        for key, value in wanted.items():
            if present.get(key) == value or not (key in explicit or self._is_default_of_ours(name, key, present)):
                continue
            self.summaries.append(f"set {name}.{key} to {_spelled(value)}{_was(present.get(key))}")
            present[key] = value
        if present:
            self.entry[name] = present

    def _is_default_of_ours(self, name: str, key: str, present: Json) -> bool:
        """A default is for entries of ours, and not where somebody set another value since."""
        if self._earlier is None:
            return False
        earlier: Json = self._earlier.get(name) or {}
        return present.get(key) == earlier.get(key)


def _without(entry: Json, name: str) -> Json:
    return {key: value for key, value in entry.items() if key != name}


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _was(value: object) -> str:
    return "" if value in (None, "") else f" (it was {_spelled(value)})"


def _shortly(value: object) -> str:
    return f" to {value}" if isinstance(value, str) else f" ({len(value)} rules)" if isinstance(value, list) else ""


# Credentials of others ------------------------------------------------------------------------------------------------


def _refuse_other_credentials(entry: Json, asked: Asked, earlier: Json, place: str) -> None:
    """``earlier`` are the settings that the collection set: a role among them is none of others."""
    found = other_credentials(entry)
    sigv4: Json = entry.get(_SIGV4) or {}
    strange = sorted(set(sigv4) - _SIGV4_FIELDS)
    if strange:
        raise errors.Refused(
            f"{place} has a remoteWrite entry for {asked.write.url} with fields of sigv4 that prometheus-operator does "
            f"not know: {', '.join(strange)}.",
            fix=f"Correct their spelling or remove them; the fields are {', '.join(sorted(_SIGV4_FIELDS))}.",
            kind="fields_unknown",
        )
    role = sigv4.get("roleArn")
    ours = (asked.write.role_arn, asked.write.chained_role_arn, (earlier.get(_SIGV4) or {}).get("roleArn"))
    if role and is_known(asked.write.role_arn) and role not in ours:
        found[_SIGV4] = _redacted(sigv4, shown=False)
    if found:
        raise errors.Refused(
            f"{place} already has a remoteWrite entry for {asked.write.url} with other credentials: "
            f"{json.dumps(found)}; wanted is {json.dumps({_SIGV4: asked.full[_SIGV4]})}.",
            fix="Remove those credentials or the entry if the pod's web identity shall take over; a different role to "
            "chain to is asked for by chained_role_arn.",
            kind="other_credentials",
        )


def other_credentials(entry: Json) -> Json:
    """An entry's settings that authenticate otherwise than by the pod's web identity, fit to be shown."""
    found = {name: _redacted(entry[name], shown=name in _SHOWN) for name in _OTHER_AUTHENTICATION if entry.get(name)}
    sigv4: Json = entry.get(_SIGV4) or {}
    if any(sigv4.get(name) for name in _OTHER_CREDENTIALS):
        found[_SIGV4] = _redacted(sigv4, shown=False)
    url = str(entry.get("url", ""))
    if has_userinfo(url):
        found["url"] = redact_url(url)
    return found


def _redacted(value: object, *, shown: bool) -> object:
    """A setting by which an entry authenticates; only what is known to be harmless is left of it."""
    if isinstance(value, dict):
        return {
            name: _blotted(item) if name in _FREE else _redacted(item, shown=name in _SHOWN)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, shown=shown) for item in value]
    return _fit_to_show(value) if shown or isinstance(value, bool) else REDACTED


def _fit_to_show(value: t.Any, name: str = "") -> t.Any:
    """Anything of an entry without what is secret in it. The operator's references to secrets are none."""
    if isinstance(value, dict):
        return {key: _blotted(item) if key in _FREE else _fit_to_show(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_fit_to_show(item, name) for item in value]
    if is_secret_name(name) and not isinstance(value, bool):
        return REDACTED
    return redact_url(value) if isinstance(value, str) else value


def _blotted(value: object) -> object:
    return dict.fromkeys(value, REDACTED) if isinstance(value, dict) else REDACTED


# Removal --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Removed:
    """The list without entries of ours. ``left`` are the URLs of others of ours, which need the web identity."""

    change: PartChange
    left: tuple[str, ...]


def remove_entries(entries: t.Sequence[Json], record: Json, url: str | None, place: str) -> Removed:
    """Take out the entries that the collection added: the one for ``url``, or all. Warnings say what is kept, and why.

    An entry goes with what others wrote into it, unless its credentials are others' by now.
    """
    kept_entries: list[Json] = list(entries)
    before: Json = {}
    summaries: list[str] = []
    warnings: list[str] = []
    left: list[str] = []
    recorded = section_of(record, REMOTE_WRITE)
    for known, note in recorded.items():
        if url is not None and not is_same_url(known, url):
            left.append(known)
            continue
        same = [entry for entry in kept_entries if is_same_url(str(entry.get("url", "")), known)]
        ours = [entry for entry in same if not _is_of_others(entry, note[SET])]
        if same and len(ours) != 1:
            why = "it has other credentials by now" if not ours else f"there are {len(ours)} of them"
            warnings.append(kept(f"The remoteWrite entry for {known} in {place}", why))
            continue
        record = forgotten(record, REMOTE_WRITE, known)
        if ours:
            kept_entries = [entry for entry in kept_entries if entry is not ours[0]]
            before[known] = _fit_to_show(ours[0])
            summaries.append(f"remove the remoteWrite entry for {known}")
        else:
            summaries.append(f"forget the remoteWrite entry for {known}, which is gone already")
    for entry in kept_entries:
        present = str(entry.get("url", ""))
        foreign = _WORKSPACE_URL.match(present) and not any(is_same_url(present, known) for known in recorded)
        if foreign and (url is None or is_same_url(present, url)):
            what = f"The remoteWrite entry for {redact_url(present)} in {place}"
            warnings.append(kept(what, "the collection did not add it"))
    change = PartChange(kept_entries, record, before, {}, tuple(summaries), tuple(warnings))
    return Removed(change, tuple(left))


def _is_of_others(entry: Json, ours: Json) -> bool:
    role = (entry.get(_SIGV4) or {}).get("roleArn")
    return bool(other_credentials(entry)) or bool(role and role != (ours.get(_SIGV4) or {}).get("roleArn"))


# External labels ------------------------------------------------------------------------------------------------------


def reserved_labels(spec: t.Mapping[str, t.Any]) -> frozenset[str]:
    """External labels that the operator sets itself, and ignores when somebody else does."""
    own = (
        spec.get("prometheusExternalLabelName", "prometheus"),
        spec.get("replicaExternalLabelName", "prometheus_replica"),
    )
    return frozenset(str(name) for name in own if name)


def merge_labels(
    labels: t.Mapping[str, str], wanted: t.Mapping[str, str], record: Json, reserved: t.Collection[str], place: str
) -> PartChange:
    """The external labels with those that are asked for. Raises Refused for one that has another value.

    One that is not asked for any more stays until all is removed: without it every series would be another one.
    """
    after = dict(labels)
    before_shown: Json = {}
    after_shown: Json = {}
    summaries: list[str] = []
    ours = section_of(record, EXTERNAL_LABELS)
    for name, value in wanted.items():
        present = labels.get(name)
        if name in reserved:
            raise errors.Refused(
                f"prometheus-operator sets the external label {name} of {place} itself, and ignores another value.",
                fix="Leave it out of external_labels.",
            )
        if present == value:
            continue
        if present is not None and (name not in ours or ours[name][SET] != present):
            raise errors.Refused(
                f"{place} has the external label {name} with the value '{present}'; wanted is '{value}'.",
                fix="Leave it out of external_labels, or remove the present one.",
            )
        record = noted(record, EXTERNAL_LABELS, name, was=present, to=value)
        after[name] = after_shown[name] = value
        before_shown |= {} if present is None else {name: present}
        summaries.append(f"set the external label {name} to {value}{_was(present)}")
    return PartChange(after, record, before_shown, after_shown, tuple(summaries))


def remove_labels(labels: t.Mapping[str, str], record: Json, place: str) -> PartChange:
    """Take out the labels that the collection set and that are still as it set them."""
    after = dict(labels)
    before: Json = {}
    summaries: list[str] = []
    warnings: list[str] = []
    for name, note in section_of(record, EXTERNAL_LABELS).items():
        record = forgotten(record, EXTERNAL_LABELS, name)
        if labels.get(name) == note[SET]:
            del after[name]
            before[name] = note[SET]
            summaries.append(f"remove the external label {name}")
        elif name in labels:
            warnings.append(kept(f"The external label {name} of {place}", "it was changed since"))
    return PartChange(after, record, before, {}, tuple(summaries), tuple(warnings))
