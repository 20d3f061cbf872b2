"""The ids to erase: the file that names them, and where a text mentions one of them.

Belongs here: reading the file, which words are nobody's id, finding ids in texts.
Does not belong here: who belongs to an id (people.py), changing anything.
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from orchestration.errors import IntentMapError
from orchestration.sources import PLACEHOLDERS

# what Snowplow's anonymous tracking sends
ZEROS = "00000000-0000-0000-0000-000000000000"
# as in dbt_project/macros/expressions/nobodys_ids.sql: taken for an id, such a word would be
# everybody
NOBODY = (*PLACEHOLDERS, "anonymous", "guest", ZEROS)
KINDS = ("visitor", "user")
ERASED = "(erased)"
# two million ids; of a larger file, such as an export or a device, nobody meant that all be erased
MOST_BYTES = 100 * 10**6
# such as 12, which stands in any text for anything
SHORTEST_IN_TEXT = 6
# letters and digits in a row; what an address writes for a sign, such as %2F, is none of them
_RUN = re.compile(r"%[0-9A-Fa-f]{2}|([^\W_]+)")
_LETTER = re.compile(r"[^\W_]")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# by strict writers, by those of paths, by encodeURIComponent, by encodeURI
_LEFT_IN_ADDRESSES = ("", "/", "!*'()", ";,/?:@&=+$#!*'()")
_SIGN = re.compile(r"%[0-9A-Fa-f]{2}$")


@dataclass(frozen=True)
class Ids:
    """Ids by what they name; one whose kind is not said is among both."""

    visitors: frozenset[str]
    users: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.visitors | self.users


def read_ids(path: Path) -> Ids:
    """The ids of a file: one a line, or a CSV file with the columns id and, if told, kind.

    Raises IntentMapError that names the line at fault, never with the id in it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise IntentMapError(
                f"The file {path} has more than {MOST_BYTES // 10**6} MB, so it is no list of ids. "
                "Name the file that has one id a line, or part a longer list."
            )
        lines = content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise IntentMapError(f"The file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise IntentMapError(f"The file {path} is not UTF-8 text; save it as UTF-8.") from error
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for number, kinds, given in _named(lines, path):
        name = given.strip()
        if is_nobody(name):
            raise IntentMapError(
                f"{path}, line {number}: what stands there is not the id of anybody, but what "
                "sources write where there is none; erasing it would erase everybody without one."
            )
        for kind in kinds:
            found[kind].add(name)
    if not any(found.values()):
        raise IntentMapError(
            f"The file {path} names nobody: write one id a line, or a CSV file with the columns "
            "kind (user or visitor) and id."
        )
    return Ids(frozenset(found["visitor"]), frozenset(found["user"]))


def _named(lines: list[str], path: Path) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """(line, kinds, id) of every line that is not blank."""
    first = next((line for line in lines if line.strip()), "")
    header = [name.strip().lower() for name in next(csv.reader([first]), [])]
    has_header = "id" in header and set(header) <= {"id", "kind"}
    passed = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if not has_header:
            yield number, KINDS, line
        elif not passed:
            passed = True
        else:
            fields = next(csv.reader([line]))
            if len(fields) != len(header):
                raise IntentMapError(
                    f"{path}, line {number}: there are {len(fields)} fields under "
                    f"{len(header)} columns."
                )
            row = dict(zip(header, fields, strict=True))
            kind = row.get("kind", "").strip().lower()
            if kind not in ("", *KINDS):
                raise IntentMapError(
                    f"{path}, line {number}, column kind: '{kind}' is no kind; write user, "
                    "visitor, or nothing for both."
                )
            yield number, (kind,) if kind else KINDS, row["id"]


def is_nobody(name: str) -> bool:
    return name.strip().lower() in NOBODY


class Mentions:
    """Finds ids in texts, also as they stand in an address or in JSON.

    An id counts where no letter or digit goes on before or after it, so that the id 123456 is not
    found in 9123456; one shorter than SHORTEST_IN_TEXT is not looked for. The work grows with the
    text, not with the number of ids.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        ids = [name for name in ids if len(name) >= SHORTEST_IN_TEXT]
        self._by_run: dict[str, list[tuple[int, str]]] = defaultdict(list)
        self._without_run: list[str] = []
        for name in ids:
            for form in _forms(name):
                run = next((found for found in _RUN.finditer(form) if found[1]), None)
                if run is None:
                    self._without_run.append(form)
                else:
                    self._by_run[run[1]].append((run.start(), form))
        for forms in self._by_run.values():
            forms.sort(key=lambda placed: -len(placed[1]))

    @property
    def looks_for_nothing(self) -> bool:
        return not self._by_run and not self._without_run

    @property
    def first_look(self) -> tuple[bool, list[str]]:
        """Whether an id has no letter or digit, such as `******`; the first ones of each other id,
        since a text without any of those mentions none of these."""
        return bool(self._without_run), sorted(self._by_run)

    def mentioned_in(self, text: str) -> bool:
        return next(self._places(text), None) is not None

    def taken_out_of(self, text: str) -> str:
        """The text with a mark in the place of each id."""
        kept, end = [], 0
        for start, stop in self._places(text):
            if start >= end:
                kept += [text[end:start], ERASED]
                end = stop
        return "".join([*kept, text[end:]]) if kept else text

    def taken_out_of_record(self, text: str) -> str:
        """As taken_out_of, but what is a JSON object or list stays one: a number in it, such as a
        moment with its microseconds, is nobody's id."""
        if not self.mentioned_in(text):
            return text
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict | list):
            return self.taken_out_of(text)
        cleaned = self._taken_out_of_strings(found)
        end = text[len(text.rstrip()) :]
        return text if cleaned == found else json.dumps(cleaned) + end

    def _taken_out_of_strings(self, value: Any) -> Any:
        if isinstance(value, str):
            # a text may be a record again
            return self.taken_out_of_record(value)
        if isinstance(value, list):
            return [self._taken_out_of_strings(one) for one in value]
        if isinstance(value, dict):
            return {
                self.taken_out_of(name): self._taken_out_of_strings(one)
                for name, one in value.items()
            }
        return value

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        for run in _RUN.finditer(text):
            for offset, form in self._by_run.get(run[1], ()):
                start = run.start() - offset
                stop = start + len(form)
                if start >= 0 and text.startswith(form, start) and _ends(text, start, stop):
                    yield start, stop
                    break
        for form in self._without_run:
            start = text.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = text.find(form, start + len(form))


def _forms(name: str) -> set[str]:
    """The id as it is, as addresses write it (with or without the signs that one may leave as they
    are, in capital or small letters), as JSON does, and as CSV and SQL do, which double quotes."""
    addressed = {quote(name, safe=safe) for safe in _LEFT_IN_ADDRESSES} | {quote_plus(name)}
    in_small = {_ESCAPE.sub(lambda found: found[0].lower(), form) for form in addressed}
    in_json = {json.dumps(name, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    in_json |= {form.replace("/", r"\/") for form in in_json}
    quoted = {name.replace(sign, sign * 2) for sign in "\"'"}
    return {name} | addressed | in_small | in_json | quoted


def _ends(text: str, start: int, stop: int) -> bool:
    """Whether no letter or digit of the text runs on into the place, or out of it."""
    goes_on = stop < len(text) and _LETTER.match(text[stop - 1]) and _LETTER.match(text[stop])
    comes_from = start > 0 and _LETTER.match(text[start]) and _LETTER.match(text[start - 1])
    return not goes_on and (not comes_from or bool(_SIGN.search(text, max(0, start - 3), start)))
