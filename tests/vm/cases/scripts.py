"""What a user's code may do: as much as in a shell of root's."""

from __future__ import annotations

from ..checks import HEALTHY, file, logs_in, says
from ..lab import Launch
from ..fixture import Boot, Case

# Each line fails where a directive of our units were felt.
FREE = """\
#!/bin/sh
set -e
sudo -n -u debian sudo -n id -un >/var/lib/felt
mount -t tmpfs -o size=64k tmpfs /mnt
unshare --mount sh -c 'mount -t tmpfs tmpfs /srv && echo unshared >>/var/lib/felt'
echo written >/usr/local/lib/felt
mknod /dev/felt p && echo made >>/var/lib/felt
touch /tmp/felt /home/felt /root/felt
umask >>/var/lib/felt
# What is left running is the user's.
setsid sleep infinity </dev/null >/dev/null 2>&1 &
echo $! >/run/felt.pid
"""

CASES = (
    Case(
        "freedom",
        "a script runs sudo, mount and unshare, and leaves a process behind",
        (
            Boot(
                Launch(FREE),
                (
                    logs_in(),
                    file("/var/lib/felt", "root\nunshared\nmade\n0022\n"),
                    says("its mount is everybody's", "findmnt --noheadings --output FSTYPE /mnt", "tmpfs"),
                    says("and what it mounted in a namespace is not", "findmnt --noheadings --output FSTYPE /srv", ""),
                    file("/usr/local/lib/felt", "written\n"),
                    says(
                        "its files in /tmp are everybody's",
                        "stat --format %n /tmp/felt /home/felt /root/felt",
                        "/tmp/felt\n/home/felt\n/root/felt",
                    ),
                    says("its process lives on", "pgrep --pidfile /run/felt.pid --count", "1"),
                    *HEALTHY,
                ),
            ),
        ),
    ),
)
