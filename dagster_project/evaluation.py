"""The assets that evaluate one group's models.

Belongs here: the one form of such an asset, and for each model what it asks and shows.
Never here: measuring anything (`training`), training (`training.py`).
"""

import datetime
import importlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from adapters.settings import Settings
from dagster_project import automation, checks, rendering, versions
from dagster_project.groups import Group
from dagster_project.sources import refusal

if TYPE_CHECKING:
    from training.profile_schema import ProfileSchema

OWNERS = ["team:models"]


@dataclass(frozen=True)
class Evaluation:
    """How the runs of a model are evaluated.

    Attributes:
        module: Of `training`; its `evaluate(run, data)` writes `evaluation.md` into the run.
        about: What is measured, in words.
        kinds: Libraries that are shown with the asset.
        check: Name of the check.
        question: That the check answers.
        judge: Report -> answer of the check.
        show: Settings, group, run, report -> what the asset shows besides the report.
    """

    module: str
    about: str
    kinds: frozenset[str]
    check: str
    question: str
    judge: Callable[[dict], dg.AssetCheckResult]
    show: Callable[[Settings, str, Path, dict], dict[str, Any]]


def evaluation_asset(
    group: Group,
    model: dg.AssetKey,
    evaluated: Evaluation,
    run: Callable[[Settings, str], Path],
    data: Callable[[Settings, str], Path],
    *,
    automatic: bool = True,
) -> dg.AssetsDefinition:
    """The evaluation of a model of a group.

    Args:
        group: The group.
        model: Asset of the model.
        evaluated: How it is evaluated.
        run: Settings, group -> folder of the run that is evaluated.
        data: Settings, group -> folder of the data that it was trained on.
        automatic: Is it made by itself when the model changed?
    """
    key = dg.AssetKey([*model.path[:-1], f"{model.path[-1]}_evaluation"])

    @dg.asset(
        key=key,
        deps=[model],
        group_name=group.name,
        description=evaluated.about,
        kinds=set(evaluated.kinds),
        owners=OWNERS,
        automation_condition=automation.on_new_data([model]) if automatic else None,
        code_version=versions.code_version("training", "models"),
        check_specs=[dg.AssetCheckSpec(evaluated.check, asset=key, description=evaluated.question)],
    )
    def evaluation(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        with refusal():
            folder = run(settings, group.name)
            evaluate = importlib.import_module(evaluated.module).evaluate
            report = evaluate(folder, data(settings, group.name))
            shown = evaluated.show(settings, group.name, folder, report)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(folder.name),
            metadata={
                "origin": report["origin"],
                "report": dg.MetadataValue.md((folder / "evaluation.md").read_text("utf-8")),
                **shown,
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
            check_results=[evaluated.judge(report)],
        )

    return evaluation


def _errors(settings: Settings, group: str, run: Path, report: dict) -> dict[str, Any]:  # noqa: ARG001
    return {
        f"{kind}_{method}": value["value"]
        for kind, found in report["all_features"].items()
        for method, value in found["methods"].items()
    }


def _better_than_mean(report: dict) -> dg.AssetCheckResult:
    difference = report["all_features"]["numeric"]["model_minus"]["mean"]
    return dg.AssetCheckResult(
        passed=difference["value"] < 0,
        check_name=checks.BASELINES,
        severity=dg.AssetCheckSeverity.WARN,
        description=difference["verdict"] or difference["interval"],
        metadata={name: difference[name] for name in ("value", "low", "high", "entries")},
    )


def _goals(settings: Settings, group: str, run: Path, report: dict) -> dict[str, Any]:  # noqa: ARG001
    return {"goals": rendering.table(report["goals"])}


def _above_floors(report: dict) -> dg.AssetCheckResult:
    goals = report["goals"]
    missed = [goal for goal in goals if goal["outcome"] != "reached"]
    return dg.AssetCheckResult(
        # Where nothing is a goal, none was reached.
        passed=bool(goals) and not missed,
        check_name=checks.FLOORS,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(goals) - len(missed)} of {len(goals)} scores are above their floor",
        metadata={"missed": rendering.table(missed)},
    )


def _described(settings: Settings, group: str, run: Path, report: dict) -> dict[str, Any]:
    """A photograph of the test split with what the model says of it, beside what is known."""
    from fusion.profiles.sets import original
    from fusion.profiles.store import ProfileSet
    from training.profile_describe import Describer
    from training.profile_drawing import draw

    held = ProfileSet(settings.profiles / group / report["data"]["version"])
    row = held.index.with_row_index("row").filter(split="test")["row"][0]
    known = held.index.row(row, named=True)
    describer = Describer(run)
    with tempfile.TemporaryDirectory() as place:
        # A reader tells photographs by their names, which the archive does not keep.
        photograph = Path(place) / known["photograph"]
        photograph.symlink_to(original(settings, group, row))
        description, seen = describer.look(
            photograph,
            known["longitude"],
            known["latitude"],
            _date(known),
            site=_site(describer.predictor.schema, known),
        )
    return {
        **_goals(settings, group, run, report),
        "described_photograph": known["photograph"],
        "described": rendering.picture(draw(description, seen), known["photograph"]),
        "horizons_predicted": rendering.table(description.table().to_dicts()),
        "horizons_known": rendering.table(known["horizons"]),
    }


def _date(known: Mapping[str, Any]) -> datetime.date | None:
    """First day of the month of sampling."""
    if known["year"] is None or known["month"] is None:
        return None
    return datetime.date(known["year"], known["month"], 1)


def _site(schema: "ProfileSchema", known: Mapping[str, Any]) -> dict[str, str | float]:
    """What is known of a site and the model has met."""
    told = {f.name: known.get(f"site.{f.name}") for f in (*schema.numbers, *schema.codes)}
    met = {f.name: f.codes for f in schema.codes}
    return {
        name: value
        for name, value in told.items()
        if value is not None and (name not in met or value in met[name])
    }


FEATURES = Evaluation(
    module="training.evaluate",
    about="Error on masked features beside the feature mean, nearest neighbours and LightGBM, on "
    "the same rows and masks, on sites that training never saw.",
    kinds=frozenset({"pytorch", "lightgbm"}),
    check=checks.BASELINES,
    question="Is the model's error on numeric features below that of their mean?",
    judge=_better_than_mean,
    show=_errors,
)
TILES = Evaluation(
    module="training.geomeld_evaluate",
    about="Frozen features under probes, retrieval, segmentation and changed sensors, beside "
    "floors on the same tiles, in regions that training never saw.",
    kinds=frozenset({"pytorch", "scikitlearn"}),
    check=checks.FLOORS,
    question="Is every score of the model above its floor?",
    judge=_above_floors,
    show=_goals,
)
PROFILES = Evaluation(
    module="training.profile_evaluate",
    about="Boundaries, properties and symbols of photographs beside baselines, on profiles in "
    "places that training never saw; and one of these photographs, described.",
    kinds=frozenset({"pytorch", "numpy"}),
    check=checks.FLOORS,
    question="Is every score of the model above every baseline?",
    judge=_above_floors,
    show=_described,
)
PROFILE_TASKS = replace(
    PROFILES,
    about="Boundaries, properties or symbols of photographs beside baselines, on profiles "
    "in places that training never saw.",
    show=_goals,
)
