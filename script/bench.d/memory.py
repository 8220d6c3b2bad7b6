"""Memory of a process, as the kernel counts it."""

import threading
import time

PAUSE = 0.05


def resident(pid, field="VmRSS"):
    """MiB that the process holds, without its children."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} holds no memory")


class Peak:
    """The most that a process holds while the block runs."""

    def __init__(self, pid):
        self.pid = pid
        self.most = 0
        self.over = threading.Event()

    def __enter__(self):
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.watcher.join()

    def watch(self):
        while not self.over.is_set():
            self.most = max(self.most, resident(self.pid))
            time.sleep(PAUSE)
