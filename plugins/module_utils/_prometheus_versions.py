# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Prometheus, and from which on it knows which setting of ``remote_write``; pure.

Prometheus refuses a whole configuration for one setting that it does not know, so what is rendered depends on the
version. The numbers are those of the first release whose dependencies hold the field: changelog and documentation
give a few of them wrongly (``use_fips_sts_endpoint`` is documented for 2.54, but is in 3.1.0 first).
https://github.com/prometheus/prometheus/blob/main/CHANGELOG.md and go.mod of each tag
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

_VERSION = re.compile(
    r"v?(?P<major>0|[1-9]\d{0,2})\.(?P<minor>0|[1-9]\d{0,3})(?:\.(?P<patch>\d{1,4}))?(?![\d.])(?:[-+].*)?"
)
#: Repositories with Prometheus' own numbering: ``prom/prometheus``, ``rancher/mirrored-prometheus-prometheus``.
_PROMETHEUS_IMAGE = re.compile(r"(?:.*[-_])?prometheus(?:[-_](?:server|agent|distroless|fips))?")
#: Tagged with the version of a product around Prometheus.
_OTHER_NUMBERING = re.compile(r"ose-.*")


class NotAVersion(ValueError):
    """A text is no version of Prometheus. The message is one sentence."""


@dataclasses.dataclass(frozen=True, order=True)
class PrometheusVersion:
    """A release. A release candidate counts as its release: it has the same settings."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def parse(cls, text: str) -> PrometheusVersion:
        """From ``v2.53.3``, ``3.5.0-distroless``, ``3.5.0-debian-12-r0`` or ``2.53``; raises NotAVersion."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise NotAVersion(f"'{text}' is not a version of Prometheus, which looks like 2.53.3 or v3.5.0.")
        return cls(int(match["major"]), int(match["minor"]), int(match["patch"] or 0))

    @classmethod
    def of_image(cls, image: str) -> PrometheusVersion | None:
        """From a container image's tag. None where it does not tell: no tag, ``latest``, ``main``, a digest alone, or
        an image that is not known to be numbered like Prometheus."""
        name, colon, tag = image.partition("@")[0].rpartition(":")
        repository = name.rpartition("/")[2]
        if not colon or "/" in tag or not _PROMETHEUS_IMAGE.fullmatch(repository):
            return None
        if _OTHER_NUMBERING.fullmatch(repository):
            return None
        try:
            return cls.parse(tag)
        except NotAVersion:
            return None

    def knows(self, setting: str) -> bool:
        """Whether it knows a setting, named as in ``FIRST_RELEASES``; settings that are not there are always known."""
        first = FIRST_RELEASES.get(setting)
        return first is None or self >= first

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


#: The first release with a setting of a ``remote_write`` entry; every other one is older than signing itself.
FIRST_RELEASES: t.Final[t.Mapping[str, PrometheusVersion]] = {
    "sigv4": PrometheusVersion(2, 26),
    "sigv4.use_fips_sts_endpoint": PrometheusVersion(3, 1),
    "sigv4.service_name": PrometheusVersion(3, 5),
    "sigv4.external_id": PrometheusVersion(3, 10),
    "queue_config.retry_on_http_429": PrometheusVersion(2, 26),
    "queue_config.sample_age_limit": PrometheusVersion(2, 50),
}
#: The oldest Prometheus that can write to AMP at all: what it knows needs no check.
SIGNING: t.Final = FIRST_RELEASES["sigv4"]


def unknown_settings(settings: t.Iterable[str], version: PrometheusVersion) -> tuple[str, ...]:
    """Those of the settings that this version does not know."""
    return tuple(setting for setting in settings if not version.knows(setting))


def gated_settings(settings: t.Iterable[str]) -> tuple[str, ...]:
    """Those of the settings that not every version with signing knows."""
    return unknown_settings(settings, SIGNING)
