"""An evaluation of a model of profiles in words.

Belongs here: laying out its content for people; light to import. Never here: measuring anything.
"""

from training.report import bracket, counted

_ABOUT = {
    "boundaries": "Of the segments that each method finds. Same-index IoU is the authors' score: "
    "surplus horizons cost nothing in it; in matched IoU they do.",
    "symbols of true segments": "Methods are told the true segments. The first scores are those of "
    "the SoilNet authors; in theirs, means run over all labels, in `matched` ones over those that "
    "occur. A resample lacks some rare labels, which lowers means over labels: their intervals lie "
    "low.",
    "symbols of found segments": "The authors' scores compare horizon k with horizon k; in "
    "`matched` ones, a true horizon that no segment stands for is wrong.",
    "properties of true segments": "Means of F1 run over the codes that occur.",
    "confidence": "Chances, sets and intervals were fitted on the calibration split, for each "
    "method alike. A set holds the symbol of the horizon that most of a found segment lies in.",
}


def readable(report: dict) -> str:
    """The whole report as Markdown."""
    protocol = report["protocol"]
    many, of = protocol["photographs"], protocol["profiles"]
    lines = [
        f"# Described profiles: {report['recipe']} on {report['origin']} photographs",
        "",
        f"Profile set {report['data']['version']}. Asked about all {many['test']} photographs of "
        f"{of['test']} profiles of the test split, in {counted(protocol['clusters'])}; learnt from "
        f"{many['train']} photographs of {of['train']} profiles, calibrated on "
        f"{many['calibration']} of {of['calibration']}. Each profile weighs the same. "
        f"{protocol['labels']} labels. {_unseen(protocol)}Brackets: {protocol['interval']}.",
    ]
    if report["origin"] == "synthetic":
        lines += ["", "Synthetic photographs: these numbers say nothing of real profiles."]
    lines += ["", "## What the model should be above", "", *goals(report["goals"])]
    if protocol["told"]:
        lines += [
            "",
            f"No goal, as it is told what no method can know: {', '.join(protocol['told'])}.",
        ]
    for title, table in report["tables"].items():
        lines += ["", f"## {title[0].upper()}{title[1:]}", ""]
        if title.startswith("rare"):
            lines += [
                f"Labels that together name at most {protocol['rare_share']:.0%} of the training "
                f"horizons: {', '.join(protocol['rare_labels'])}.",
                "",
            ]
        elif title in _ABOUT:
            lines += [_ABOUT[title], ""]
        lines += comparison(table)
    if "several_photographs" in report:
        several = report["several_photographs"]
        lines += ["", "## Several photographs of a profile", ""]
        lines += [
            f"{several['photographs']} photographs of {several['profiles']} profiles that have "
            "more than one.",
            "",
            "| score | value |",
            "|---|---|",
        ]
        lines += [f"| {name} | {bracket(value)} |" for name, value in several["scores"].items()]
    return "\n".join(lines) + "\n"


def _unseen(protocol: dict) -> str:
    count = protocol["horizons_of_unseen_symbols"]
    if not count:
        return ""
    return (
        f"{count} of {protocol['horizons']} horizons have symbols that training never had "
        f"({', '.join(protocol['unseen_symbols'])}): asked is the nearest label. "
    )


def goals(listed: list[dict]) -> list[str]:
    """Lines of the table of goals: one row a score, one column a baseline."""
    if all(goal["outcome"].startswith("not measured") for goal in listed):
        return [f"None of {len(listed)} was measured: too few clusters for an interval."]
    reached = sum(goal["outcome"] == "reached" for goal in listed)
    methods = list(dict.fromkeys(goal["above"] for goal in listed))
    outcomes: dict[str, dict[str, str]] = {}
    for goal in listed:
        outcomes.setdefault(goal["score"], {})[goal["above"]] = goal["outcome"]
    lines = [
        f"{reached} of {len(listed)} reached: the model better, and the two intervals apart.",
        "",
        f"| score | {' | '.join(methods)} |",
        "|---" * (len(methods) + 1) + "|",
    ]
    return lines + [
        f"| {score} | {' | '.join(by.get(name, '') for name in methods)} |"
        for score, by in outcomes.items()
    ]


def comparison(table: dict[str, dict]) -> list[str]:
    """Lines of a table: one row a score, one column a method.

    Beside each other method stands what the model's difference from it lets be said: `+` better,
    `-` worse, `=` not distinguishable, nothing without an interval.
    """
    methods = list(dict.fromkeys(name for found in table.values() for name in found["methods"]))
    lines = [f"| score | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
    lines += [
        f"| {score} | {' | '.join(_cell(found, name) for name in methods)} |"
        for score, found in table.items()
    ]
    every = [value for found in table.values() for value in found["methods"].values()]
    if all(value["low"] is None for value in every):
        return [*lines, "", "No intervals and no verdicts: too few clusters."]
    return [*lines, "", "`+` the model is better, `-` worse, `=` not distinguishable."]


_SIGNS = {"the model is better": " +", "the model is worse": " -", "not distinguishable": " ="}


def _cell(found: dict, method: str) -> str:
    value = found["methods"].get(method)
    if value is None:
        return ""
    if value["low"] is None:
        return f"{value['value']:.3f}"
    verdict = found["model_minus"].get(method, {}).get("verdict")
    return bracket(value) + _SIGNS.get(verdict or "", "")
