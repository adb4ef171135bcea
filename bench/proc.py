"""What a process and a server have cost, read from /proc."""
import os
import pathlib
import threading

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The numbers after the name in /proc/PID/stat; None when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def server_cpu_seconds(server):
    """CPU of a server so far: the postmaster, the children it has reaped, and those that live."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    total = sum(int(ticks) for ticks in _stat(pid)[11:15])
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        stat = _stat(child)
        total += sum(int(ticks) for ticks in stat[11:13]) if stat else 0
    return total / TICK


class Watched:
    """Peak resident memory and CPU of a child process. rusage is no use for memory: its peak counts the
    parent's pages from before the exec."""

    def __init__(self, process, every=0.02):
        self.process = process
        self.every = every
        self.peak_kb = 0
        self.cpu_seconds = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        while not self.ended.wait(self.every):
            try:
                for line in status.read_text().splitlines():
                    if line.startswith("VmHWM:"):
                        self.peak_kb = max(self.peak_kb, int(line.split()[1]))
            except OSError:
                continue

    def wait(self, timeout=None):
        """Its exit code."""
        before = os.times()
        code = self.process.wait(timeout)
        after = os.times()
        self.cpu_seconds = after.children_user + after.children_system - before.children_user - before.children_system
        self.ended.set()
        self.thread.join()
        return code
