"""Text of unknown origin, as it can stand in a sentence, a table or a line of the log.

Belongs here: the one rule for that, and how many names are told. Does not belong here: what a page
escapes, which its template does.
"""

import re
from collections.abc import Sequence
from typing import Any

NAMES_SHOWN = 5

# what HTML has no character for, what acts in a terminal, what turns the direction of the text
# around it, and halves of characters, which no file takes: names of files may hold them
_UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufffe\uffff]"
)


def harmless(text: Any) -> str:
    """The text with its lines as they are, in which nothing acts."""
    return _UNSHOWN.sub("\ufffd", str(text))


def one_line(text: Any, longest: int | None = None) -> str:
    """The text on one line of at most `longest` characters: nothing in it acts."""
    text = " ".join(harmless(text).split())
    if longest is None or len(text) <= longest:
        return text
    return text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"


def in_short(names: Sequence[str], longest: int | None = None) -> str:
    """The first of many names, each as one_line has it, for a sentence."""
    shown = ", ".join(one_line(name, longest) for name in names[:NAMES_SHOWN])
    return shown + (", ..." if len(names) > NAMES_SHOWN else "")
