"""A PostgreSQL of its own for the tests that need one; where none is installed they skip.

Belongs here: starting, asking and stopping the server. Does not belong here: what runs on it.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

# PostgreSQL refuses to run as root
SERVER_USER = "postgres"
PASSWORD = "it's a secret"


@dataclass(frozen=True)
class Server:
    """A running server. variables: those by which its clients find it."""

    variables: dict[str, str]

    def query(self, sql: str) -> list[tuple]:
        import psycopg2

        there = self.variables
        with contextlib.closing(
            psycopg2.connect(
                host=there["PGHOST"],
                port=there["PGPORT"],
                user=there["PGUSER"],
                password=there["PGPASSWORD"],
                dbname=there["PGDATABASE"],
            )
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return cursor.fetchall()

    def wait(self) -> None:
        """Until it answers, at most a minute."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.query("select 1")
                return
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)


def program(name: str) -> str | None:
    """A program of PostgreSQL; Debian keeps them out of the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A fresh PostgreSQL on a free port of this machine."""
    pytest.importorskip("dagster_postgres", reason="the extra postgres is not installed")
    if program("initdb") is None or program("postgres") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    as_user: dict[str, str | int] = {}
    folder = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:
        as_user = {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []}
        shutil.chown(folder, SERVER_USER)
        # pytest keeps its folders to itself
        for parent in folder.parents:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    data, password = folder / "data", folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)
    subprocess.run(
        [
            *(program("initdb"), "-D", data, "-U", "intent_map", "-A", "scram-sha-256"),
            *("--no-sync", "--pwfile", password),
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **as_user,
    )
    server = Server(
        {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "intent_map",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "postgres",
        }
    )
    try:
        server.wait()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
