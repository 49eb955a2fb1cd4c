"""Shared by all tests; its folder is on the import path, so `good_standard` can be imported.

A test that lacks a program or the reference data skips and says what it needs; the closing summary
counts those in one line. Where SOILMELD_REQUIRE_ALL is set, as by `.ci/run`, such a skip fails.
Settings in the environment (`SOILMELD_DATA_ROOT` and its like) hold in no test.
"""

import collections
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import yaml
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from adapters.settings import Settings
    from dagster_project.run import Outcome

# The same examples everywhere, and no failure because a shared machine was slow for a moment.
hypothesis.settings.register_profile("soilmeld", deadline=None, derandomize=True)
hypothesis.settings.load_profile("soilmeld")

REQUIRE_ALL = "SOILMELD_REQUIRE_ALL"
# What tests are told by the environment. Settings of the project are none of it: programs that
# tests start would write into the data of whoever runs the tests.
_TOLD = (REQUIRE_ALL, "SOILMELD_REFERENCE_DATA")
for _name in [name for name in os.environ if name.startswith("SOILMELD_") and name not in _TOLD]:
    del os.environ[_name]
# What no machine at hand has cannot be required of it.
_NEVER_REQUIRED = ("GPU",)


# Files whose tests read the main job's results. Where processes share the work, one runs these, so
# that the main job is done once.
_OF_WHOLE = (
    "tests/dagster/test_golden_run.py",
    "tests/docs/",
    "tests/soilmeld/",
    "tests/twin/test_whole.py",
)


# They take longest of all files: begun first, no process is left waiting for them at the end.
_LONGEST = (
    "tests/dagster/test_golden_run.py",
    "tests/dagster/test_killed_run.py",
    "tests/training/test_training_runs.py",
    "tests/dagster/test_making.py",
    "tests/dagster/test_refresh.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONGEST))


class _OneWhole(LoadFileScheduling):
    """The tests of a file stay together, and those that read the main job's results too."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole" if nodeid.startswith(_OF_WHOLE) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _OneWhole:
    return _OneWhole(config, log)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple["Settings", "Outcome"]:
    """The main job on the tiny twin and the open data, once for all tests that read its results."""
    from adapters.settings import Settings
    from dagster_project.run import run
    from training.recipe import RECIPES

    root = tmp_path_factory.mktemp("whole")
    # Each model sees its data once: how well models learn is asked in tests/training/.
    (root / "recipes").mkdir()
    for shipped in RECIPES.glob("*.yaml"):
        short = yaml.safe_load(shipped.read_text(encoding="utf-8")) | {"epochs": 1}
        (root / "recipes" / shipped.name).write_text(yaml.safe_dump(short), encoding="utf-8")
    # One process for sources and one for each training job: the other core has tests of its own.
    # Several have theirs in tests/dagster/test_making.py and tests/training/.
    settings = Settings(
        data_root=root / "data",
        truth_root=root / "truth",
        recipes=root / "recipes",
        twin_size="tiny",
        processes=1,
        training_ranks=1,
    )
    return settings, run(settings)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Headless browser of the system."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return Path(found)
    pytest.skip("chromium is not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(REQUIRE_ALL):
        reason = _reason(report)
        if not any(word in reason for word in _NEVER_REQUIRED):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: skipped, but {REQUIRE_ALL} is set: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = collections.Counter(
        _reason(report) for report in terminalreporter.stats.get("skipped", [])
    )
    if reasons:
        told = "; ".join(f"{count} because {reason}" for reason, count in reasons.items())
        terminalreporter.write_line(f"skipped: {told}")


def _reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")
