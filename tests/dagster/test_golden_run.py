"""The whole main job on the tiny twin and the open data: once and again."""

import time

import pytest

from adapters.settings import Settings
from dagster_project import run as main_job
from dagster_project import summary
from dagster_project.plan import plan


def test_nothing_fails(whole: tuple[Settings, main_job.Outcome]) -> None:
    assert whole[1].failed == {}


def test_every_group_that_has_sources_is_built(whole: tuple[Settings, main_job.Outcome]) -> None:
    settings, outcome = whole
    assert {p.parent.name for p in settings.fused.glob("*/CURRENT")} == {"synthetic", "open"}
    assert {key for key in outcome.made if key.endswith("soilformer_evaluation")} == {
        "synthetic/soilformer_evaluation",
        "open/soilformer_evaluation",
    }
    assert "published" in outcome.made


def test_a_second_run_makes_nothing_and_is_quick(
    whole: tuple[Settings, main_job.Outcome], capsys: pytest.CaptureFixture[str]
) -> None:
    settings, _ = whole
    begun = time.perf_counter()
    again = main_job.run(settings)
    assert again.made == []
    assert again.failed == {}
    assert time.perf_counter() - begun < 20
    assert plan(settings).steps == ()
    assert summary.show(settings, again, 1.0)
    shown = capsys.readouterr().out
    for told in ("nothing had changed", "SYNTHETIC", "OPEN", "CC BY-SA 4.0", "baseline"):
        assert told in shown
