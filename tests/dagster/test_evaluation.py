"""What the check of an evaluation says."""

import pytest

from dagster_project.evaluation import PROFILES, TILES

GOAL = {"score": "accuracy", "above": "majority"}


@pytest.mark.parametrize("evaluated", [PROFILES, TILES])
@pytest.mark.parametrize(
    ("outcomes", "passed", "said"),
    [
        (["reached", "reached"], True, "2 of 2"),
        (["reached", "missed: not distinguishable"], False, "1 of 2"),
        ([], False, "0 of 0"),
    ],
)
def test_a_check_passes_only_where_all_goals_were_reached(
    evaluated, outcomes, passed, said
) -> None:
    found = evaluated.judge({"goals": [{**GOAL, "outcome": outcome} for outcome in outcomes]})
    assert found.passed is passed
    assert found.description.startswith(said)
    assert ("accuracy" in found.metadata["missed"].value) is (0 < outcomes.count("reached") < 2)
