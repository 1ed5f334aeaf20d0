# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that are not known yet, as inputs."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._inputs import require_known


def test_a_known_value_passes() -> None:
    assert require_known("x", option="issuer", step="s", check_mode=False) == "x"


def test_the_placeholder_passes_in_check_mode() -> None:
    assert require_known(KNOWN_AFTER_APPLY, option="issuer", step="s", check_mode=True) == KNOWN_AFTER_APPLY


def test_the_placeholder_names_the_step_otherwise() -> None:
    with pytest.raises(InvalidInput, match="option 'issuer'") as caught:
        require_known(KNOWN_AFTER_APPLY, option="issuer", step="aks_oidc_issuer", check_mode=False)
    assert "--tags aks_oidc_issuer" in caught.value.fix
