"""The page of a run: whole in itself, small, and true to the tables and neighbours."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from helpers.rules import variables
from prh.alignment import neighbors


@pytest.fixture
def page(small):
    return (small / "results/report/page.html").read_text(encoding="utf-8")


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
    (drawn,) = variables("DRAWN")
    assert [figure["name"] for figure in data["figures"]] == [*drawn, *drawn]  # of two data sets
    assert all(figure["png"].startswith("data:image/png;base64,iVBOR") for figure in data["figures"])
    assert all(figure["text"] for figure in data["figures"])
    assert all(min(figure["size"]) > 100 for figure in data["figures"])


# What a person would do, and what stands there afterwards.
DEEDS = """<pre id="deeds"></pre><script>
const text = id => $(id).textContent;
const seen = {errors: [], scores: $("rows").children.length, cells: $("grid").querySelectorAll("rect").length - 1};
window.addEventListener("error", event => seen.errors.push(event.message));
const scores = () => [...$("rows").children].map(row => +row.children[0].textContent);
$("search").value = "mobilenet minilm";
$("search").dispatchEvent(new Event("input"));
seen.found = $("rows").children.length;
$("search").value = "";
$("search").dispatchEvent(new Event("input"));
seen.falling = scores();
[...$("heads").querySelectorAll("button")].find(b => b.textContent.startsWith("score")).click();
seen.rising = scores();
seen.best = text("cell");
for (const key of ["ArrowDown", "ArrowLeft"]) $("grid").dispatchEvent(new KeyboardEvent("keydown", {key}));
seen.moved = text("cell");
$("after").click();
seen.item = text("chosen");
const second = $("list0").querySelectorAll("button")[1];
seen.second = second.querySelector("span:last-child").firstChild.textContent;
second.click();
seen.chosen = text("chosen");
seen.focus = document.activeElement.id;
seen.lists = [$("list0").children.length, $("list1").children.length];
window.addEventListener("load", () => {
  seen.audited = text("audited");
  seen.verdicts = [...$("verdicts").querySelectorAll("tbody tr")].map(row => row.children[1].textContent);
  $("deeds").textContent = JSON.stringify(seen);
});
</script>
"""


@pytest.mark.slow
def test_its_controls_work_in_a_browser(page, data, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium (Debian's package chromium): what the page does in a browser is not tested")
    for folder in ("report", "audit"):
        (tmp_path / folder).mkdir()
    (tmp_path / "report/page.html").write_text(
        page.replace("<script src=", DEEDS + "<script src="), encoding="utf-8"
    )
    rows = [{"artifact": "b", "verdict": "ok", "checks": "digest", "reason": ""}]
    rows += [{"artifact": "a", "verdict": "fail", "checks": "", "reason": "its bytes are others"}]
    (tmp_path / "audit/audit.js").write_text(f"window.AUDIT = {json.dumps(rows)};\n")
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    switches += [
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
    ]
    command = [chromium, *switches, (tmp_path / "report/page.html").as_uri()]
    drawn = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    seen = json.loads(re.search(r'<pre id="deeds">(.*?)</pre>', drawn, re.DOTALL)[1].replace("&amp;", "&"))
    assert seen["errors"] == []
    assert (seen["scores"], seen["found"]) == (2 * 4, 2)  # data sets x language-vision pairs
    assert seen["falling"] == sorted(seen["falling"], reverse=True)
    assert seen["rising"] == sorted(seen["falling"])
    grid = data["datasets"][0]["grids"]["minilm-l6|mobilenet-v2"]
    assert seen["cells"] == len(grid) * len(grid[0])
    assert seen["best"].endswith(f"{max(map(max, grid)):.4f}, the best.")
    (i, j) = map(int, re.search(r"Layer (\d+) of .* with layer (\d+) of", seen["best"]).groups())
    assert re.search(rf"Layer {max(i - 1, 0)} of .* with layer {max(j - 1, 0)} of", seen["moved"])
    assert seen["item"] == data["datasets"][0]["captions"][1]
    assert seen["second"] == f"2. {seen['chosen']}"
    assert seen["focus"] == "chosen"
    assert seen["lists"] == [10, 10]
    assert (seen["audited"], seen["verdicts"]) == ("2 artifacts: 1 ok, 1 fail.", ["fail", "ok"])
