"""Memory of a server that has nothing to do: builder inside, no BuildKit daemon yet."""

import time

from memory import resident
from stage import Stage

SETTLE = 5
GOAL_MIB = 60


def measure(programs, keep, table):
    with Stage(programs, embedded=True, keep=keep) as stage:
        time.sleep(SETTLE)
        pid = stage.server.pid
        held, own = resident(pid), resident(pid, "RssAnon")
    table.goal("idle server's memory", f"{held:.0f} MiB", f"< {GOAL_MIB} MiB", held < GOAL_MIB)
    table.note("of it not the program's file", f"{own:.0f} MiB")
