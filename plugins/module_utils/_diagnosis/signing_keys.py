# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that an OIDC issuer lists, before and after a rotation. Pure."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class KeySet:
    """Key IDs (``kid``) in the order of the key set: as listed when the run began, and as listed now."""

    at_start: tuple[str, ...]
    listed: tuple[str, ...]

    @property
    def new(self) -> tuple[str, ...]:
        """The keys that came since the run began."""
        return tuple(kid for kid in self.listed if kid not in self.at_start)

    @property
    def dropped(self) -> tuple[str, ...]:
        """The keys that were listed when the run began and are not any more: their tokens hold no longer."""
        return tuple(kid for kid in self.at_start if kid not in self.listed)

    def report(self) -> list[dict[str, str]]:
        """The listed keys as a module returns them: ``kid`` and ``state``, which is ``new``, ``old`` or ``listed``.

        Which key signs can't be told from a key set, so without a rotation in this run all are just ``listed``.
        """
        before = "old" if self.new else "listed"
        return [{"kid": kid, "state": "new" if kid in self.new else before} for kid in self.listed]
