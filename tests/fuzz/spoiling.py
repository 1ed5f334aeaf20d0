# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of clouds and clusters with something else in place of what a client expects there."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import threading
import typing as t
import xml.etree.ElementTree as ET

from werkzeug.test import run_wsgi_app

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from sandbox.server import Sandbox

#: In place of a value: nothing at all.
GONE: t.Final = object()


@dataclasses.dataclass(frozen=True)
class Spoil:
    """What happens to one answer. ``place`` chooses one of its values, counted from the whole answer inwards."""

    place: int
    value: object
    raw: bytes | None = None  # in place of the whole answer

    def of(self, body: bytes) -> bytes:
        if self.raw is not None:
            return self.raw
        if body.lstrip()[:1] == b"<":
            return self._of_xml(body)
        try:
            document = json.loads(body)
        except ValueError:
            return body
        return json.dumps(self._of_json(document)).encode()

    def _of_json(self, document: t.Any) -> t.Any:
        document = copy.deepcopy(document)
        places = list(_places(document))
        number = self.place % (len(places) + 1)
        if number == 0:
            return None if self.value is GONE else self.value
        holder, key = places[number - 1]
        if self.value is GONE:
            del holder[key]
        else:
            holder[key] = self.value
        return document

    def _of_xml(self, body: bytes) -> bytes:
        root = ET.fromstring(body)  # noqa: S314  # the sandbox's own
        places = [(parent, child) for parent in root.iter() for child in parent]
        if not places:
            return body
        parent, child = places[self.place % len(places)]
        if self.value is GONE:
            parent.remove(child)
        else:
            for below in list(child):
                child.remove(below)
            child.text = json.dumps(self.value)
        return ET.tostring(root)


def _places(node: t.Any) -> Iterator[tuple[t.Any, t.Any]]:
    """Each value below, as what holds it and under which key."""
    keys: Iterable[t.Any] = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys:
        yield node, key
        yield from _places(node[key])


class Spoiler:
    """Spoils the answer of one number, counted over all services. ``answers`` counts them."""

    def __init__(self, number: int, spoil: Spoil) -> None:
        self._lock = threading.Lock()
        self._number = number
        self._spoil = spoil
        self.answers = 0

    def wrap(self, application: WSGIApplication) -> WSGIApplication:
        def spoiled(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
            body = b"".join(chunks)
            with self._lock:
                self.answers += 1
                mine = self.answers == self._number
            if mine:
                body = self._spoil.of(body)
            headers["Content-Length"] = str(len(body))
            start_response(status, headers.to_wsgi_list())
            return [body]

        return spoiled


@contextlib.contextmanager
def spoiling(sandbox: Sandbox, spoiler: Spoiler) -> Iterator[None]:
    """Put the spoiler between clients and all services, until the sandbox is reset."""
    services = sandbox._services
    sandbox._clouds.serve(spoiler.wrap(services.clouds))
    sandbox._issuers.serve(spoiler.wrap(services.issuers))
    for name, listener in sandbox._kubernetes.items():
        listener.serve(spoiler.wrap(sandbox.api_server(name).app))
    try:
        yield
    finally:
        sandbox._clouds.serve(services.clouds)
        sandbox._issuers.serve(services.issuers)
        for name, listener in sandbox._kubernetes.items():
            listener.serve(sandbox.api_server(name).app)
