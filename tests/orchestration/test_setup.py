"""`make setup` builds the environment once, mends an interrupted one, and says what is missing.

The Makefile runs in a folder with a blank and umlauts, against pretended Pythons that only write
down how they were called.
"""

import re
import shutil
import stat
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, metadata

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from orchestration.settings import PROJECT_ROOT

MAKE = shutil.which("make")
TOOLS = (
    "sh",
    "cat",
    "echo",
    "cmp",
    "head",
    "rm",
    "mv",
    "mkdir",
    "cp",
    "chmod",
    "sed",
    "find",
    "sleep",
)

# $0 of the copy in .venv says where it is; the log stands beside the Makefile
PRETENDED = """\
#!/bin/sh
echo "{name} $*" >> "$PRETENDED_LOG"
case "$*" in
  "-c import venv, ensurepip") exit {venv_status} ;;
  "-c import pip") exit 0 ;;
  "-c import sys; print"*) echo 3.11 ;;
  *version_info*) {version_answer} ;;
  "-c ") exit 0 ;;
  --version) echo "Python 3.11.9" ;;
  "-m venv --clear .venv")
    rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip"*) [ ! -e no-network ] ;;
  "-m compileall"*) [ ! -e not-compiled ] ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    if MAKE is None:
        pytest.skip("make is not installed here")
    folder = tmp_path / "mein räumliches projekt"
    (folder / "tools").mkdir(parents=True)
    for tool in TOOLS:
        (folder / "tools" / tool).symlink_to(shutil.which(tool))
    shutil.copy(PROJECT_ROOT / "Makefile", folder)
    (folder / "constraints.txt").write_text("one==1\n")
    (folder / "pyproject.toml").write_text("[project]\n")
    return folder


def add_python(checkout, name, *, is_new=True, has_venv=True, is_shim_without_python=False):
    path = checkout / "tools" / name
    answer = f'echo "{path}"' if is_new else "exit 1"
    text = PRETENDED.format(name=name, version_answer=answer, venv_status=0 if has_venv else 1)
    path.write_text("#!/bin/sh\nexit 127\n" if is_shim_without_python else text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def make(checkout, *arguments):
    environ = {
        "PATH": str(checkout / "tools"),
        "PRETENDED_LOG": str(checkout / "log"),
        "LC_ALL": "C.UTF-8",
        "HOME": str(checkout),
    }
    return subprocess.run(
        [MAKE, *arguments], cwd=checkout, env=environ, capture_output=True, text=True, timeout=60
    )


def log(checkout):
    path = checkout / "log"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def installs(checkout):
    return [line for line in log(checkout) if " install " in line]


def test_help_is_the_default_and_lists_every_target(checkout):
    done = make(checkout)
    listed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  make ")]
    assert listed == [
        "help", "setup", "demo", "dev", "nightly", "quarterly", "status", "test", "test-deep",
        "test-spark", "lint", "bench", "lock", "clean",
    ]  # fmt: skip
    assert all(len(line) <= 100 for line in done.stdout.splitlines())


def test_first_set_up_installs_the_lock_and_then_the_project(checkout):
    add_python(checkout, "python3.11")
    assert make(checkout, "setup").returncode == 0
    lock, project = installs(checkout)
    assert "--require-hashes --no-deps -r constraints.txt" in lock
    assert "--no-deps --no-build-isolation -e ." in project


def test_what_was_installed_is_compiled_before_the_set_up_counts_as_done(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    calls = log(checkout)
    (compiled,) = [number for number, call in enumerate(calls) if "-m compileall" in call]
    assert calls[compiled].endswith(" .venv/lib")
    assert all(number < compiled for number, call in enumerate(calls) if " install " in call)


def test_the_packages_that_the_project_is_measured_against_are_compiled_too():
    lines = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    (installed,) = [line for line in lines if "--require-hashes --no-deps -r bench/" in line]
    assert "--no-compile" not in installed


def test_a_package_with_a_file_that_does_not_compile_is_set_up_all_the_same(checkout):
    add_python(checkout, "python3.11")
    (checkout / "not-compiled").touch()
    assert make(checkout, "setup").returncode == 0
    log(checkout)
    make(checkout, "setup")
    assert installs(checkout) == []


def test_second_set_up_installs_nothing(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    log(checkout)
    again = make(checkout, "setup")
    assert again.returncode == 0
    assert again.stdout == ""
    assert installs(checkout) == []


@pytest.mark.parametrize("file", ["constraints.txt", "pyproject.toml"])
def test_changed_lock_or_project_file_is_installed_over_the_old(checkout, file):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    log(checkout)
    (checkout / file).write_text("changed\n")
    make(checkout, "setup")
    lines = log(checkout)
    assert sum(" install " in line for line in lines) == 2
    assert not any("-m venv" in line for line in lines)


def test_interrupted_set_up_is_started_afresh(checkout):
    add_python(checkout, "python3.11")
    (checkout / "no-network").touch()
    stopped = make(checkout, "setup")
    assert stopped.returncode != 0
    assert "error: pip could not install the packages" in stopped.stderr
    (checkout / "no-network").unlink()
    log(checkout)
    assert make(checkout, "setup").returncode == 0
    assert any("-m venv --clear .venv" in line for line in log(checkout))


def test_interrupted_upgrade_counts_as_none_also_when_the_lock_is_put_back(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    (checkout / "constraints.txt").write_text("one==2\n")
    (checkout / "no-network").touch()
    assert make(checkout, "setup").returncode != 0
    (checkout / "no-network").unlink()
    (checkout / "constraints.txt").write_text("one==1\n")
    log(checkout)
    make(checkout, "setup")
    assert len(installs(checkout)) == 2


def test_moved_checkout_is_set_up_anew(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    moved = checkout.rename(checkout.with_name("anderswo"))
    log(moved)
    add_python(moved, "python3.11")
    assert make(moved, "setup").returncode == 0
    assert any("-m venv --clear .venv" in line for line in log(moved))


def test_a_link_to_the_environment_of_another_clone_leaves_that_as_it_is(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    other = checkout.with_name("other")
    (checkout / ".venv").rename(other)
    (checkout / ".venv").symlink_to(other)
    stamp = other / "set-up-of"
    stamp.write_text(f"{other}\n{stamp.read_text()}")
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    log(checkout)
    refused = make(checkout, "lint")
    assert refused.returncode != 0
    assert "error: .venv is a link" in refused.stderr and "rm .venv" in refused.stderr
    assert {path: path.read_bytes() for path in other.rglob("*") if path.is_file()} == before
    assert not any("-m " in line for line in log(checkout))
    (checkout / ".venv").unlink()
    assert make(checkout, "setup").returncode == 0


def test_environment_whose_python_is_gone_is_made_anew(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    (checkout / ".venv" / "bin" / "python").unlink()
    log(checkout)
    assert make(checkout, "setup").returncode == 0
    assert any("-m venv --clear .venv" in line for line in log(checkout))


def test_older_python_and_a_shim_without_python_are_passed_over(checkout):
    add_python(checkout, "python3.13", is_shim_without_python=True)
    add_python(checkout, "python3.12", has_venv=False)
    add_python(checkout, "python3", is_new=False)
    add_python(checkout, "python")
    assert make(checkout, "setup").returncode == 0
    assert "python -m venv --clear .venv" in log(checkout)


def test_python_named_by_the_user_is_taken(checkout):
    add_python(checkout, "python3.13")
    add_python(checkout, "my own python")
    done = make(checkout, "setup", f"PYTHON={checkout / 'tools' / 'my own python'}")
    assert done.returncode == 0, done.stderr
    assert "my own python -m venv --clear .venv" in log(checkout)


def test_missing_python_is_said_in_a_sentence(checkout):
    add_python(checkout, "python3", is_new=False)
    done = make(checkout, "setup")
    assert done.returncode != 0
    assert "error: no Python 3.11, 3.12 or 3.13 was found" in done.stderr


def of_python(minor: int) -> dict[str, str]:
    return {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9"}


def test_a_python_that_the_project_takes_is_one_that_its_packages_take():
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lock = (PROJECT_ROOT / "constraints.txt").read_text("utf-8")
    taken = SpecifierSet(project["requires-python"])
    minors = [minor for minor in range(8, 40) if taken.contains(f"3.{minor}.0")]
    (of_make,) = re.findall(
        r"\(3, (\d+)\) <= sys.version_info < \(3, (\d+)\)", (PROJECT_ROOT / "Makefile").read_text()
    )
    assert minors == list(range(int(of_make[0]), int(of_make[1])))
    refused = []
    for line in re.findall(r"(?m)^([\w.-]+==[^\\\n]+)", lock):
        locked = Requirement(line)
        try:
            installed = metadata(locked.name)
        except PackageNotFoundError:
            # of another platform
            continue
        if not locked.specifier.contains(installed["Version"], prereleases=True):
            # of another Python
            continue
        wanted = SpecifierSet(installed.get("Requires-Python") or "")
        refused += [
            f"{locked.name} takes Python {wanted}, not 3.{minor}"
            for minor in minors
            if not wanted.contains(f"3.{minor}.9")
            and (locked.marker is None or locked.marker.evaluate(of_python(minor)))
        ]
    assert not refused


def test_missing_venv_module_is_said_with_the_package_that_brings_it(checkout):
    add_python(checkout, "python3", has_venv=False)
    done = make(checkout, "setup")
    assert done.returncode != 0
    assert "has no venv module. On Debian or Ubuntu: apt install python3.11-venv" in done.stderr


def test_several_targets_at_once_set_up_only_once(checkout):
    add_python(checkout, "python3.11")
    assert (
        make(checkout, "-j", "4", "setup", "nightly", "quarterly", "AS_OF=2026-07-01").returncode
        == 0
    )
    lines = log(checkout)
    assert sum(" install " in line for line in lines) == 2
    assert any("-m orchestration nightly" in line for line in lines)
    assert any("-m orchestration quarterly --as-of 2026-07-01" in line for line in lines)


def test_set_up_writes_only_into_the_environment(checkout):
    add_python(checkout, "python3.11")
    before = {path.name for path in checkout.iterdir()}
    make(checkout, "setup")
    assert {path.name for path in checkout.iterdir()} - before == {".venv", "log"}


def test_clean_keeps_the_homes(checkout):
    add_python(checkout, "python3.11")
    make(checkout, "setup")
    (checkout / "home" / "landing").mkdir(parents=True)
    (checkout / "orchestration" / "__pycache__").mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    assert (checkout / "home" / "landing").is_dir()
    assert not (checkout / ".venv").exists()
    assert not (checkout / "orchestration" / "__pycache__").exists()


def test_ci_runs_the_tests_and_the_lint():
    script = (PROJECT_ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert "\nmake test" in script and "\nmake lint" in script
