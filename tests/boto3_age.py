# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the oldest boto3 that requirements.txt admits does not know yet."""

from __future__ import annotations

import botocore.session
import pytest


def require_resource_policies() -> None:
    """Skip a test that needs resource policies of workspaces. The module says with an older boto3 what is missing."""
    if "PutResourcePolicy" not in botocore.session.get_session().get_service_model("amp").operation_names:
        pytest.skip("this boto3 is older than resource policies")
