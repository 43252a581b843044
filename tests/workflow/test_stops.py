"""Stops that stop: a signal, a death or a kill of any process of a run leaves nothing at work.

The processes are real, and so is Snakemake; the jobs are stand-ins, which import nothing heavy.
"""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from processes import command_of, files_below, wait_for_end, wait_until
from tiny import tiny_config

from reassess.core.lifetime import GRACE
from reassess.core.locks import is_held
from reassess.grid.study import Grid
from reassess.workflow.run import _remove_stale_locks

# What a rule of the real Snakefile has to do with stops, and a job that is one of three.
SNAKEFILE = """
import os
from reassess.grid.study import Grid
from reassess.workflow.supervision import supervise

GRID = Grid.load(config["config"])
os.environ["PATH"] = str(workflow.basedir) + "/bin:" + os.environ["PATH"]

rule make:
    output: GRID.paths.results / "{name}.done"
    params: command=lambda wildcards: "" if wildcards.name == "in_a_shell" else "exec "
    shell: "{params.command}reassess job train {wildcards.name} {output} > {wildcards.name}.log 2>&1"

onstart:
    supervise(GRID, local=workflow.local_exec)
"""
JOBS = """
import os, signal, subprocess, sys, time
from pathlib import Path

def act(arguments):
    name, output = arguments[2:]
    saved, told = Path(name + ".saved"), []
    if saved.exists():
        Path(output).touch()
        return 0
    if name == "stubborn":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
    if name == "saver":
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: told.append(1))
    if name == "with_helper":
        subprocess.Popen(["sleep", "86400"])
    Path(name + ".begun").write_text(str(os.getpid()))
    while not told and not Path(name + ".end").exists():
        time.sleep(0.05)
    if told:
        saved.touch()
        return 75
    Path(output).touch()
    return 0
"""
COMMAND = f"""#!{sys.executable}
import sys
from reassess.core.lifetime import end_with_owner
from reassess.workflow.fork_server import forward

end_with_owner()
code = forward(sys.argv[1:])
if code is None:
    sys.path.insert(0, sys.path[0] + "/..")
    from stand_in_jobs import act
    code = act(sys.argv[1:])
sys.exit(code)
"""
SERVER = """
import sys
from reassess.workflow.fork_server import serve
from stand_in_jobs import act

serve(sys.argv[1], lambda: None, act)
"""
DRIVER = """
import sys
from pathlib import Path
from reassess.workflow import run

run.ROOT = Path(__file__).parent
run.SERVE = [sys.executable, str(run.ROOT / "server.py")]
sys.exit(run.run(Path(sys.argv[1]), sys.argv[2:], cores=4))
"""
# Becomes another command, which finds these signals ignored, or as they are by default.
BECOME = """
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    ignored = sys.argv[1] == "ignoring" and number != signal.SIGTERM
    signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Run:
    """A run in a folder of its own, and what it has started."""

    def __init__(self, folder):
        self.folder, self.work = folder, folder / "work"
        for path in ("bin", "work", "workflow/profiles/default"):
            (folder / path).mkdir(parents=True)
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "stand_in_jobs.py").write_text(JOBS)
        (folder / "server.py").write_text(SERVER)
        (folder / "driver.py").write_text(DRIVER)
        (folder / "bin/reassess").write_text(COMMAND)
        (folder / "bin/reassess").chmod(0o755)
        profile = "cores: 4\nkeep-going: true\nrerun-incomplete: true\nscheduler: greedy\n"
        (folder / "workflow/profiles/default/config.yaml").write_text(profile)
        tiny_config(self.work)

    def command(self, *names, config="tiny.yaml", grid="tiny"):
        """`reassess run` on some of the stand-ins."""
        targets = [f"results/{grid}/{name}.done" for name in names]
        return [sys.executable, str(self.folder / "driver.py"), config, *targets]

    def plain(self, *names):
        """Snakemake on them, as a user may call it."""
        start = [sys.executable, "-m", "snakemake", "--snakefile", str(self.folder / "Snakefile")]
        profile = ["--profile", str(self.folder / "workflow/profiles/default")]
        targets = [f"results/tiny/{name}.done" for name in names]
        return [*start, *profile, "--config", "config=tiny.yaml", "--", *targets]

    def start(self, *command, how="heeding", **environment):
        """Start a command as the leader of a group, heeding signals, or `ignoring` some of them."""
        with (self.folder / "output").open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", BECOME, how, *command],
                cwd=self.work,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | environment,
            )

    def begun(self, *names):
        """Wait until these jobs are at work."""
        paths = [self.work / f"{name}.begun" for name in names]
        self.wait(lambda: all(path.exists() and path.read_text() for path in paths), "the jobs")

    def tree(self):
        """What works in this folder, whoever its parent is by now."""
        found = set()
        for process in psutil.process_iter():
            try:
                if process.cwd() == str(self.work) and process.status() != psutil.STATUS_ZOMBIE:
                    found.add(process)
            except psutil.Error:
                continue
        return found

    def having(self, word):
        """The process with a word in its command line, or the topmost of several."""
        found = [one for one in self.tree() if any(word in part for part in command_of(one))]
        return next(one for one in found if one.parent() not in found)

    def wait(self, condition, what):
        return wait_until(condition, what, lambda: files_below(self.folder), also=self.output)

    def end(self):
        return wait_for_end(self.process, "the end of the run", also=self.output)

    def nothing_is_left(self):
        self.wait(lambda: not self.tree(), "the end of all that it started")
        assert not is_held(self.work / "scratch/tiny/run.lock")

    def output(self):
        path = self.folder / "output"
        return path.read_text() if path.exists() else ""

    def again(self, *names):
        """Run the jobs to their end; that must be green."""
        for name in names:
            (self.work / f"{name}.end").touch()
        done = subprocess.run(self.command(*names), cwd=self.work, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert all((self.work / f"results/tiny/{name}.done").exists() for name in names)
        self.nothing_is_left()


@pytest.fixture
def run(tmp_path):
    one = Run(tmp_path)
    yield one
    for process in one.tree():
        process.kill()


ALL = ("saver", "with_helper", "in_a_shell")


@pytest.mark.slow
@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_everything_after_trainers_have_saved(run, number):
    """To the whole group, and twice at once, as `timeout` sends it."""
    run.start(*run.command(*ALL))
    run.begun(*ALL)
    for _ in range(2):
        os.killpg(run.process.pid, number)
    assert run.end() == 128 + number
    run.nothing_is_left()
    assert (run.work / "saver.saved").exists()
    assert "Traceback" not in run.output()
    run.again(*ALL)


@pytest.mark.slow
def test_what_manages_services_signals_each_process(run):
    """systemd sends SIGTERM to all of a unit, `docker stop` to the first: both end it."""
    run.start(*run.command(*ALL))
    run.begun(*ALL)
    for process in run.tree():
        process.terminate()
    assert run.end() == 128 + signal.SIGTERM
    run.nothing_is_left()
    run.again(*ALL)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["driver.py", "snakemake"])
def test_a_killed_process_takes_the_rest_with_it(run, victim):
    """Trainers save before; a run that is started at once waits for what is still ending."""
    run.start(*run.command(*ALL, "stubborn"), **{GRACE: "4"})
    run.begun(*ALL, "stubborn")
    run.having(victim).kill()
    assert run.end() == (-signal.SIGKILL if victim == "driver.py" else 128 + signal.SIGKILL)
    run.again("saver")
    assert (run.work / "saver.saved").exists()


@pytest.mark.slow
def test_jobs_outlive_a_killed_fork_server_and_end_with_the_run(run):
    run.start(*run.command(*ALL))
    run.begun(*ALL)
    run.having("server.py").kill()
    (run.work / "in_a_shell.end").touch()
    run.wait((run.work / "results/tiny/in_a_shell.done").exists, "the end of a job")
    run.process.terminate()
    assert run.end() == 128 + signal.SIGTERM
    run.nothing_is_left()
    assert (run.work / "saver.saved").exists()


@pytest.mark.slow
@pytest.mark.parametrize("second", [False, True], ids=["in time", "at a second signal"])
def test_what_does_not_end_by_itself_is_killed(run, second):
    run.start(*run.command("stubborn"), **{GRACE: "86400" if second else "2"})
    run.begun("stubborn")
    run.process.terminate()
    if second:
        run.wait(lambda: "SIGTERM" in run.output(), "the announcement")
        time.sleep(1.5)  # within a second it would be the same signal, sent twice
        run.process.send_signal(signal.SIGINT)
    assert run.end() == 128 + signal.SIGTERM
    run.nothing_is_left()
    run.again("stubborn")


@pytest.mark.slow
@pytest.mark.parametrize("death", [False, True], ids=["by a signal", "by death"])
def test_a_suspended_run_can_be_ended(run, death):
    """The shell's `kill` sends SIGCONT after SIGTERM; what is below stays suspended."""
    run.start(*run.command("saver", "with_helper"))
    run.begun("saver", "with_helper")
    for process in run.tree():
        process.suspend()
    if death:
        run.process.kill()
    else:
        run.process.terminate()
        run.process.send_signal(signal.SIGCONT)
    assert run.end() == (-signal.SIGKILL if death else 128 + signal.SIGTERM)
    run.nothing_is_left()
    assert (run.work / "saver.saved").exists()


@pytest.mark.slow
def test_an_ignored_signal_stays_ignored(run):
    """SIGHUP under `nohup`, SIGINT of what a shell runs in the background."""
    run.start(*run.command("saver"), how="ignoring")
    run.begun("saver")
    for number in (signal.SIGHUP, signal.SIGINT):
        os.killpg(run.process.pid, number)
    (run.work / "saver.end").touch()
    assert run.end() == 0
    assert not (run.work / "saver.saved").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [*ENDING, signal.SIGKILL])
def test_a_plain_snakemake_ends_with_its_jobs(run, number):
    """Only it is signalled; a killed one leaves a lock, which the next `reassess run` removes."""
    run.start(*run.plain(*ALL), **{GRACE: "4"})
    run.begun(*ALL)
    run.process.send_signal(number)
    assert run.end() != 0
    run.nothing_is_left()
    assert (run.work / "saver.saved").exists()
    run.again(*ALL)


@pytest.mark.slow
def test_a_live_snakemake_keeps_its_lock(run):
    """Others of its grid are refused and told who holds it; other grids do not care."""
    run.start(*run.plain("stubborn"))
    run.begun("stubborn")
    locks = run.work / ".snakemake/locks"
    before = {path.name: path.read_text() for path in locks.iterdir()}
    for command in (run.command("saver"), run.plain("saver")):
        done = subprocess.run(command, cwd=run.work, capture_output=True, text=True)
        assert done.returncode == 1
        assert f"process {run.process.pid} on this host" in done.stdout + done.stderr
        if command == run.command("saver"):
            assert {path.name: path.read_text() for path in locks.iterdir()} == before
    config = (run.work / "tiny.yaml").read_text().replace("grid: tiny", "grid: other")
    (run.work / "other.yaml").write_text(config)
    (run.work / "saver.saved").touch()
    other = run.command("saver", config="other.yaml", grid="other")
    done = subprocess.run(other, cwd=run.work, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lock" not in done.stdout
    done = subprocess.run(run.command("saver"), cwd=run.work, capture_output=True, text=True)
    assert done.returncode == 1  # though Snakemake has removed all locks of the folder
    assert run.process.poll() is None


def test_only_locks_on_the_grids_own_files_are_removed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    grid = Grid.load(tiny_config(tmp_path))
    locks = tmp_path / ".snakemake/locks"
    _remove_stale_locks(grid)  # nothing there
    locks.mkdir(parents=True)
    texts = {
        "0.input.lock": "config.yaml\nscratch/tiny/tokenizer\n",
        "0.output.lock": "results/tiny/report.html\n",
        "1.input.lock": "results/tiny-too/pool/train.parquet\n",
        "1.output.lock": "results/other/report.html\n",
        "2.output.lock": f"{tmp_path}/results/tiny/report.html\n",
        "3.output.lock": "",
    }
    for name, text in texts.items():
        (locks / name).write_text(text)
    _remove_stale_locks(grid)
    left = {"1.input.lock", "1.output.lock", "3.output.lock"}
    assert {path.name for path in locks.iterdir()} == left
    assert "left its lock" in capsys.readouterr().out
