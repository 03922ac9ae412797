"""Child processes: started apart, logged to a file, stopped within a bound, never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")

# Becomes the child, in the same process, after asking the kernel for SIGTERM at the parent's death (Linux's
# PR_SET_PDEATHSIG, number 1). A preexec_fn would do the same by running Python between fork and exec, which
# is not safe in a program with threads.
_BECOME: Final = """
import ctypes, os, signal, sys
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl:
    prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent ended first")
os.execv(sys.argv[2], sys.argv[2:])
"""

# The kernel takes the end of the *thread* that forked for the parent's death, so one thread forks them all
# and lives as long as the interpreter.
_forking: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forking")


class ProcessFailed(RuntimeError):
    """A child did not start, or ended by itself; the message has its log's path and last lines."""


class Child:
    """One child process, in a process group of its own.

    Its output is appended to `log`. Where the parent dies without a word (SIGKILL) the kernel sends the
    child a SIGTERM (Linux). `stop` sends SIGTERM, and SIGKILL after `stop_within_s` seconds.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        ready_url: str | None = None,
        stop_within_s: float = 10.0,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self.ready_url = ready_url
        self.stop_within_s = stop_within_s
        self.wanted = False
        """True from start to stop or kill: a child that is wanted and not alive died by itself."""
        self._process: subprocess.Popen[bytes] | None = None
        self._spawning = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """What it ended with (negative: the signal), None while it runs or when never started."""
        return self._process.poll() if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it can be used now: its readiness URL answers 2xx, or simply that it lives."""
        return self.alive and (self.ready_url is None or answers(self.ready_url))

    def start(self) -> None:
        """Start it unless it runs already; returns at once."""
        with self._spawning:
            if not self.alive:
                self._process = _forking.submit(self._spawn).result()
            # Last: until it runs, one that was killed before must not look as if it had died by itself.
            self.wanted = True

    def stop(self) -> None:
        """End it in order: SIGTERM, and SIGKILL once `stop_within_s` is over."""
        self.ask_to_stop()
        if self._process is not None:
            try:
                self._process.wait(self.stop_within_s)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask_to_stop(self) -> None:
        """Send SIGTERM without waiting, so that several can end at the same time."""
        with self._spawning:
            self.wanted = False
            if self.alive:
                self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a crash would be; returns once it is gone."""
        with self._spawning:
            self.wanted = False
            if self._process is not None:
                self._signal(signal.SIGKILL)
                self._process.wait()

    def wait_until(self, ready: Callable[[], bool], within_s: float) -> None:
        """Wait for a condition that says this child can be used.

        Raises ProcessFailed when the child ends first or the time is over; the child is ended then.
        """
        deadline = time.monotonic() + within_s
        while not ready():
            if not self.alive:
                self.wanted = False
                raise ProcessFailed(self.failure(f"{self.name} ended with {self.exit_code} while starting"))
            if time.monotonic() > deadline:
                self.stop()
                raise ProcessFailed(self.failure(f"{self.name} was not ready within {within_s:.0f} s"))
            time.sleep(0.05)

    def failure(self, what: str) -> str:
        """A message for people: what happened, where the log is, and its last lines."""
        return f"{what}; its log {self.log} ends with:\n{self.tail()}"

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 64 * 1024))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(there is no log)"

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                # A Ctrl-C in the terminal goes to the whole foreground group: the parent must be the only
                # one to hear it, or the order of stopping is lost.
                process_group=0,
            )

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """Whether a GET on the URL is answered with 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as response:
            return 200 <= int(response.status) < 300
    except (OSError, urllib.error.URLError, ValueError):
        return False


def completed(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own, whether or not this thread has one running."""
    with ThreadPoolExecutor(max_workers=1) as apart:
        return apart.submit(asyncio.run, coroutine).result()


def is_free(port: int) -> bool:
    """Whether one could listen on 127.0.0.1 at this port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on.

    Below the range the kernel takes for outgoing connections, so that none of those takes it before its
    server starts, or while its server is restarted.
    """
    for _ in range(1000):
        port = random.randrange(15_000, 32_000)
        if is_free(port):
            return port
    raise OSError("no free port between 15000 and 32000 on 127.0.0.1")


def started_at(pid: int) -> int | None:
    """When the process started, in the kernel's ticks since boot; None when there is no such process.

    With the pid this names one process for good: a pid alone is used again.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks = fields[0], fields[19]
    return None if state in "ZX" else int(ticks)
