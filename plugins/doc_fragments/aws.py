# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/options.py."""

    DOCUMENTATION = r"""
options:
  region:
    description:
      - AWS region.
      - Falls back to the environment variables E(AWS_REGION) and E(AWS_DEFAULT_REGION), then to the profile's region.
    type: str
    aliases: [aws_region]
  profile:
    description:
      - Named profile of the AWS configuration files.
      - Without any credential option, boto3's own chain decides (environment, profile, SSO, web identity, instance
        role).
      - Mutually exclusive with O(access_key), O(secret_key) and O(session_token).
    type: str
    aliases: [aws_profile]
  access_key:
    description: AWS access key ID. Needs O(secret_key).
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description: AWS secret access key. Needs O(access_key).
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description: AWS session token for temporary credentials.
    type: str
    aliases: [aws_session_token, security_token]
  endpoint_url:
    description:
      - URL that replaces the endpoint of every AWS API that the module calls.
      - Falls back to the environment variable E(AWS_ENDPOINT_URL).
    type: str
requirements:
  - boto3
"""
