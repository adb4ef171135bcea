"""Ends the servers of a test run and removes its folder, however the run ends.

Started beside the tests with the folder as argument; its standard input is a pipe whose other end only the
test run holds. End of file (normal end, Ctrl-C, kill -9) is the signal. In a session of its own, so that
Ctrl-C does not reach it.
"""
import os
import pathlib
import shutil
import signal
import sys
import time


def pids(folder):
    for name in ("postmaster.pid", "pgbouncer.pid", "mysqld.pid"):
        for file in folder.rglob(name):
            try:
                yield int(file.read_text().split()[0]), file
            except (OSError, ValueError, IndexError):
                continue


def alive(pid, folder):
    """Whether it still runs and is ours: its working folder or command line lies in the folder."""
    try:
        cwd = os.readlink(f"/proc/{pid}/cwd")
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and (cwd.startswith(str(folder)) or str(folder) in command)


def end(folder):
    ours = [pid for pid, _ in pids(folder) if alive(pid, folder)]
    for signal_, patience in ((signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        for pid in ours:
            try:
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal_)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + patience
        while ours and time.monotonic() < deadline:
            ours = [pid for pid in ours if alive(pid, folder)]
            time.sleep(0.02)
        if not ours:
            break
    for _ in range(50):  # the last children of a killed server may still write for a moment
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder = pathlib.Path(sys.argv[1])
    while os.read(0, 4096):
        pass
    end(folder)


if __name__ == "__main__":
    main()
