"""Assets of many sources, shared out among processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from adapters import twin
from adapters.archive import active
from adapters.settings import Settings, process_environment
from adapters.spec import load_spec
from dagster_project import making
from dagster_project.making import SHARE, Told, shares
from dagster_project.resources import open_instance

ROOT = Path(__file__).parent.parent.parent
# Small tables, enough of them for two shares.
MANY = (
    "arsenic_topsoils",
    "biomass_productivity",
    "c_factor",
    "cadmium_topsoils",
    "copper_topsoils",
    "cover_crops",
    "efsa_spatial_data",
    "elsus_v2",
    "k_factor",
    "ls_factor",
    "mercury_topsoils",
    "octop",
    "p_factor",
    "phosphorus_budget_stocks",
    "r_factor",
    "zinc_topsoils",
)


def keys(count: int, *kinds: str) -> set[dg.AssetKey]:
    return {dg.AssetKey([kind, f"s{i:02}"]) for kind in kinds for i in range(count)}


def test_each_asset_of_a_source_is_in_one_share_with_the_others() -> None:
    asked = keys(5 * SHARE + 3, "raw", "std")
    shared = shares([*asked, dg.AssetKey("published")], Settings())
    assert len(shared) == 5
    assert {key for share in shared for key in share} == asked
    assert sum(map(len, shared)) == len(asked)
    homes = [{key.path[1] for key in share} for share in shared]
    assert sum(map(len, homes)) == len(set().union(*homes))
    assert max(map(len, homes)) - min(map(len, homes)) <= 1


@pytest.mark.parametrize(("sources", "processes"), [(2 * SHARE - 1, 2), (68, 1), (0, 2)])
def test_nothing_is_shared_where_one_process_does_as_well(sources: int, processes: int) -> None:
    assert shares(keys(sources, "std"), Settings(processes=processes)) == []


def _settings(root: Path) -> Settings:
    return Settings(
        data_root=root / "data", truth_root=root / "truth", twin_size="tiny", twin=False
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = _settings(tmp_path_factory.mktemp("many"))
    twin.write(settings, MANY)
    return settings


def test_a_refused_source_takes_nothing_along(written: Settings) -> None:
    inbox = written.raw / "mercury_topsoils"
    shutil.rmtree(inbox)
    inbox.mkdir()
    (inbox / "mercury.tif").write_bytes(b"<html>not found</html>")
    asked = [dg.AssetKey([kind, source]) for source in MANY for kind in ("raw", "std")]
    heard: list[Told] = []
    making.make_shared(shares(asked, written), written, heard.append)
    made = {told.asset for told in heard if told.event == "materialised"}
    failed = {told.asset: told for told in heard if told.event == "failed"}
    assert list(failed) == ["raw/mercury_topsoils"]
    assert failed["raw/mercury_topsoils"].on_purpose
    assert "web page" in failed["raw/mercury_topsoils"].reason
    assert made == {"/".join(k.path) for k in asked if k.path[1] != "mercury_topsoils"}
    with open_instance(written) as instance:
        assert len(instance.get_runs()) == len(MANY) // SHARE
    assert all(active(load_spec(s), written) for s in MANY if s != "mercury_topsoils")


@pytest.mark.long
def test_workers_end_with_the_process_that_started_them(written: Settings) -> None:
    settings = written.model_copy(update={"data_root": written.data_root.parent / "killed"})
    settings.data_root.mkdir()
    (settings.data_root / "raw").symlink_to(written.raw)
    with subprocess.Popen(
        [sys.executable, "-m", "dagster_project.run"],
        cwd=ROOT,
        env=process_environment(SOILMELD_DATA_ROOT=str(settings.data_root), SOILMELD_TWIN="false"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while not settings.store.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        workers = _children(process.pid)
        assert len(workers) >= settings.processes
        os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(_lives(worker) for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _children(process: int) -> list[int]:
    return [
        int(pid)
        for task in Path(f"/proc/{process}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
