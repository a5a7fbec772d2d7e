"""The page of a run: whole in itself, small, and true to the tables and neighbours."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

from prh import neighbors


@pytest.fixture
def page(small):
    return (small / "results/report/index.html").read_text(encoding="utf-8")


@pytest.fixture
def data(page):
    return json.loads(re.search(r"^const D = (.*);$", page, re.M)[1])


def test_it_is_whole_in_itself(page):
    assert len(page.encode()) < 10e6
    loaded = set(re.findall(r'(?:src|href)="([^"#][^"]*)"', page))
    assert loaded == {"../audit/audit.js"}  # the only thing beside it, and it may be missing
    assert "https://" not in re.sub(r"^const D = .*$", "", page, flags=re.M)
    assert page.count("</script>") == 2


def test_its_scores_are_those_of_the_table(small, data):
    table = pd.read_csv(small / "results/tables/alignment.csv")
    assert len(data["scores"]["rows"]) == len(table)
    place = data["scores"]["columns"].index("score")
    assert [row[place] for row in data["scores"]["rows"]] == table.score.tolist()


def test_its_layers_hold_the_score_of_every_pair(small, data):
    table = pd.read_csv(small / "results/tables/alignment.csv").query("metric == 'mutual_knn'")
    for dataset in data["datasets"]:
        mine = table[table.dataset == dataset["name"]]
        assert len(dataset["grids"]) == len(mine)
        for row in mine.itertuples():
            grid = dataset["grids"][f"{row.model_x}|{row.model_y}"]
            assert max(map(max, grid)) == pytest.approx(row.score, abs=1e-5)
            assert grid[row.layer_x][row.layer_y] == max(map(max, grid))
            assert {row.layer_x} <= {*dataset["neighbors"][row.model_x]["layers"]}


def test_its_neighbours_are_those_of_the_tables(small, data):
    for dataset in data["datasets"]:
        captions = pd.read_parquet(small / f"results/data/{dataset['name']}/captions.parquet").caption
        assert dataset["captions"] == captions.tolist()
        for model, facts in dataset["neighbors"].items():
            ids, _ = neighbors.read_index(small / f"results/neighbors/{dataset['name']}/{model}.safetensors")
            shown = np.frombuffer(base64.b64decode(facts["ids"]), dtype="<u2")
            expected = ids[facts["layers"], :, : facts["shown"]]
            assert shown.tolist() == expected.flatten().tolist()


def test_figures_are_in_it(data):
    assert len(data["figures"]) == 16
    assert all(figure["png"].startswith("data:image/png;base64,iVBOR") for figure in data["figures"])
    assert all(figure["text"] for figure in data["figures"])
