"""A process that jobs are forked from, so that a grid pays for its imports once and not per job.

Importing torch, transformers, TRL and lm-eval takes longer than many jobs of the micro world.
`reassess run` starts this server beside Snakemake and puts its socket into the environment. A
`reassess job` that finds it there sends its arguments, folder, environment and output streams, and
waits for the exit code of the fork. Nothing else about the job changes: one process a job, its own
log, killed with its client. Without the variable, or when nobody listens, a job runs in its own
process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "REASSESS_SERVER"
JOB = "job"  # the command that is forked: `reassess job NAME`
STREAMS = 3  # standard input, output, error
FORWARDED = (signal.SIGTERM, signal.SIGUSR1)
KILLED = 137  # what a shell reports for a process that was killed


def forward(arguments: Sequence[str]) -> int | None:
    """Run a job in a fork of the server; return its exit code, or None if there is no server."""
    address = os.environ.get(VARIABLE)
    if not address or not arguments or arguments[0] != JOB:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except OSError:
            return None
        content = {
            "arguments": list(arguments),
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        request = json.dumps(content).encode()
        length = struct.pack("!Q", len(request))
        socket.send_fds(connection, [length], list(range(STREAMS)))
        connection.sendall(request)
        with _forwarding_signals(connection):
            answer = connection.recv(4)
        # No answer: the fork was killed, for lack of memory perhaps.
        return struct.unpack("!i", answer)[0] if len(answer) == 4 else KILLED


@contextmanager
def _forwarding_signals(connection: socket.socket) -> Iterator[None]:
    """Send signals on to the fork, which may save first; otherwise it would end with its client."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def send(number: int, frame: object) -> None:
        connection.sendall(bytes([number]))

    before = {number: signal.signal(number, send) for number in FORWARDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(address: str, warm_up: Callable[[], None], act: Callable[[list[str]], int]) -> None:
    """Listen at `address`; fork for each request, and let `act` run its arguments.

    The server ends with the process that started it.
    """
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    Path(address).unlink(missing_ok=True)
    listener.bind(address)
    listener.listen(64)
    listener.settimeout(1.0)
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped automatically
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            _answer(connection, act)
        connection.close()


def _answer(connection: socket.socket, act: Callable[[list[str]], int]) -> None:
    """In the fork: take the client's streams, folder and environment; act, answer, and exit."""
    connection.settimeout(None)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, streams, _, _ = socket.recv_fds(connection, 8, STREAMS)
    (length,) = struct.unpack("!Q", head)
    content = b""
    while len(content) < length:
        content += connection.recv(length - len(content))
    request = json.loads(content)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(
        {name: value for name, value in request["environment"].items() if name != VARIABLE}
    )
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


def _follow_client(connection: socket.socket) -> None:
    """Raise the signals that the client receives, and exit once it is gone.

    A job whose client was killed must not continue unnoticed.
    """
    while number := connection.recv(1):
        os.kill(os.getpid(), number[0])
    os._exit(KILLED)
