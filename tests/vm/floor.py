"""What both floors have in common: a console that is a file, and a switch."""

from __future__ import annotations

import pathlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

from .host import Argument, Said


class Floor(ABC):
    """A machine whose console is copied to `log`."""

    log: pathlib.Path
    # Where this boot's part of the log begins.
    _begin = 0

    @abstractmethod
    def run(self, argv: Sequence[Argument], timeout: float = 90) -> Said:
        """Runs a command in it as root."""

    @abstractmethod
    def wait_ended(self, limit: float = 60) -> None:
        """Waits until it has switched itself off."""

    def power_off(self) -> None:
        """Asks it to end, and waits until it has."""
        self.run(["systemctl", "poweroff"])
        self.wait_ended()

    def console(self) -> str:
        """What this boot has shown on its console."""
        return self._all_console()[self._begin :]

    def _all_console(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""
