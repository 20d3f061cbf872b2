"""Settings come from the environment alone, every path from the home, and nothing is guessed."""

from pathlib import Path

import pytest

from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT, load_settings


def settings_of(**environ):
    return load_settings(environ)


def test_without_any_variable_the_home_is_in_the_repository():
    settings = settings_of()
    assert settings.home == PROJECT_ROOT / "home"
    assert settings.seeds == PROJECT_ROOT / "seeds"
    assert settings.dbt_vars == {}
    assert settings.hash_key is None


def test_empty_variable_counts_as_unset():
    assert settings_of(INTENT_MAP_HOME="", INTENT_MAP_VARS="") == settings_of()


def test_every_path_derives_from_the_home(tmp_path):
    home = tmp_path / "ein heim mit ümlaut"
    settings = settings_of(INTENT_MAP_HOME=str(home))
    for path in (
        settings.landing,
        settings.warehouse,
        settings.serving,
        settings.dagster_home,
        settings.dbt_target_path,
        settings.dbt_log_path,
    ):
        assert path.is_relative_to(home)


def test_relative_home_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert settings_of(INTENT_MAP_HOME="a/../b").home == tmp_path / "b"


def test_home_may_start_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings_of(INTENT_MAP_HOME="~/data").home == tmp_path / "data"


def test_loading_creates_nothing(tmp_path):
    settings_of(INTENT_MAP_HOME=str(tmp_path / "home"))
    assert list(tmp_path.iterdir()) == []


def test_vars_are_read_as_json():
    assert settings_of(INTENT_MAP_VARS='{"horizon_days": 7}').dbt_vars == {"horizon_days": 7}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INTENT_MAP_TARGET", "prod", "INTENT_MAP_TARGET is 'prod'; known targets are: duckdb"),
        ("INTENT_MAP_SEEDS", "/no/such/folder", "INTENT_MAP_SEEDS is '/no/such/folder', which is"),
        ("INTENT_MAP_SEEDS", "~nobody-of-that-name/x", "INTENT_MAP_SEEDS is '~nobody-of-that-name"),
        ("INTENT_MAP_HOME", "~nobody-of-that-name/x", "INTENT_MAP_HOME is '~nobody-of-that-name"),
        (
            "INTENT_MAP_HOME",
            "/country=de/x",
            "INTENT_MAP_HOME is '/country=de/x', and the name 'co",
        ),
        ("INTENT_MAP_HOME", "/x/why?", "INTENT_MAP_HOME is '/x/why?', and the name 'why?' in it"),
        ("INTENT_MAP_HOME", "/home #1", "INTENT_MAP_HOME is '/home #1', and the name 'home #1'"),
        ("INTENT_MAP_HOME", "/my%20home", "INTENT_MAP_HOME is '/my%20home', and the name 'my%20"),
        ("INTENT_MAP_HOME", "/a\\b", "INTENT_MAP_HOME is '/a\\b', and the name 'a\\b' in it"),
        (
            "INTENT_MAP_HOME",
            f"{__file__}/x",
            f"INTENT_MAP_HOME is '{__file__}/x', but '{__file__}' is a file where a folder must be",
        ),
        (
            "INTENT_MAP_VARS",
            '{"horizon_days": 7, "horizon_days": 14}',
            "INTENT_MAP_VARS names 'horizon_days' twice",
        ),
        ("DAGSTER_HOME", "/no/such/folder", "DAGSTER_HOME is '/no/such/folder'; it must be the"),
        ("DAGSTER_HOME", "deploy/dagster", "DAGSTER_HOME is 'deploy/dagster'; it must be the"),
        ("DBT_LOG_LEVEL_FILE", "verbose", "DBT_LOG_LEVEL_FILE is 'verbose'; write it like debug"),
        ("INTENT_MAP_VARS", "horizon_days=7", "INTENT_MAP_VARS is not valid JSON"),
        ("INTENT_MAP_VARS", "[" * 100_000, "INTENT_MAP_VARS is nested too deep to be read."),
        ("INTENT_MAP_VARS", "7" * 5000, "INTENT_MAP_VARS is not valid JSON: Exceeds the limit"),
        ("INTENT_MAP_VARS", "[7]", "INTENT_MAP_VARS must be a JSON object"),
        ("INTENT_MAP_THREADS", "0", "INTENT_MAP_THREADS is '0'; write it like 2."),
        ("INTENT_MAP_THREADS", "two", "INTENT_MAP_THREADS is 'two'"),
        (
            "INTENT_MAP_MEMORY_LIMIT",
            "0GB",
            "INTENT_MAP_MEMORY_LIMIT is '0GB'; write it like 4GB or",
        ),
        ("INTENT_MAP_MEMORY_LIMIT", "0.0%", "INTENT_MAP_MEMORY_LIMIT is '0.0%'; write it like"),
        ("INTENT_MAP_MEMORY_LIMIT", "150%", "INTENT_MAP_MEMORY_LIMIT is '150%'; write it like"),
        ("INTENT_MAP_MEMORY_LIMIT", "1KB", "INTENT_MAP_MEMORY_LIMIT is '1KB', and no run comes to"),
        ("INTENT_MAP_MEMORY_LIMIT", "31 mb", "INTENT_MAP_MEMORY_LIMIT is '31 mb', and no run"),
        ("INTENT_MAP_MEMORY_LIMIT", "30MiB", "INTENT_MAP_MEMORY_LIMIT is '30MiB', and no run"),
        ("INTENT_MAP_MEMORY_LIMIT", "0.03GB", "INTENT_MAP_MEMORY_LIMIT is '0.03GB', and no run"),
        ("INTENT_MAP_MEMORY_LIMIT", "0.9 %", "INTENT_MAP_MEMORY_LIMIT is '0.9 %', and no run"),
        ("INTENT_MAP_MEMORY_LIMIT", "4", "INTENT_MAP_MEMORY_LIMIT is '4'; write it like 4GB or"),
    ],
)
def test_impossible_setting_is_refused_by_name(name, value, said):
    with pytest.raises(IntentMapError) as caught:
        load_settings({name: value})
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INTENT_MAP_HOME", "/a 'home' [of] 100% & *"),
        ("INTENT_MAP_THREADS", "8"),
        ("INTENT_MAP_MEMORY_LIMIT", "1.5GB"),
        ("INTENT_MAP_MEMORY_LIMIT", "80%"),
        ("INTENT_MAP_MEMORY_LIMIT", "100%"),
        ("INTENT_MAP_MEMORY_LIMIT", "4gb"),
        ("INTENT_MAP_MEMORY_LIMIT", "512 MiB"),
        ("INTENT_MAP_MEMORY_LIMIT", "32MB"),
        ("INTENT_MAP_MEMORY_LIMIT", "31mib"),
        ("INTENT_MAP_MEMORY_LIMIT", "0.001TiB"),
        ("INTENT_MAP_MEMORY_LIMIT", "1%"),
        ("DAGSTER_HOME", str(PROJECT_ROOT / "deploy" / "dagster")),
        ("DBT_LOG_LEVEL_FILE", "debug"),
    ],
)
def test_possible_setting_passes(name, value):
    load_settings({name: value})


def test_a_place_that_may_not_be_looked_at_is_named_and_a_home_there_is_left_to_who_writes(
    monkeypatch, tmp_path
):
    def refuse(path, **options):
        raise PermissionError(13, "Permission denied")

    seeds = tmp_path / "seeds"
    seeds.mkdir()
    monkeypatch.setattr(Path, "stat", refuse)
    with pytest.raises(
        IntentMapError, match=r"INTENT_MAP_SEEDS is '.*/seeds', which is not a folder"
    ):
        settings_of(INTENT_MAP_SEEDS=str(seeds), INTENT_MAP_HOME=str(tmp_path / "home"))
    monkeypatch.undo()
    stat = Path.stat
    monkeypatch.setattr(
        Path,
        "stat",
        lambda path, **options: (refuse if path.name == "home" else stat)(path, **options),
    )
    settings_of(INTENT_MAP_HOME=str(tmp_path / "home"))
