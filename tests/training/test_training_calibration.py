"""What too little evidence does to intervals: none, rather than one that claims what it has not."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.calibrate import GRID, Calibration, Scores, _scores
from training.data import NumericFeature, Schema
from training.predict import Predictor


def _of(rows: int, worst: float) -> Scores:
    return Scores(rows=rows, quantiles=tuple(np.linspace(0.0, worst, GRID + 1).tolist()))


def test_few_rows_give_way_to_all_features_and_those_to_no_interval() -> None:
    calibration = Calibration(
        numeric={"rare": _of(5, 1.0), "common": _of(100, 2.0)},
        all_numeric=_of(50, 3.0),
        all_categorical=_of(5, 0.4),
    )
    assert calibration.factor("common", 0.9) == pytest.approx(2.0 * 91 / 100)
    assert calibration.factor("rare", 0.9) == pytest.approx(3.0 * 46 / 50)
    assert calibration.factor("rare", 0.8) == pytest.approx(1.0)
    assert np.isnan(calibration.factor("common", 0.999))
    assert calibration.least_chance(0.8) == pytest.approx(0.6)
    assert calibration.least_chance(0.9) == 0.0, "all codes"


@given(n=st.integers(10, 300), level=st.sampled_from([0.5, 0.8, 0.9]), seed=st.integers(0, 999))
def test_an_interval_holds_its_share_of_the_scores_it_comes_from(
    n: int, level: float, seed: int
) -> None:
    """With its correction: ceil((n + 1) level) of n scores, but for the grid of quantiles."""
    scores = np.random.default_rng(seed).exponential(size=n)
    found = _scores([scores], [np.arange(n)])
    assert found is not None
    assert (scores <= found.at(level) + 1e-6).sum() >= np.ceil((n + 1) * level) - 1 - n / GRID


def test_without_evidence_predictions_have_no_bounds() -> None:
    """Of a vector, the element that did not vary in training has none either."""
    feature = NumericFeature(
        id="v", unit="1", width=2, transform="identity", scale=1.0, mean=(1.0, 7.0),
        std=(2.0, None), minimum=None, maximum=None,
    )  # fmt: skip
    predictor = object.__new__(Predictor)
    predictor.schema = Schema(numeric=(feature,), categorical=(), left_out={}, wholes=())
    out = {"mean": [torch.zeros(1, 1, 2)], "log_variance": [torch.zeros(1, 1)]}
    for rows, bounds in ((100, [(1.0 - 2 * 1.82, 1.0 + 2 * 1.82), (None, None)]), (5, None)):
        predictor.calibration = Calibration(
            numeric={"v": _of(rows, 2.0)}, all_numeric=None, all_categorical=None
        )
        found = pl.concat(
            predictor._numeric(out, np.array([[True]]), np.array(["a"]), 0.9)  # type: ignore[arg-type]
        )
        assert found["mean"].to_list() == [1.0, 7.0]
        for row, wanted in zip(
            found.select("lower", "upper").rows(), bounds or [(None, None)] * 2, strict=True
        ):
            assert row == (pytest.approx(wanted) if wanted[0] is not None else wanted)
