"""An evaluation in words.

Belongs here: laying out the content of `evaluation.json` for people; light to import.
Never here: measuring anything.
"""

_METHODS = ("model", "mean", "majority", "neighbours", "lightgbm")


def readable(report: dict) -> str:
    """The whole report as Markdown."""
    protocol = report["protocol"]
    lines = [
        f"# Restoring hidden features: {report['recipe']} on {report['origin']} data",
        "",
        f"Data version {report['data']['version']}; {protocol['test_rows']} of "
        f"{protocol['test_rows_of']} test rows in {counted(protocol['test_clusters'])}, "
        f"{protocol['trials']} trials. Numeric: {protocol['measure']['numeric']} (less is better). "
        f"Categorical: {protocol['measure']['categorical']} (more is better). "
        f"Brackets: {protocol['interval']}.",
    ]
    if report["origin"] == "synthetic":
        lines.append("Synthetic data: these numbers say nothing of real soils.")
    titles = {
        "all_features": "All features",
        "lightgbm_features": "The features that LightGBM was fitted for",
    }
    for key, title in titles.items():
        for kind, found in report[key].items():
            lines += ["", f"## {title}, {kind}", "", "| method | value | model minus it | |"]
            lines.append("|---|---|---|---|")
            for method, value in found["methods"].items():
                other = found["model_minus"].get(method)
                difference = f"{bracket(other)} | {other['verdict'] or ''}" if other else " | "
                lines.append(f"| {method} | {bracket(value)} | {difference} |")
    if "interval_coverage" in report:
        coverage = report["interval_coverage"]
        lines += ["", f"Intervals of {coverage['level']:.0%} hold {bracket(coverage)} of values."]
    lines += [
        "",
        "## Each feature",
        "",
        f"| feature | class | {' | '.join(_METHODS)} |",
    ]
    lines.append("|---" * (2 + len(_METHODS)) + "|")
    for name, found in report["features"].items():
        cells = [
            bracket(found["methods"][method]) if method in found["methods"] else ""
            for method in _METHODS
        ]
        lines.append(f"| {name} | {found['class']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def bracket(value: dict) -> str:
    """A mean with its interval, or with the reason that there is none."""
    if value["low"] is None:
        return f"{value['value']:.3f} (no interval: {counted(value['clusters'])})"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


def counted(clusters: int) -> str:
    """`1 cluster`, `2 clusters`."""
    return f"{clusters} cluster{'' if clusters == 1 else 's'}"
