# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exchange of a service account's token for a session of the federated role.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html - the call is not signed: the
token is the only credential. Neither the token nor the session's keys ever reach an error, a log or a representation.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import aws_client, aws_errors

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth

#: The shortest session that STS gives; a proof needs seconds only.
SESSION_SECONDS = 900

_GLOBAL_ENDPOINT = "https://sts.amazonaws.com"


@dataclasses.dataclass(frozen=True)
class SessionCredentials:
    """A role session's keys, kept out of every representation."""

    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    session_token: str = dataclasses.field(repr=False)


class TokenExchange:
    """AssumeRoleWithWebIdentity at the STS endpoint of one region, as pods with regional endpoints call it."""

    def __init__(self, auth: AwsAuth, region: str) -> None:
        """Raises MissingLibrary, MissingCredentials (unknown profile) or InvalidInput (region, endpoint, CA file)."""
        regional = dataclasses.replace(auth, region=region)
        client = aws_client(regional, "sts", unsigned=True)
        if client.meta.endpoint_url == _GLOBAL_ENDPOINT:
            # botocore before 1.36 asks the global endpoint for the regions of that time, all of them in this domain.
            regional = dataclasses.replace(regional, endpoint_url=f"https://sts.{region}.amazonaws.com")
            client = aws_client(regional, "sts", unsigned=True)
        self._client = client
        self._regional = regional

    @property
    def endpoint(self) -> str:
        """The URL of the endpoint."""
        return str(self._client.meta.endpoint_url)

    def exchange(self, role_arn: str, token: str, session_name: str) -> SessionCredentials:
        """Exchange a token. Raises CloudError with STS's code and text, Unreachable when STS does not answer."""
        action = f"exchanging a service account token for a session of {role_arn}"
        try:
            with aws_errors("sts", action):
                answer = self._client.assume_role_with_web_identity(
                    RoleArn=role_arn,
                    RoleSessionName=session_name,
                    WebIdentityToken=token,
                    DurationSeconds=SESSION_SECONDS,
                )
        except errors.CloudError as error:
            # STS quotes parameters that it finds malformed. The cause holds the same text, so it is cut off too.
            raise _without(token, error) from None
        return _session(answer)

    def assume(
        self, session: SessionCredentials, role_arn: str, session_name: str, external_id: str | None
    ) -> SessionCredentials:
        """A session of another role for a session, as Prometheus does for ``sigv4.role_arn``. Raises CloudError."""
        signing = dataclasses.replace(
            self._regional,
            profile=None,
            access_key=session.access_key,
            secret_key=session.secret_key,
            session_token=session.session_token,
            assume_role_arn=None,  # the session stands in the place of the caller's own role
            assume_role_external_id=None,
            assume_role_session_name=None,
        )
        optional = {"ExternalId": external_id} if external_id is not None else {}
        with aws_errors("sts", f"assuming the chained role {role_arn}"):
            answer = aws_client(signing, "sts").assume_role(
                RoleArn=role_arn, RoleSessionName=session_name, DurationSeconds=SESSION_SECONDS, **optional
            )
        return _session(answer)


def _session(answer: Mapping[str, t.Any]) -> SessionCredentials:
    keys = answer["Credentials"]
    return SessionCredentials(str(keys["AccessKeyId"]), str(keys["SecretAccessKey"]), str(keys["SessionToken"]))


def _without(token: str, error: errors.CloudError) -> errors.CloudError:
    """The same error with the token, should the service have quoted it, taken out of its text."""
    return type(error)(
        service=error.service,
        action=error.action,
        code=error.code,
        status=error.status,
        detail=error.detail.replace(token, "<token>"),
        request_id=error.request_id,
        fix=error.fix,
    )
