"""Missing features of rows, predicted with intervals.

Belongs here: inference from an exported run. Never here: DeepSpeed, Dagster, anything of training.
"""

import json
from pathlib import Path

import numpy as np
import polars as pl
import torch

from adapters.errors import TrainingError
from models.soilformer import Prediction
from training.calibrate import Calibration
from training.data import Encoded, Schema, encode
from training.parts import MODELS, load_weights
from training.recipe import SoilFormerModel

_ROWS = 256


class Predictor:
    """An exported model, ready to predict.

    Attributes:
        origin: Origin of the data it was trained on; say it wherever its predictions go.
        schema: Its features.
        calibration: Scores of the validation split.
    """

    def __init__(self, run: Path) -> None:
        """Load a run.

        Args:
            run: Folder of a finished run.

        Raises:
            TrainingError: The run has no exported model, or one of another architecture.
        """
        if not (run / "meta.json").is_file():
            raise TrainingError(
                "no finished model", file=str(run), remedy="run the training to its end"
            )
        described = json.loads((run / "model.json").read_text(encoding="utf-8"))
        self.origin: str = described["origin"]
        self.schema = Schema.model_validate(described["schema"])
        self.calibration = Calibration.model_validate(described["calibration"])
        part = SoilFormerModel.model_validate(described["model"])
        self.model = MODELS[part.name](part, self.schema)
        load_weights(self.model, run)
        self.model.eval()

    @torch.no_grad()
    def forward(self, encoded: Encoded, rows: np.ndarray, hidden: np.ndarray) -> Prediction:
        """Model output for some encoded rows, in parts of bounded size.

        Args:
            encoded: Standardised rows.
            rows: (B,) row numbers.
            hidden: (B, features) bool in token order, the entries to predict.
        """
        outs = [
            self.model(encoded.batch(rows[i : i + _ROWS], hidden[i : i + _ROWS]))
            for i in range(0, len(rows), _ROWS)
        ]
        return {
            "mean": [torch.cat(part) for part in zip(*(o["mean"] for o in outs), strict=True)],
            "log_variance": [
                torch.cat(part) for part in zip(*(o["log_variance"] for o in outs), strict=True)
            ],
            "logits": torch.cat([o["logits"] for o in outs]),
            "log_temperature": torch.cat([o["log_temperature"] for o in outs]),
        }

    def predict(self, rows: pl.DataFrame, features: list[str], level: float = 0.9) -> pl.DataFrame:
        """Predict the entries of `features` that are missing in `rows`.

        All of them are hidden together and predicted from what the row has. Intervals were
        calibrated on entries that were observed and then hidden; where features go missing for
        a reason that the row does not show, they hold less than `level`.

        Args:
            rows: `sample_id` and any features of the matrix, in its units.
            features: Feature ids.
            level: Share of true values that intervals should hold, in (0, 1).

        Returns:
            One row an entry, and an element for vectors: `sample_id, feature, element, mean,
            lower, upper` in the feature's unit (`mean` is the median where the feature is
            standardised by a logarithm); `code, probability, codes` for categorical features,
            `codes` being those that together reach `level`. What was observed is not listed.
            `lower` and `upper` are NULL where validation rows were too few for the level, and for
            elements that did not vary in training.

        Raises:
            TrainingError: A feature is unknown to the model, the level is not a share, or the rows
                have no ids.
        """
        if "sample_id" not in rows.columns:
            raise TrainingError(
                "the rows have no column 'sample_id'",
                samples=rows.columns[:5],
                remedy="name each row, so that its predictions can be told apart",
            )
        if unknown := [name for name in features if name not in self.schema.features]:
            raise TrainingError(
                "the model does not know these features",
                samples=[f"{n} ({self.schema.left_out.get(n, 'unknown')})" for n in unknown],
                remedy=f"it knows {', '.join(self.schema.features)}",
            )
        if not 0 < level < 1:
            raise TrainingError("level must lie between 0 and 1", samples=[level])
        encoded = encode(self.schema, rows)
        wanted = np.isin(self.schema.features, features)
        hidden = ~encoded.present & wanted
        ids = rows["sample_id"].to_numpy()
        parts = []
        if rows.height:
            out = self.forward(encoded, np.arange(rows.height), hidden)
            parts += self._numeric(out, hidden, ids, level)
            parts += self._categorical(out, hidden, ids, level)
        empty = pl.DataFrame(
            schema={
                "sample_id": rows["sample_id"].dtype,
                "feature": pl.String,
                "element": pl.Int64,
                "mean": pl.Float64,
                "lower": pl.Float64,
                "upper": pl.Float64,
                "code": pl.String,
                "probability": pl.Float64,
                "codes": pl.List(pl.String),
            }
        )
        return pl.concat([empty, *parts], how="diagonal_relaxed")

    def _numeric(
        self, out: Prediction, hidden: np.ndarray, ids: np.ndarray, level: float
    ) -> list[pl.DataFrame]:
        parts, place = [], 0
        for mean, s in zip(out["mean"], out["log_variance"], strict=True):
            for v in range(mean.shape[1]):
                feature, chosen = self.schema.numeric[place], hidden[:, place]
                place += 1
                if not chosen.any():
                    continue
                z = mean[chosen, v].double().numpy()  # (n, L)
                half = torch.exp(s[chosen, v] / 2).double().numpy()[:, None]
                half = half * self.calibration.factor(feature.id, level)
                # What did not vary in training has a mean, and nothing that tells how sure it is.
                half = np.where([std is not None for std in feature.std], half, np.nan)
                parts.append(
                    pl.DataFrame(
                        {
                            "sample_id": np.repeat(ids[chosen], feature.width),
                            "feature": feature.id,
                            "element": np.tile(np.arange(feature.width), int(chosen.sum())),
                            "mean": feature.restore(z).ravel(),
                            "lower": feature.restore(z - half).ravel(),
                            "upper": feature.restore(z + half).ravel(),
                        }
                    ).with_columns(pl.col("lower", "upper").fill_nan(None))
                )
        return parts

    def _categorical(
        self, out: Prediction, hidden: np.ndarray, ids: np.ndarray, level: float
    ) -> list[pl.DataFrame]:
        parts = []
        for c, feature in enumerate(self.schema.categorical):
            chosen = hidden[:, len(self.schema.numeric) + c]
            if not chosen.any():
                continue
            logits = out["logits"][chosen, c, : len(feature.codes)]
            chance = torch.softmax(logits, -1).double().numpy()
            best = chance.argmax(1)
            kept = chance >= self.calibration.least_chance(level)
            kept[np.arange(len(best)), best] = True
            codes = np.array(feature.codes)
            parts.append(
                pl.DataFrame(
                    {
                        "sample_id": ids[chosen],
                        "feature": feature.id,
                        "element": np.zeros(len(best), dtype=np.int64),
                        "code": codes[best],
                        "probability": chance.max(1),
                        "codes": [codes[row].tolist() for row in kept],
                    }
                )
            )
        return parts
