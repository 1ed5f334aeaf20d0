# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request as AWS's services need it: with its raw path and query, because signatures cover these."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import quote

from moto.core.request import Request

from sandbox.hosts import without_port

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    import flask


@dataclasses.dataclass(frozen=True)
class AwsRequest:
    """One HTTP request. ``headers`` have names in lower case; ``path`` and ``query`` are as they were sent."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(cls, request: flask.Request) -> AwsRequest:
        query = request.query_string.decode("latin-1")
        # Servers hand the raw target on under one of these names; PATH_INFO alone is already decoded.
        target = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or quote(request.path)
        path = target.partition("?")[0]
        if "://" in path:  # the absolute form of RFC 9112, section 3.2.2
            path = "/" + path.partition("://")[2].partition("/")[2]
        return cls(
            method=request.method,
            path=path or "/",
            query=query,
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(),
        )

    @property
    def host(self) -> str:
        """The host without port, in lower case."""
        return without_port(self.headers.get("host", ""))

    def for_moto(self) -> Request:
        target = f"{self.path}?{self.query}" if self.query else self.path
        return Request.from_primitives(self.method, f"https://{self.host}{target}", self.headers, self.body)
