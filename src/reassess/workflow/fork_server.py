"""A warm process that jobs are forked from, so that a grid pays for its imports once and not once a job.

Importing torch, transformers, TRL and lm-eval takes longer than many of the micro world's jobs. `reassess run` starts this
server beside Snakemake and names its socket in the environment; an action of the command line that finds it there hands over
its arguments, folder, environment and output streams, and waits for the exit code of the fork. Anything else about the job is
the same: one process a job, its own log, killed with its client. Without the variable, or when nobody listens, the action
simply runs in its own process.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "REASSESS_SERVER"
JOB = "job"  # the command that is forked: `reassess job NAME`
STREAMS = 3  # standard input, output, error
STOPS = (signal.SIGTERM, signal.SIGUSR1)


def forward(arguments: Sequence[str]) -> int | None:
    """Run a heavy action in a fork of the server; return its exit code, or None if there is no server for it."""
    address = os.environ.get(VARIABLE)
    if not address or not arguments or arguments[0] != JOB:
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
        except OSError:
            return None
        request = json.dumps(
            {
                "arguments": list(arguments),
                "folder": str(Path.cwd()),
                "environment": dict(os.environ),
            }
        ).encode()
        socket.send_fds(connection, [struct.pack("!Q", len(request))], list(range(STREAMS)))
        connection.sendall(request)
        with _passing_signals_on(connection):
            answer = connection.recv(4)
        # No answer: the fork was killed (out of memory, say). 137 is what a shell calls that.
        return struct.unpack("!i", answer)[0] if len(answer) == 4 else 137


@contextmanager
def _passing_signals_on(connection: socket.socket) -> Iterator[None]:
    """Hand a request to stop to the fork, which may save before it leaves; without this it would end with its client at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda heard, frame: connection.sendall(bytes([heard])))
        for number in STOPS
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(address: str, warm_up: Callable[[], None], act: Callable[[list[str]], int]) -> None:
    """Listen at `address` for ever; fork for each request and let `act` run its arguments.

    The server ends with the process that started it.
    """
    parent = os.getppid()
    listener = socket.socket(socket.AF_UNIX)
    Path(address).unlink(missing_ok=True)
    listener.bind(address)
    listener.listen(64)
    listener.settimeout(1.0)
    warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forks need no funeral
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
    """In the fork: take over the client's streams, folder and environment, act, answer, and leave."""
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
    threading.Thread(target=_leave_with_client, args=(connection,), daemon=True).start()
    try:
        code = act(request["arguments"])
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(struct.pack("!i", code))
    os._exit(0)


def _leave_with_client(connection: socket.socket) -> None:
    """End the fork at once when its client is gone, since a killed job must not go on in secret; pass on what the client hears."""
    while heard := connection.recv(1):
        os.kill(os.getpid(), heard[0])
    os._exit(137)
