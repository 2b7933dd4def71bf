"""What licence a file states about itself: its SPDX tag."""

import re

SPDX_TAG = re.compile(r"SPDX-License-Identifier:\s*(\(?[A-Za-z0-9][A-Za-z0-9.+() -]{0,100})")
HEAD_CHARACTERS = 2048


def stated_license(text: str) -> str | None:
    """The SPDX expression in the head of `text`, None if there is none."""
    found = SPDX_TAG.search(text, 0, HEAD_CHARACTERS)
    if found is None:
        return None
    expression = found.group(1).strip().rstrip("-").strip()
    while expression.count(")") > expression.count("("):
        expression = expression[: expression.rindex(")")].strip()
    return expression or None
