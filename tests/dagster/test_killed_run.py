"""The whole main job on a few sources of every kind: killed half-way, and without the truth."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from adapters import twin
from adapters.settings import Settings, process_environment
from dagster_project import definitions
from dagster_project import run as main_job

ROOT = Path(__file__).parent.parent.parent
TIMEOUT_S = 400
FEW = (
    "lucas_2009_topsoil",  # points that are samples
    "spade_m",  # profiles that are samples
    "esdb_v2_vector",  # polygons
    "pesticides_residues_nuts2",  # regions
    "phosphorus_budget_stocks",  # rasters, several parts
)


def settings_in(root: Path) -> Settings:
    return Settings(
        data_root=root / "data", truth_root=root / "truth", twin_size="tiny", twin=False
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A few of the twin's sources, and their truth; nothing made of them yet."""
    settings = settings_in(tmp_path_factory.mktemp("few"))
    twin.write(settings, FEW)
    return settings


def run_to_the_matrices(settings: Settings) -> main_job.Outcome:
    """The main job without its training, which makes no table and no matrix."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(definitions, "training_assets", lambda group, settings: [])
        return main_job.run(settings)


@pytest.fixture(scope="module")
def undisturbed(
    written: Settings, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Settings, main_job.Outcome]:
    """The main job in one go, without the truth."""
    settings = settings_in(tmp_path_factory.mktemp("undisturbed"))
    shutil.copytree(written.raw, settings.raw)
    return settings, run_to_the_matrices(settings)


def fingerprint(settings: Settings) -> dict[str, str]:
    """Hash of every published table, and the version of every matrix."""
    found = {}
    with duckdb.connect(str(settings.published / "soilmeld.duckdb"), read_only=True) as store:
        tables = store.execute(
            "select table_name from duckdb_tables() where schema_name = 'std' order by 1"
        ).fetchall()
        for (table,) in tables:
            rows = store.execute(f'select * from std."{table}"').pl()
            # The values, not the memory they lie in: what stands under a NULL is undefined there.
            content = repr((rows.schema, rows.rows()))
            found[table] = hashlib.sha256(content.encode()).hexdigest()
    for current in sorted(settings.fused.glob("*/CURRENT")):
        found[f"matrix {current.parent.name}"] = current.read_text(encoding="utf-8").strip()
    return found


def kill_when(settings: Settings, place: str) -> int:
    """Start the main job, kill it as soon as a place exists, and return its exit code.

    Args:
        settings: Whose data root is worked on.
        place: Glob pattern under the data root.
    """
    environment = process_environment(
        SOILMELD_DATA_ROOT=str(settings.data_root),
        SOILMELD_TRUTH_ROOT=str(settings.truth_root),
        SOILMELD_TWIN="false",
    )
    with subprocess.Popen(
        [sys.executable, "-m", "dagster_project.run"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + TIMEOUT_S
        while process.poll() is None and not any(settings.data_root.glob(place)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def test_the_truth_is_read_by_the_audit_alone(
    undisturbed: tuple[Settings, main_job.Outcome],
) -> None:
    """What was made without it is compared with what is made beside it in the next test."""
    settings, outcome = undisturbed
    assert not settings.truth_root.exists()
    assert list(outcome.failed) == ["synthetic/audit"]


def test_killed_and_run_again_ends_as_if_nothing_had_been(
    written: Settings, undisturbed: tuple[Settings, main_job.Outcome]
) -> None:
    # While the matrix is built; the long test kills it while sources are committed too.
    assert kill_when(written, "fused/synthetic/*") == -signal.SIGKILL
    assert run_to_the_matrices(written).failed == {}
    assert fingerprint(written) == fingerprint(undisturbed[0])
    assert run_to_the_matrices(written).made == []


@pytest.mark.long
def test_killed_in_committing_and_in_training_it_ends_the_same(
    written: Settings, undisturbed: tuple[Settings, main_job.Outcome], tmp_path: Path
) -> None:
    settings = settings_in(tmp_path)
    shutil.copytree(written.raw, settings.raw)
    shutil.copytree(written.truth_root, settings.truth_root)
    for place in ("store/soilmeld.duckdb", "runs/*/*/metrics.jsonl"):
        assert kill_when(settings, place) == -signal.SIGKILL
    outcome = main_job.run(settings)
    assert outcome.failed == {}
    assert fingerprint(settings) == fingerprint(undisturbed[0])
    assert main_job.run(settings).made == []
