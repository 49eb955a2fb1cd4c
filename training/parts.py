"""What the names in a recipe stand for.

Belongs here: one line for each dataset, model and loss. Never here: their code.
"""

from torch import nn

from models.losses import heteroscedastic
from models.soilformer import SoilFormer, SoilFormerConfig
from training.calibrate import calibrate_intervals
from training.data import Matrix, Schema, load
from training.recipe import SoilFormerModel


def soilformer(part: SoilFormerModel, schema: Schema) -> nn.Module:
    """SoilFormer of the recipe's size with the columns of the data."""
    return SoilFormer(
        SoilFormerConfig(
            numeric_widths=tuple(f.width for f in schema.numeric),
            categories=tuple(len(f.codes) for f in schema.categorical),
            **part.model_dump(exclude={"name"}),
        )
    )


DATASETS = {"matrix": load}
"""(folder, dataset part) -> a dataset: `fingerprint`, `group`, `described`, `schema`,
`rows(split)`, `draw(rows, draws, seed)`."""
MODELS = {"soilformer": soilformer}
"""(model part, schema) -> module that maps a batch to a prediction."""
LOSSES = {"heteroscedastic": heteroscedastic}
"""(prediction, batch) -> {term: (sum, count)}."""
CALIBRATIONS = {"heteroscedastic": calibrate_intervals}
"""(model, dataset, seed) -> what turns predicted uncertainty into intervals; kept in the export."""

Dataset = Matrix
