"""Standardise every source that the twin writes, under Dagster, and say what the time goes into.

    .venv/bin/python benchmarks/sources.py [tiny|demo|full] [data root to keep]

The twin is written first and not counted. Then `raw` and `std` of every source are made twice from
nothing: by `processes` processes, as `soilmeld run` does, which gives the wall time, and by one,
which gives the share of each phase. The memory is the largest sum of what all processes held at
one moment, looked at ten times a second; what they share is counted in each.
"""

import contextlib
import dataclasses
import functools
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psutil

import adapters.archive
import adapters.rasters
import adapters.standardise
import dagster_project.sources
import expectations.engine
import expectations.site
from adapters import twin
from adapters.readers.raster import Grid
from adapters.settings import load_settings
from adapters.spec import load_spec, source_ids
from adapters.store import Store
from dagster_project import making
from dagster_project.definitions import build
from dagster_project.resources import open_instance

PARTS = {
    "taking in": [(adapters.archive, "ingest")],
    "reading": [(adapters.standardise, "read_table")],
    "converting": [(adapters.standardise, "standardise")],
    "validating": [(expectations.engine, "validate")],
    "reporting": [(expectations.site, "data_docs"), (dagster_project.sources, "_about")],
    "committing": [(Store, "commit")],
}
"""Phase -> functions whose time it is; what is inside another one's counts for the inner."""


@contextlib.contextmanager
def timed(seconds: dict[str, float]) -> Iterator[None]:
    """Count the time of the functions of `PARTS`, each second once."""
    running: list[list[float]] = []

    def wrap(phase: str, function: Callable) -> Callable:
        @functools.wraps(function)
        def measured(*args: object, **more: object) -> object:
            running.append([0.0])
            begun = time.perf_counter()
            try:
                return function(*args, **more)
            finally:
                took = time.perf_counter() - begun
                inner = running.pop()[0]
                seconds[phase] += took - inner
                if running:
                    running[-1][0] += took

        return measured

    with contextlib.ExitStack() as stack:
        for phase, places in PARTS.items():
            for owner, name in places:
                original = getattr(owner, name)
                setattr(owner, name, wrap(phase, original))
                stack.callback(setattr, owner, name, original)
        open_band = adapters.rasters.open_band

        @contextlib.contextmanager
        def measured_band(*said: object) -> Iterator[Grid]:
            with contextlib.ExitStack() as opened:
                grid = wrap("reading", opened.enter_context)(open_band(*said))
                yield dataclasses.replace(grid, rows=wrap("reading", grid.rows))

        adapters.rasters.open_band = measured_band
        stack.callback(setattr, adapters.rasters, "open_band", open_band)
        yield


def main(size: str, root: Path) -> None:
    """Write the twin, make every table twice, print seconds, shares and the slowest sources."""
    settings = load_settings().model_copy(
        update={"data_root": root / "data", "truth_root": root / "truth", "twin_size": size}
    )
    specs = [load_spec(source) for source in source_ids()]
    keys = [
        dg.AssetKey([kind, spec.id])
        for spec in specs
        if not spec.auxiliary
        for kind in ("raw", "std")
    ]
    with measured("the twin, not counted", len(specs)):
        twin.write(settings)
    steps = Steps()
    with measured(f"{settings.processes} processes", len(keys) // 2):
        making.make_shared(making.shares(keys, settings), settings, steps)
    steps.refuse_failures()
    for made in set(settings.data_root.iterdir()) - {settings.raw}:
        shutil.rmtree(made) if made.is_dir() else made.unlink()
    steps, seconds = Steps(), defaultdict(float)
    begun = time.perf_counter()
    with (
        timed(seconds),
        measured("1 process", len(keys) // 2),
        open_instance(settings) as instance,
    ):
        making.make(build(settings), instance, keys, steps)
    whole = time.perf_counter() - begun
    steps.refuse_failures()
    seconds["orchestrating"] = whole - sum(seconds.values())
    for phase, took in seconds.items():
        sys.stdout.write(f"  {phase:14s} {took:7.2f} s  {took / whole:6.1%}\n")
    sys.stdout.write("slowest steps:\n")
    for step, took in sorted(steps.seconds.items(), key=lambda item: -item[1])[:12]:
        sys.stdout.write(f"  {took:7.2f} s  {step}\n")


class Steps:
    """What was told of the steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.failed: dict[str, str] = {}

    def __call__(self, told: making.Told) -> None:
        """Take note."""
        if told.event in ("succeeded", "failed"):
            self.seconds[told.asset] = told.seconds
        if told.event == "failed":
            self.failed[told.asset] = told.reason

    def refuse_failures(self) -> None:
        """End where a source was refused: its time is not that of a whole step."""
        if self.failed:
            raise SystemExit(f"refused: {self.failed}")


@contextlib.contextmanager
def measured(how: str, sources: int) -> Iterator[None]:
    """Say how long the work inside took, and how much memory this process and its own held."""
    own, ended = psutil.Process(), threading.Event()
    largest = 0

    def look() -> None:
        nonlocal largest
        while not ended.wait(0.1):
            held = 0
            for process in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    held += process.memory_info().rss
            largest = max(largest, held)

    watch = threading.Thread(target=look)
    watch.start()
    begun = time.perf_counter()
    try:
        yield
    finally:
        took = time.perf_counter() - begun
        ended.set()
        watch.join()
    sys.stdout.write(f"{sources} sources, {how}: {took:.1f} s, {largest / 1e9:.2f} GB at peak\n")
    sys.stdout.flush()


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    if len(sys.argv) > 2:
        main(chosen, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(chosen, Path(folder))
