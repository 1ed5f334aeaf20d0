# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report's files: one a format, in one folder, each replaced as a whole."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import NotAReport, Report
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_html import page
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import (
    junit,
    markdown,
    openmetrics,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import all_plain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text_file import (
    DEFAULT_MODE,
    read_file,
    write_file,
)


def as_json(report: Report) -> str:
    return json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n"


#: Each format's file and renderer.
FORMATS: t.Final[t.Mapping[str, tuple[str, t.Callable[[Report], str]]]] = {
    "json": ("drift-report.json", as_json),
    "markdown": ("drift-report.md", markdown),
    "html": ("drift-report.html", page),
    "junit": ("drift-report.xml", junit),
    "openmetrics": ("drift-report.prom", openmetrics),
}


def write_report(report: Report, folder: str, formats: t.Sequence[str]) -> dict[str, str]:
    """Write the files; their paths by format. Makes the folder. Raises AksAmpError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.NotReady(
            f"The folder {folder} can't be made: {error.strerror or error}.", fix="Correct 'dest' or its rights."
        ) from None
    paths: dict[str, str] = {}
    for name in formats:
        file, render = FORMATS[name]
        known = read_file(str(Path(folder) / file))
        write_file(known, render(report).encode(), DEFAULT_MODE if known.mode is None else known.mode)
        paths[name] = str(known.path)
    return paths


def earlier_report(path: str) -> Report | None:
    """The report in a file; None where there is no file. Raises Refused for what is no report."""
    if not Path(path).parent.is_dir():
        return None
    text = read_file(path).text
    if text is None:
        return None
    try:
        return Report.from_json(all_plain(parse_json(text)))
    except (ValueError, NotAReport) as error:
        reason = str(error) if isinstance(error, NotAReport) else f"It is no JSON: {error}."
        raise errors.Refused(
            f"{path} can't be read as a report. {reason}", fix="Name another one by 'previous', or remove the file."
        ) from None


def own_file(folder: str) -> str:
    """Where the folder's JSON report is."""
    return str(Path(folder) / FORMATS["json"][0])
