# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that say which ``remote_write`` entries are wanted, parsed once for every module that renders them.

Settings: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    QueueSetting,
    RemoteWrite,
    RoleArn,
    is_known,
    normal_url,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, OptionSpec, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    NotAVersion,
    PrometheusVersion,
)

_REGION_OF_HOST = re.compile(r"https://(?:[\w-]+\.)?aps-workspaces(?:-fips)?\.([a-z0-9-]+)\.")
_NUMBERS = ("capacity", "max_shards", "min_shards", "max_samples_per_send")
_DURATIONS = ("batch_send_deadline", "min_backoff", "max_backoff", "sample_age_limit")
_FLAGS = ("retry_on_http_429",)
_DURATION = re.compile(r"0|(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?")
#: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config
_RELABELING = ("source_labels", "separator", "target_label", "regex", "modulus", "replacement", "action")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

_SETTINGS: t.Final[dict[str, OptionSpec]] = {
    "chained_role_arn": {"type": "str"},
    "external_id": {"type": "str"},
    "name": {"type": "str"},
    "queue_config": {"type": "dict"},
    "service_name": {"type": "str"},
    "use_fips_sts_endpoint": {"type": "bool"},
    "write_relabel_configs": {"type": "list", "elements": "dict"},
}

#: What says which entries are wanted. A module adds which of these it needs.
REMOTE_WRITE_OPTIONS: t.Final = ArgumentSpec(
    {
        "role_arn": {"type": "str"},
        "region": {"type": "str"},
        "remote_write_url": {"type": "str"},
        **_SETTINGS,
        "additional_remote_writes": {
            "type": "list",
            "elements": "dict",
            "options": {
                "region": {"type": "str", "required": True},
                "remote_write_url": {"type": "str", "required": True},
                **_SETTINGS,
            },
        },
        "external_labels": {"type": "dict"},
        "prometheus_version": {"type": "str"},
    }
)


@dataclasses.dataclass(frozen=True)
class RemoteWrites:
    """The entries that one Prometheus shall have, all by the same web identity. The first is the main one.

    ``version`` is the one that was given; None leaves it to what is read from image or resource.
    """

    entries: tuple[RemoteWrite, ...]
    external_labels: t.Mapping[str, str]
    version: PrometheusVersion | None

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> RemoteWrites:
        """Raises InvalidInput and FederationError for what can't be, whatever the version."""
        role_arn = require_known(
            params.text("role_arn"), option="role_arn", step="iam_web_identity", check_mode=check_mode
        )
        if is_known(role_arn):
            RoleArn.parse(role_arn)
        entries = [_entry(params, role_arn, "", check_mode=check_mode)]
        for number, item in enumerate(params.items("additional_remote_writes")):
            entries.append(_entry(item, role_arn, f"additional_remote_writes[{number}].", check_mode=check_mode))
        _refuse_repeated(entries)
        return cls(tuple(entries), _external_labels(params), given_version(params))

    @property
    def main(self) -> RemoteWrite:
        return self.entries[0]

    def version_warnings(self, version: PrometheusVersion | None) -> tuple[str, ...]:
        """What can't be checked for lack of a version, each sentence once."""
        return tuple(dict.fromkeys(text for entry in self.entries for text in entry.version_warnings(version)))


def given_version(params: Params) -> PrometheusVersion | None:
    """The version in the option ``prometheus_version``; None without one."""
    text = params.optional_text("prometheus_version")
    if text is None:
        return None
    try:
        return PrometheusVersion.parse(text)
    except NotAVersion as error:
        raise InvalidInput(
            f"prometheus_version can't be right: {error}", fix="Leave it out to have it read from the image's tag."
        ) from None


def _entry(params: Params, role_arn: str, prefix: str, *, check_mode: bool) -> RemoteWrite:
    def known(option: str) -> str:
        value = params.optional_text(option)
        if value is None:
            raise InvalidInput(f"The option '{prefix}{option}' is empty.", fix="Give it a value.")
        return require_known(value, option=f"{prefix}{option}", step="iam_web_identity", check_mode=check_mode)

    region, url = known("region"), known("remote_write_url").rstrip("/")
    chained = params.optional_text("chained_role_arn")
    if chained is not None and is_known(chained):
        RoleArn.parse(chained)
    _check_url(url, region, prefix)
    return RemoteWrite(
        url=url,
        region=region,
        role_arn=role_arn,
        chained_role_arn=chained,
        name=params.optional_text("name"),
        external_id=params.optional_text("external_id"),
        use_fips_sts_endpoint=params.optional_flag("use_fips_sts_endpoint"),
        service_name=params.optional_text("service_name"),
        queue_config=_queue(params, prefix),
        write_relabel_configs=_relabeling(params, prefix),
    )


def _check_url(url: str, region: str, prefix: str) -> None:
    if not is_known(url):
        return
    if not url.startswith("https://") or "@" in url.partition("/api/")[0]:
        raise InvalidInput(
            f"{prefix}remote_write_url is not an https URL without credentials in it.",
            fix="Take it from the result of amp_workspace_info.",
        )
    named = _REGION_OF_HOST.match(url)
    if named and is_known(region) and named[1] != region:
        raise InvalidInput(
            f"The {prefix}region is {region}, but {prefix}remote_write_url is that of a workspace in {named[1]}.",
            fix="Requests are signed for the workspace's region: take both from the result of amp_workspace_info.",
        )


def _refuse_repeated(entries: t.Sequence[RemoteWrite]) -> None:
    urls = [normal_url(entry.url) for entry in entries if is_known(entry.url)]
    for url, entry in zip(urls, (entry for entry in entries if is_known(entry.url)), strict=True):
        if urls.count(url) > 1:
            raise InvalidInput(
                f"{entry.url} is asked for twice, and each sample would be sent twice.",
                fix="Name each workspace once in remote_write_url and additional_remote_writes.",
            )
    names = [entry.name for entry in entries if entry.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(
                f"Two remote_write entries shall be called '{name}', and Prometheus refuses that.",
                fix="Give each its own name, or none.",
            )


# Settings of an entry -------------------------------------------------------------------------------------------------


def _queue(params: Params, prefix: str) -> dict[str, QueueSetting] | None:
    given = params.optional_mapping("queue_config")
    return None if given is None else {name: _queue_setting(name, value, prefix) for name, value in given.items()}


def _queue_setting(name: str, value: object, prefix: str) -> QueueSetting:
    option = f"{prefix}queue_config.{name}"
    if name not in (*_NUMBERS, *_DURATIONS, *_FLAGS):
        known = ", ".join(sorted((*_NUMBERS, *_DURATIONS, *_FLAGS)))
        raise InvalidInput(f"{option} is no setting of Prometheus.", fix=f"There are: {known}.")
    if value is None:
        return None
    text = str(value).strip()
    if name in _NUMBERS:
        if isinstance(value, bool) or not text.isdecimal() or int(text) < 1:
            raise InvalidInput(f"{option} is '{text}'.", fix="Give a whole number from 1 on.")
        return int(text)
    if name in _DURATIONS:
        if not text or not _DURATION.fullmatch(text):
            raise InvalidInput(f"{option} is '{text}'.", fix="Give a duration as Prometheus writes it, such as 5s.")
        return text
    try:
        return bool(boolean(value))
    except TypeError:
        raise InvalidInput(f"{option} is '{text}'.", fix="Give true or false.") from None


def _relabeling(params: Params, prefix: str) -> tuple[t.Mapping[str, t.Any], ...] | None:
    rules = params.optional_mappings("write_relabel_configs")
    if rules is None:
        return None
    return tuple(_rule(rule, f"{prefix}write_relabel_configs[{number}]") for number, rule in enumerate(rules))


def _rule(rule: t.Mapping[str, object], option: str) -> dict[str, t.Any]:
    checked: dict[str, t.Any] = {}
    for name, value in rule.items():
        if name not in _RELABELING:
            raise InvalidInput(
                f"{option}.{name} is no setting of Prometheus' relabeling.", fix=f"There are: {', '.join(_RELABELING)}."
            )
        is_list = name == "source_labels"
        items = value if isinstance(value, list) else [value]
        if isinstance(value, list) is not is_list or not all(isinstance(item, (str, int, float)) for item in items):
            raise InvalidInput(
                f"{option}.{name} is not a {'list of label names' if is_list else 'single value'}.",
                fix="Write it as in Prometheus' own configuration.",
            )
        checked[name] = [str(item) for item in items] if is_list else value
    if not checked:
        raise InvalidInput(f"{option} is empty.", fix="Leave it out.")
    return checked


def _external_labels(params: Params) -> dict[str, str]:
    labels: dict[str, str] = {}
    for name, value in (params.optional_mapping("external_labels") or {}).items():
        if not _LABEL_NAME.fullmatch(name):
            raise InvalidInput(
                f"The external label '{name}' has no valid name.", fix="Use letters, digits and underscores."
            )
        if isinstance(value, bool):
            value = str(value).lower()
        if not isinstance(value, (str, int, float)):
            raise InvalidInput(f"The external label '{name}' has no text as its value.", fix="Give it a text.")
        labels[name] = str(value)
    return labels
