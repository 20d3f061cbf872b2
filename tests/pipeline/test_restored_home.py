"""A home put back from its backup goes on like one that nothing ever happened to."""

import shutil
from pathlib import Path

import pytest
from pipeline.killed import Prints, Run, Shop, build_shop, put_back, state_of, unequal


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """With a version, published, and files that wait for the next night."""
    return build_shop(tmp_path_factory.mktemp("shop"))


def done(home: Path, *command: str) -> list[str]:
    run = Run(home, command)
    assert run.wait() == 0, "\n".join(run.lines)
    return run.lines


def next_night_and_quarter(home: Path) -> tuple[Prints, Prints]:
    done(home, "nightly")
    after_night = state_of(home)
    done(home, "quarterly", "--as-of", "2025-07-01")
    return after_night, state_of(home)


@pytest.mark.deep
def test_the_night_and_the_quarter_after_a_restore_are_those_of_a_home_never_restored(
    shop: Shop, tmp_path: Path
) -> None:
    put_back(shop.base, shop.home)
    published = state_of(shop.home)
    done(shop.home, "backup", str(tmp_path / "backup"))
    never_restored = next_night_and_quarter(shop.home)

    shutil.rmtree(shop.home)
    done(shop.home, "restore", str(tmp_path / "backup"))
    assert unequal(published, state_of(shop.home)) == []
    # a backup has no landing files: those landed before lie there again, and others wait
    shutil.copytree(shop.base / "landing", shop.home / "landing", dirs_exist_ok=True)
    for ours, theirs in zip(next_night_and_quarter(shop.home), never_restored, strict=True):
        assert unequal(ours, theirs) == []
