# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Chromium for tests: the one on the path, else Debian's headless one with its libraries beside it."""

from __future__ import annotations

import shutil
import typing as t

from tests.real.cache import run
from tests.real.debian import Suite

if t.TYPE_CHECKING:
    from pathlib import Path

NAME: t.Final = "chromium"
_SUITE = "bookworm"  # the oldest one that has it, so that its libraries want no newer C library than others
_PACKAGE = "chromium-headless-shell"
#: What distributions and Google call it.
_NAMES = ("chromium", "chromium-browser", _PACKAGE, "google-chrome", "google-chrome-stable")
#: The C library belongs to the machine's own loader; the rest is for installing.
_BESIDES = r"(libc6|libc-bin|libcrypt1|dpkg|debconf|perl|tar|adduser|passwd|base-files|sysv)[-_0-9]"
_LAUNCHER = """\
#!/bin/sh
root="$(dirname "$(readlink -f "$0")")/files"
libraries="$root/usr/lib/$(uname -m)-linux-gnu"
export LD_LIBRARY_PATH="$libraries:$root/lib/$(uname -m)-linux-gnu:$libraries/pulseaudio:$libraries/nss"
export FONTCONFIG_PATH="$root/etc/fonts" XDG_DATA_HOME="$root/usr/share"
exec "$root/usr/lib/chromium/chromium-headless-shell" "$@"
"""


def on_path() -> str | None:
    """The first Chromium on the path."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def install(target: Path) -> None:
    """Raises PartMissing."""
    work = target / "work"
    work.mkdir()
    Suite.open(_SUITE, work).unpack_with_libraries(_PACKAGE, target / "files", _BESIDES)
    shutil.rmtree(work)
    launcher = target / NAME
    launcher.write_text(_LAUNCHER, encoding="utf-8")
    launcher.chmod(0o755)
    run("chromium", launcher, "--version", cwd=target, seconds=60)
