# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool, Prometheus' own judge of a configuration, run on this machine.

The configuration is put into a file that only the own user can read, and that is gone when promtool has ended,
however it ended. Files that a configuration names are in the pod and not here, so they are never looked for
(``--syntax-only``, https://prometheus.io/docs/prometheus/latest/command-line/promtool/).
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
import subprocess
import tempfile
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import setting_names
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    NotAVersion,
    PrometheusVersion,
    unknown_settings,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import redact_quoted, secret_values

_NAME: t.Final = "promtool"
_SECONDS: t.Final = 60
#: The first release with ``--syntax-only``.
_OLDEST: t.Final = PrometheusVersion(2, 31)
_OWN_VERSION = re.compile(r"version (\S+)")
_NOISE = re.compile(r"Checking |SUCCESS: |yaml: unmarshal errors:$")
_LINE = re.compile(r"\bline \d+")


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What is to be checked: the text with the change and the one before, None where there was none.

    ``entries`` are the remote_write entries that were put into it; ``place`` names the text for messages.
    """

    text: str
    before: str | None
    entries: tuple[t.Mapping[str, t.Any], ...]
    place: str


@dataclasses.dataclass(frozen=True)
class Promtool:
    """A promtool that runs here. ``version`` is None when it does not tell."""

    program: str
    version: PrometheusVersion | None

    @classmethod
    def find(cls, path: str | None) -> Promtool | None:
        """The one at ``path``, else the one in PATH, else none. Raises InvalidInput for a path that can't be run."""
        program = path or shutil.which(_NAME)
        if program is None:
            return None
        try:
            shown = _run([program, "--version"])
        except (OSError, subprocess.SubprocessError) as error:
            raise errors.InvalidInput(
                f"{program}, which is to check the configuration, can't be run: {_reason(error)}.",
                fix="Name a promtool that runs here in 'promtool', or leave it out.",
            ) from error
        found = _OWN_VERSION.search(shown.stdout + shown.stderr)
        if shown.returncode or not found:
            raise errors.InvalidInput(
                f"{program}, which is to check the configuration, is no promtool: '{program} --version' names none.",
                fix="Name a promtool that runs here in 'promtool', or leave it out.",
            )
        try:
            return cls(program, PrometheusVersion.parse(found[1]))
        except NotAVersion:  # built from a branch
            return cls(program, None)

    def complaints(self, text: str) -> tuple[str, ...]:
        """What it says against a text, without the file's name; empty when it accepts it.

        Raises OSError and subprocess.SubprocessError when it can't be run.
        """
        with tempfile.TemporaryDirectory(prefix="promtool-") as folder:  # readable by the own user only
            file = pathlib.Path(folder, "prometheus.yml")
            file.touch(mode=0o600, exist_ok=False)
            file.write_bytes(text.encode())
            ended = _run([self.program, "check", "config", "--syntax-only", str(file)])
        if ended.returncode == 0:
            return ()
        lines = [
            re.sub(rf"^(?:FAILED: )?(?:parsing YAML file {re.escape(str(file))}: )?", "", line.strip())
            for line in (ended.stderr + ended.stdout).splitlines()
        ]
        said = tuple(dict.fromkeys(line for line in lines if line and not _NOISE.match(line)))
        return said or (f"it ended with {ended.returncode}",)


def check_configuration(wanted: Configuration, path: str | None) -> tuple[str, ...]:
    """Warnings of promtool: what was wrong before, or why it was not asked. None of both where none is found in PATH.

    Raises Refused for a mistake that the change brings, InvalidInput for a ``path`` that can't be run.
    """
    try:
        promtool = Promtool.find(path)
    except errors.InvalidInput as error:
        if path is not None:
            raise
        return (f"The configuration is not checked by promtool. {error.message}",)
    if promtool is None:
        return ()
    reason = _reason_not_to_ask(promtool, wanted)
    if reason:
        return (f"{wanted.place} is not checked by {promtool.program}, because {reason}.",)
    try:
        now = promtool.complaints(wanted.text)
        before = promtool.complaints(wanted.before) if now and wanted.before is not None else ()
    except (OSError, subprocess.SubprocessError) as error:
        raise errors.InvalidInput(
            f"{promtool.program} could not check {wanted.place}: {_reason(error)}.",
            fix="Name another promtool in 'promtool'; nothing was written.",
        ) from error
    return _verdict(wanted, now, before)


def _verdict(wanted: Configuration, now: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """Lines move with the change, so their numbers do not count when the two are compared."""
    known = {_LINE.sub("", complaint) for complaint in before}
    new = [complaint for complaint in now if _LINE.sub("", complaint) not in known]
    secrets = secret_values(wanted.text)
    if new:
        raise errors.Refused(
            f"promtool refuses {wanted.place} as it would be: {_words(new, secrets)}.",
            fix="Correct the options of the entry, or 'prometheus_version'; nothing was written.",
        )
    if now:
        return (f"promtool finds fault with {wanted.place}, as it did before the change: {_words(now, secrets)}.",)
    return ()


def _words(complaints: t.Sequence[str], secrets: t.Collection[str]) -> str:
    return redact_quoted("; ".join(complaints).rstrip("."), secrets)


def _reason_not_to_ask(promtool: Promtool, wanted: Configuration) -> str:
    if promtool.version is None:
        return ""
    if promtool.version < _OLDEST:
        return f"its version {promtool.version} looks for the files that the configuration names, which are in the pod"
    names = dict.fromkeys(name for entry in wanted.entries for name in setting_names(entry))
    unknown = unknown_settings(names, promtool.version)
    return f"its version {promtool.version} does not know {' and '.join(unknown)}" if unknown else ""


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # pylint: disable-next=ansible-bad-function  # a module's run_command knows no timeout
    return subprocess.run(  # noqa: S603  # no shell; the program is the user's choice or the one in PATH
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not end within {_SECONDS} seconds"
    return str(getattr(error, "strerror", None) or error)
