"""Checks the business files in seeds/: reads each CSV and names file, row and column of a fault.

Rows are numbered as a spreadsheet shows them: the header is row 1. Belongs here: reading, and what
only several files together show. Does not belong here: what a file may hold
(business_file_rules.py), loading the files (dbt seeds), policy numbers (policy.py).
"""

import codecs
import csv
import difflib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestration.business_file_rules import (
    BUSINESS_FILES,
    SESSION_START,
    BusinessFile,
    Row,
)
from orchestration.errors import IntentMapError
from orchestration.policy import effective_vars
from orchestration.settings import SHIPPED_SEEDS, Settings

MOST_MICRO_CONVERSIONS = 10
# above it a percentage is meant more often than a ratio
USUAL_TARGET_ROAS = 50


@dataclass(frozen=True)
class Fault:
    file: str
    said: str
    row: int | None = None
    column: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.row is not None:
            place += f", row {self.row}"
        if self.column is not None:
            place += f", column {self.column}"
        return f"{place}: {self.said}."


def refuse_what_dbt_cannot_read(settings: Settings) -> None:
    """Raise IntentMapError that names what is too much in the folder of business files, and what is
    not there; dbt names a model that reads it."""
    seeds = settings.seeds
    faults = [*_descriptions_beside(seeds), *_tables_beside(seeds), *_not_there(seeds)]
    if faults:
        raise IntentMapError("\n".join(map(str, faults)))


def check_business_files(settings: Settings) -> list[str]:
    """Warnings; raises IntentMapError with one line for every fault of every file."""
    faults: list[Fault] = []
    tables: dict[str, dict[int, Row]] = {}
    for file in BUSINESS_FILES:
        rows, file_faults = read_business_file(settings.seeds / file.name, file)
        tables[file.name] = rows
        faults += file_faults
    faults += _descriptions_beside(settings.seeds)
    faults += _tables_beside(settings.seeds)
    values = effective_vars(settings)
    if not faults:
        faults += _rates_of_the_reporting_currency(tables, values["reporting_currency"])
        faults += _amounts_of_goals(tables, values["largest_amount"])
    if faults:
        heading = f"{len(faults)} faults in the business files of '{settings.seeds}':\n"
        lines = "\n".join(str(fault) for fault in faults)
        raise IntentMapError(lines if len(faults) == 1 else heading + lines)
    return _warnings(tables, values["starter_pack"])


def _descriptions_beside(seeds: Path) -> Iterator[Fault]:
    """dbt refuses two descriptions of one file, and the shipped ones are always read."""
    if seeds != SHIPPED_SEEDS:
        for path in sorted([*seeds.glob("*.yml"), *seeds.glob("*.yaml")]):
            yield Fault(
                path.name,
                "descriptions stay with the project, so that an upgrade brings new ones; "
                f"delete this file from '{seeds}' and keep the CSV files",
            )


def _not_there(seeds: Path) -> Iterator[Fault]:
    there = {path.name for path in seeds.glob("*.csv")}
    # tables of somebody's own are read too; an empty folder is one that nobody has filled yet
    if not there or any(file.name in there for file in BUSINESS_FILES):
        for file in BUSINESS_FILES:
            if file.name not in there:
                yield from read_business_file(seeds / file.name, file)[1]


def _tables_beside(seeds: Path) -> Iterator[Fault]:
    """dbt makes a table of every CSV below the folder, by its name."""
    known = {seeds / file.name for file in BUSINESS_FILES}
    if not any(map(Path.is_file, known)):
        # a folder of something else, which may be a whole disk
        return
    for path in sorted(seeds.rglob("*.csv")):
        if path not in known:
            yield Fault(
                path.relative_to(seeds).as_posix(),
                "is none of the business files, and every CSV below this folder would be read; "
                "move it elsewhere",
            )


def read_business_file(path: Path, file: BusinessFile) -> tuple[dict[int, Row], list[Fault]]:
    """The file's rows by their number in a spreadsheet, and everything wrong with them."""
    try:
        records = _records(path)
    except IntentMapError as error:
        return {}, [Fault(file.name, str(error))]
    header, body = records[0], records[1:]
    faults = list(_header_faults(header, file))
    if faults:
        return {}, faults
    rows: dict[int, Row] = {}
    for line, cells in enumerate(body, start=2):
        if not any(cells):
            faults.append(Fault(file.name, "the row is empty; delete it", line))
        elif len(cells) != len(header):
            faults.append(
                Fault(
                    file.name,
                    f"{len(cells)} cells, but the header has {len(header)}; a text with a comma "
                    "in it needs quotes around it",
                    line,
                )
            )
        else:
            rows[line] = dict(zip(header, cells, strict=True))
    for line, row in rows.items():
        faults += [Fault(file.name, said, line, column) for column, said in _row_faults(row, file)]
    faults += _repeated(rows, file)
    for check in file.table_checks:
        faults += [Fault(file.name, said, line, column) for line, column, said in check(rows)]
    return rows, sorted(faults, key=lambda fault: fault.row or 0)


def _records(path: Path) -> list[list[str]]:
    """All records of a CSV, the header first; raises IntentMapError when it is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise IntentMapError(_missing(path)) from None
    except OSError as error:
        raise IntentMapError(f"the file cannot be read ({error.strerror})") from None
    save_as = "save it as CSV, UTF-8, separated by commas"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise IntentMapError(f"the file is UTF-16, not UTF-8; {save_as}")
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise IntentMapError(
            f"the file is not UTF-8 (byte {content[error.start]:#04x} in line {line}); {save_as}"
        ) from None
    if not decoded.strip():
        raise IntentMapError("the file is empty; its first row must be the header")
    try:
        records = list(csv.reader(io.StringIO(decoded, newline=""), strict=True))
    except csv.Error as error:
        raise IntentMapError(
            f"the file is no well-formed CSV ({error}); look for a quote that is never closed"
        ) from None
    for separator, word in ((";", "semicolons"), ("\t", "tabs")):
        if len(records[0]) == 1 and separator in records[0][0]:
            raise IntentMapError(f"the columns are separated by {word}; {save_as}")
    return records


def _missing(path: Path) -> str:
    if path.parent.resolve() != SHIPPED_SEEDS.resolve():
        return (
            f"the file is missing in '{path.parent}'; copy it there from the shipped folder "
            f"'{SHIPPED_SEEDS}'"
        )
    return f"the file is missing; bring it back with: git checkout -- seeds/{path.name}"


def _header_faults(header: list[str], file: BusinessFile) -> Iterator[Fault]:
    wanted = [column.name for column in file.columns]
    for column, times in Counter(header).items():
        if column not in wanted:
            nearest = difflib.get_close_matches(column.strip().lower(), wanted, n=1)
            hint = f"the nearest is {nearest[0]}" if nearest else f"known: {', '.join(wanted)}"
            yield Fault(file.name, f"unknown column '{column}'; {hint}", 1)
        elif times > 1:
            yield Fault(file.name, f"the column {column} stands there {times} times", 1)
    for column in wanted:
        if column not in header:
            yield Fault(file.name, f"the column {column} is missing", 1)


def _row_faults(row: Row, file: BusinessFile) -> Iterator[tuple[str, str]]:
    for column in file.columns:
        cell = row[column.name]
        if cell != cell.strip():
            yield column.name, f"'{cell}' has a space at its start or end"
        elif "\r" in cell.replace("\r\n", ""):
            yield column.name, "a line break of another system is in it; take it out"
        elif cell:
            said = column.check(cell)
            if said:
                yield column.name, f"'{cell}' {said}"
        elif column.required:
            yield column.name, "the cell is empty"
    for check in file.row_checks:
        yield from check(row)


def _repeated(rows: dict[int, Row], file: BusinessFile) -> Iterator[Fault]:
    first: dict[tuple[str, ...], int] = {}
    for line, row in rows.items():
        key = tuple(row[column] for column in file.unique)
        if not all(key):
            continue
        if key in first:
            yield Fault(
                file.name,
                f"{file.unique_said}: '{', '.join(key)}' stands in row {first[key]} already",
                line,
                file.unique[0],
            )
        first.setdefault(key, line)


def _rates_of_the_reporting_currency(
    tables: dict[str, dict[int, Row]], reporting_currency: str
) -> Iterator[Fault]:
    for line, row in tables["currency_rates.csv"].items():
        if row["currency"] == reporting_currency and float(row["rate"]) != 1:
            yield Fault(
                "currency_rates.csv",
                f"'{row['rate']}' must be 1, since {reporting_currency} is the reporting currency",
                line,
                "rate",
            )


def _amounts_of_goals(tables: dict[str, dict[int, Row]], largest_amount: float) -> Iterator[Fault]:
    for line, row in tables["macro_conversions.csv"].items():
        for column in ("fixed_value", "default_value"):
            if row[column] and float(row[column]) > largest_amount:
                yield Fault(
                    "macro_conversions.csv",
                    f"'{row[column]}' is more than {largest_amount}, the var largest_amount, "
                    "beyond which money counts nowhere",
                    line,
                    column,
                )


def _warnings(tables: dict[str, dict[int, Row]], starter_pack: str) -> list[str]:
    warnings = []
    enabled = {
        file: {
            line: row
            for line, row in tables[file].items()
            if row["starter_pack"] == starter_pack and row["is_enabled"].lower() == "true"
        }
        for file in ("micro_conversions.csv", "macro_conversions.csv")
    }
    micros = enabled["micro_conversions.csv"]
    if len(micros) > MOST_MICRO_CONVERSIONS:
        warnings.append(
            f"micro_conversions.csv: {len(micros)} micro-conversions are enabled for the starter "
            f"pack {starter_pack}; more than {MOST_MICRO_CONVERSIONS} blur the signal."
        )
    for file, rows in enabled.items():
        if not rows:
            warnings.append(
                f"{file}: no row is enabled for the starter pack {starter_pack}, so nothing can be "
                "valued. The var starter_pack picks the pack."
            )
    for line, row in micros.items():
        # spreadsheets write TRUE
        compared = row["threshold"]
        if row["operator"] in ("=", "!=") and compared in ("TRUE", "FALSE", "True", "False"):
            warnings.append(
                f"micro_conversions.csv, row {line}, column threshold: '{compared}' is no property "
                f"that is {compared.lower()} in JSON; write it in lower case."
            )
    for line, row in tables["campaign_settings.csv"].items():
        if row["target_roas"] and float(row["target_roas"]) > USUAL_TARGET_ROAS:
            warnings.append(
                f"campaign_settings.csv, row {line}, column target_roas: {row['target_roas']} asks "
                f"for {row['target_roas']} of revenue for each 1 of cost; 400 % is written 4."
            )
    dictionary = tables["event_dictionary.csv"]
    known = {row["event_name"] for row in dictionary.values()}
    # compared in lower case, since names that differ in case only are the likeliest slip
    in_lower_case = {event.lower(): event for event in known}
    named = [(file, "event_name", rows) for file, rows in enabled.items()]
    named.append(("macro_conversions.csv", "refund_event_name", enabled["macro_conversions.csv"]))
    named.append(("required_properties.csv", "event_name", tables["required_properties.csv"]))
    funnels = tables["funnels.csv"].items()
    steps = {line: row for line, row in funnels if row["starter_pack"] == starter_pack}
    named.append(("funnels.csv", "event_name", steps))
    for file, column, rows in named:
        for line, row in rows.items():
            event = row[column]
            if not event or event == SESSION_START or event in known:
                continue
            place = f"{file}, row {line}, column {column}"
            renamed = [i for i, it in dictionary.items() if it["source_event_name"] == event]
            nearest = difflib.get_close_matches(event.lower(), in_lower_case, n=1, cutoff=0.8)
            if renamed:
                entry = dictionary[renamed[0]]
                warnings.append(
                    f"{place}: by event_dictionary.csv, row {renamed[0]}, the event '{event}' of "
                    f"{entry['source_system']} counts as {entry['event_name']}; write that name."
                )
            elif nearest:
                warnings.append(
                    f"{place}: '{event}' is no event of event_dictionary.csv; did you mean "
                    f"{in_lower_case[nearest[0]]}?"
                )
    return warnings
