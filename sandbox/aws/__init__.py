# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS as the collection meets it: IAM, STS and Amazon Managed Service for Prometheus, over moto and stricter."""

from sandbox.aws.account import AwsAccount

__all__ = ["AwsAccount"]
