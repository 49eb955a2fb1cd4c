"""Time the main job: each step on a fresh data root, then a second run with nothing changed.

    .venv/bin/python benchmarks/main_job.py [tiny|demo|full]

Prints seconds a step, slowest first, and the two totals.
"""

import sys
import tempfile
import time
from pathlib import Path

from adapters.settings import load_settings
from dagster_project.run import run


def main(size: str) -> None:
    """Run twice in one process and print what took how long."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings().model_copy(
            update={
                "data_root": Path(folder) / "data",
                "truth_root": Path(folder) / "truth",
                "twin_size": size,
            }
        )
        for name in ("fresh", "unchanged"):
            begun = time.perf_counter()
            outcome = run(settings)
            took = time.perf_counter() - begun
            sys.stdout.write(f"\n{name}: {took:.1f} s, {len(outcome.made)} steps made\n")
            for step, seconds in sorted(outcome.seconds.items(), key=lambda item: -item[1])[:25]:
                sys.stdout.write(f"  {seconds:7.2f}  {step}\n")
            for step, reason in outcome.failed.items():
                sys.stdout.write(f"  failed  {step}: {reason}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo")
