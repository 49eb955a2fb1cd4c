"""Making assets now, in this process or in several.

Belongs here: one run of chosen assets, what it tells of its steps, and sharing the assets of many
sources out among processes.
Never here: which assets are made (`run.py`), or what a step does.

A step takes one core for most of its time. Sources do not depend on each other, so theirs are
shared out; Dagster's own executor would start a process for each step, which takes longer than most
steps.
"""

import functools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.queues import SimpleQueue
from typing import Literal

import dagster as dg
from dagster._core.utils import make_new_run_id

from adapters.settings import Settings
from dagster_project import definitions
from dagster_project.resources import open_instance

BY = {"soilmeld/by": "run"}
"""Tag of the runs that are made here."""
SHARE = 8
"""Sources of one share: enough of them that starting a run counts for little."""


@dataclass(frozen=True)
class Told:
    """What happened to one step.

    Attributes:
        asset: Key of its asset, such as `std/gemas`.
        event: What happened.
        seconds: How long the step took, at its end.
        reason: Why it failed.
        on_purpose: Did it fail with a message of ours?
    """

    asset: str
    event: Literal["started", "materialised", "succeeded", "failed", "skipped"]
    seconds: float = 0.0
    reason: str = ""
    on_purpose: bool = False


Listener = Callable[[Told], None]


def make(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    keys: Collection[dg.AssetKey],
    listener: Listener,
) -> None:
    """Make these assets in dependency order; one that fails takes only its dependants along."""
    run_id = make_new_run_id()
    started: dict[str, float] = {}

    def listen(entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        asset = event.step_key.replace("__", "/")
        took = time.perf_counter() - started.get(asset, time.perf_counter())
        if event.event_type is dg.DagsterEventType.STEP_START:
            started[asset] = time.perf_counter()
            listener(Told(asset, "started"))
        elif event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            listener(Told(asset, "materialised"))
        elif event.is_step_success:
            listener(Told(asset, "succeeded", took))
        elif event.is_step_failure:
            on_purpose = event.step_failure_data.user_failure_data is not None
            listener(Told(asset, "failed", took, _reason(event), on_purpose))
        elif event.is_step_skipped:
            listener(Told(asset, "skipped"))

    instance.add_event_listener(run_id, listen)
    graph.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=sorted(keys),
        raise_on_error=False,
        run_id=run_id,
        tags=BY,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return data.user_failure_data.description
    error = data.error.cause or data.error
    return error.message.strip()


def shares(keys: Iterable[dg.AssetKey], settings: Settings) -> list[list[dg.AssetKey]]:
    """The assets of sources among these, shared out; all of a source are in one share.

    Returns:
        Nothing where one process does it as well.
    """
    by_source: dict[str, list[dg.AssetKey]] = {}
    for key in sorted(keys):
        if key.path[0] in ("raw", "std"):
            by_source.setdefault(key.path[1], []).append(key)
    count = len(by_source) // SHARE
    if min(count, settings.processes) < 2:
        return []
    of_source = list(by_source.values())
    return [[key for own in of_source[i::count] for key in own] for i in range(count)]


def make_shared(
    shared: Collection[list[dg.AssetKey]], settings: Settings, listener: Listener
) -> None:
    """Make shares of assets in `settings.processes` processes, each in a run of its own.

    Raises:
        BrokenProcessPool: A process was killed, for instance for want of memory.
    """
    # Processes that lay the instance's databases at the same moment break each other.
    open_instance(settings).dispose()
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    workers = min(settings.processes, len(shared))
    with ProcessPoolExecutor(workers, context, _begin, (queue,)) as pool:
        waiting = {pool.submit(_make_share, keys, settings) for keys in shared}
        for future in waiting:
            # What a share tells is in the queue before its future ends.
            future.add_done_callback(lambda _: queue.put(None))
        for _ in waiting:
            while (told := queue.get()) is not None:
                listener(told)
        for future in waiting:
            future.result()


_queue: "SimpleQueue[Told | None]"


def _begin(queue: "SimpleQueue[Told | None]") -> None:
    """Start a worker, which ends with the process that started it, killed or not."""
    global _queue  # noqa: PLW0603 (a pool hands a queue to its workers in no other way)
    _queue = queue

    def follow() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _make_share(keys: list[dg.AssetKey], settings: Settings) -> None:
    with open_instance(settings) as instance:
        make(_graph(settings), instance, keys, _queue.put)


@functools.cache
def _graph(settings: Settings) -> dg.Definitions:
    return definitions.build(settings)
