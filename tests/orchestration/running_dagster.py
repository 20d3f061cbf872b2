"""`dagster dev`, or the services of deploy/, as processes that can be asked and killed.

Belongs here: starting them over a home, GraphQL as the UI sends it, ending them. Does not belong
here: what a run should come to (the tests).
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.settings import PROJECT_ROOT

START_SECONDS = 240
ENDED = ("SUCCESS", "FAILURE", "CANCELED")

LAUNCH = """
    mutation ($job: String!, $config: RunConfigData) {
      launchRun(executionParams: {
        selector: {
          repositoryLocationName: "intent_map", repositoryName: "__repository__", jobName: $job
        },
        runConfigData: $config
      }) {
        __typename
        ... on LaunchRunSuccess { run { runId } }
        ... on RunConfigValidationInvalid { errors { message } }
        ... on PythonError { message }
      }
    }
"""
LOCATIONS = """
    query { repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }
"""
STATUS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
RUNS = """
    query ($job: String!) {
      runsOrError(filter: { pipelineName: $job }) {
        ... on Runs { results { runId status tags { key value } } }
      }
    }
"""
EVENTS = """
    query ($run: ID!) {
      logsForRun(runId: $run) {
        ... on EventConnection {
          events {
            __typename
            ... on MessageEvent { message }
            ... on ExecutionStepFailureEvent {
              error { message }
              failureMetadata { description }
            }
          }
        }
      }
    }
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class RunningDagster:
    """A `dagster dev` over one home, in a process group of its own. variables: those of the
    environment that it gets besides the machine's."""

    def __init__(self, home: Path, log: Path, **variables: str) -> None:
        self.port, self.log = free_port(), log
        self.address = f"http://127.0.0.1:{self.port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INTENT_", "DAGSTER"))}
        ours = {"INTENT_MAP_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT)}
        self._environment = kept | ours | variables
        self._began = time.monotonic()
        self.process = self._start()

    def _start(self) -> subprocess.Popen:
        """Start the processes; returns the one whose group they are in."""
        return self._run([sys.executable, "-m", "dagster", "dev", "--port", str(self.port)])

    def _run(self, command: list[str], group: int = 0) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env=self._environment,
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
            process_group=group,
        )

    def wait(self) -> float:
        """Until it answers; returns the seconds since its start."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.address}/server_info", timeout=5):
                    return time.monotonic() - self._began
            except OSError:
                time.sleep(0.3)
        raise AssertionError(f"no answer in {START_SECONDS} s: {self.log.read_text()}")

    def wait_for_code(self) -> None:
        """Until the web page knows the jobs, which it may not at once."""
        deadline = time.monotonic() + START_SECONDS
        while not self.ask(LOCATIONS)["repositoriesOrError"].get("nodes"):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(1)

    def ask(self, query: str, **variables: Any) -> Mapping[str, Any]:
        """The data that GraphQL answers with."""
        request = urllib.request.Request(
            f"{self.address}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                said = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        assert not said.get("errors"), said["errors"]
        return said["data"]

    def launch(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Start a job with this run configuration, as the Launchpad does; returns the run's id."""
        # the code server may still be loading
        said = self.ask(LAUNCH, job=job, config=json.dumps(config or {}))["launchRun"]
        assert said["__typename"] == "LaunchRunSuccess", said
        return said["run"]["runId"]

    def refusal(self, job: str, config: Mapping[str, Any]) -> str:
        """What is said of a run configuration with which no run is started."""
        said = self.ask(LAUNCH, job=job, config=json.dumps(config))["launchRun"]
        assert said["__typename"] == "RunConfigValidationInvalid", said
        return " ".join(error["message"] for error in said["errors"])

    def status(self, run: str) -> str:
        return self.ask(STATUS, run=run)["runOrError"]["status"]

    def wait_for(self, run: str, wanted: tuple[str, ...] = ENDED, seconds: float = 400) -> str:
        """The run's state once it is one of these."""
        deadline = time.monotonic() + seconds
        while (status := self.status(run)) not in wanted:
            assert time.monotonic() < deadline, f"{status} after {seconds} s:\n{self.said(run)}"
            time.sleep(0.3)
        return status

    def runs(self, job: str) -> list[Mapping[str, Any]]:
        """The runs of a job, newest first: runId, status, tags as name → value."""
        found = self.ask(RUNS, job=job)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]

    def worker(self, run: str) -> int:
        """The process id of a run that has begun."""
        return int(re.search(r"Started process for run \(pid: (\d+)\)", self.said(run))[1])

    def events(self, run: str) -> list[Mapping[str, Any]]:
        return self.ask(EVENTS, run=run)["logsForRun"]["events"]

    def said(self, run: str) -> str:
        """All messages of a run."""
        return "\n".join(str(event.get("message")) for event in self.events(run))

    def reason(self, run: str) -> str:
        """What a failed run says first of all, to whoever looks at it in the UI."""
        for event in self.events(run):
            if event["__typename"] == "ExecutionStepFailureEvent":
                said = event["failureMetadata"] or event["error"]
                return said.get("description") or said["message"]
        return ""

    def processes(self) -> dict[int, str]:
        """Each process of its group that lives → the words it was started with."""
        found = {}
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(folder.name)
                words = (folder / "cmdline").read_bytes().decode(errors="replace")
                # one that has ended and waits for its parent has none
                if words and os.getpgid(pid) == self.process.pid:
                    found[pid] = words.replace("\0", " ")
        return found

    def kill(self) -> None:
        """All of it at once, as when the machine goes down."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        while self.processes():
            time.sleep(0.05)

    def end(self) -> None:
        # it starts others, which outlive it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=20)
        self.kill()


class Services(RunningDagster):
    """The three services, started all at once as systemd does at boot, each by the words of its
    unit. Beside the log lies a copy of deploy/dagster with a port of its own."""

    UNITS = PROJECT_ROOT / "deploy" / "systemd"

    def _start(self) -> subprocess.Popen:
        port, instance = str(free_port()), self.log.with_suffix(".instance")
        shutil.copytree(PROJECT_ROOT / "deploy" / "dagster", instance, dirs_exist_ok=True)
        workspace = instance / "workspace.yaml"
        told = workspace.read_text(encoding="utf-8").replace("port: 4000", f"port: {port}")
        workspace.write_text(told, encoding="utf-8")
        self._environment["DAGSTER_HOME"] = str(instance)
        elsewhere = {
            "/opt/intent-map/.venv/bin/": f"{Path(sys.executable).parent}/",
            "/opt/intent-map/deploy/dagster": str(instance),
            "--port 4000": f"--port {port}",
            "--port 3000": f"--port {self.port}",
        }
        first = None
        for unit in ("code", "daemon", "web"):
            text = (self.UNITS / f"intent-map-{unit}.service").read_text(encoding="utf-8")
            command = re.search(r"^ExecStart=(.*)$", text, re.M)[1]
            for there, here in elsewhere.items():
                command = command.replace(there, here)
            process = self._run(command.split(), first.pid if first else 0)
            first = first or process
        return first
