# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven by its DevTools protocol over a pair of pipes: no port, no driver, no library.

Protocol: https://chromedevtools.github.io/devtools-protocol/; with ``--remote-debugging-pipe`` Chromium reads commands
from file descriptor 3 and writes answers and events to 4, each JSON message followed by a zero byte.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import subprocess
import sys
import time
import typing as t

from tests.real import chromium_part
from tests.real.parts import parts_of_this_run

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, t.Any]

_FLAGS = (
    "--headless",
    "--no-sandbox",  # it can't make one as root; the page that is opened is our own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--window-size=1280,900",
)
_ANSWER_SECONDS = 60.0
_END_SECONDS = 10.0
_FIRST_FREE_DESCRIPTOR = 20
#: Moves two descriptors to where Chromium looks for them, and becomes Chromium.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
#: Keys by the names that the protocol and the DOM give them, with their Windows key codes.
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowUp": 38, "ArrowDown": 40, "/": 191}
_TYPED = {"Enter": "\r", " ": " ", "/": "/"}


def chromium() -> str:
    """A Chromium: the one on the path, else the real parts' own. Raises PartMissing."""
    return chromium_part.on_path() or str(parts_of_this_run().program(chromium_part.NAME, chromium_part.NAME))


class BrowserError(Exception):
    """The browser refused a command, ended, or did not answer in time."""


class Browser:
    """A running browser with one page."""

    def __init__(self, process: subprocess.Popen[bytes], send: int, receive: int) -> None:
        self._process = process
        self._send, self._receive = send, receive
        self._numbers = itertools.count(1)
        self._session = ""
        self._unread = b""
        self.events: list[Json] = []

    def attach(self) -> None:
        """Open the page and have it tell what it does."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: t.Any) -> Json:
        """The result of a command. Raises BrowserError."""
        number = next(self._numbers)
        command: Json = {"id": number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        data = json.dumps(command).encode() + b"\0"
        while data:
            data = data[os.write(self._send, data) :]
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            message = self._message(deadline)
            if message.get("id") != number:
                self.events.append(message)
            elif "error" in message:
                raise BrowserError(f"{method}: {message['error']}")
            else:
                return t.cast("Json", message["result"])

    def _message(self, deadline: float) -> Json:
        while b"\0" not in self._unread:
            ready, _writable, _failed = select.select([self._receive], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._receive, 1 << 20) if ready else b""
            if not part:
                raise BrowserError("Chromium ended." if ready else "Chromium did not answer in time.")
            self._unread += part
        message, _zero, self._unread = self._unread.partition(b"\0")
        return t.cast("Json", json.loads(message))

    # What a test does with it ----------------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Load a page and wait until it has loaded."""
        self.events.clear()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        self.wait_for(lambda: any(event.get("method") == "Page.loadEventFired" for event in self.events), "the page")

    def wait_for(self, true: Callable[[], bool], what: str) -> None:
        """Let the browser work until something is true. Raises BrowserError."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not true():
            if time.monotonic() >= deadline:
                raise BrowserError(f"There is no {what}.")
            self.evaluate("new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)))")

    def evaluate(self, expression: str) -> t.Any:
        """The value of a JavaScript expression, awaited. Raises BrowserError for an exception."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys as a person does."""
        for key in keys:
            code = _KEYS[key]
            event = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
            text = {"text": _TYPED[key]} if key in _TYPED else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **event, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView({{block: "
            "'center'}); const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height "
            "/ 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def prefer(self, scheme: str) -> None:
        """Let the page see that its reader likes ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def picture(self, width: int, height: int) -> bytes:
        """A PNG of the page in a window of this size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"])

    def requested(self) -> list[str]:
        """The URLs that the page has asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, exceptions, and what a policy has kept from running."""
        found = []
        for event in self.events:
            values = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(values["exceptionDetails"]))
            elif event.get("method") == "Runtime.consoleAPICalled":
                found.append(f"console.{values['type']}: {values['args']}")
            elif event.get("method") == "Log.entryAdded":
                found.append(f"{values['entry']['level']}: {values['entry']['text']}")
            elif event.get("method") == "Page.javascriptDialogOpening":
                found.append(f"dialog: {values['message']}")
        return found

    def end(self) -> None:
        with contextlib.suppress(BrowserError, OSError):
            self._session = ""
            self.call("Browser.close")
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(_END_SECONDS)


@contextlib.contextmanager
def running_browser(program: str, folder: Path) -> Iterator[Browser]:
    """A browser whose profile lies in a folder, until the end of the block."""
    commands, answers = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, _FIRST_FREE_DESCRIPTOR) for end in (commands[0], answers[1])]
    flags = (*_FLAGS, f"--user-data-dir={folder / 'profile'}")
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8"}
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # no shell, and the project's own arguments
            [sys.executable, "-c", _LAUNCH, *map(str, theirs), program, *flags, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=theirs,
            env=environment,
        )
    for descriptor in (commands[0], answers[1], *theirs):
        os.close(descriptor)
    browser = Browser(process, commands[1], answers[0])
    try:
        browser.attach()
        yield browser
    finally:
        browser.end()
        os.close(commands[1])
        os.close(answers[0])
