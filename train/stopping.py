"""SIGTERM and SIGUSR1 (what Slurm sends before it takes a machine away): the step ends, the state is written, we go.

Slurm and torchrun send the signal to every process of a run. Where Lightning starts the processes, the first one passes
it on to the others.
"""

import os
import signal
import subprocess
import sys
import threading

STATUS = 128 + signal.SIGTERM  # what the command leaves with after it was asked to stop: 143
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
_SECONDS_TO_LEAVE = 20


class Stopped(Exception):
    """The run was asked to stop and has written what it could."""


class StopSignals:
    """What this process has heard.

    Attributes:
        heard: whether it was asked to stop.
        waits_for_step: while True a signal is only noted, and the training loop looks at `heard` between its steps;
            else it ends the work at once by raising `Stopped`.
        children: processes that this one has started and that train with it.
        rank: number of this process among all.
        has_parent: whether another process of the run has started this one and watches it.
    """

    def __init__(self) -> None:
        self._heard_before: dict[int, object] = {}  # signal -> who listened before the run
        self._reset()

    def _reset(self) -> None:
        self.heard, self.waits_for_step = False, False
        self.children: list[subprocess.Popen] = []
        self.rank, self.has_parent = 0, False

    def begin(self) -> None:
        """A new run, which hears the signals from now on."""
        self._reset()
        self._heard_before = {number: signal.getsignal(number) for number in _SIGNALS}
        self.listen()

    def end(self) -> None:
        """Whoever listened before the run listens again."""
        for number, handler in self._heard_before.items():
            _listen_by(handler, number)
        self._heard_before = {}
        self._reset()

    def listen(self) -> None:
        """From now on, in place of whoever listened before."""
        for number in _SIGNALS:
            _listen_by(self._hear, number)

    def stop_if_heard(self) -> None:
        """Raises Stopped where a signal came while nobody looked."""
        if self.heard:
            raise Stopped

    def _hear(self, number: int, frame: object) -> None:
        dead = [child for child in self.children if child.poll() not in (None, 0)]
        if dead:  # Lightning's observer asks us to go when one of them is gone; nobody can wait for it any more
            self._leave_without(dead[0])
        if self.heard:
            return
        self.heard = True
        for child in self.children:
            child.send_signal(number)
        if not self.waits_for_step:
            raise Stopped

    def _leave_without(self, dead: subprocess.Popen) -> None:
        print(f"error: training process {dead.pid} ended with status {dead.returncode} (what it said is above); the "
              "same command with --resume goes on after the last checkpoint", file=sys.stderr, flush=True)
        self.end_children()
        os._exit(1)

    def end_children(self) -> None:
        """Kill those that are still there: they may be waiting for this process."""
        for child in self.children:
            if child.poll() is None:
                child.kill()

    def leave(self, message: str | None, status: int, shared: bool = False) -> int:
        """Say why the run ends; the status that this process leaves with.

        Args:
            message: None where another process says it.
            shared: every process leaves for the same reason, so that one message is enough.
        """
        children, self.children = self.children, []  # what becomes of them is no news any more
        if children:  # nor to Lightning's observer of them, who would end this process
            self._heard_before = {}
            _listen_by(signal.SIG_IGN, signal.SIGTERM)
        if message is not None and (self.rank == 0 or not shared):
            print(message if self.rank == 0 else f"process {self.rank}: {message}", file=sys.stderr, flush=True)
        for child in children:
            try:
                child.wait(_SECONDS_TO_LEAVE if shared else 0)
            except subprocess.TimeoutExpired:
                child.kill()
        quiet = self.has_parent and (shared or message is None)
        return 0 if quiet else status  # else the parent would take it for a crash


def _listen_by(handler: object, number: int) -> None:
    if threading.current_thread() is threading.main_thread():  # no other thread may
        signal.signal(number, handler)


STOP = StopSignals()  # signals belong to the process, so there is one


def ignore_in_worker(worker_number: int) -> None:
    """For data loading processes: the signal reaches them too, but the training process still needs their batches."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
