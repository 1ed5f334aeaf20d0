# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' remote write to an AMP workspace as a file: for charts, repositories, and senders other than Prometheus.

A file that is as it was rendered is ours and replaced as a whole. Everything else is somebody's: what is asked for is
merged into it, and taken out again where it is still the same.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.promtool import (
    Configuration,
    check_configuration,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ServiceAccount,
    TokenSource,
    is_known,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import STATE, ArgumentSpec, Params, State
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import (
    REMOTE_WRITE_OPTIONS,
    RemoteWrites,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish, Rendering
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.formats import (
    FORMATS,
    Origin,
    document,
    origin_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.manifests import OPERATOR_KINDS, POD_KINDS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.excerpts import excerpts
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_merge import (
    MergedText,
    remove_values,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.values_shown import shown
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import (
    YamlProblem,
    compose,
    find,
    is_mapping,
    setting,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text_file import (
    DEFAULT_MODE,
    FileText,
    back_up,
    read_file,
    remove_file,
    write_file,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import TOKEN_OPTIONS, TokenWish

if t.TYPE_CHECKING:
    import yaml

#: What must be given to say what a file shall hold.
_CHAIN: t.Final = ("namespace", "service_account", "role_arn", "region", "remote_write_url")
#: Formats that patch one object, which must be named.
_OF_OBJECTS: t.Final = ("kustomize", "prometheus_operator")
#: The format that promtool can judge.
_CHECKED: t.Final = "prometheus"
#: What to do about what is kept.
_BY_HAND: t.Final = "What is not needed any more of remote write and web identity in it, remove by hand."
_MODE: t.Final = re.compile(r"0[0-7]{3}")

ARGUMENT_SPEC = ArgumentSpec(
    {
        "dest": {"type": "path", "required": True},
        "format": {"type": "str", "required": True, "choices": sorted(FORMATS)},
        "namespace": {"type": "str"},
        "service_account": {"type": "str"},
        "pod_label": {"type": "bool", "default": False},
        "values_path": {"type": "list", "elements": "str", "default": []},
        "pipeline": {"type": "str"},
        "workload_kind": {"type": "str", "choices": sorted((*POD_KINDS, *OPERATOR_KINDS))},
        "workload_name": {"type": "str"},
        "container": {"type": "str", "default": "prometheus"},
        "promtool": {"type": "path"},
        "mode": {"type": "str"},
        "backup": {"type": "bool", "default": False},
    },
    required_if=(
        ("state", State.PRESENT.value, _CHAIN),
        *(("format", name, ("workload_kind", "workload_name")) for name in _OF_OBJECTS),
    ),
).merge(REMOTE_WRITE_OPTIONS, TOKEN_OPTIONS, STATE)


@dataclasses.dataclass(frozen=True)
class Wish:
    """What shall be in which file. ``content`` is None where it is not said, which only ``absent`` allows; ``unsaid``
    are the options that it lacks."""

    dest: str
    format_name: str
    state: State
    mode: int | None
    backup: bool
    promtool: str | None
    content: FileWish | None
    unsaid: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput and FederationError for what can't be."""
        state = State.from_params(params)
        unsaid = tuple(option for option in _CHAIN if not params.optional_text(option))
        return cls(
            dest=params.text("dest"),
            format_name=params.text("format"),
            state=state,
            mode=_mode(params.optional_text("mode")),
            backup=params.flag("backup"),
            promtool=params.optional_text("promtool"),
            content=_content(params, check_mode=check_mode) if not unsaid or state is State.PRESENT else None,
            unsaid=unsaid,
        )


def _mode(given: str | None) -> int | None:
    if given is None:
        return None
    if not _MODE.fullmatch(given):  # written without quotes, 0644 has been read as the number 420 by now
        raise errors.InvalidInput(f"The mode '{given}' is not octal.", fix="Write it in quotes, such as '0644'.")
    return int(given, 8)


def _content(params: Params, *, check_mode: bool) -> FileWish:
    account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
    writes = RemoteWrites.from_params(params, check_mode=check_mode)
    token = TokenWish.from_params(params)
    if token.source is TokenSource.AZURE_WORKLOAD_IDENTITY and token.file is None:
        raise errors.InvalidInput(
            "The path of the Azure webhook's token differs between its versions, and a file is rendered without a look "
            "into a cluster.",
            fix="Give it by token_file, as AZURE_FEDERATED_TOKEN_FILE stands in a running pod.",
        )
    return FileWish(
        account=account,
        writes=writes,
        token=token.token(writes.main.role_arn, writes.main.region, account.namespace),
        pod_label=params.flag("pod_label"),
        container=params.text("container"),
        workload_kind=params.optional_text("workload_kind") or "Deployment",
        workload_name=params.optional_text("workload_name") or "",
        values_path=params.texts("values_path"),
        pipeline=params.optional_text("pipeline"),
    )


@dataclasses.dataclass(frozen=True)
class Write:
    """The file gets this content and mode."""

    content: bytes
    mode: int


@dataclasses.dataclass(frozen=True)
class Remove:
    """The file goes."""


Operation: t.TypeAlias = "Write | Remove"


@dataclasses.dataclass(frozen=True)
class Current:
    """The file, and the copy of it that was made."""

    file: FileText
    backup: str = ""


def plan_file(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """Decide; pure. The warnings of a removal say what is kept. Raises Refused for a file that can't be merged into."""
    return _plan_absent(current, wish) if wish.state is State.ABSENT else _plan_present(current, wish)


def _plan_present(current: Current, wish: Wish) -> Plan[Operation, Current]:
    file = current.file
    if wish.content is None:
        raise ValueError("What shall be present is not said.")
    text = file.text
    theirs = "" if text is None or origin_of(text).intact else text
    rendering = FORMATS[wish.format_name](wish.content, theirs, str(file.path))
    mode = wish.mode if wish.mode is not None else DEFAULT_MODE if file.mode is None else file.mode
    merged = _present_text(rendering, text, wish, str(file.path))
    version = wish.content.writes.version
    warnings = tuple(dict.fromkeys((*wish.content.writes.version_warnings(version), *merged.warnings)))
    summaries = merged.summaries
    before, after = excerpts(merged.shown_before, merged.shown_after)
    if file.mode is not None and mode != file.mode:
        summaries = (*summaries, f"set its mode to {mode:04o} (it was {file.mode:04o})")
        before, after = f"[mode {file.mode:04o}]\n{before}", f"[mode {mode:04o}]\n{after}"
    if not summaries:
        return Plan((), current, warnings)
    operation = Write(merged.text.encode(), mode)
    change: Change[Operation] = Change(
        action=Action.CREATE if text is None else Action.UPDATE,
        kind="file",
        name=str(file.path),
        summary=f"In {file.path}: {'; '.join(summaries)}.",
        before=None if text is None else before,
        after=after,
        operation=operation,
    )
    return Plan((change,), Current(FileText(file.path, operation.content, mode)), warnings)


def _present_text(rendering: Rendering, text: str | None, wish: Wish, place: str) -> MergedText:
    """The text to be there and what changes."""
    new = document(rendering, wish.format_name)
    if text is None or not text.strip():
        return MergedText(new, ("write it",), shown_before=text or "", shown_after=new)
    if origin_of(text).intact:
        if new == text.replace("\r\n", "\n"):
            return MergedText(text)
        _refuse_other_object(text, wish, place)
        return MergedText(new, ("render it anew",), shown_before=_shown(text), shown_after=new)
    merged = rendering.merged_into(text, place)
    if merged is None:
        whose = "was edited since it was rendered" if origin_of(text).ours else "was not rendered by this module"
        raise errors.Refused(
            f"{place} {whose}, and the format {wish.format_name} is not merged.",
            fix="Name another file by 'dest', or move what is in this one elsewhere first.",
        )
    return merged


def _refuse_other_object(text: str, wish: Wish, place: str) -> None:
    """Two objects that are rendered into one file would take its place by turns."""
    content = wish.content
    if wish.format_name not in _OF_OBJECTS or content is None:
        return
    root = _mapping(text)
    metadata = find(root, "metadata") if root is not None else None
    if root is None or metadata is None or not is_mapping(metadata.value):
        return
    there = f"{setting(root, 'kind')} {setting(metadata.value, 'name')}"
    asked = f"{content.workload_kind} {content.workload_name}"
    if there != asked:
        raise errors.Refused(
            f"{place} was rendered for {there}, and not for {asked}.",
            fix="Name another file by 'dest', or remove this one if it is not needed any more.",
        )


def _mapping(text: str) -> yaml.MappingNode | None:
    try:
        root = compose(text, marks=False)
    except YamlProblem:  # another format's syntax
        return None
    return root if root is not None and is_mapping(root) else None


def _plan_absent(current: Current, wish: Wish) -> Plan[Operation, Current]:
    file, text = current.file, current.file.text
    if text is None:
        return Plan((), current)
    origin = origin_of(text)
    if origin.intact:
        return _removal(current, text)
    if wish.content is None:
        return Plan((), current, (_untold(str(file.path), origin, wish),))
    rendering = FORMATS[wish.format_name](wish.content, text, str(file.path))
    if rendering.fragment is None:
        return Plan((), current, (f"{file.path} is kept, because it is not as this module rendered it. {_BY_HAND}",))
    removed = remove_values(text, rendering.fragment, place=str(file.path))
    if removed.empty and origin.ours:
        return _removal(current, text)
    return _taken_out(current, removed)


def _untold(place: str, origin: Origin, wish: Wish) -> str:
    """Nothing is taken from a file while it can't be told what of it was written."""
    whose = "was edited since it was rendered" if origin.ours else "was not rendered by this module"
    return (
        f"{place} is kept as it is: it {whose}, so only what equals exactly what would be rendered is removed from it, "
        f"and that is not known without {', '.join(wish.unsaid)}. Give the options that it was written with. {_BY_HAND}"
    )


def _removal(current: Current, text: str) -> Plan[Operation, Current]:
    path = current.file.path
    change: Change[Operation] = Change(
        action=Action.DELETE,
        kind="file",
        name=str(path),
        summary=f"Remove {path}, which holds nothing but what was rendered.",
        before=_shown(text),
        after=None,
        operation=Remove(),
    )
    return Plan((change,), Current(FileText(path, None, None)))


def _taken_out(current: Current, removed: MergedText) -> Plan[Operation, Current]:
    file = current.file
    kept = tuple(f"In {file.path}, {sentence} {_BY_HAND}" for sentence in removed.kept)
    if not removed.summaries or file.mode is None:
        return Plan((), current, kept)
    operation = Write(removed.text.encode(), file.mode)
    before, after = excerpts(removed.shown_before, removed.shown_after)
    change: Change[Operation] = Change(
        action=Action.UPDATE,
        kind="file",
        name=str(file.path),
        summary=f"In {file.path}: {'; '.join(removed.summaries)}.",
        before=before,
        after=after,
        operation=operation,
    )
    return Plan((change,), Current(FileText(file.path, operation.content, file.mode)), kept)


def _shown(text: str) -> str:
    try:
        return shown(text, compose(text, marks=True))
    except YamlProblem:  # Alloy's syntax; the file is as it was rendered, so it holds no secret
        return text


class FileResource:
    """Reads and writes the file."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish

    def read(self) -> Current:
        return Current(read_file(self._wish.dest))

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan_file(current, self._wish)

    def judge(self, current: Current, plan: Plan[Operation, Current]) -> tuple[str, ...]:
        """What promtool says about a configuration of Prometheus as it would be."""
        before, text, content = current.file.text, plan.predicted.file.text, self._wish.content
        if self._wish.format_name != _CHECKED or content is None or text is None:
            return ()
        if not is_known(text):
            return ()
        entries = tuple(entry.entry(content.writes.version) for entry in content.writes.entries)
        wanted = Configuration(text, before, entries, str(current.file.path))
        return check_configuration(wanted, self._wish.promtool)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        known = current.file
        backup = back_up(known) if self._wish.backup and known.content is not None else ""
        operation = change.operation
        file = (
            remove_file(known)
            if isinstance(operation, Remove)
            else write_file(known, operation.content, operation.mode)
        )
        return Current(file, backup)


def run(params: Params, context: Context) -> Result:
    """Ensure the file, or its absence; see the module's documentation for the result."""
    wish = Wish.from_params(params, check_mode=context.check_mode)
    outcome = context.converge(FileResource(wish))
    file = outcome.state.file
    facts = {
        "dest": str(file.path),
        "format": wish.format_name,
        "pod": None if wish.content is None or wish.state is State.ABSENT else wish.content.pod(),
        "kept": list(outcome.warnings) if wish.state is State.ABSENT else [],
        "backup_file": outcome.state.backup or None,
    }
    return Result.of(outcome, facts)


DEFINITION = ModuleDefinition(ARGUMENT_SPEC, run)
