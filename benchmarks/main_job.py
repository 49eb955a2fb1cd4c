"""Time the main job: each step on a fresh data root, then a second run with nothing changed.

    PYTHONPATH=. python benchmarks/main_job.py [tiny|demo|full] [--tables-only]

Prints seconds a step, slowest first, and the two totals. With --tables-only the twin writes what
goes into matrices: no scenes and no photographs, and so neither tiles nor models of pictures. Of
`make run` the start of the interpreter is missing, some seconds.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from adapters import twin
from adapters.settings import Settings, load_settings
from adapters.twin.making import PHOTOGRAPHED, SOURCES
from dagster_project.run import run


def main() -> None:
    """Run twice in one process and print what took how long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", nargs="?", default="demo", choices=("tiny", "demo", "full"))
    parser.add_argument("--tables-only", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(
            update={
                "data_root": Path(folder) / "data",
                "truth_root": Path(folder) / "truth",
                "twin_size": arguments.size,
                "twin": not arguments.tables_only,
            }
        )
        for name in ("fresh", "unchanged"):
            begun = time.perf_counter()
            if arguments.tables_only:
                write_tables(settings)
            outcome = run(settings)
            took = time.perf_counter() - begun
            sys.stdout.write(f"\n{name}: {took:.1f} s, {len(outcome.made)} steps made\n")
            for step, seconds in sorted(outcome.seconds.items(), key=lambda item: -item[1])[:25]:
                sys.stdout.write(f"  {seconds:7.2f}  {step}\n")
            for step, reason in outcome.failed.items():
                sys.stdout.write(f"  failed  {step}: {reason}\n")


def write_tables(settings: Settings) -> None:
    """What the twin writes of all sources but the photographs."""
    twin.write(settings, [source for source in SOURCES if source != PHOTOGRAPHED])


if __name__ == "__main__":
    main()
