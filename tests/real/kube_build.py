# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-apiserver and kube-controller-manager, built from Debian's source package of Kubernetes 1.20.

It is the last one that carries the whole tree with its dependencies, so that the build needs no network. No package
index has these programs. https://tracker.debian.org/pkg/kubernetes
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import typing as t
from pathlib import Path

from tests.real.cache import PartMissing, run
from tests.real.debian import Suite
from tests.real.wheels import unpack_go

if t.TYPE_CHECKING:
    from tests.real.cache import Say

VERSION = "1.20.2"
#: Part of the name of what is built: to be raised with every change of how it is built.
RECIPE = f"kubernetes-{VERSION}-1"
PROGRAMS = ("kube-apiserver", "kube-controller-manager")

_SUITE = "bookworm"
_REFLECT = "golang-github-modern-go-reflect2-dev"
_BUILD_SECONDS = 1800.0
_IMPORT = "k8s.io/kubernetes"
_TAG = "+k8s:openapi-gen="
_NOT_SCANNED = ("/_examples/", "/testdata/", "vendor/k8s.io/code-generator/", "vendor/k8s.io/sample-apiserver/")


def build(target: Path, say: Say) -> None:
    """Put the programs into the folder. Takes about four minutes of two cores. Raises PartMissing."""
    work = target / "work"
    work.mkdir()
    say("kube-apiserver: downloading its source")
    source = _unpacked_source(work)
    say("kube-apiserver: downloading the Go toolchain")
    goroot = unpack_go(work / "go")
    environment = _environment(work, goroot)
    tree = Path(environment["GOPATH"]) / "src" / _IMPORT
    tree.parent.mkdir(parents=True)
    tree.symlink_to(source)
    say("kube-apiserver: building (1 of 2: its API's description)")
    _generate_openapi(work, tree, environment)
    say("kube-apiserver: building (2 of 2: the programs; about three minutes)")
    flags = [f"-X {package}.{name}={value}" for package in _VERSION_PACKAGES for name, value in _VERSION_VALUES]
    _go(
        tree,
        environment,
        *("build", "-ldflags", " ".join(["-s", "-w", *flags]), "-o", f"{target}/"),
        *(f"./cmd/{program}" for program in PROGRAMS),
    )
    shutil.rmtree(work)


# Both are asked for the version; unset, the server calls itself v0.0.0.
_VERSION_PACKAGES = (
    f"{_IMPORT}/vendor/k8s.io/component-base/version",
    f"{_IMPORT}/vendor/k8s.io/client-go/pkg/version",
)
_VERSION_VALUES = (("gitVersion", f"v{VERSION}"), ("gitMajor", "1"), ("gitMinor", "20"))


def _unpacked_source(work: Path) -> Path:
    suite = Suite.open(_SUITE, work, sources=True)
    found = [version for version in suite.source_versions("kubernetes") if f"really{VERSION}-" in version]
    if not found:
        raise PartMissing(f"kube-apiserver: Debian {_SUITE} has no source package of Kubernetes {VERSION} any more.")
    archive = suite.source_archive("kubernetes", found[-1])
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    archive.unlink()
    source = work / f"kubernetes-{VERSION}"
    _replace_reflect(suite, source / "vendor" / "github.com" / "modern-go" / "reflect2", work)
    return source


def _replace_reflect(suite: Suite, place: Path, work: Path) -> None:
    """The release that is in the tree does not work with Go 1.18 or later; Debian has the next one."""
    versions = suite.versions(_REFLECT)
    if not versions:
        raise PartMissing(f"kube-apiserver: Debian {_SUITE} has no package {_REFLECT}.")
    suite.unpack(_REFLECT, versions[0], work / "reflect2")
    (newer,) = (work / "reflect2").glob("**/modern-go/reflect2")
    for folder, act in ((place, lambda file: file.unlink()), (newer, lambda file: shutil.copy(file, place))):
        for file in [*folder.glob("*.go"), *folder.glob("*.s")]:
            act(file)


def _environment(work: Path, goroot: Path) -> dict[str, str]:
    return {
        "GOROOT": str(goroot),
        "GOPATH": str(work / "gopath"),
        "GOCACHE": str(work / "gocache"),
        "GO111MODULE": "off",  # with modules, Go would want to change go.mod
        "GOFLAGS": "",
        "GOENV": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "PATH": f"{goroot / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
    }


def _generate_openapi(work: Path, tree: Path, environment: dict[str, str]) -> None:
    """pkg/generated/openapi is not in the source package: it is made by a program of the tree."""
    generator = work / "openapi-gen"
    _go(tree, environment, "build", "-o", str(generator), "./vendor/k8s.io/kube-openapi/cmd/openapi-gen")
    packages = ",".join(f"{_IMPORT}/{folder}" for folder in _described_folders(tree))
    run(
        "kube-apiserver",
        *("nice", "-n", "5", generator, "--logtostderr", "-i", packages, "-p", f"{_IMPORT}/pkg/generated/openapi"),
        *("-O", "zz_generated.openapi", "-h", "hack/boilerplate/boilerplate.generatego.txt"),
        *("-r", work / "violations.report"),
        cwd=tree,
        seconds=_BUILD_SECONDS,
        environment={**environment, "PWD": str(tree)},
    )


def _described_folders(tree: Path) -> list[str]:
    """The folders whose Go files ask for a description of their types, relative to the tree, in order."""
    found = set()
    for top in ("cmd", "pkg", "plugin", "vendor/k8s.io"):
        # The staging repositories are linked into vendor/k8s.io.
        for base, _unused, files in os.walk(tree / top, followlinks=True):
            folder = os.path.relpath(base, tree)
            if any(part in f"{folder}/" for part in _NOT_SCANNED):
                continue
            if any(_has_tag(Path(base, name)) for name in files if name.endswith(".go")):
                found.add(folder)
    return sorted(found)


def _has_tag(file: Path) -> bool:
    return re.search(re.escape(_TAG.encode()), file.read_bytes()) is not None


def _go(tree: Path, environment: dict[str, str], *arguments: str) -> None:
    # GOPATH mode goes by the path under which the tree is seen, which the link gives it.
    run(
        "kube-apiserver",
        *("nice", "-n", "5", "go", *arguments),
        cwd=tree,
        seconds=_BUILD_SECONDS,
        environment={**environment, "PWD": str(tree)},
    )
