"""The page of a run: whole in itself, small, and true to the tables and neighbours."""

import base64
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from helpers.project import ROOT
from helpers.rules import variables
from prh.alignment import neighbors
from prh.alignment.best import alignment_table
from prh.report.page import make_page
from prh.tables import CORRELATION, PERFORMANCE, SCORES, write_table


@pytest.fixture
def page(small):
    return (small / "results/report/page.html").read_text(encoding="utf-8")


@pytest.fixture
def data(page):
    return data_of(page)


def data_of(page):
    """What a page holds."""
    return json.loads(re.search(r"^const D = (.*);$", page, re.M)[1])


def in_common(dataset, x, y):
    """Per item, how many neighbours two models have in common, each in its layer of the best layer pair."""
    best = dataset["best"]
    layers = best.get(f"{x}|{y}") or best.get(f"{y}|{x}", [])[::-1]
    lists = []
    for model, place in ((x, 0), (y, 1)):
        facts = dataset["neighbors"][model]
        near = np.frombuffer(base64.b64decode(facts["ids"]), dtype="<u2")
        near = near.reshape(len(facts["layers"]), len(dataset["captions"]), facts["shown"])
        lists.append(near[facts["layers"].index(layers[place]) if layers else 0])
    return [len({*a} & {*b}) for a, b in zip(*lists, strict=True)]


def by_agreement(counts):
    """Items, most in common first; those with equally many as they come."""
    return sorted(range(len(counts)), key=lambda item: -counts[item])


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
            assert dataset["best"][f"{row.model_x}|{row.model_y}"] == [row.layer_x, row.layer_y]
            for model, layer in ((row.model_x, row.layer_x), (row.model_y, row.layer_y)):
                assert layer in dataset["neighbors"][model]["layers"]
        assert len(dataset["best"]) == len(mine)


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
    (drawn,) = variables("drawn")
    both = [*drawn("openmoji_1024"), *drawn("pictures")]  # figures 8 and 9 are of the first data set only
    assert [figure["name"] for figure in data["figures"]] == both
    assert all(figure["png"].startswith("data:image/png;base64,iVBOR") for figure in data["figures"])
    assert all(figure["text"] for figure in data["figures"])
    assert all(min(figure["size"]) > 100 for figure in data["figures"])


def test_figures_say_what_the_story_says(small, data):
    story = re.sub(r"<[^>]+>", "", (small / "results/report/story.html").read_text(encoding="utf-8"))
    told = {
        figure["name"]: dict(figure["told"])
        for figure in data["figures"]
        if figure["dataset"] == "openmoji_64"
    }
    assert {name for name, text in told.items() if text} == {
        *("alignment_vs_performance", "alignment_matrix", "layer_alignment"),
        *("alignment_by_caption_density", "colour_geometry", "vision_convergence", "vision_map"),
        *("layers_described", "alignment_by_distance_window", "neighbours_vs_distances"),
        *("alignment_over_n", "published_alignment", "published_by_metric"),
    }
    for text in (data["told"], *(text for each in told.values() for text in each.values())):
        assert html.escape(text, quote=False) in story


# Whatever stands on the page after the deeds of a person is written into it, as JSON.
SCRIPT = """<pre id="deeds"></pre><script>
const text = id => $(id).textContent;
const press = (id, key) => $(id).dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const seen = {errors: []};
window.addEventListener("error", event => seen.errors.push(event.message));
%s
window.addEventListener("load", () => {
  seen.audited = text("audited");
  seen.verdicts = [...$("verdicts").querySelectorAll("tbody tr")].map(row => row.children[1].textContent);
  $("deeds").textContent = JSON.stringify(seen);
});
</script>
"""


@pytest.fixture
def browse(tmp_path):
    """What is seen on a page, as a function of it and of the deeds of a person, in JavaScript."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium (Debian's package chromium): what the page does in a browser is not tested")
    switches = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
    switches += ["--disable-background-networking", "--disable-component-update"]
    path = tmp_path / "report" / "page.html"
    path.parent.mkdir()

    def seen(page, deeds):
        path.write_text(page.replace("<script src=", SCRIPT % deeds + "<script src="), encoding="utf-8")
        command = [
            chromium,
            *switches,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ]
        drawn = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
        found = json.loads(html.unescape(re.search(r'<pre id="deeds">(.*?)</pre>', drawn, re.DOTALL)[1]))
        assert found["errors"] == []
        return found

    return seen


CONTROLS = """
Object.assign(seen, {scores: $("rows").children.length, cells: $("grid").querySelectorAll("rect").length - 1});
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
seen.first = [text("caption"), text("overlap")];
$("after").click();
seen.item = text("caption");
const second = $("list0").querySelectorAll("button")[1];
seen.second = second.querySelector("span:last-child").firstChild.textContent;
second.click();
seen.chosen = text("caption");
seen.focus = document.activeElement.id;
seen.lists = [$("list0").children.length, $("list1").children.length];
seen.told = [...document.querySelectorAll("figcaption details")].map(told => told.open);
"""


@pytest.mark.slow
def test_its_controls_work_in_a_browser(page, data, tmp_path, browse):
    (tmp_path / "audit").mkdir()
    rows = [{"artifact": "b", "verdict": "ok", "checks": "digest", "reason": ""}]
    rows += [{"artifact": "a", "verdict": "fail", "checks": "", "reason": "its bytes are others"}]
    (tmp_path / "audit/audit.js").write_text(f"window.AUDIT = {json.dumps(rows)};\n")
    seen = browse(page, CONTROLS)
    assert (seen["scores"], seen["found"]) == (2 * 4, 2)  # data sets x language-vision pairs
    assert seen["falling"] == sorted(seen["falling"], reverse=True)
    assert seen["rising"] == sorted(seen["falling"])
    first = data["datasets"][0]
    grid = first["grids"]["minilm-l6|mobilenet-v2"]
    assert seen["cells"] == len(grid) * len(grid[0])
    assert seen["best"].endswith(f"{max(map(max, grid)):.4f}, the best.")
    (i, j) = map(int, re.search(r"Layer (\d+) of .* with layer (\d+) of", seen["best"]).groups())
    assert re.search(rf"Layer {max(i - 1, 0)} of .* with layer {max(j - 1, 0)} of", seen["moved"])
    counts = in_common(first, "minilm-l6", "mobilenet-v2")
    order = by_agreement(counts)
    assert seen["first"] == [
        first["captions"][order[0]],
        f"{max(counts)} of 10 in common: number 1 of 64 items, most in common first.",
    ]
    assert seen["item"] == first["captions"][order[1]]
    assert seen["second"] == f"2. {seen['chosen']}"
    assert seen["focus"] == "chosen"
    assert seen["lists"] == [10, 10]
    assert seen["told"] == [True] + [False] * 20  # the figures of both data sets, and of the first alone
    assert (seen["audited"], seen["verdicts"]) == ("2 artifacts: 1 ok, 1 fail.", ["fail", "ok"])


def made(folder, n, layers, captions):
    """A page of two language models, one of them random, and a vision model, with random neighbours; and its data."""
    kinds = {"words": "language", "noise": "language", "eye": "vision"}
    models = {
        m: {"label": m, "modality": kind, "init": "random" if m == "noise" else "pretrained"}
        for m, kind in kinds.items()
    }
    rng, shown = np.random.default_rng(n), min(12, n - 1)
    (folder / "images").mkdir()
    for item in range(n):
        Image.new("RGB", (8, 8), (item % 256, 9, 9)).save(folder / "images" / f"{item}.png")
    images = [f"images/{item}.png" for item in range(n)]
    pd.DataFrame({"image": images, "caption": captions}).to_parquet(folder / "captions.parquet")
    near = {}
    for model in models:
        ids = [[rng.permutation(np.delete(np.arange(n), i))[:shown] for i in range(n)] for _ in range(layers)]
        near[model] = folder / f"{model}.safetensors"
        neighbors.write_index(near[model], torch.from_numpy(np.array(ids)).to(torch.int32), {})
    pairs = [("words", "noise"), ("words", "eye"), ("noise", "eye")]
    rows = [
        ("d", "mutual_knn", 2, x, y, i, j, round(rng.uniform(), 1), n)  # so that best layer pairs are tied
        for x, y in pairs for i in range(layers) for j in range(layers)
    ]  # fmt: skip
    tile = pd.DataFrame(rows, columns=SCORES).astype({"k": "Int64"})
    tile.to_parquet(folder / "tile.parquet")
    paths = [folder / f"{name}.csv" for name in ("alignment", "performance", "correlation")]
    for path, table in zip(
        paths, (alignment_table(tile, None, kinds), pd.DataFrame(columns=PERFORMANCE), pd.DataFrame(columns=CORRELATION)), strict=True,
    ):  # fmt: skip
        write_table(table, path)
    facts = {"label": "items", "folder": folder, "tiles": [folder / "tile.parquet"], "neighbors": near}
    template = ROOT / "notebooks" / "page.html"
    page = make_page(template, "a test", "mutual_knn@2", "a text", models, {"d": facts}, paths, {"d": []}, {})
    return page, data_of(page)["datasets"][0]


# Through all pairs of models: what it opens on, then every item from best to worst by the keys, and back by the buttons.
WALK = """
seen.pairs = {};
const [one, other] = $("pickers").querySelectorAll("select");
const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
const here = () => [state.item, text("overlap"), text("caption")];
for (const x of names) for (const y of names) {
  choose(one, x);
  choose(other, y);
  const walk = {opens: here(), average: text("average"), heads: [text("name0"), text("name1")], down: [], up: []};
  for (const _ of state.order) { walk.down.push(here()); press("list0", "ArrowRight"); }
  walk.past = here();
  press("chosen", "Home");
  walk.home = here();
  $("worst").click();
  walk.worst = here();
  for (const _ of state.order) { walk.up.push(here()); $("before").click(); }
  $("best").click();
  walk.best = here();
  walk.green = [0, 1].map(side => $(`list${side}`).querySelectorAll(".both").length);
  seen.pairs[`${x}|${y}`] = walk;
}
"""


@pytest.mark.slow
@pytest.mark.parametrize(("n", "layers"), [(60, 3), (3, 1)])
def test_one_can_step_from_the_best_agreement_to_the_worst(tmp_path, browse, n, layers):
    page, dataset = made(
        tmp_path, n, layers, [f"item {item // 2}" for item in range(n)]
    )  # captions are not unique
    assert layers == 1 or any(len(facts["layers"]) < layers for facts in dataset["neighbors"].values())
    pairs = browse(page, WALK)["pairs"]
    assert len(pairs) == 9
    shown = min(10, n - 1)
    for pair, walk in pairs.items():
        x, y = pair.split("|")
        counts = in_common(dataset, x, y)
        assert x != y or counts == [shown] * n
        order = by_agreement(counts)
        expected = [
            [
                item,
                f"{counts[item]} of {shown} in common: number {place} of {n} items, most in common first.",
                dataset["captions"][item],
            ]
            for place, item in enumerate(order, start=1)
        ]
        assert walk["down"] == expected, pair
        assert walk["up"] == expected[::-1]
        assert walk["opens"] == walk["home"] == walk["best"] == expected[0]
        assert walk["past"] == walk["worst"] == expected[-1]
        assert walk["green"] == [max(counts)] * 2
        assert f"they have {np.mean(counts):.2f} of {shown} in common on average" in walk["average"]
        if x != y:
            layers_of = dataset["best"].get(pair) or dataset["best"][f"{y}|{x}"][::-1]
            assert walk["heads"] == [
                f"{model}, layer {layer}" for model, layer in zip((x, y), layers_of, strict=True)
            ]


CHOICE = """
const find = words => { $("item").value = words; $("item").dispatchEvent(new Event("input")); return text("caption"); };
seen.found = ["A DRAWING OF BOAT.", "cat", "cater", "nothing of the kind", " "].map(find);
find("cat");
const [, other] = $("pickers").querySelectorAll("select");
const choose = value => { other.value = value; other.dispatchEvent(new Event("change")); return [text("caption"), state.item === state.order[0]]; };
seen.kept = choose("noise");
press("chosen", "Home");
seen.stepped = choose("eye");
$("item").focus();
press("item", "End");
seen.typing = state.item === state.order[0];
"""


@pytest.mark.slow
def test_an_item_is_found_by_its_words_and_stays_when_the_models_change(tmp_path, browse):
    captions = [
        "A drawing of caterpillar.",
        "A drawing of cat.",
        "A drawing of boat.",
        "A drawing of education.",
    ]
    seen = browse(made(tmp_path, 4, 2, captions)[0], CHOICE)
    assert seen["found"] == [captions[2], captions[1], captions[0], captions[0], captions[0]]
    assert seen["kept"][0] == captions[1]
    assert seen["stepped"][1]  # nobody asked for an item since: the best of the two models
    assert seen["typing"]  # keys of the text field are its own
