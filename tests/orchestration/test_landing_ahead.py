"""Reading large files through while a first run gets ready: landing makes the same of them."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_landing_home import Home

from orchestration.landing import ahead, kept, looking_ahead
from orchestration.landing import warehouse as landing_warehouse

# texts that compress badly, so that a file is large with few rows
LARGE = (
    "select 'v' || n as visitor_id, timestamp '2026-01-05 10:00:00' + to_seconds(n) as "
    "occurred_at, 'page_view' as event_name, '{}' as source, "
    "string_agg(cast(gen_random_uuid() as varchar), '') as campaign "
    "from range(300) as t(n), range(1500) group by n"
)
LOADS = "source, file_name, row_count, status, kept_is_clean, content_hash, file_mark"


def home_with_files(folder: Path, *sources: str) -> Home:
    home = Home(folder)
    for number, source in enumerate(sources):
        home.drop_parquet(f"generic/{number}.parquet", LARGE.format(source))
    assert all(
        path.stat().st_size >= kept.KEPT_FROM_BYTES for path in (folder / "landing").rglob("*.*")
    )
    return home


@contextmanager
def looked(home: Home) -> Iterator[ahead.Findings]:
    """Everything there is was looked at."""
    with looking_ahead(home.settings):
        look = ahead._look.get()
        look._process.wait(timeout=60)
        yield look.end()


def loads(home: Home) -> list[tuple]:
    return sorted(home.rows(f"select {LOADS} from raw.loads"))


def settled(home: Home) -> None:
    """A file that was written to just now is not known again by its times."""
    newest = max(path.stat().st_ctime for path in home.settings.landing.rglob("*.parquet"))
    time.sleep(max(0.0, newest + 3.1 - time.time()))


def test_what_was_looked_at_is_neither_hashed_nor_checked_again(tmp_path, monkeypatch):
    home = home_with_files(tmp_path / "home", "Shop", "")
    settled(home)
    with looked(home) as found:
        assert sorted(checked.is_clean for checked in found.checked.values()) == [False, True]
        assert [checked.rows for checked in found.checked.values()] == [300, 300]
        with monkeypatch.context() as patched:
            patched.setattr(ahead, "content_of", None)
            read = []
            patched.setattr(
                landing_warehouse.kept, "_read_through", lambda *_: read.append(1) or {}
            )
            assert home.land().rows == 600
            assert not read
    with_look = loads(home), home.events("visitor_id, source, length(campaign)")
    home.settings.warehouse.unlink()
    home.land()
    assert with_look == (loads(home), home.events("visitor_id, source, length(campaign)"))


def test_a_look_that_is_ended_early_hands_over_what_it_has(tmp_path):
    home = home_with_files(tmp_path / "home", "Shop", "Other")
    with looking_ahead(home.settings):
        look = ahead._look.get()
        assert home.land().rows == 600
    assert ahead._look.get() is None
    assert look._process.returncode == -signal.SIGKILL
    home = home_with_files(tmp_path / "cut_off", "Shop", "Other")
    with looking_ahead(home.settings):
        look = ahead._look.get()
        look._process.wait(timeout=60)
        look._said.truncate(look._said.seek(0, 2) - 2)
        found = look.end()
        assert [path.name for path in found.contents] == ["0.parquet"]
        assert home.land().rows == 600


def test_a_file_written_to_since_it_was_looked_at_is_read_anew(tmp_path):
    home = home_with_files(tmp_path / "home", "Shop")
    with looked(home) as found:
        ((before, _),) = found.checked.items()
        home.drop_parquet("generic/0.parquet", LARGE.format(""))
        assert home.land().rows == 300
    ((content, is_clean),) = home.rows("select content_hash, kept_is_clean from raw.loads")
    assert content != before
    assert is_clean is False


def test_a_damaged_file_is_set_aside_as_if_nobody_had_looked(tmp_path):
    home = home_with_files(tmp_path / "home", "Shop", "Other")
    damaged = home.settings.landing / "generic" / "1.parquet"
    content = bytearray(damaged.read_bytes())
    content[1000:9000] = bytes(8000)
    damaged.write_bytes(content)
    with looked(home) as found:
        assert [path.name for path in found.contents] == ["0.parquet"]
        result = home.land()
    assert result.rows == 300
    ((name, reason),) = result.sources["generic"].set_aside
    assert name == "1.parquet"
    assert "cannot be read" in reason


@pytest.mark.parametrize("what", ["later", "small"])
def test_only_a_first_landing_with_large_files_is_looked_ahead_of(tmp_path, what):
    home = Home(tmp_path / "home")
    if what == "later":
        home.land()
        home.drop_parquet("generic/0.parquet", LARGE.format("Shop"))
    else:
        home.drop_parquet("generic/0.parquet", LARGE.format("Shop") + " limit 2")
    with looking_ahead(home.settings):
        assert ahead._look.get() is None
        assert ahead.findings() == ahead.Findings()
