"""Bits per byte of the language models as one table: measured, or published where a model was not run."""

import pandas as pd

from prh.performance.downstream import CAPTIONS
from prh.performance.downstream import MEASURED as HERE
from prh.tables import PERFORMANCE

MEASURED = PERFORMANCE[:-1]  # what `score_language_model` says of a model
OF_CAPTIONS = "captions"  # stands for the text where bits per byte are published: they are of the captions


def performance_table(scores, published, unscored):
    """One row per language model; `published` fills in what was not measured, and says so in `source`.

    scores: mappings with the columns `MEASURED`. published: a table as `read_numbers` gives it, or None. unscored: names of models
    that were not run; one without a published value has no row.
    """
    rows = [{**{key: found[key] for key in MEASURED}, "source": HERE} for found in scores]
    if published is not None:
        known = published[(published.quantity == CAPTIONS)].set_index("model_x")
        rows += [
            {
                "model": model,
                "corpus": OF_CAPTIONS,
                "bits_per_byte": known.value[model],
                "source": f"published: {known.source[model]}",
            }
            for model in unscored
            if model in known.index
        ]
    table = pd.DataFrame(rows, columns=PERFORMANCE)
    return table.astype({"bytes": "Int64", "tokens": "Int64"})
