"""Progress on a terminal; silence where there is none.

Belongs here: showing how far a run is.
Never here: deciding what runs.
"""

import contextlib
import os
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """One bar for each level of the graph."""

    def __init__(self, quiet: bool = False) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        # Dagster captures file descriptor 2 of this process while a step runs: keep the terminal.
        self._console = (
            Console(file=os.fdopen(os.dup(2), "w")) if self._shown else Console(quiet=True)
        )
        self._bar: Bar | None = None

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Show one step of unknown length."""
        with self._console.status(name):
            yield

    @contextlib.contextmanager
    def steps(self, total: int) -> Iterator[None]:
        """Show a level of `total` steps."""
        with Bar(
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
        ) as bar:
            self._bar, self._task = bar, bar.add_task("", total=total)
            yield
        self._bar = None

    def step(self, name: str) -> None:
        """Say which step runs now."""
        if self._bar:
            self._bar.update(self._task, description=name)

    def advance(self, name: str, *, failed: bool) -> None:
        """Count one step as done."""
        if self._bar:
            self._bar.advance(self._task)
            if failed:
                self._console.print(f"[red]refused or failed[/red]: {name}")
