"""Tables are written and read exactly, or refused."""

import numpy as np
import pytest

from helpers.scores import LAYERS, MODALITY
from prh.alignment.best import alignment_table
from prh.errors import InputError
from prh.tables import read_table, write_table


def test_round_trip(tmp_path):
    table = alignment_table(LAYERS, None, MODALITY)
    write_table(table, tmp_path / "t.csv")
    read = read_table(tmp_path / "t.csv")
    np.testing.assert_array_equal(read.score, table.score)
    assert read.k.tolist()[:2] == [10, 10]
    assert read.k.isna().tolist() == [False, False, True]


def test_a_column_too_many_is_refused(tmp_path):
    path = tmp_path / "alignment.csv"
    write_table(alignment_table(LAYERS, None, MODALITY).assign(mine=1), path)
    with pytest.raises(
        InputError, match=r"alignment.csv: cannot be read \(its columns are .*, mine, not dataset, "
    ):
        read_table(path)
