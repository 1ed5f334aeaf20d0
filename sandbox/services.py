# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All services of the sandbox over one world. Resetting the sandbox means to make a new set of them."""

from __future__ import annotations

import dataclasses
import typing as t

from werkzeug.wrappers import Request, Response

from sandbox import oidc
from sandbox.hosts import without_port
from sandbox.world import World

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class HostDispatcher:
    """A WSGI application that hands each request to the application of its ``Host``; 421 for an unknown one."""

    def __init__(self, applications: Mapping[str, WSGIApplication]) -> None:
        self._applications = dict(applications)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = without_port(Request(environ).host)
        application = self._applications.get(host)
        if application is None:
            return Response(f"No service of the sandbox is called {host!r}.\n", 421)(environ, start_response)
        return application(environ, start_response)


@dataclasses.dataclass(frozen=True)
class Services:
    """One world and the applications over it."""

    world: World
    clouds: WSGIApplication  # dispatches by host
    issuers: WSGIApplication

    @classmethod
    def over(cls, world: World) -> Services:
        return cls(world=world, clouds=HostDispatcher({}), issuers=oidc.create_app(world))
