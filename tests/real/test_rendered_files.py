# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""promtool of both Prometheus releases judges every kind of configuration that is rendered into a file."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from demo.runs import clean_environment
from tests.corpus.rendered import Rendered, rendered
from tests.real.parts import PROMETHEUS_NAMES

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.real.parts import Parts


def _promtool(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # no shell, and the tests' own arguments
        [str(program), *arguments], env=clean_environment(), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", PROMETHEUS_NAMES)
def test_every_rendered_configuration_is_accepted(parts: Parts, name: str, tmp_path: Path) -> None:
    program = parts.program(name, "promtool")
    words = _promtool(program, "--version").stdout.split()
    release = PrometheusVersion.parse(words[words.index("version") + 1])
    known = [one for one in rendered() if one.version is None or one.version <= release]
    assert len(known) > 20
    for one in known:
        assert _refusal(program, one, tmp_path) == "", one.name


@pytest.mark.parametrize("name", PROMETHEUS_NAMES)
def test_a_rendered_configuration_with_a_mistake_is_refused(parts: Parts, name: str, tmp_path: Path) -> None:
    first = next(rendered())
    broken = Rendered(first.name, first.text.replace("sigv4:", "sigv5:"), None)
    assert "sigv5" in _refusal(parts.program(name, "promtool"), broken, tmp_path)


def _refusal(program: Path, one: Rendered, folder: Path) -> str:
    file = folder / "prometheus.yml"
    file.write_text(one.text, encoding="utf-8")
    ended = _promtool(program, "check", "config", "--syntax-only", str(file))
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr
