# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OIDC issuer and workload identity of an existing AKS cluster: what is read and written around the decision."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, select_by_tags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient, Cluster, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import accepted
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.jwks import signing_key_ids
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import (
    Discovery,
    NotPublished,
    discover,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.signing_keys import KeySet
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AZURE,
    STATE,
    TRANSPORT,
    ArgumentSpec,
    AzureAuth,
    Params,
    State,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.aks_oidc_issuer_plan import (
    PENDING,
    Current,
    Operation,
    RotateKeys,
    Wish,
    plan,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Pace, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience

#: How long what the issuer publishes may take to follow an operation: its document after it was enabled, its new key
#: after a rotation.
PUBLISHED_SECONDS = 180.0

ARGUMENT_SPEC = ArgumentSpec(
    {
        "subscription_id": {"type": "str", "fallback": (env_fallback, ["AZURE_SUBSCRIPTION_ID"])},
        "resource_group": {"type": "str"},
        "name": {"type": "str"},
        "resource_id": {"type": "str"},
        "tags": {"type": "dict"},
        "oidc_issuer": {"type": "bool"},
        "workload_identity": {"type": "bool"},
        "rotate_signing_keys": {"type": "bool", "default": False, "no_log": False},
        "force_rotation": {"type": "bool", "default": False},
        "report_signing_keys": {"type": "bool", "default": False, "no_log": False},
        "wait": {"type": "bool", "default": True},
        "wait_for_own": {"type": "bool", "default": True},
        "operation_url": {"type": "str"},
        "poll_interval": {"type": "float", "default": 10.0},
        "wait_timeout": {"type": "int", "default": 60},
    },
    required_one_of=(("name", "resource_id", "tags"),),
    mutually_exclusive=(("name", "resource_id", "tags"), ("resource_group", "resource_id")),
).merge(STATE, AZURE, TRANSPORT)


class _NoNewKey(errors.NotReady):
    """The key set does not list the rotation's key: normal for some seconds after it."""


def _look_first(error: errors.AksAmpError) -> None:
    """Let the error say what to do about a rotation whose end is not known."""
    error.repeats = True
    error.fix = (
        "Look again in a few minutes, with report_signing_keys and without rotate_signing_keys: another rotation would "
        "drop the key that signed the tokens of running pods."
    )


class _OldKeyGone(errors.NotReady):
    """A rotation has dropped the key that signed the tokens of running pods."""


class AksOidcIssuer:
    """The cluster as a resource."""

    def __init__(self, wish: Wish, arm: ArmClient, http: HttpClient, context: Context) -> None:
        self._wish = wish
        self._arm = arm
        self._http = http
        self._context = context
        self._found: ClusterRef | None = None
        self._keys_at_start: tuple[str, ...] | None = None
        self._has_written = False
        self._has_followed = False
        self._unanswered: RotateKeys | None = None
        self._started = None if context.check_mode else wish.operation_url

    def read(self) -> Current:
        """The cluster; where it is to be changed, only once no other operation runs on it.

        So the operation of an earlier run, which ended half-way, is waited for as well. In check mode and without
        ``wait``, the cluster is read as it is, and an issuer that is just being enabled is not known yet. After a
        rotation without an answer, its key is waited for in any case.
        """
        try:
            return self._read()
        except errors.AksAmpError as error:
            if self._unanswered is not None and not error.accepted:
                _look_first(error)
            raise

    def _read(self) -> Current:
        ref = self._ref()
        if self._started is not None:
            started, self._started = self._started, None
            with contextlib.suppress(errors.Conflict):  # another operation took its place: the rest is planned anew
                return self._after_operation(ref, self._arm.follow(ref, started))
        cluster = self._arm.get_cluster(ref)
        if not cluster.is_busy:
            return self._current(ref, cluster, is_fresh=self._has_written)
        if self._wish.asks_for_something and self._wish.wait and not self._context.check_mode:
            return self._after_operation(ref, self._arm.wait_until_idle(ref))
        try:
            return self._current(ref, cluster, is_fresh=False)
        except (NotPublished, errors.Unreachable):
            if self._unanswered is not None:
                raise
            return Current(ref, cluster, PENDING)

    def _after_operation(self, ref: ClusterRef, cluster: Cluster) -> Current:
        """The cluster after an operation that was not this run's own, or not this task's."""
        self._has_followed = True
        return self._current(ref, cluster, is_fresh=True)

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        self._has_written = True
        if isinstance(change.operation, RotateKeys):
            return self._rotate(change.operation, current)
        return self._set_flags(change.operation, current)

    def _ref(self) -> ClusterRef:
        """The cluster's place and name; tags are looked for once."""
        where = self._wish.where
        if isinstance(where, ClusterRef):
            return where
        if self._found is None:
            self._found = select_by_tags(self._arm.list_clusters(where.scope), where.tags, where.scope)
        return self._found

    def _set_flags(self, flags: Flags, current: Current) -> Current:
        cluster = self._arm.set_flags(current.ref, current.cluster, flags, wait=self._wish.waits_for_own)
        if current.discovery is not None or not cluster.issuer_enabled:
            return dataclasses.replace(current, cluster=cluster)
        if not self._wish.waits_for_own and (cluster.is_busy or cluster.operation_url):
            return Current(current.ref, cluster, PENDING)
        with accepted():
            return self._current(current.ref, cluster, is_fresh=True)

    def _rotate(self, operation: RotateKeys, current: Current) -> Current:
        keys, discovery = current.keys, current.discovery
        if keys is None or discovery is None:
            raise AssertionError("a rotation is planned for published keys only")
        try:
            cluster = self._arm.rotate_signing_keys(current.ref, wait=self._wish.waits_for_own)
            if self._wish.waits_for_own:
                with accepted():
                    rotated = self._rotated_keys(current.ref, keys.at_start, discovery, operation)
            else:
                rotated = KeySet(keys.at_start, (*keys.listed, KNOWN_AFTER_APPLY))
        except errors.AksAmpError as error:
            if error.accepted or isinstance(error, (errors.Interrupted, errors.NotReady)):
                self._unanswered = operation
                if not isinstance(error, _OldKeyGone):
                    _look_first(error)
            raise
        return dataclasses.replace(current, cluster=cluster, keys=rotated)

    def _rotated_keys(
        self, ref: ClusterRef, at_start: tuple[str, ...], discovery: Discovery, operation: RotateKeys
    ) -> KeySet:
        """The key set with the new key of a rotation, which is waited for. Raises NotReady when it does not come, or
        when the old one is gone."""
        rotated = self._patience().retry(
            lambda: self._new_keys(ref, at_start, discovery), _NoNewKey, errors.Unreachable
        )
        with accepted():
            if rotated.dropped and not operation.drops_oldest:
                raise _OldKeyGone(
                    f"The signing keys of {ref} were rotated, but the issuer no longer lists "
                    f"{', '.join(rotated.dropped)}: tokens that it signed are refused from now on.",
                    fix="Restart the pods that use such tokens, so that they get new ones.",
                )
        return rotated

    def _new_keys(self, ref: ClusterRef, at_start: tuple[str, ...], discovery: Discovery) -> KeySet:
        keys = KeySet(at_start, signing_key_ids(self._http, discovery.jwks_uri))
        if not keys.new:
            were = "were" if self._unanswered is None else "may have been"
            error = _NoNewKey(f"The signing keys of {ref} {were} rotated, but the issuer does not list a new key yet.")
            _look_first(error)
            raise error
        return keys

    def _current(self, ref: ClusterRef, cluster: Cluster, *, is_fresh: bool) -> Current:
        """The cluster with what its issuer publishes; what is fresh is given some time to appear."""
        if not cluster.issuer_enabled:
            return Current(ref, cluster, None)
        if is_fresh:
            discovery = self._patience().retry(lambda: self._discover(ref, cluster), NotPublished, errors.Unreachable)
        else:
            discovery = self._discover(ref, cluster)
        return Current(ref, cluster, discovery, self._keys(ref, discovery))

    def _discover(self, ref: ClusterRef, cluster: Cluster) -> Discovery:
        if not cluster.issuer_url:
            raise errors.NotReady(f"{ref} has an OIDC issuer but shows no URL of it.", fix="Run again in a minute.")
        return discover(self._http, cluster.issuer_url)

    def _keys(self, ref: ClusterRef, discovery: Discovery) -> KeySet | None:
        """The key set; after a rotation without an answer, once its key is listed: a second one would drop the old key.
        Raises NotReady when it does not come."""
        if not self._wish.needs_keys:
            return None
        if self._keys_at_start is not None and self._unanswered is not None:
            return self._rotated_keys(ref, self._keys_at_start, discovery, self._unanswered)
        awaits = self._has_followed and self._wish.rotate_signing_keys and not self._wish.force_rotation
        listed = self._settled_key_ids(ref, discovery) if awaits else signing_key_ids(self._http, discovery.jwks_uri)
        if self._keys_at_start is None:
            self._keys_at_start = listed
        return KeySet(self._keys_at_start, listed)

    def _settled_key_ids(self, ref: ClusterRef, discovery: Discovery) -> tuple[str, ...]:
        """The key set after an operation, which may have been a rotation: then its key is given some time to appear.
        Raises NotReady where no time is left for a rotation after it."""

        def several() -> tuple[str, ...] | None:
            listed = signing_key_ids(self._http, discovery.jwks_uri)
            return listed if len(listed) > 1 else None

        listed = self._patience().until(several)
        self._has_followed = False
        if listed is None and self._arm.seconds_left() <= 0:
            raise errors.NotReady(
                f"The signing keys of {ref} were not rotated, because the time was up when another operation on it had "
                "ended.",
                fix="Run again when no operation runs on it, or raise wait_timeout.",
            )
        return listed or signing_key_ids(self._http, discovery.jwks_uri)

    def _patience(self) -> Patience:
        return Patience(
            min(PUBLISHED_SECONDS, self._arm.seconds_left()),
            first=min(self._wish.poll_interval, 2.0),
            longest=10.0,
            sleep=self._context.sleep,
            monotonic=self._context.monotonic,
        )


def facts(current: Current | None) -> dict[str, object]:
    """The module's return values; all of them are null for a cluster that is gone."""
    cluster = current.cluster if current else None
    discovery = current.discovery if current else None
    keys = current.keys if current else None
    return {
        "id": cluster.id if cluster else None,
        "issuer": discovery.issuer.url if discovery else None,
        "jwks_uri": discovery.jwks_uri if discovery else None,
        "oidc_issuer_enabled": cluster.issuer_enabled if cluster else None,
        "workload_identity_enabled": cluster.workload_identity_enabled if cluster else None,
        "etag": cluster.etag if cluster else None,
        "location": cluster.location if cluster else None,
        "tenant_id": (cluster.tenant_id or None) if cluster else None,
        "provisioning_state": cluster.provisioning_state if cluster else None,
        "operation_url": (cluster.operation_url or None) if cluster else None,
        "signing_keys": keys.report() if keys else None,
    }


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params)
    auth = AzureAuth.from_params(params)
    session = AzureSession(auth)
    with ArmClient(
        session,
        wish.where.subscription_id,
        poll_interval=wish.poll_interval,
        wait_timeout=wish.wait_timeout,
        sleep=context.sleep,
        monotonic=context.monotonic,
    ) as arm:
        resource = AksOidcIssuer(wish, arm, HttpClient(auth.transport), context)
        try:
            outcome = context.converge(resource, Pace(wish.poll_interval, arm.seconds_left))
        except errors.NotFound as error:
            if wish.state is State.PRESENT:
                raise
            gone = "Nothing is left to do; if the cluster was deleted, its OIDC issuer is gone with it."
            return Result(facts(None), warnings=(f"{error.message} {gone}",))
    return Result.of(outcome, facts(outcome.state))


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run)
