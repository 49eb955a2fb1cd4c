"""The main job in one process: what `make run` and `soilmeld run` do.

Belongs here: writing the twin, asking servers, noticing new files, evaluating the automation
conditions and making what they ask for until they ask for nothing, and going on after an
interruption.
Never here: conditions (`automation.py`), what a step does, or what is printed (`summary.py`).

The conditions are the ones that the daemon evaluates, on the same instance, with a cursor of their
own that is kept in it. The cursor moves on only after everything that was asked for has been tried:
a run that was killed asks for the same again, and finds made what it had time to make.

One source that is refused stops nothing else. What failed is tried again by the next run, changed
or not, because the cause may have gone.
"""

import argparse
import contextlib
import json
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import filelock
from dagster_shared.serdes import deserialize_value, serialize_value

from adapters.acquire import due, poll
from adapters.errors import ArchiveError, SoilmeldError, StoreError
from adapters.settings import Settings, load_settings
from adapters.spec import SourceSpec
from dagster_project import definitions, making, summary
from dagster_project.making import BY, Told
from dagster_project.progress import Progress
from dagster_project.resources import open_instance
from dagster_project.versions import news, news_of_scenes

_STATE = "soilmeld/run"
# More levels than the graph has: a safeguard against conditions that never come to rest.
_MAX_TICKS = 40


@dataclass
class Outcome:
    """What one run did."""

    made: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    on_purpose: set[str] = field(default_factory=set)
    seconds: dict[str, float] = field(default_factory=dict)
    unreached: dict[str, str] = field(default_factory=dict)
    """Sources whose server did not hand out their files, with the reason."""

    @property
    def refused_sources(self) -> dict[str, str]:
        """Sources whose new files were refused, with the reason."""
        return {
            key.split("/")[1]: reason
            for key, reason in self.failed.items()
            if self._is_refusal(key)
        }

    @property
    def broken(self) -> dict[str, str]:
        """Steps that failed for another reason than a source's files."""
        return {k: reason for k, reason in self.failed.items() if not self._is_refusal(k)}

    def _is_refusal(self, key: str) -> bool:
        return key in self.on_purpose and key.split("/")[0] in ("raw", "std")


def run(settings: Settings, progress: Progress | None = None) -> Outcome:
    """Do the main job.

    Raises:
        StoreError: Another run works on the same data root.
        SoilmeldError: The twin cannot be written.
    """
    progress = progress or Progress(quiet=True)
    outcome = Outcome()
    with alone(settings), _quiet():
        if settings.twin:
            with _timed(outcome, "twin"), progress.phase("synthetic twin"):
                _write_twin(settings)
        with progress.phase("servers of sources"):
            outcome.unreached = ask_servers(definitions.all_specs(), settings)
        with open_instance(settings) as instance:
            _bury_killed_runs(instance)
            _make_all(definitions.build(settings), instance, settings, progress, outcome)
    return outcome


def _write_twin(settings: Settings) -> None:
    from adapters.twin import write
    from adapters.twin.scenes import make

    write(settings)
    make(settings)


def ask_servers(specs: list[SourceSpec], settings: Settings) -> dict[str, str]:
    """Ask the servers of the sources that are due, one after the other, and fetch what changed.

    One that failed is asked again by each run.

    Returns:
        Source -> why its server did not hand out its files; the version in use stays.
    """
    failed = {}
    for spec in specs:
        if due(spec, settings, datetime.now(UTC), retry=timedelta(0)):
            try:
                poll(spec, settings, datetime.now(UTC))
            except ArchiveError as error:
                failed[spec.id] = str(error)
    return failed


def _make_all(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    settings: Settings,
    progress: Progress,
    outcome: Outcome,
) -> None:
    cursor, again = _load_state(instance)
    # Looking before the news is told gives assets that are new in the graph their first sight.
    requested, cursor = _tick(graph, instance, cursor)
    observed = news(definitions.all_specs(), settings, instance)
    for observation in [*observed, *news_of_scenes(settings, instance)]:
        instance.report_runless_asset_event(observation)
    known = {key.to_user_string() for key in graph.resolve_asset_graph().get_all_asset_keys()}
    requested |= {dg.AssetKey.from_user_string(key) for key in again if key in known}
    for _ in range(_MAX_TICKS):
        more, cursor = _tick(graph, instance, cursor)
        requested |= more
        if not requested:
            break
        _make(graph, instance, requested, settings, progress, outcome)
        _save_state(instance, cursor, outcome)
        requested = set()
    else:
        raise dg.DagsterInvariantViolationError("the automation conditions do not come to rest")
    _save_state(instance, cursor, outcome)


def _tick(
    definitions: dg.Definitions, instance: dg.DagsterInstance, cursor: object
) -> tuple[set[dg.AssetKey], object]:
    result = dg.evaluate_automation_conditions(
        definitions, instance, asset_selection=dg.AssetSelection.all(), cursor=cursor
    )
    return {r.key for r in result.results if not r.true_subset.is_empty}, result.cursor


def _make(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    keys: set[dg.AssetKey],
    settings: Settings,
    progress: Progress,
    outcome: Outcome,
) -> None:
    """Make these assets in dependency order; one that fails takes only its dependants along."""
    nodes = graph.resolve_asset_graph()

    def lost(key: dg.AssetKey) -> str | None:
        parents = (parent.to_user_string() for parent in nodes.get(key).parent_keys)
        return next((parent for parent in parents if parent in outcome.failed), None)

    def listen(told: Told) -> None:
        name = told.asset
        if told.event == "started":
            progress.step(name)
            return
        if told.event == "materialised":
            outcome.made.append(name)
            outcome.failed.pop(name, None)
            return
        if told.event == "failed":
            outcome.failed[name] = told.reason
            if told.on_purpose:
                outcome.on_purpose.add(name)
        # A step is also skipped after one that had nothing to make, and that is no failure.
        elif told.event == "skipped" and (parent := lost(dg.AssetKey(name.split("/")))):
            outcome.failed[name] = f"not made, because {parent} failed"
        outcome.seconds[name] = outcome.seconds.get(name, 0.0) + told.seconds
        progress.advance(name, failed=name in outcome.failed)

    with progress.steps(len(keys)):
        shared = making.shares(keys, settings)
        if shared:
            making.make_shared(shared, settings, listen)
        rest = keys.difference(*shared)
        # What failed in a share is not seen by the run of the rest.
        for key in (k for k in nodes.toposorted_asset_keys if k in rest):
            if shared and lost(key):
                listen(Told(key.to_user_string(), "skipped"))
        rest = {key for key in rest if not (shared and lost(key))}
        if rest:
            making.make(graph, instance, rest, listen)


def failed_before(instance: dg.DagsterInstance) -> list[str]:
    """Steps that failed in the last run, and that the next one tries again."""
    return _load_state(instance)[1]


def _load_state(instance: dg.DagsterInstance) -> tuple[object, list[str]]:
    text = instance.daemon_cursor_storage.get_cursor_values({_STATE}).get(_STATE)
    if text is None:
        return None, []
    state = json.loads(text)
    return deserialize_value(state["cursor"]), state["failed"]


def _save_state(instance: dg.DagsterInstance, cursor: object, outcome: Outcome) -> None:
    state = {"cursor": serialize_value(cursor), "failed": sorted(outcome.failed)}
    instance.daemon_cursor_storage.set_cursor_values({_STATE: json.dumps(state)})


def _bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Mark runs of a killed process as failed, so that their assets no longer count as underway.

    No other process can own them: the caller holds the lock.
    """
    underway = [status for status in dg.DagsterRunStatus if status not in _finished()]
    for dead in instance.get_runs(dg.RunsFilter(statuses=underway, tags=BY)):
        instance.report_run_failed(dead, "its process was killed")


def _finished() -> set[dg.DagsterRunStatus]:
    status = dg.DagsterRunStatus
    return {status.SUCCESS, status.FAILURE, status.CANCELED}


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Hold the data root for oneself.

    Raises:
        StoreError: Another run holds it.
    """
    settings.data_root.mkdir(parents=True, exist_ok=True)
    file = settings.data_root / ".run.lock"
    lock = filelock.FileLock(file)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise StoreError(
            "another run works on this data root",
            file=str(file),
            remedy="wait until it ends; `make ui` shows what it does",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep notices about Dagster's own interfaces off the terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=dg.BetaWarning)
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        yield


@contextlib.contextmanager
def _timed(outcome: Outcome, name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    outcome.seconds[name] = time.perf_counter() - begun


def main(settings: Settings, *, strict: bool = False) -> int:
    """Do the main job, show progress on a terminal, and print what it made.

    Args:
        settings: Whose data root is worked on.
        strict: Also treat a refused source as an error.

    Returns:
        Exit code. 0: done, with refused sources named, if any (their last good version stays in
        use); 1: a matrix, model or publication failed, or nothing could be built; 3: `strict`, and
        a source was refused; 130: interrupted.
    """
    progress = Progress()
    begun = time.perf_counter()
    try:
        outcome = run(settings, progress)
    except SoilmeldError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
        sys.stderr.write("Interrupted. Nothing half-made is kept; the same command continues.\n")
        return 130
    built = summary.show(settings, outcome, time.perf_counter() - begun)
    if outcome.broken or not built:
        return 1
    return 3 if strict and outcome.refused_sources else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dagster_project.run", description=__doc__)
    parser.add_argument("--settings", type=Path, help="settings file (default: soilmeld.toml)")
    parser.add_argument("--strict", action="store_true", help="exit with 3 if a source is refused")
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    try:
        chosen = load_settings(given.settings)
    except SoilmeldError as problem:
        sys.stderr.write(f"{problem}\n")
        raise SystemExit(1) from None
    raise SystemExit(main(chosen, strict=given.strict))
