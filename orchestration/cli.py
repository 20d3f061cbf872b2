"""The command line: `intent-map COMMAND`, the same as `python -m orchestration COMMAND`.

Belongs here: arguments, the checks before every command, and what a person reads when it ends.
Does not belong here: the work itself, which each command imports only when it is called.
"""

import argparse
import atexit
import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from orchestration.disk import refused_by_disk
from orchestration.errors import IntentMapError, first_line, is_interruption
from orchestration.garbage import garbage_left
from orchestration.one_line import harmless
from orchestration.settings import Settings, load_settings
from orchestration.sources import LANDING_SOURCES

if TYPE_CHECKING:
    from orchestration.demo import Shop

FAILED = 1
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """A command: what help says, its arguments, and what it does with the settings; it may give
    an exit status. writes: it may change the home, which is made ready first."""

    help: str
    run: Callable[[Settings, argparse.Namespace], int | None]
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None
    writes: bool = True


def program() -> NoReturn:
    """The command that the arguments of this process name; ends the process."""
    # to the very end: allowed again, the search would begin at once, for what ends with the process
    with garbage_left():
        _end(main())


def _end(status: int) -> NoReturn:
    # what an end in order does, but for taking a million objects apart, which the system takes
    # back at once: that would be a second of each night
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)


@garbage_left()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0, 1 after an error, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show an umlaut must not stop the night
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    # a log that a full disk does not take must not bury the sentence that says so
    logging.raiseExceptions = False
    arguments = _parser().parse_args(argv)
    settings = None
    try:
        settings = load_settings()
        command = COMMANDS[arguments.command]
        check(settings)
        if command.writes:
            prepare_home(settings)
        return command.run(settings, arguments) or 0
    except IntentMapError as error:
        _complain(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if is_interruption(error):
            return _stopped()
        sentence = refused_by_disk(error, settings.home) if settings else None
        if sentence:
            _complain(f"error: {sentence}")
            return FAILED
        _complain(
            f"error: {type(error).__name__}: {first_line(error).rstrip('.')}. This was not "
            f"foreseen; the details are in {_log_traceback(settings)}."
        )
        return FAILED


def _stopped() -> int:
    _complain("Stopped. Nothing is broken: the same command again goes on from here.")
    return INTERRUPTED


def check(settings: Settings) -> None:
    """Stop on impossible policy numbers and wrong rows; print what is only unusual."""
    from orchestration.business_files import check_business_files
    from orchestration.landing import attached_sources
    from orchestration.policy import check_policy

    warnings = [*check_policy(settings), *check_business_files(settings)]
    attached_sources(settings)
    for warning in warnings:
        print(harmless(f"warning: {warning}"))


def prepare_home(settings: Settings) -> None:
    """Make the home and its landing folders; raises IntentMapError when it cannot be written."""
    try:
        for source in LANDING_SOURCES:
            (settings.landing / source).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        folder = Path(error.filename or settings.home)
        in_the_way = [p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()]
        if in_the_way:
            raise IntentMapError(
                f"INTENT_MAP_HOME is '{settings.home}', but '{in_the_way[0]}' is a file where a "
                "folder must be. Name another folder, or move that file away."
            ) from error
        raise IntentMapError(
            f"The home '{settings.home}' cannot be written ({error.strerror}). Name another folder "
            "with INTENT_MAP_HOME, or change its permissions."
        ) from error
    written = (settings.warehouse.parent, settings.serving, settings.dagster_home)
    for folder in (*written, settings.dbt_target_path.parent):
        # found out now, not in the middle of a night
        if not folder.is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise IntentMapError(
                f"The folder '{folder}' cannot be written ({error.strerror}). Give this user the "
                "right to, and run the same command again; nothing was begun."
            ) from error


def parse_as_of(text: str | None) -> date | None:
    """The date that --as-of names; whether values can be valid from it is for the run to say."""
    return parse_day("--as-of", text)


def nothing_to_land(settings: Settings) -> list[str]:
    """What to say when there is no file and no attached table; empty when there is any."""
    from orchestration.policy import effective_vars

    if effective_vars(settings).get("attached_sources"):
        return []
    folders = [settings.landing / source for source in LANDING_SOURCES]
    # by the names alone: what a link leads to may be out of reach
    if any(names for folder in folders for _, _, names in os.walk(folder)):
        return []
    width = max(map(len, LANDING_SOURCES))
    return [
        f"Nothing to land yet. Drop files (Parquet, CSV, gzipped CSV, JSON lines) under "
        f"{settings.landing}:",
        *(f"  {name.ljust(width)}  {known.said}" for name, known in LANDING_SOURCES.items()),
        "Then the same command again.",
    ]


def _simulate(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.demo import demo_settings, simulate_shop

    settings = demo_settings(settings, os.environ.get("INTENT_MAP_HOME"))
    prepare_home(settings)
    simulate_shop(settings, _shop(arguments))
    print(f"The files are under {settings.landing}.")


def _land(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.landing import land
    from orchestration.locking import writer_lock

    for line in nothing_to_land(settings):
        print(line)
    with writer_lock(settings, what="landing"):
        land(settings, source=arguments.source)


def _nightly(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.landing import looking_ahead

    for line in nothing_to_land(settings):
        print(line)
    started = time.monotonic()
    with looking_ahead(settings):
        # its libraries are part of the time in which files can be read
        from orchestration.runs import run_nightly

        run_nightly(settings)
    _say_where(settings, started)


def _quarterly(settings: Settings, arguments: argparse.Namespace) -> None:
    as_of = parse_as_of(arguments.as_of)
    why = _restatement_reason(arguments)
    from orchestration.runs import run_quarterly

    started = time.monotonic()
    run_quarterly(settings, as_of, restate_why=why)
    _say_where(settings, started)


def _backfill(settings: Settings, arguments: argparse.Namespace) -> None:
    days = [parse_day(name, vars(arguments)[name[2:]]) for name in ("--from", "--to")]
    quarters = [
        parse_day(name, vars(arguments)[name[2:].replace("-", "_")])
        for name in ("--from-quarter", "--to-quarter")
    ]
    asked = [any(days), any(quarters), arguments.all]
    if sum(map(bool, asked)) != 1:
        asks = "Say one thing at a time to backfill" if any(asked) else "Say what to backfill"
        raise IntentMapError(
            f"{asks}: days of arrival (--from DATE, --to DATE), quarters "
            "(--from-quarter DATE, --to-quarter DATE), or the whole history (--all)."
        )
    from orchestration.runs import run_backfill, run_quarters, run_rebuild

    started = time.monotonic()
    if arguments.all:
        run_rebuild(settings)
    elif any(days):
        # one of the two alone is that one day
        run_backfill(settings, days[0] or days[1], days[1] or days[0])
    else:
        run_quarters(settings, quarters[0] or quarters[1], quarters[1] or quarters[0])
    _say_where(settings, started)


def parse_day(option: str, text: str | None) -> date | None:
    """The date that an option names; raises IntentMapError when it is none."""
    from orchestration.policy import parse_iso_date

    day = parse_iso_date(text)
    if text is not None and day is None:
        raise IntentMapError(f"{option} is '{text}'; write a date such as 2026-07-01.")
    return day


def _restatement_reason(arguments: argparse.Namespace) -> str | None:
    """What --why says, None without --restate; raises IntentMapError on one without the other."""
    if not arguments.restate:
        if arguments.why is not None:
            raise IntentMapError("--why is the reason for a restatement; add --restate to do it.")
        return None
    from orchestration.restatement import checked_reason

    if arguments.as_of is None:
        raise IntentMapError(
            "--restate needs the version that it replaces: --as-of and the first day of its "
            "quarter, such as 2026-07-01."
        )
    return checked_reason(arguments.why)


def _publish(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.dashboard import write_dashboard
    from orchestration.locking import writer_lock
    from orchestration.publishing import publish

    started = time.monotonic()
    with writer_lock(settings, what="publishing"):
        publish(settings, run_id=f"command-line-{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
        write_dashboard(settings)
    _say_where(settings, started)


def _dashboard(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.dashboard import write_dashboard

    write_dashboard(settings)


def _demo(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.demo import demo_settings, run_demo

    settings = demo_settings(settings, os.environ.get("INTENT_MAP_HOME"))
    prepare_home(settings)
    run_demo(settings, _shop(arguments))


def _shop(arguments: argparse.Namespace) -> "Shop":
    from orchestration.demo import DAYS, SEED, VISITORS, Shop, yesterday

    def given(name: str, default: int) -> int:
        value = getattr(arguments, name)
        return default if value is None else value

    return Shop(
        end_date=yesterday(),
        days=given("days", DAYS),
        visitors=given("visitors", VISITORS),
        seed=given("seed", SEED),
    )


def _report(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.report import print_report

    print_report(settings)


def _erase_user(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.erasure import erase_users

    erase_users(settings, _path("FILE", arguments.file))


def _retention(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.retention import apply_retention, give_up_retired_rows

    if arguments.give_up:
        give_up_retired_rows(settings)
    else:
        apply_retention(settings, dry_run=arguments.dry_run)


def _backup(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.backup import back_up

    back_up(settings, _path("DEST", arguments.folder))


def _restore(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.backup import restore

    restore(settings, _path("SRC", arguments.folder), force=arguments.force)


def _path(argument: str, text: str) -> Path:
    """The path that an argument names; raises IntentMapError when it names none, which Path would
    take for the working folder."""
    if not text.strip():
        raise IntentMapError(f"{argument} is empty, as an unset variable is; name a path.")
    return Path(text)


def _status(settings: Settings, arguments: argparse.Namespace) -> int:
    from orchestration import health

    findings = health.look(settings)
    for line in health.as_table(findings):
        print(line)
    return FAILED if health.worst(findings) == health.ERROR else 0


def _check(settings: Settings, arguments: argparse.Namespace) -> None:
    from orchestration.fingerprint import foreseen
    from orchestration.retention import refuse_to_build_anew

    print(f"The settings, the policy and the business files in {settings.seeds} are in order.")
    try:
        why = foreseen(settings)
    except IntentMapError as error:
        # such as beside a run, which is no fault of what was checked
        print(error)
        return
    if why:
        refuse_to_build_anew(settings, why)
        print(why)


def _say_where(settings: Settings, started: float) -> None:
    from orchestration.report import published_places

    print(f"Done in {time.monotonic() - started:.0f} s. Published:")
    for line in published_places(settings):
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="intent-map",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=20),
        description="What each micro-conversion is worth, in money.",
        epilog="INTENT_MAP_HOME names the folder of all state, INTENT_MAP_SEEDS the folder of the "
        "business files, INTENT_MAP_VARS (JSON) overrides policy vars for one run.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.add_arguments(commands.add_parser(name, help=command.help))
    return parser


def _complain(sentence: str) -> None:
    # what is wrong is often shown, and may be what a terminal takes for an order
    print(harmless(sentence), file=sys.stderr)


def _log_traceback(settings: Settings | None) -> Path:
    """Append the traceback to the home's log, or to a new file when the home cannot take it."""
    text = f"{datetime.now(UTC).isoformat(timespec='seconds')}\n{traceback.format_exc()}\n"
    if settings is not None:
        with suppress(OSError):
            log = settings.home / "logs" / "error.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(text)
            return log
    handle, name = tempfile.mkstemp(prefix="intent-map-", suffix=".log", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _simulation_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--days", type=int, help="days of history up to yesterday (200)")
    parser.add_argument("--visitors", type=int, help="people who come to the shop (28000)")
    parser.add_argument("--seed", type=int, help="another number, another shop (7)")


def _as_of_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as-of",
        metavar="DATE",
        help="first day of the quarter whose values to calculate (default: the current quarter)",
    )


def _backfill_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        metavar="DATE",
        help="first day on which the files arrived (default: that of --to)",
    )
    parser.add_argument("--to", metavar="DATE", help="last such day (default: that of --from)")
    parser.add_argument("--from-quarter", metavar="DATE", help="first day of the first quarter")
    parser.add_argument("--to-quarter", metavar="DATE", help="of the last (default: the same)")
    parser.add_argument(
        "--all", action="store_true", help="every row from raw, every version that is missing"
    )


def _quarterly_arguments(parser: argparse.ArgumentParser) -> None:
    _as_of_argument(parser)
    parser.add_argument(
        "--restate",
        action="store_true",
        help="write a version that is there once more under today's rules, beside its old rows",
    )
    parser.add_argument("--why", metavar="TEXT", help="reason for the restatement; it is kept")


def _source_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", choices=LANDING_SOURCES, help="only this landing folder")


def _ids_file_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="ids, one a line, or CSV with kind (user, visitor) and id"
    )


def _retention_arguments(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--dry-run", action="store_true", help="only say what would go")
    either.add_argument(
        "--give-up", action="store_true", help="let the next night build anew without retired rows"
    )


def _backup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DEST", help="a folder that is not there yet")


def _restore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="SRC", help="the folder of a backup")
    parser.add_argument(
        "--force", action="store_true", help="also over a warehouse, which is kept aside"
    )


COMMANDS = {
    "demo": Command(
        "a simulated shop, from raw files to published values, in its own home",
        _demo,
        _simulation_arguments,
        writes=False,
    ),
    "nightly": Command("land new files, refresh all tables, publish", _nightly),
    "quarterly": Command(
        "recalculate the values, refresh, publish", _quarterly, _quarterly_arguments
    ),
    "backfill": Command(
        "land and build missed days, past quarters, or the whole history",
        _backfill,
        _backfill_arguments,
    ),
    "land": Command("only turn files into raw tables", _land, _source_argument),
    "publish": Command("only publish the marts as they are", _publish),
    "dashboard": Command("only write the page over what is published", _dashboard),
    "report": Command("print what is published", _report, writes=False),
    "erase-user": Command(
        "take people out of everything the home holds", _erase_user, _ids_file_argument
    ),
    "retention": Command(
        "take out raw rows that are older than policy keeps them", _retention, _retention_arguments
    ),
    "backup": Command(
        "copy all that cannot be had again to a new folder", _backup, _backup_arguments
    ),
    "restore": Command("put a backup in place and publish", _restore, _restore_arguments),
    "status": Command(
        "health at a glance; ends with 1 when something is broken", _status, writes=False
    ),
    "check": Command("check settings, policy and business files", _check, writes=False),
    "simulate": Command(
        "only write the files of the simulated shop", _simulate, _simulation_arguments, writes=False
    ),
}
