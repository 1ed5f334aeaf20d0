# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody might write into a tag, an annotation, a log or a message to harm who reads it."""

from __future__ import annotations

import typing as t

#: Sets the window's title, writes the clipboard, hides what follows, goes up a line.
ESCAPES: t.Final = "\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x07\x1b]8;;http://evil.example\x1b\\x\x1b[8m\x1b[1A\x9b31m"
TEMPLATES: t.Final = "{{ 61*97 }}{% for i in range(3) %}yx{% endfor %}{# gone #}{{ lookup('pipe', 'id') }}!unsafe"
#: What would come of them.
RESULTS: t.Final = ("5917", "yxyx", "uid=")
MARKUP: t.Final = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;]]>--><svg/onload=alert(3)>"
#: Of Markdown tables, OpenMetrics' labels, lines of their own.
BREAKS: t.Final = '|a|\n| --- |\n# EOF\n",x="1"} 1\n[click](javascript:alert(4))'
TURNS: t.Final = "\u202egnp.exe\u2066\u2028\u2029"
ZEROES: t.Final = "\x00\x08\x7f\x85"
HOSTILE: t.Final = f"hostile {TEMPLATES} {MARKUP} {ESCAPES} {TURNS} {ZEROES}\r{BREAKS}"

#: None of these may reach a terminal, a log or a file.
UNFIT: t.Final = "\x00\x07\x08\x0b\x0c\x1b\x1f\x7f\x80\x85\x9b\x9f\u2028\u2029\u202a\u202e\u2066\u2069\ud800\udfff"


def unfit_in(text: str) -> set[str]:
    """The unfit characters that a text has."""
    return {one for one in text if one in UNFIT}
