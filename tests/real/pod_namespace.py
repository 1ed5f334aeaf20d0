# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``unshare -rmn python pod_namespace.py SPEC``: a program with the files, names and network of its pod, and no others.

Its root holds the machine's libraries, the pod's volumes at their own paths, and an ``/etc/hosts`` that leads the
clouds' names to loopback. The network is the pod's alone: what comes to port 443 of such an address goes through a Unix
socket, which is a file and so needs no network, to the proxy of the sandbox. Uses the standard library only.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import types
from pathlib import Path

_SIOCSIFFLAGS = 0x8914  # linux/sockios.h
_IFF_UP_RUNNING = 0x41  # linux/if.h
_MACHINE = ("/bin", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/dev", "/proc")
_CHUNK = 65536


def main(spec_file: Path) -> int:
    """``{"root", "socket", "hosts": {name: address}, "mounts": {path: folder}, "command", "environment"}``."""
    spec = json.loads(spec_file.read_text(encoding="utf-8"))
    root = Path(spec["root"])
    _bring_up_loopback()
    for host, address in spec["hosts"].items():
        threading.Thread(target=_relay, args=(_listening(address), host, spec["socket"]), daemon=True).start()
    _make_root(root, spec["hosts"], spec["mounts"])
    chroot = shutil.which("chroot") or "/usr/sbin/chroot"
    process = subprocess.Popen([chroot, str(root), *spec["command"]], env=spec["environment"])  # noqa: S603  # the test's

    def hand_on(number: int, _unused: types.FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, hand_on)
    return process.wait()


def _bring_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _IFF_UP_RUNNING))


def _make_root(root: Path, hosts: dict[str, str], mounts: dict[str, str]) -> None:
    _mount("-t", "tmpfs", "pod", root)
    for folder in _MACHINE:
        if Path(folder).is_symlink():
            (root / folder[1:]).symlink_to(Path(folder).readlink())
        elif Path(folder).is_dir():
            (root / folder[1:]).mkdir()
            _mount("--rbind", folder, root / folder[1:])
    (root / "etc").mkdir()
    lines = ["127.0.0.1 localhost\n", *(f"{address} {name}\n" for name, address in hosts.items())]
    (root / "etc" / "hosts").write_text("".join(lines), encoding="utf-8")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files\n", encoding="utf-8")
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/false\n", encoding="utf-8")
    (root / "tmp").mkdir(mode=0o777)
    # A volume may be mounted below another one.
    for path in sorted(mounts):
        place = root / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        _mount("--bind", mounts[path], place)


def _mount(*arguments: str | Path) -> None:
    mount = shutil.which("mount") or "/bin/mount"
    subprocess.run([mount, *map(str, arguments)], check=True)  # noqa: S603  # in a mount namespace of its own


def _listening(address: str) -> socket.socket:
    return socket.create_server((address, 443))


def _relay(listener: socket.socket, host: str, unix_socket: str) -> None:
    while True:
        connection, _unused = listener.accept()
        threading.Thread(target=_carry, args=(connection, host, unix_socket), daemon=True).start()


def _carry(connection: socket.socket, host: str, unix_socket: str) -> None:
    with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as proxy:
        proxy.connect(unix_socket)
        proxy.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = proxy.recv(1)
            if not byte:
                return
            answer += byte
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            return
        back = threading.Thread(target=_pump, args=(proxy, connection), daemon=True)
        back.start()
        _pump(connection, proxy)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # the other end has gone
        return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
