"""The spline against reference answers of an independent package (mpspline2 0.1.9, lambda 0.1)."""

from collections import Counter

import numpy as np
import polars as pl

from fusion.spline import STANDARD_DEPTHS, mass_preserving_spline

LAYERS = ["d0_5", "d5_15", "d15_30", "d30_60", "d60_100", "d100_200"]


def test_ithir_profile(reference):
    folder = reference / "pedology_reference" / "mpspline2"
    profile = pl.read_csv(folder / "ithir_oneProfile.csv")
    expected = pl.read_csv(folder / "ithir_oneProfile_reference.csv")["C"].to_numpy()
    found = mass_preserving_spline(*profile.to_numpy().T)
    np.testing.assert_allclose(found, expected[None, :], rtol=1e-6)


def reason_for_difference(tops, bottoms, found, expected):
    """Why the reference differs, from the depths of the profile; None where no reason is known."""
    if len(tops) != 1:
        return None
    top, bottom = tops[0], bottoms[0]
    limits = np.array(STANDARD_DEPTHS)
    touched = (limits[:-1] < bottom) & (limits[1:] > top)
    if not (np.isfinite(found) == touched).all() or top == 0:
        return None
    filled = np.isfinite(expected)
    if (touched & ~filled).any() and not (filled & ~touched).any():
        return "single horizon: the reference leaves out layers that the horizon reaches"
    if (filled & ~touched).any():
        return "single horizon: the reference fills a layer that the horizon does not reach"
    return None


def test_isis_profiles(reference):
    """2,011 real profiles x variables: equal to 1e-4, or different for a reason that is listed.

    Horizons above the surface (negative tops), inverted ones and ones without thickness enter
    neither spline, gaps are bridged by both: there the answers agree. They differ only where a
    profile has one usable horizon that does not start at the surface.
    """
    horizons = pl.read_csv(
        reference / "isis_profiles" / "isis_horizons.csv", infer_schema_length=None
    )
    answers = pl.read_csv(
        reference / "pedology_reference" / "mpspline2" / "isis_reference.csv",
        null_values="NA",
        infer_schema_length=None,
    )
    assert answers.height == 2011
    reasons, depth_faults = Counter(), Counter()
    for (variable,), expected in answers.group_by("variable", maintain_order=True):
        rows = horizons.select("SOURCEID", "UHDICM", "LHDICM", variable).drop_nulls()
        rows = rows.join(expected, on="SOURCEID", how="semi")
        name, top, bottom, value = (rows[c].to_numpy() for c in rows.columns)
        splined = mass_preserving_spline(name, top, bottom, value)
        position = {profile: i for i, profile in enumerate(np.unique(name))}
        for answer in expected.iter_rows(named=True):
            mine = splined[position[answer["SOURCEID"]]]
            theirs = np.array([answer[layer] for layer in LAYERS], dtype=float)
            rows_here = name == answer["SOURCEID"]
            tops, bottoms = top[rows_here], bottom[rows_here]
            depth_faults["above the surface"] += bool((tops < 0).any())
            depth_faults["inverted or without thickness"] += bool((tops >= bottoms).any())
            if not np.allclose(mine, theirs, rtol=1e-4, atol=1e-9, equal_nan=True):
                reason = reason_for_difference(tops, bottoms, mine, theirs)
                assert reason, (variable, answer["SOURCEID"], mine, theirs)
                reasons[reason] += 1
    assert reasons == {
        "single horizon: the reference leaves out layers that the horizon reaches": 4,
        "single horizon: the reference fills a layer that the horizon does not reach": 2,
    }
    assert depth_faults == {"above the surface": 7, "inverted or without thickness": 14}
