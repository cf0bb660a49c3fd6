"""Runs a command and says how much processor time it took itself, its children not counted, and the
most memory that it or one of them had.

Usage: own.py COMMAND [ARGUMENT...]
"""

import os
import sys

pid = os.posix_spawnp(
    sys.argv[1],
    sys.argv[1:],
    os.environ,
    file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)],
)
# Dead and not yet buried: its own time, in nanoseconds, still stands there (proc(5)).
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
    own = int(file.read().split()[0])
_, status, usage = os.wait4(pid, 0)
print(f"{own / 1e6:.1f} ms of its own, {usage.ru_maxrss} KiB, exit code {os.waitstatus_to_exitcode(status)}")
