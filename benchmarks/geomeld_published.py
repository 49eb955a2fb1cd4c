"""Frozen features of a finished run on a published benchmark that is on disk, beside floors.

    PYTHONPATH=. python benchmarks/geomeld_published.py RUN FOLDER [--partition default]
        [--training 2000] [--test 1000]

FOLDER is EuroSAT with 13 bands, or one benchmark of GEO-Bench version 1, such as
`classification_v1.0/m-eurosat`. Nothing is downloaded.
"""

import argparse
import sys
from pathlib import Path

from training import published
from training.geomeld_report import published as readable
from training.tile_features import TileEncoder


def main() -> None:
    """Read, probe, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("folder", type=Path, help="of the benchmark")
    parser.add_argument("--partition", default="default", help="of GEO-Bench")
    parser.add_argument("--training", type=int, default=published.MOST_TRAINING)
    parser.add_argument("--test", type=int, default=published.MOST_TEST)
    arguments = parser.parse_args()
    encoder, folder = TileEncoder(arguments.run), arguments.folder
    geo_bench = folder.name.startswith("m-")
    benchmark = (
        published.geo_bench(folder, arguments.partition) if geo_bench else published.eurosat(folder)
    )
    report = published.probe(encoder, benchmark, arguments.training, arguments.test)
    sys.stdout.write(readable(report))


if __name__ == "__main__":
    main()
