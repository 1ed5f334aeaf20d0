# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A loopback stand-in for every cloud that the collection talks to.

It serves the demo and the tests. It is strict where the real services are strict, because a lenient
stand-in would hide exactly the mistakes that this collection exists to repair. State lives in memory.
"""
