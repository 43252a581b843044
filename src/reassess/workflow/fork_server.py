"""A process that jobs are forked from, so that a grid pays for its imports once and not per job.

Importing torch, transformers, TRL and lm-eval takes longer than many jobs of the micro world.
`reassess run` starts this server beside Snakemake and puts its socket into the environment. A
`reassess job` that finds it there sends its arguments, folder, environment and output streams, and
waits for the exit code of the fork. Nothing else about the job changes: one process a job, its own
log, killed with its client. Without the variable, or when nobody listens, a job runs in its own
process.

What goes over the socket: the client's streams with the length of its request (8 bytes), then the
request (JSON). The fork answers with `ACCEPTED` as soon as it has all of it, and with the exit code
(4 bytes) at the end. In between the client sends a byte for each signal it receives.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from reassess.core import lifetime
from reassess.core.lifetime import below, kill_below, resume

VARIABLE = "REASSESS_SERVER"
FOLDER = "reassess-server-"  # the beginning of the name of the folder of a run's socket
JOB = "job"  # the command that is forked: `reassess job NAME`
STREAMS = 3  # standard input, output, error
FORWARDED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGHUP)
KILLED = 137  # what a shell reports for a process that was killed
ACCEPTED = b"+"
LONGEST = 2**26  # bytes of a request; the environment is most of it
REQUEST_SECONDS = 60.0  # in which a request must have arrived
FOLLOWING = 5.0  # seconds in which a fork ends by itself once its client has
HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def forward(arguments: Sequence[str]) -> int | None:
    """Run a job in a fork of the server; return its exit code, or None if none took it over."""
    address = os.environ.get(VARIABLE)
    if not address or not arguments or arguments[0] != JOB:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            _send(connection, arguments)
            if connection.recv(1) != ACCEPTED:
                return None
        except OSError:
            return None
        with _forwarding_signals(connection):
            answer = _received(connection, 4)
        # No answer: the fork was killed, for lack of memory perhaps.
        return struct.unpack("!i", answer)[0] if len(answer) == 4 else KILLED


def _send(connection: socket.socket, arguments: Sequence[str]) -> None:
    content = {
        "arguments": list(arguments),
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
    }
    request = json.dumps(content).encode()
    socket.send_fds(connection, [struct.pack("!Q", len(request))], list(range(STREAMS)))
    connection.sendall(request)


def _received(connection: socket.socket, length: int) -> bytes:
    """That many bytes; fewer if the other side ends before."""
    content = bytearray()
    with suppress(ConnectionError):
        while len(content) < length and (part := connection.recv(length - len(content))):
            content += part
    return bytes(content)


@contextmanager
def _forwarding_signals(connection: socket.socket) -> Iterator[None]:
    """Send signals on to the fork, which may save first; otherwise it would end with its client.

    A signal that the caller of this process lets it ignore is ignored.
    """

    def send(number: int, frame: object) -> None:
        with suppress(OSError):  # the fork has ended
            connection.sendall(bytes([number]))

    with lifetime.handled(lifetime.not_ignored(FORWARDED), send):
        yield


# --- the server ----------------------------------------------------------------------------------


def serve(address: str, warm_up: Callable[[], None], act: Callable[[list[str]], int]) -> None:
    """Listen at `address`; fork for each request, and let `act` run its arguments.

    The server ends on SIGTERM, and with the process that started it, and this function with it. Its
    forks end first: they receive SIGTERM, and SIGKILL once there was time to save.
    """
    starter = lifetime.owner() or lifetime.Watched(os.getppid())
    lifetime.wake_at_death_of_parent()
    lifetime.adopt_orphans()
    with socket.socket(socket.AF_UNIX) as listener:
        _listen(listener, address)
        warm_up()
        _Server(listener, act, starter).run()
    if starter.ended() and Path(address).parent.name.startswith(FOLDER):
        shutil.rmtree(Path(address).parent, ignore_errors=True)  # nobody else will
    sys.stdout.flush()
    os._exit(0)  # the interpreter takes seconds to leave what was imported


def _listen(listener: socket.socket, address: str) -> None:
    """Listen at a socket that no other user can connect to."""
    Path(address).unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        listener.bind(address)
    finally:
        os.umask(before)
    listener.listen(64)


@dataclass
class _Fork:
    """A job that runs, as the server knows it."""

    pid: int
    client: int  # the number of the client's process, 0 if unknown
    connection: socket.socket
    killed_at: float | None = None  # when it is killed, since its client has ended


class _Server:
    """The loop of the server, in one thread: a fork of several would inherit their locks."""

    def __init__(
        self, listener: socket.socket, act: Callable[[list[str]], int], starter: lifetime.Watched
    ) -> None:
        """Serve at a listening socket as long as the process that started the server lives."""
        self._listener, self._act, self._starter = listener, act, starter
        self._forks: dict[int, _Fork] = {}
        self._ending = False
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._poll.register(self._reader, select.POLLIN)
        if starter.descriptor is not None:
            self._poll.register(starter.descriptor, select.POLLIN)

    def run(self) -> None:
        """Serve until the end, and end the forks."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        while not self._ending and not self._starter.ended():
            self._look()
        self._listener.close()
        self._end_forks()

    def _end(self, number: int, frame: object) -> None:
        self._ending = True

    def _look(self) -> None:
        """Wait for whatever happens next, for a second at most; accept, reap and kill."""
        ready = dict(self._poll.poll(1000))
        if self._reader in ready:
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)
        self._reap()
        for fork in self._forks.values():
            if fork.killed_at is None and fork.connection.fileno() in ready:
                self._poll.unregister(fork.connection)  # its client is gone, and it should notice
                fork.killed_at = time.monotonic() + FOLLOWING
            if fork.killed_at is not None and time.monotonic() > fork.killed_at:
                os.kill(fork.pid, signal.SIGKILL)
        if self._listener.fileno() in ready:
            self._accept()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has hung up
            return
        client, user = _peer(connection)
        if user != os.geteuid() or not _sees_the_same(client):
            connection.close()
            return
        try:
            pid = os.fork()
        except OSError as error:  # no memory, or no more processes: the client does its job itself
            print(f"no fork: {error}", file=sys.stderr, flush=True)
            connection.close()
            return
        if pid == 0:
            self._become_job(connection)
        self._forks[pid] = _Fork(pid, client, connection)
        self._poll.register(connection, HUNG_UP)

    def _become_job(self, connection: socket.socket) -> NoReturn:
        """In the fork: give up what belongs to the server, do the job, and exit."""
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._listener.close()
            for fork in self._forks.values():
                fork.connection.close()
            for descriptor in (self._reader, self._writer, self._starter.descriptor):
                if descriptor is not None:
                    os.close(descriptor)
            _answer(connection, self._act)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(KILLED)

    def _reap(self) -> None:
        """Forget what has ended; its client notices when the last end of the connection closes."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (fork := self._forks.pop(pid, None)) is not None:
                if fork.killed_at is None:
                    self._poll.unregister(fork.connection)
                fork.connection.close()

    def _end_forks(self) -> None:
        """Let the jobs save, then kill them and all that they have started."""
        deadline = time.monotonic() + lifetime.grace()
        for fork in self._forks.values():
            os.kill(fork.pid, signal.SIGTERM)
        while self._forks and time.monotonic() < deadline:
            resume(below())
            for fork in self._forks.values():
                if fork.client:
                    with suppress(OSError):  # it is to notice that its fork ends
                        os.kill(fork.client, signal.SIGCONT)
            time.sleep(0.1)
            self._reap()
        kill_below()


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end of a connection; only Linux knows the process."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0, os.geteuid()  # the folder and the socket are this user's alone
    size = struct.calcsize("3i")
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, user, _ = struct.unpack("3i", found)
    return pid, user


def _sees_the_same(client: int) -> bool:
    """Whether a process has no view of the files that hides some (`reassess.core.mounts`).

    A fork has this process's view, in which a method could do what its own does not allow.
    """
    namespace = Path("/proc/self/ns/mnt")
    if not client or not namespace.exists():
        return True
    try:
        return Path(f"/proc/{client}/ns/mnt").readlink() == namespace.readlink()
    except OSError:
        return False


# --- in the fork ---------------------------------------------------------------------------------


def _answer(connection: socket.socket, act: Callable[[list[str]], int]) -> None:
    """Take the client's streams, folder and environment; act, answer, and exit."""
    request, streams = _request(connection)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(
        {name: value for name, value in request["environment"].items() if name != VARIABLE}
    )
    connection.sendall(ACCEPTED)
    threading.Thread(target=_follow_client, args=(connection,), daemon=True).start()
    try:
        code = act(request["arguments"])
    except BaseException:
        traceback.print_exc()
        code = 1
    if (math_worker := sys.modules.get("reassess.verifier.math_worker")) is not None:
        math_worker.stop()  # `os._exit` below runs no exit handlers
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(struct.pack("!i", code))
    os._exit(0)


def _request(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The request of a client, and its streams; exit if it sends none, or another than it should.

    It may have been killed while it sent it, or be no client at all.
    """
    # An alarm, and no timeout of the socket: one byte a second would keep that from coming.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, REQUEST_SECONDS)
    head, streams, _, _ = socket.recv_fds(connection, 8, STREAMS)
    head += _received(connection, 8 - len(head))
    length = struct.unpack("!Q", head)[0] if len(head) == 8 else 0
    content = _received(connection, length) if length <= LONGEST else b""
    if not content or len(content) != length or len(streams) != STREAMS:
        os._exit(KILLED)
    request = json.loads(content)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return request, streams


def _follow_client(connection: socket.socket) -> None:
    """Raise the signals that the client receives, and exit once it is gone.

    A job whose client was killed must not continue unnoticed.
    """
    while number := _received(connection, 1):
        if number[0] in FORWARDED:
            os.kill(os.getpid(), number[0])
    os._exit(KILLED)
