# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pod's Prometheus where no namespaces can be made: the pod's paths are replaced by those of its volumes' folders.

Its own port is another one, too, and the clouds are reached through the sandbox's proxy, which the environment names
for STS and ``proxy_url`` for the entries that sign.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import typing as t
from pathlib import Path

import yaml

from tests.real.programs import LOOPBACK, Program, free_port, started

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.server import Sandbox
    from tests.real.pods import Pod

_CONFIG_FLAG = "--config.file="


@contextlib.contextmanager
def running(
    pod: Pod, program: Path, sandbox: Sandbox, folder: Path, environment: Mapping[str, str]
) -> Iterator[Program]:
    """Run the program until the end of the block, with all of this environment."""
    port = free_port()
    mounts = dict(pod.mounts)
    (flag,) = (one for one in pod.container["args"] if one.startswith(_CONFIG_FLAG))
    config = Path(flag.removeprefix(_CONFIG_FLAG))
    mounts[str(config.parent)] = str(shutil.copytree(mounts[str(config.parent)], folder / "config"))
    file = folder / "config" / config.name
    text = replaced(file.read_text(encoding="utf-8"), {**mounts, "localhost:9090": f"{LOOPBACK}:{port}"})
    file.write_text(through_proxy(text, sandbox.proxy_url), encoding="utf-8")
    arguments = [replaced(argument, mounts) for argument in pod.container["args"]]
    variables = {
        **{name: replaced(value, mounts) for name, value in environment.items()},
        "SSL_CERT_FILE": str(sandbox.ca_file),
        "HTTPS_PROXY": sandbox.proxy_url,
        "AWS_EC2_METADATA_DISABLED": "true",  # the machine's own credentials, if it has any, are not the pod's
    }
    command: list[str | Path] = [program, *arguments, f"--web.listen-address={LOOPBACK}:{port}"]
    with started(program.name, command, folder / "log", variables) as container:
        yield container


def replaced(text: str, places: Mapping[str, str]) -> str:
    """The text with other places in it: a path is replaced where it is whole, or begins one."""
    alternatives = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
    return re.sub(rf"(?<![\w/.-])(?:{alternatives})(?![\w.-])", lambda found: places[found[0]], text)


def through_proxy(text: str, proxy_url: str) -> str:
    """A Prometheus configuration whose entries with ``sigv4`` name the proxy."""
    config = yaml.safe_load(text)
    for entry in config.get("remote_write") or ():
        if "sigv4" in entry:
            entry["proxy_url"] = proxy_url
    return yaml.safe_dump(config, sort_keys=False)
