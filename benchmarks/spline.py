"""How many profiles a second the mass-preserving spline handles, beside one profile at a time.

`python benchmarks/spline.py [profiles]`: synthetic profiles of 2 to 10 horizons. Where the
`mpspline` package is installed it is the comparison, else the same equations with numpy matrices,
one profile at a time. Both run in this process, on the same profiles; the answers must agree.
"""

import importlib.util
import sys
import time

import numpy as np

from fusion.spline import STANDARD_DEPTHS, mass_preserving_spline


def profiles(count: int, seed: int = 7) -> tuple[np.ndarray, ...]:
    """Profile, top, bottom (cm) and value of `count` profiles."""
    rng = np.random.default_rng(seed)
    horizons = rng.integers(2, 11, count)
    profile = np.repeat(np.arange(count), horizons)
    thickness = rng.integers(5, 40, len(profile)).astype(float)
    below = np.cumsum(thickness)
    start = np.repeat(np.concatenate([[0], np.cumsum(horizons)[:-1]]), horizons)
    bottom = below - (below - thickness)[start]
    return profile, bottom - thickness, bottom, rng.gamma(2.0, 10.0, len(profile))


def one_profile(top: np.ndarray, bottom: np.ndarray, value: np.ndarray) -> list[float]:
    """The equations of Bishop et al. (1999) as printed, for one profile."""
    n, thickness, gap = len(top), bottom - top, top[1:] - bottom[:-1]
    slope = np.zeros(n + 1)
    mean = value
    if n > 1:
        r = np.diag(2 * (thickness[:-1] + thickness[1:]) + 6 * gap)
        r += np.diag(thickness[1:-1], 1) + np.diag(thickness[1:-1], -1)
        q = np.eye(n - 1, n, 1) - np.eye(n - 1, n)
        inverse = np.linalg.inv(r)
        mean = np.linalg.solve(np.eye(n) + 6 * n * 0.1 * q.T @ inverse @ q, value)
        slope[1:-1] = 6 * inverse @ q @ mean
    c2 = np.diff(slope) / (2 * thickness)
    c0 = mean - thickness * (slope[:-1] / 3 + slope[1:] / 6)
    x = np.arange(top[0], bottom[-1])
    k = np.searchsorted(top, x, side="right") - 1
    t = x - top[k]
    curve = np.clip(c0[k] + slope[k] * t + c2[k] * t**2, 0.0, 1000.0)
    layers = [
        curve[(x >= a) & (x < b)]
        for a, b in zip(STANDARD_DEPTHS[:-1], STANDARD_DEPTHS[1:], strict=True)
    ]
    return [layer.mean() if len(layer) else np.nan for layer in layers]


def by_package(data: tuple[np.ndarray, ...]) -> np.ndarray:
    """The `mpspline` package, over the same profiles."""
    import pandas as pd
    from mpspline import mpspline

    profile, top, bottom, value = data
    frame = pd.DataFrame({"cokey": profile, "upper": top, "lower": bottom, "v": value})
    components = [
        {"cokey": key, "horizons": rows.drop(columns="cokey").to_dict("records")}
        for key, rows in frame.groupby("cokey")
    ]
    wide = mpspline(components, var_name="v", output_type="wide")
    return wide.filter(regex="^v_").to_numpy(dtype=float)


def main() -> None:
    """Time both and say the ratio."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    data = profiles(count)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        ours = mass_preserving_spline(*data)
        seconds.append(time.perf_counter() - start)
    ours_rate = count / float(np.median(seconds))
    sys.stdout.write(
        f"vectorised: {ours_rate:,.0f} profiles/s (median of 5 runs over {count:,}; "
        f"slowest {count / max(seconds):,.0f})\n"
    )

    few = min(count, 2_000)
    part = tuple(a[data[0] < few] for a in data)
    start = time.perf_counter()
    if importlib.util.find_spec("mpspline"):
        name, theirs = "mpspline package", by_package(part)
    else:
        name = "one profile at a time, numpy"
        first = np.searchsorted(part[0], np.arange(few + 1))
        theirs = np.array(
            [
                one_profile(*(a[b:e] for a in part[1:]))
                for b, e in zip(first[:-1], first[1:], strict=True)
            ]
        )
    theirs_rate = few / (time.perf_counter() - start)
    np.testing.assert_allclose(theirs, ours[:few], rtol=1e-6)
    sys.stdout.write(
        f"{name}: {theirs_rate:,.0f} profiles/s over {few:,}; answers agree\n"
        f"ratio: {ours_rate / theirs_rate:.1f}\n"
    )


if __name__ == "__main__":
    main()
