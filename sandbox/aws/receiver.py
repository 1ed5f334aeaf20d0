# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus on loopback behind the workspaces, which stores what they take and answers their queries.

It is started with ``--web.enable-remote-write-receiver``: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import http.client
import typing as t
import urllib.parse

import flask

if t.TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 10.0
_HEADERS = ("content-type", "content-encoding", "x-prometheus-remote-write-version")


def store(url: str, body: bytes, headers: Mapping[str, str]) -> flask.Response | None:
    """Hand a remote write on, unchanged. None when it was stored, else the answer for the client."""
    kept = {name: headers[name] for name in _HEADERS if name in headers}
    status, content, _unused = _send(url, "POST", "/api/v1/write", body, kept)
    return None if status < http.HTTPStatus.MULTIPLE_CHOICES else flask.Response(content, status)


def query(url: str, arguments: Mapping[str, list[str]]) -> flask.Response:
    """Answer an instant query."""
    form = urllib.parse.urlencode(dict(arguments), doseq=True).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, content, content_type = _send(url, "POST", "/api/v1/query", form, headers)
    return flask.Response(content, status, content_type=content_type)


def _send(url: str, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=_SECONDS)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("Content-Type", "text/plain")
    except (OSError, http.client.HTTPException) as error:
        return 503, f"The store behind the workspaces can't be reached: {error}\n".encode(), "text/plain"
    finally:
        connection.close()
