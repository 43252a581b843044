"""What the worker runs in tests, instead of the functions of `reassess.verifier.symbolic`."""

import os
import time
from pathlib import Path


def joined(*arguments):
    return " ".join(arguments)


def state(_=""):
    """What a comparison can depend on besides its arguments: random numbers and hashes."""
    import random

    from sympy.core.random import rng

    return [random.random(), rng.random(), hash("x")]


def process(_=""):
    return os.getpid()


def burn(seconds):
    """Take CPU time, however long that is on the clock."""
    end = time.process_time() + float(seconds)
    while time.process_time() < end:
        pass
    return "burnt"


def sleep(seconds):
    time.sleep(float(seconds))
    return "slept"


def endless_in_c(path=""):
    """One call of C code that keeps the interpreter for hours; writes its process id first."""
    if path:
        Path(path).write_text(str(os.getpid()))
    return str(7 ** (10**11))


def more_memory_than_allowed():
    return len(bytearray(3 * 2**30))


def end_by(number, path):
    """End by a signal: where there is a path, only the first time."""
    if not path or not Path(path).exists():
        if path:
            Path(path).touch()
        os.kill(os.getpid(), int(number))
    return "alive"


def recurse():
    return recurse()


def meet(folder, name, count):
    """Wait until as many as `count` calls wait here at once."""
    (Path(folder) / name).touch()
    while len(list(Path(folder).iterdir())) < int(count):
        time.sleep(0.01)
    return os.getpid()


def __getattr__(name):
    """The true functions, too, but not their imports before the first call."""
    if name == "warm_up":
        raise AttributeError(name)
    from reassess.verifier import symbolic

    return getattr(symbolic, name)
