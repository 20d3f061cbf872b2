"""The whole command line on a disk that fills up, and in a home that it may not write any more.

The full disk is a small file system in memory, which only root can mount; where root runs this, it
gives up the capability to write where it has no right to.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pipeline.killed import (
    Run,
    Shop,
    Undisturbed,
    build_shop,
    check_served,
    environment,
    put_back,
    state_of,
    unequal,
)

from orchestration.settings import PROJECT_ROOT

NIGHTLY = ("nightly",)
MB = 1024 * 1024
# the share of what a night adds to the disk that is free when it begins
SHARES_FREE = (0.01, 0.3, 0.45, 0.6, 0.9)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def undisturbed(shop: Shop) -> Undisturbed:
    return shop.undisturbed(NIGHTLY)


@pytest.fixture
def small_disk(shop: Shop, undisturbed: Undisturbed) -> Iterator[Path]:
    """The home as it was before the night, on a file system of its own."""
    shutil.rmtree(shop.home)
    shop.home.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", shop.home],
        capture_output=True,
        check=False,
    )
    if not mounted or mounted.returncode:
        pytest.skip("this user may not mount a small file system, so none can be filled")
    yield shop.home
    subprocess.run(["umount", shop.home], check=True)


def fill(home: Path, leave: int) -> Path:
    """Take all room but so many bytes; returns the file that takes it."""
    filler = home / "filler"
    status = os.statvfs(home)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave)
    return filler


def empty(home: Path) -> None:
    for path in home.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.mark.deep
def test_a_night_on_a_full_disk_names_the_disk_and_the_next_makes_all_good(
    shop: Shop, undisturbed: Undisturbed, small_disk: Path
) -> None:
    shutil.copytree(shop.base, small_disk, symlinks=True, dirs_exist_ok=True)
    run = Run(small_disk, NIGHTLY)
    most = used(small_disk)
    before = most
    while run.process.poll() is None:
        most = max(most, used(small_disk))
    assert run.wait() == 0
    wrong, failed = [], 0
    for share in SHARES_FREE:
        empty(small_disk)
        shutil.copytree(shop.base, small_disk, symlinks=True, dirs_exist_ok=True)
        filler = fill(small_disk, int(share * (most - before)))
        run = Run(small_disk, NIGHTLY)
        status, said = run.wait(), run.lines
        check_served(small_disk / "serving")
        failed += status != 0
        print(f"{share:.0%} of {(most - before) / MB:.0f} MB free: {status}", said[-9:], flush=True)
        if status and not says_the_disk_is_full(said):
            wrong.append(f"{share}: {said[-8:]}")
        filler.unlink()
        again = Run(small_disk, NIGHTLY)
        if again.wait():
            wrong.append(f"{share}: the next night failed: {again.lines[-3:]}")
            continue
        differing = unequal(undisturbed.state, state_of(small_disk))
        if differing:
            wrong.append(f"{share}: {differing}")
    assert wrong == [], "\n".join(wrong)
    assert failed >= len(SHARES_FREE) - 2


def used(home: Path) -> int:
    status = os.statvfs(home)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def says_the_disk_is_full(said: Sequence[str]) -> bool:
    """In the sentence that the command ends with, without a traceback."""
    whole = " ".join(said)
    return "Traceback" not in whole and any(
        line.startswith("error: ") and ("is full" in line or "No space left" in line)
        for line in said
    )


def night_that_rights_hold_for(home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestration", *NIGHTLY]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip(
                "root may write everywhere, and setpriv, which keeps it from that, is missing"
            )
        held = "-dac_override,-dac_read_search"
        command = ["setpriv", "--bounding-set", held, "--inh-caps", held, *command]
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.deep
@pytest.mark.parametrize(
    "revoked",
    ["warehouse", "serving", "warehouse/intent_map.duckdb", "serving/parquet_versions", "dbt"],
)
def test_a_night_names_what_it_may_not_write_and_the_next_makes_all_good(
    shop: Shop, undisturbed: Undisturbed, revoked: str
) -> None:
    put_back(shop.base, shop.home)
    path = shop.home / revoked
    mode = path.stat().st_mode
    path.chmod(mode & ~0o222)
    refused = night_that_rights_hold_for(shop.home)
    path.chmod(mode)
    print(revoked, refused.stderr, flush=True)
    assert refused.returncode == 1, refused.stdout
    assert str(path) in refused.stderr
    assert "Traceback" not in refused.stderr + refused.stdout
    check_served(shop.home / "serving")
    again = night_that_rights_hold_for(shop.home)
    assert again.returncode == 0, again.stdout + again.stderr
    assert unequal(undisturbed.state, state_of(shop.home)) == []
