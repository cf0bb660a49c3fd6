"""Runs a command and says how much processor time and memory it took itself, its children not counted.

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
peak = 0
# The dead have no memory to tell of (proc(5)), so it is looked at while it lives.
while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        lines = [line.split() for line in file]
    peak = next((int(line[1]) for line in lines if line[0] == "VmHWM:"), peak)
# Not yet buried: its own time, in nanoseconds, still stands there.
with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
    own = int(file.read().split()[0])
_, status = os.waitpid(pid, 0)
print(f"{own / 1e6:.1f} ms, {peak} KiB at most, exit code {os.waitstatus_to_exitcode(status)}")
