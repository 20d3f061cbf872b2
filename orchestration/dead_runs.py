"""Runs that Dagster takes for running although their process is gone.

Belongs here: finding them and marking them as failed. Does not belong here: repairing what they
left half done; the next run does that by itself.

A run that is killed, or whose machine restarts, cannot say that it ended. Dagster would count it
as running for ever, and with one run at a time nothing else would start.
"""

import json
import os
import socket
from pathlib import Path

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter

# set on runs that are started from the command line; others are started by a code server, or by
# Dagster's own commands, for which the first step sets it
HOST_TAG = "intent_map/host"
CODE_SERVER_TAG = ".dagster/grpc_info"

# between the moment a process starts and the moment it writes its first event
START_TOLERANCE_SECONDS = 120


# how the code server is reached that shares its machine with whoever asks it
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def close_dead_runs(instance: DagsterInstance, in_code_server: bool = False) -> list[str]:
    """Mark dead runs as failed and free what they held; returns their ids.

    Runs on other machines are left alone. in_code_server: the caller is the code server, so runs of
    one on a port of its own machine are its children. Nobody else can tell: in containers, the same
    address is another machine.
    """
    going_on = (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
    closed = []
    for run in instance.get_runs(RunsFilter(statuses=list(going_on))):
        process = _process(instance, run)
        if process is None or not _is_here(run, in_code_server) or _is_alive(*process):
            continue
        instance.report_run_failed(
            run,
            f"The process of this run (pid {process[0]}) is gone: it was killed, the machine was "
            "restarted, or no room was left to note how it ended. The next run repairs what it "
            "left half done.",
        )
        # a place in a pool with a limit is else taken for ever
        if instance.event_log_storage.supports_global_concurrency_limits:
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        closed.append(run.run_id)
    return closed


def note_machine(instance: DagsterInstance, run: DagsterRun) -> None:
    """Note on a run that is going on here which machine that is, where nobody has."""
    if HOST_TAG not in run.tags and CODE_SERVER_TAG not in run.tags:
        instance.add_run_tags(run.run_id, {HOST_TAG: socket.gethostname()})


def _process(instance: DagsterInstance, run: DagsterRun) -> tuple[int, float] | None:
    """The process id that the run named last, and when."""
    for entry in reversed(instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)):
        metadata = entry.get_dagster_event().engine_event_data.metadata
        if "pid" in metadata:
            return int(str(metadata["pid"].value)), entry.timestamp
    return None


def _is_here(run: DagsterRun, in_code_server: bool) -> bool:
    if HOST_TAG in run.tags:
        return run.tags[HOST_TAG] == socket.gethostname()
    server = json.loads(run.tags.get(CODE_SERVER_TAG, "{}"))
    # a code server on a socket is on this machine
    return "socket" in server or (in_code_server and server.get("host") in LOOPBACK)


def _is_alive(pid: int, seen_at: float) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    started_at = _start_of_process(pid)
    # the same number may have gone to another process since
    return started_at is None or started_at <= seen_at + START_TOLERANCE_SECONDS


def _start_of_process(pid: int) -> float | None:
    """When a process started, None where the system does not tell."""
    try:
        # after the name in parentheses, the start in clock ticks since boot is the 20th field
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text().splitlines()
            if line.startswith("btime")
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")
