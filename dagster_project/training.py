"""The assets of one group's models: trained by themselves when their data changed, then evaluated.

Belongs here: which models there are; starting the training command through Dagster Pipes, and
showing how it goes.
Never here: training or evaluating (`training`), what an evaluation shows (`evaluation.py`).
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import psutil

from adapters.errors import TrainingError
from adapters.settings import Settings
from dagster_project import automation, rendering
from dagster_project.evaluation import (
    FEATURES,
    OWNERS,
    PROFILE_TASKS,
    PROFILES,
    TILES,
    Evaluation,
    evaluation_asset,
)
from dagster_project.fusion import current_matrix, matrix_key
from dagster_project.groups import Group
from dagster_project.profiles import profile_set, profiles_key
from dagster_project.sources import refusal
from dagster_project.tiles import captioned_tiles, captions_key
from training.recipe import RECIPES, Recipe, load_recipe
from training.runs import code_version, run_folder

_POLL_S = 0.5
# Runs a command with its output in a file, and has Linux end it when this process ends, be it by
# SIGKILL: a training job whose Dagster run is gone would hold its lock against the next.
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_ATTACHED = (
    "import ctypes, os, signal, sys\n"
    "log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)\n"
    "os.dup2(log, 1); os.dup2(log, 2)\n"
    "if sys.platform == 'linux':\n"
    f"    ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
_LOG_TAIL = 3000


@dataclass(frozen=True)
class Trained:
    """A model that each group trains.

    Attributes:
        name: Of its asset.
        recipe: Name of its recipe; the settings may hold another one of that name.
        data: Group -> asset that it is trained on.
        folder: Folder of that asset's version in use.
        evaluation: How its runs are evaluated.
        about: What it is, in words.
    """

    name: str
    recipe: str
    data: Callable[[str], dg.AssetKey]
    folder: Callable[[Settings, str], Path]
    evaluation: Evaluation
    about: str

    def key(self, group: str) -> dg.AssetKey:
        """Key of the model of a group."""
        return dg.AssetKey([group, self.name])

    def recipe_file(self, settings: Settings) -> Path:
        """The recipe that it is trained by."""
        own = settings.recipes / f"{self.recipe}.yaml"
        return own if own.is_file() else RECIPES / own.name

    def loaded(self, settings: Settings) -> Recipe:
        """What `recipe_file` says.

        Raises:
            TrainingError: It is not valid, or names itself otherwise, so that nobody would find its
                runs.
        """
        file = self.recipe_file(settings)
        recipe = load_recipe(file)
        if recipe.name != self.recipe:
            raise TrainingError(
                f"a recipe that takes the place of {self.recipe} has its name",
                file=str(file),
                where="name",
                samples=[recipe.name],
                remedy=f"write name: {self.recipe}",
            )
        return recipe

    def run(self, settings: Settings, group: str) -> Path:
        """Folder of the run that trains on the data in use."""
        return run_folder(self.loaded(settings), self.folder(settings, group), settings.runs)


SOILFORMER = Trained(
    name="soilformer",
    recipe="soilformer",
    data=matrix_key,
    folder=current_matrix,
    evaluation=FEATURES,
    about="SoilFormer, trained on the group's matrix",
)
GEOMELD_FM = Trained(
    name="geomeld_fm",
    recipe="geomeld_fm_atto",
    data=captions_key,
    folder=captioned_tiles,
    evaluation=TILES,
    about="GeoMeld-FM, pretrained on the group's captioned tiles",
)
SOILNET = Trained(
    name="soilnet",
    recipe="soilnet_end2end",
    data=profiles_key,
    folder=profile_set,
    evaluation=PROFILES,
    about="SoilNet, from a photograph of a profile to horizon symbols, trained on the group's "
    "photographed profiles",
)
FAMILIES = tuple(
    replace(
        SOILNET,
        name=recipe,
        recipe=recipe,
        evaluation=PROFILE_TASKS,
        about=f"SoilNet, {task} alone, trained",
    )
    for recipe, task in (
        ("soilnet_simple_depth", "depths of boundaries"),
        ("soilnet_simple_tabulars", "properties of known horizons"),
        ("soilnet_simple_horizon", "symbols of known horizons"),
    )
)
"""SoilNet's models of single tasks."""


def training_assets(group: Group, settings: Settings) -> list[dg.AssetsDefinition]:
    """The models of a group and their evaluations.

    SoilNet's models of single tasks are made by themselves where the settings ask for it, else
    when a person asks for them.
    """
    wanted = [(SOILFORMER, True), (GEOMELD_FM, True)]
    if group.photographs:
        wanted += [(SOILNET, True), *((family, settings.soilnet_families) for family in FAMILIES)]
    return [
        asset
        for trained, automatic in wanted
        for asset in _assets(group, trained, automatic, settings)
    ]


def _assets(
    group: Group, trained: Trained, automatic: bool, settings: Settings
) -> list[dg.AssetsDefinition]:
    return [
        _model(group, trained, automatic, trained.loaded(settings).digest),
        evaluation_asset(
            group,
            trained.key(group.name),
            trained.evaluation,
            trained.run,
            trained.folder,
            automatic=automatic,
        ),
    ]


def _model(
    group: Group, trained: Trained, automatic: bool, recipe_digest: str
) -> dg.AssetsDefinition:
    data_key, key = trained.data(group.name), trained.key(group.name)

    @dg.asset(
        key=key,
        deps=[data_key],
        group_name=group.name,
        description=f"{group.description}\n\n{trained.about} by a "
        "DeepSpeed job of its own; a job that was killed continues at its last checkpoint."
        + ("" if automatic else " Made when it is asked for; see the setting soilnet_families."),
        kinds={"pytorch", "deepspeed"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([data_key]) if automatic else None,
        code_version=f"{code_version()[:16]}-{recipe_digest[:16]}",
    )
    def model(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        pipes: dg.ResourceParam[dg.PipesSubprocessClient],
    ) -> Iterator[dg.AssetObservation | dg.MaterializeResult]:
        from training.launch import launch

        reported: list[dg.MaterializeResult] = []

        def through_pipes(command: list[str], environment: dict[str, str]) -> None:
            log = run / "worker.log"
            attached = [sys.executable, "-c", _ATTACHED, str(log), *command]
            try:
                done = pipes.run(context=context, command=attached, env=environment)
            except dg.DagsterPipesExecutionError as error:
                raise TrainingError(
                    f"the job failed:\n{log.read_text('utf-8', errors='replace')[-_LOG_TAIL:]}",
                    file=str(log),
                    remedy="correct the cause and run again: it goes on from its last checkpoint",
                ) from error
            reported.append(done.get_materialize_result())

        with refusal():
            data = trained.folder(settings, group.name)
            run = trained.run(settings, group.name)
            with ThreadPoolExecutor(1) as pool, _ended_with_us():
                ranks, recipe = settings.training_ranks, trained.recipe_file(settings)
                job = pool.submit(launch, recipe, data, settings.runs, ranks, through_pipes)
                for line in _lines(run / "metrics.jsonl", job):
                    yield dg.AssetObservation(key, metadata=_numbers(line))
                run = job.result()
        metadata = reported[0].metadata if reported else {}
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(run.name),
            metadata={**metadata, "peak_memory_mb": rendering.peak_memory_mb()},
        )

    return model


def _lines(path: Path, job: Future) -> Iterator[dict[str, object]]:
    """Lines of a growing file, as they are written, until the job is done."""
    seen = len(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else 0
    while True:
        ended = job.done()
        if path.is_file():
            whole = [s for s in path.read_text(encoding="utf-8").splitlines(True) if s[-1] == "\n"]
            yield from (json.loads(line) for line in whole[seen:])
            # A job that continues first drops what lies beyond its checkpoint.
            seen = len(whole)
        if ended:
            return
        time.sleep(_POLL_S)


def _numbers(line: dict[str, object]) -> dict[str, object]:
    split = line.pop("split")
    return {
        name if name in ("samples", "epoch") else f"{split}_{name}": value
        for name, value in line.items()
    }


@contextlib.contextmanager
def _ended_with_us() -> Iterator[None]:
    """End the training job where this step is interrupted."""
    try:
        yield
    except BaseException:
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "training.train" in child.cmdline():
                    child.terminate()
        raise
