"""Standardise every source that the twin writes, under Dagster, and say what the time goes into.

    .venv/bin/python benchmarks/sources.py [tiny|demo|full] [data root to keep]

The twin is written first and not counted. Then `raw` and `std` of every source are made in one
process, as `soilmeld run` does, by an instance of its own. Seconds are wall time of one run, the
shares are what counts.
"""

import contextlib
import dataclasses
import functools
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
from dagster._core.utils import make_new_run_id

import adapters.archive
import adapters.rasters
import adapters.standardise
import dagster_project.sources
import expectations.engine
import expectations.site
from adapters import twin
from adapters.readers.raster import Grid
from adapters.settings import Settings, load_settings
from adapters.spec import load_spec, source_ids
from adapters.store import Store
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
    """Write the twin, make every table once, print seconds, shares and the slowest sources."""
    settings = load_settings().model_copy(
        update={"data_root": root / "data", "truth_root": root / "truth", "twin_size": size}
    )
    specs = [load_spec(source) for source in source_ids()]
    ours = [spec.id for spec in specs if not spec.auxiliary]
    begun = time.perf_counter()
    twin.write(settings)
    sys.stdout.write(f"twin, {size}: {time.perf_counter() - begun:.1f} s (not counted)\n")
    seconds: dict[str, float] = defaultdict(float)
    steps: dict[str, float] = {}
    with timed(seconds):
        begun = time.perf_counter()
        _make(settings, ours, steps)
        whole = time.perf_counter() - begun
    seconds["orchestrating"] = whole - sum(seconds.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    sys.stdout.write(f"{len(ours)} sources: {whole:.1f} s, peak memory {peak:.2f} GB\n")
    for phase, took in seconds.items():
        sys.stdout.write(f"  {phase:14s} {took:7.2f} s  {took / whole:6.1%}\n")
    sys.stdout.write("slowest steps:\n")
    for step, took in sorted(steps.items(), key=lambda item: -item[1])[:12]:
        sys.stdout.write(f"  {took:7.2f} s  {step}\n")


def _make(settings: Settings, sources: list[str], steps: dict[str, float]) -> None:
    definitions = build(settings)
    keys = [dg.AssetKey([kind, source]) for source in sources for kind in ("raw", "std")]
    started: dict[str, float] = {}
    failed: list[str] = []

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event and event.event_type is dg.DagsterEventType.STEP_START:
            started[event.step_key] = time.perf_counter()
        elif event and (event.is_step_success or event.is_step_failure):
            steps[event.step_key] = time.perf_counter() - started[event.step_key]
            if event.is_step_failure:
                failed.append(event.step_key)

    with open_instance(settings) as instance:
        run_id = make_new_run_id()
        instance.add_event_listener(run_id, listen)
        definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            asset_selection=keys,
            raise_on_error=False,
            run_id=run_id,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    if failed:
        raise SystemExit(f"refused: {failed}")


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "tiny"
    if len(sys.argv) > 2:
        main(chosen, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(chosen, Path(folder))
