# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ``remote_write`` entry that is there lacks, and what an external label does; pure.

An entry of others is repaired where it can't work, and gets what was explicitly asked for. An entry that the
collection added follows the whole wish: what an earlier run set and is not wanted any more goes, and what somebody
wrote into it since stays, unless it was explicitly asked for.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite, is_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import entry_sentences
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_splice import (
    EXTERNAL_LABELS,
    GLOBAL,
    EntryRepair,
    Path,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import has_userinfo
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import REDACTED, redact_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    YamlProblem,
    find,
    is_mapping,
    is_null,
    is_scalar,
    is_sequence,
    refuse_odd_keys,
    says,
    setting,
)

if t.TYPE_CHECKING:
    import yaml

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion

Settings: t.TypeAlias = t.Mapping[str, t.Any]

#: Credentials that Prometheus uses instead of signing; it accepts none of them beside ``sigv4``.
_OTHER_AUTHENTICATION = (
    "authorization",
    "azuread",
    "basic_auth",
    "bearer_token",
    "bearer_token_file",
    "google_iam",
    "oauth2",
)
#: Settings of ``sigv4`` that put other credentials before the pod's web identity.
_OTHER_CREDENTIALS = ("access_key", "secret_key", "profile")
#: Settings whose values may be shown to explain a refusal; everything else could be a secret.
_SHOWN = frozenset({"region", "role_arn", "profile", "username", "type", "client_id", "tenant_id", "cloud"})
_QUEUE: t.Final = "queue_config"
_SIGV4: t.Final = "sigv4"


@dataclasses.dataclass(frozen=True)
class Finding:
    """What has to change in an entry. ``settings`` are those that are the collection's own afterwards."""

    repair: EntryRepair
    summaries: tuple[str, ...]
    warnings: tuple[str, ...]
    settings: Settings


def judge_entry(
    entry: yaml.MappingNode,
    index: int,
    wanted: RemoteWrite,
    *,
    version: PrometheusVersion | None,
    mine: Settings | None,
    place: str,
) -> Finding:
    """``mine`` are the settings that earlier runs set in an entry that they added; None for an entry of others.

    Raises Refused for an entry with other credentials, FederationError for what the version does not know.
    """
    judge = _Judge(entry, wanted, version, mine)
    judge.refuse_other_credentials(place)
    judge.url()
    judge.signing()
    judge.queue()
    judge.setting("write_relabel_configs")
    judge.setting("name")
    repair = EntryRepair(index, judge.values, tuple(judge.removed))
    return Finding(repair, tuple(judge.summaries), tuple(judge.warnings), judge.settings)


class _Judge:
    """Collects what has to change in one entry."""

    def __init__(
        self, entry: yaml.MappingNode, wanted: RemoteWrite, version: PrometheusVersion | None, mine: Settings | None
    ) -> None:
        self.values: dict[Path, t.Any] = {}
        self.removed: list[Path] = []
        self.summaries: list[str] = []
        self.warnings: list[str] = []
        self.settings: dict[str, t.Any] = {"url": wanted.url}
        self._entry = entry
        self._wanted = wanted
        self._asked = wanted.asked_for(version)
        self._wished = wanted.entry(version)
        self._is_ours = mine is not None
        self._mine: Settings = mine or {}
        self._my_signing: Settings = _section(self._mine, _SIGV4)

    def url(self) -> None:
        url = setting(self._entry, "url")
        if url != self._wanted.url:
            self.values[("url",)] = self._wanted.url
            self.summaries.append(entry_sentences.misspelled_url(self._wanted.url, url))

    # Signing ------------------------------------------------------------------------------------------------------

    def signing(self) -> None:
        asked: Settings = self._asked[_SIGV4]
        self.settings[_SIGV4] = dict(asked)
        sigv4 = find(self._entry, _SIGV4)
        if sigv4 is None or not is_mapping(sigv4.value) or not sigv4.value.value:
            self.values.update({(_SIGV4, name): value for name, value in asked.items()})
            self.summaries.append(entry_sentences.unsigned(self._wanted.url, self._wanted.region))
            return
        region = setting(sigv4.value, "region")
        if region != self._wanted.region:
            self.values[(_SIGV4, "region")] = self._wanted.region
            self.summaries.append(entry_sentences.other_region(self._wanted.region, region))
        self._role(sigv4.value)
        self._other_signing(sigv4.value, asked)

    def _role(self, sigv4: yaml.MappingNode) -> None:
        role, chained = setting(sigv4, "role_arn"), self._wanted.chained_role_arn or ""
        if role == chained:
            return
        if chained:
            self.values[(_SIGV4, "role_arn")] = chained
            self.summaries.append(entry_sentences.other_chained_role(chained, role))
            return
        if role == self._my_signing.get("role_arn"):
            self.summaries.append(f"remove sigv4.role_arn {role}, which is not asked for any more")
        elif not is_known(self._wanted.role_arn):
            self.warnings.append(
                f"The entry's sigv4.role_arn {role} can't be judged before the federated role's ARN is known."
            )
            return
        else:
            self.summaries.append(entry_sentences.own_role("sigv4.role_arn", role))
        self.removed.append((_SIGV4, "role_arn"))
        if find(sigv4, "external_id"):  # Prometheus refuses one without a role
            self.removed.append((_SIGV4, "external_id"))

    def _other_signing(self, sigv4: yaml.MappingNode, asked: Settings) -> None:
        for name, value in asked.items():
            if name not in ("region", "role_arn") and not says(_node(sigv4, name), value):
                self._set(_SIGV4, name, value, setting(sigv4, name))
        for name, value in self._my_signing.items():
            if name not in asked and (_SIGV4, name) not in self.removed and says(_node(sigv4, name), value):
                self._remove(_SIGV4, name)

    # Everything else ----------------------------------------------------------------------------------------------

    def queue(self) -> None:
        explicit = _section(self._asked, _QUEUE)
        wished = _section(self._wished, _QUEUE) if self._is_ours else explicit
        before = _section(self._mine, _QUEUE)
        pair = find(self._entry, _QUEUE)
        section = pair.value if pair is not None and is_mapping(pair.value) else None
        ours: dict[str, t.Any] = {}
        new: dict[str, t.Any] = {}
        for name, value in wished.items():
            node = _node(section, name)
            if says(node, value):
                if name in explicit or name in before:
                    ours[name] = value
            elif name in explicit or node is None or is_null(node) or says(node, before.get(name)):
                ours[name] = new[name] = value
        if new and pair is not None and section is None and not is_null(pair.value):
            mark = pair.value.start_mark
            raise YamlProblem("a queue_config is not a mapping", mark.line + 1, mark.column + 1)
        self._set_queue(section, new)
        for name, value in before.items():
            if name not in wished and section is not None and says(_node(section, name), value):
                self._remove(_QUEUE, name)
        if ours:
            self.settings[_QUEUE] = ours

    def _set_queue(self, section: yaml.MappingNode | None, new: Settings) -> None:
        if section is not None and section.value:
            for name, value in new.items():
                self._set(_QUEUE, name, value, setting(section, name))
        elif new:
            self.values.update({(_QUEUE, name): value for name, value in new.items()})
            what = ", ".join(f"{name} {_shown(value)}" for name, value in new.items())
            self.summaries.append(f"set queue_config for {self._wanted.url} ({what})")

    def setting(self, name: str) -> None:
        """A setting of the entry itself."""
        node, value = _node(self._entry, name), self._asked.get(name)
        if value is not None:
            self.settings[name] = value
            if not says(node, value):
                self.values[(name,)] = value
                shown = f" to {_shown(value)}" if isinstance(value, str) else ""
                self.summaries.append(f"set {name}{shown} for {self._wanted.url}")
        elif name in self._mine and node is not None and says(node, self._mine[name]):
            self.removed.append((name,))
            self.summaries.append(f"remove {name}, which is not asked for any more")

    def _set(self, section: str, name: str, value: t.Any, was: str) -> None:
        self.values[(section, name)] = value
        self.summaries.append(f"set {section}.{name} to {_shown(value)}" + (f" (it was {was})" if was else ""))

    def _remove(self, section: str, name: str) -> None:
        self.removed.append((section, name))
        self.summaries.append(f"remove {section}.{name}, which is not asked for any more")

    # Credentials --------------------------------------------------------------------------------------------------

    def refuse_other_credentials(self, place: str) -> None:
        found = other_credentials(self._entry)
        sigv4 = find(self._entry, _SIGV4)
        if sigv4 is not None and is_mapping(sigv4.value) and self._has_foreign_role(sigv4.value):
            found[_SIGV4] = _redacted(sigv4.value, shown=False)
        if found:
            raise errors.Refused(
                f"{place} already has a remote_write entry for {self._wanted.url} (line "
                f"{self._entry.start_mark.line + 1}) with other credentials: {_shown(found)}; wanted is "
                f"{_shown({_SIGV4: self._asked[_SIGV4]})}.",
                fix="Remove those credentials or the entry if the pod's web identity shall take over; a different role "
                "to chain to is asked for by chained_role_arn.",
                kind="other_credentials",
            )

    def _has_foreign_role(self, sigv4: yaml.MappingNode) -> bool:
        role = setting(sigv4, "role_arn")
        accepted = (self._wanted.role_arn, self._wanted.chained_role_arn, self._my_signing.get("role_arn"))
        return bool(role) and is_known(self._wanted.role_arn) and role not in accepted


def refuse_other_entry(entry: yaml.MappingNode, wanted: RemoteWrite, place: str) -> t.NoReturn:
    """An entry that is not ours has the name that ours shall have. Raises Refused."""
    raise errors.Refused(
        f"{place} already has a remote_write entry called '{wanted.name}' (line {entry.start_mark.line + 1}) for "
        f"{redact_url(setting(entry, 'url')) or 'no url'}; wanted under that name is {wanted.url}.",
        fix="Give another name, or rename or remove that entry: Prometheus refuses two entries of one name.",
    )


def other_credentials(entry: yaml.MappingNode) -> dict[str, object]:
    """An entry's settings that authenticate otherwise than by the pod's web identity, fit to be shown."""
    found: dict[str, object] = {}
    for name in _OTHER_AUTHENTICATION:
        pair = find(entry, name)
        if pair is not None and not is_null(pair.value):
            found[name] = _redacted(pair.value, shown=False)
    sigv4 = find(entry, _SIGV4)
    if sigv4 is not None and is_mapping(sigv4.value):
        if any(setting(sigv4.value, name) for name in _OTHER_CREDENTIALS):
            found[_SIGV4] = _redacted(sigv4.value, shown=False)
    elif sigv4 is not None and not is_null(sigv4.value):
        found[_SIGV4] = REDACTED
    url = setting(entry, "url")
    if has_userinfo(url):
        found["url"] = redact_url(url)
    return found


# An external label ----------------------------------------------------------------------------------------------------


def label_nodes(root: yaml.MappingNode) -> yaml.MappingNode | None:
    """``global.external_labels``; None when there are none. Raises YamlProblem where it is no mapping."""
    node: yaml.MappingNode = root
    for name in (GLOBAL, EXTERNAL_LABELS):
        pair = find(node, name)
        if pair is None or is_null(pair.value):
            return None
        if not is_mapping(pair.value):
            mark = pair.value.start_mark
            raise YamlProblem(f"its {name} is not a mapping", mark.line + 1, mark.column + 1)
        node = pair.value
        refuse_odd_keys(node)
    return node


def judge_label(root: yaml.MappingNode, name: str, value: str, *, mine: str | None, place: str) -> str:
    """What has to change, in words; empty when the label is there. ``mine`` is the value that an earlier run set.

    Raises Refused for a label of others with another value.
    """
    labels = label_nodes(root)
    node = _node(labels, name)
    if says(node, value):
        return ""
    if node is None or is_null(node):
        return f"add the external label {name} with the value {_shown(value)}"
    found = str(node.value) if is_scalar(node) else ""
    if found != mine:
        raise errors.Refused(
            f"{place} already has the external label {name} with the value {_shown(found)} (line "
            f"{node.start_mark.line + 1}); wanted is {_shown(value)}.",
            fix="Every series carries it, so it is not overwritten: ask for the value that is there, or change it by "
            "hand first.",
        )
    return f"set the external label {name} to {_shown(value)} (it was {_shown(found)})"


# Helpers --------------------------------------------------------------------------------------------------------------


def _section(settings: Settings, name: str) -> Settings:
    section = settings.get(name)
    return section if isinstance(section, dict) else {}


def _node(mapping: yaml.MappingNode | None, name: str) -> yaml.Node | None:
    pair = find(mapping, name) if mapping is not None else None
    return pair.value if pair is not None else None


def _redacted(node: yaml.Node, *, shown: bool) -> object:
    """A setting as plain data in which only harmless values are left."""
    if is_mapping(node):
        return {
            str(key.value): _redacted(value, shown=key.value in _SHOWN or str(key.value).endswith("_file"))
            for key, value in node.value
            if is_scalar(key)
        }
    if is_sequence(node):
        return [_redacted(item, shown=shown) for item in node.value]
    return str(node.value) if shown else REDACTED


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
