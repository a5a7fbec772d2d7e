"""What the story says of alignment over n: the ends of each line, whose they are, and what was not computed."""

import pandas as pd
from test_story import run

from prh.figures.comparison import HERE, OVER_N
from prh.report import story
from prh.tables import FIXED, MEAN, SHARE, write_table


def test_the_ends_of_each_line_are_said(tmp_path):
    rows = [
        {"origin": HERE, "model_x": "tiny", "model_y": "eye", "rule": rule, "n": n, "k": k, "score": score}
        | {"null_mean": score / 2, "calibrated_score": above, "calibrated_low": above / 2}
        | {"calibrated_high": 2 * above}
        for rule, n, k, score, above in (
            (FIXED, 100, 10, 0.4123, 0.1011),
            (FIXED, 2000, 10, 0.2077, 0.1212),
            (SHARE, 100, 1, 0.1313, 0.1414),
            (SHARE, 2000, 20, 0.1518, 0.1616),
        )
    ]
    rows += [
        {
            "origin": "a group",
            "model_x": MEAN,
            "model_y": MEAN,
            "rule": FIXED,
            "n": n,
            "k": 10,
            "score": score,
        }
        | {"null_mean": 0.01, "calibrated_score": score - 0.01}
        for n, score in ((9000, 0.0515), (1000, 0.0919))
    ]
    (tmp_path / "figures").mkdir()
    path = tmp_path / "figures/alignment_over_n.csv"
    write_table(pd.DataFrame(rows).reindex(columns=OVER_N), path)
    told = dict(story.tell("alignment_over_n", run(), path).paragraphs())
    assert (
        "Tiny with Eye, k = 10, from 100 items to 2,000: 0.412 to 0.208, the null 0.206 to 0.104, above chance "
        "0.101 [0.051, 0.202] to 0.121 [0.061, 0.242]."
    ) in told["Found"]
    assert "Tiny with Eye, k = 1 to 20, from 100 items to 2,000: 0.131 to 0.152," in told["Found"]
    assert (
        "Published by others (a group), k = 10, from 1,000 to 9,000: 0.092 to 0.051, above chance 0.082 to 0.041."
    ) in told["Found"]
    assert "Nothing here is computed beyond 2,000 items." in told["What it cannot show"]
