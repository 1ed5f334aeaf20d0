# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.ansible_test sanity|integration``: runs ansible-test on a copy of the collection.

ansible-test insists on a real path ``.../ansible_collections/<namespace>/<name>`` and on a git repository, and it
fetches pip's bootstrap script from a host of its own. The copy gives it the first two; a bootstrap script that uses
Python's bundled pip, in a home folder of its own, replaces the third, so that only the package index is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
import subprocess
import sys
import typing as t
from importlib.util import find_spec
from pathlib import Path

import yaml

from demo.runs import clean_environment
from sandbox import daemon
from sandbox.state import StateFolder

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Workplace:
    """The folders of one command, so that two of them can run at once."""

    command: str
    suffix: str = ""  # of the folder's name, for a second place of the same command

    @property
    def folder(self) -> Path:
        return ROOT / ".cache" / "ansible-test" / f"{self.command}{self.suffix}"

    @property
    def copy(self) -> Path:
        return self.folder / "ansible_collections" / "crosscloud" / "aks_amp"

    @property
    def home(self) -> Path:
        return self.folder / "home"


BOOTSTRAP = '''\
"""Installs what pip's bootstrap script would install, by the pip that Python carries."""
import subprocess
import sys

subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
arguments = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=True)
'''


@contextlib.contextmanager
def alone(place: Workplace) -> Iterator[None]:
    """Hold the workplace: a second run would replace the files and end the sandbox of the first."""
    place.folder.mkdir(parents=True, exist_ok=True)
    with (place.folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"== another run holds {place.folder}: waiting for it", flush=True)  # noqa: T201  # for who waits
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    """Run a command and end with its exit code when it fails."""
    finished = subprocess.run(command, cwd=cwd, env=environment, check=False)  # noqa: S603  # the project's own
    if finished.returncode:
        sys.exit(finished.returncode)


def copy_collection(copy: Path) -> None:
    """Bring the copy to the state of the working tree: all files that git tracks or would track."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"),  # noqa: S607  # git is on the PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    # The linked collection tree would lead from the copy into itself.
    files = [name for name in listed.split("\0") if name and not name.startswith(".collections/")]
    kept = {"tests/output"}
    if copy.exists():
        for path in copy.iterdir():
            if path.name != "tests":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in (copy / "tests").iterdir():
            if f"tests/{path.name}" not in kept:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in files:
        source, target = ROOT / name, copy / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    run("git", "init", "--quiet", cwd=copy)
    run("git", "add", "--all", cwd=copy)


def write_bootstrap(home: Path) -> None:
    """Put the bootstrap script where this ansible-test looks for the version that it wants."""
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("ansible-test is not installed: run 'make test', which installs it.")
    source = Path(spec.submodule_search_locations[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"pip='([\d.]+)'", source):
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(BOOTSTRAP, encoding="utf-8")


def environment(home: Path) -> dict[str, str]:
    """A clean environment with the copy's own home; pip keeps the user's settings."""
    variables = {**clean_environment(), "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    for settings in (Path.home() / ".config" / "pip" / "pip.conf", Path.home() / ".pip" / "pip.conf"):
        if settings.is_file():
            target = home / ".config" / "pip" / "pip.conf"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(settings, target)
    # Proxies and roots that pip needs on this machine; the tests' own traffic does not leave it.
    kept = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
    return variables | {name: os.environ[name] for name in kept if name in os.environ}


def ansible_test(place: Workplace, *arguments: str) -> None:
    """Sanity tests get an environment of their own; integration tests use this one, which has all that they need."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    run(
        str(Path(sys.executable).parent / "ansible-test"),
        place.command,
        *arguments,
        *(("--venv",) if place.command == "sanity" else ()),
        "--python",
        version,
        "--color",
        "no",
        cwd=place.copy,
        environment=environment(place.home),
    )


def integration_config(folder: StateFolder, control_url: str, *, in_processes: bool = False) -> dict[str, t.Any]:
    """What the targets know of the sandbox: the inventory's variables, shared ones and those of each cluster.

    ``root`` is where they find its package, for what they give to an API server themselves. ``in_processes`` turns
    direct execution off; ansible-test hands these on as extra variables, and no environment variables.
    """
    group = yaml.safe_load(folder.inventory.read_text(encoding="utf-8"))["aks"]
    return {
        "sandbox": {
            "control_url": control_url,
            "root": str(ROOT),
            "shared": {name: value for name, value in group["vars"].items() if name.startswith("aks_amp_")},
            "clusters": {host: variables or {} for host, variables in group["hosts"].items()},
        },
        **({"aks_amp_direct": False} if in_processes else {}),
    }


def integration(
    place: Workplace, targets: t.Sequence[str], api_servers: Path | None = None, *, in_processes: bool = False
) -> None:
    """Run targets on a sandbox; ``api_servers`` is the file of its external ones, which the targets know nothing of."""
    folder = StateFolder(place.folder / "sandbox")
    daemon.end(folder)
    control_url = str(daemon.start(folder, api_servers)["control_url"])
    try:
        config = place.copy / "tests" / "integration" / "integration_config.yml"
        variables = integration_config(folder, control_url, in_processes=in_processes)
        config.write_text(yaml.safe_dump(variables), encoding="utf-8")
        ansible_test(place, *targets)
    finally:
        daemon.end(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("sanity", "integration"))
    parser.add_argument(
        "--api-servers", type=Path, help="for integration tests: the sandbox's external API servers, see 'sandbox up'"
    )
    parser.add_argument(
        "--in-processes", action="store_true", help="for integration tests: each module in a process of its own"
    )
    parser.add_argument("--place", default="", help="end of the name of the folder below .cache/ansible-test to run in")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="targets, or further arguments of ansible-test")
    given = parser.parse_args()
    ways = {"-external": given.api_servers, "-in-processes": given.in_processes}
    place = Workplace(given.command, "".join(suffix for suffix, chosen in ways.items() if chosen) + given.place)
    with alone(place):
        copy_collection(place.copy)
        write_bootstrap(place.home)
        if given.command == "sanity":
            ansible_test(place, *given.arguments)
        else:
            integration(place, given.arguments, given.api_servers, in_processes=given.in_processes)


if __name__ == "__main__":
    main()
