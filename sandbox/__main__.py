# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox up|down|status|log``."""

from __future__ import annotations

import argparse
import signal
import sys
import typing as t
from pathlib import Path

from sandbox import daemon
from sandbox.state import StateError, StateFolder

if t.TYPE_CHECKING:
    from sandbox.world import Json


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state", type=Path, default=Path(".sandbox"), metavar="DIR", help="state folder (.sandbox)")
    up = commands.add_parser("up", parents=[shared], help="start the sandbox unless it runs already")
    up.add_argument("--foreground", action="store_true", help="stay in the foreground until interrupted")
    up.add_argument(
        "--api-servers",
        type=Path,
        metavar="FILE",
        help="JSON with the external API servers of clusters: name to kubeconfig, context and namespaces",
    )
    commands.add_parser("down", parents=[shared], help="end the sandbox and delete its files")
    commands.add_parser("status", parents=[shared], help="say what runs where; exit code 1 when nothing runs")
    log = commands.add_parser("log", parents=[shared], help="print the requests that the services saw")
    log.add_argument("--since", type=int, default=0, metavar="N", help="only requests after number N")
    return parser


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _describe(status: Json) -> list[str]:
    return [
        f"The sandbox is up (process {status['pid']}).",
        f"  inventory    {status['inventory']}",
        f"  kubeconfig   {status['kubeconfig']}",
        f"  certificates {status['ca_file']}",
        f"  proxy        {status['proxy_url']}",
        f"  control      {status['control_url']}",
        f"  clusters     {', '.join(cluster['name'] for cluster in status['clusters'])}",
    ]


def _up(folder: StateFolder, *, foreground: bool, api_servers: Path | None) -> int:
    if foreground:
        # The services take half a second to import, and no other command needs them.
        from sandbox import foreground as process
        from sandbox.kubernetes.external import read_servers

        external = {}
        if api_servers is not None:
            try:
                external = read_servers(api_servers.read_text(encoding="utf-8"), api_servers.parent)
            except (OSError, ValueError) as error:
                raise StateError(f"{api_servers} can't be used: {error}") from error
        process.serve(folder, lambda sandbox: _say(*_describe(sandbox.status())), external)
    else:
        _say(*_describe(daemon.start(folder, api_servers)))
    return 0


def _down(folder: StateFolder) -> int:
    _say("The sandbox is down." if daemon.end(folder) else f"No sandbox runs in {folder.path}.")
    return 0


def _status(folder: StateFolder) -> int:
    status = daemon.find(folder)
    if status is None:
        _say(f"No sandbox runs in {folder.path}.")
        return 1
    _say(*_describe(status), f"  so far       {status['requests']} requests, {status['samples']} samples stored")
    return 0


def _log(folder: StateFolder, since: int) -> int:
    status = daemon.find(folder)
    if status is None:
        _say(f"No sandbox runs in {folder.path}.")
        return 1
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # a reader such as head may stop early
    answer = daemon.ask(status["control_url"], "GET", f"/log?since={since}")
    for request in answer["requests"]:
        mark = "WRITE" if request["write"] else "     "
        _say(
            f"{request['number']:5} {request['seconds']:9.3f} {mark} {request['status']} {request['service']} "
            f"{request['method']} {request['path']} {request['operation']}".rstrip()
        )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    options = _parser().parse_args(arguments)
    folder = StateFolder(options.state.resolve())
    try:
        match options.command:
            case "up":
                return _up(folder, foreground=options.foreground, api_servers=options.api_servers)
            case "down":
                return _down(folder)
            case "status":
                return _status(folder)
            case _:
                return _log(folder, options.since)
    except (daemon.SandboxError, StateError) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
