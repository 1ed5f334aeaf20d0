# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/_options.py."""

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
      - URL that replaces the endpoint of every AWS API that the module calls; plain HTTP only on this machine.
      - Without it, boto3 looks into the environment and the profile itself, at the variable of a single service first
        (for example E(AWS_ENDPOINT_URL_IAM)) and then at E(AWS_ENDPOINT_URL).
    type: str
  assume_role_arn:
    description:
      - ARN of a role, possibly of another account, that the module assumes with the credentials above. It does
        everything else as that role.
      - The role is assumed in check mode as well, because that changes nothing.
      - The account and the partition that the module works in are those of this role.
    type: str
  assume_role_external_id:
    description: External ID for O(assume_role_arn), if the role's trust policy asks for one.
    type: str
  assume_role_session_name:
    description:
      - Name of the session of O(assume_role_arn), which shows in CloudTrail.
      - V(crosscloud.aks_amp) by default.
    type: str
  use_fips_endpoint:
    description:
      - Whether to use the FIPS endpoints of AWS. Can't be combined with O(endpoint_url).
      - Without it, boto3 looks at E(AWS_USE_FIPS_ENDPOINT) and the profile.
    type: bool
requirements:
  - boto3 >= 1.34
"""
