"""The workflow itself: a dry run of the whole, and a real run of a small part of it in a folder of its own."""

import json
import subprocess
from collections import Counter

import pandas as pd
import pytest

from helpers.project import ROOT, SNAKEMAKE, snakemake
from helpers.rules import variables
from helpers.runs import plan
from prh.alignment.neighbors import read_index
from prh.features.layers import read_features
from prh.provenance import digest


def test_the_whole_workflow_is_planned(tmp_path):
    command = [*SNAKEMAKE, "--directory", str(tmp_path), "--dry-run", "--quiet", "rules"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rule, jobs in {
        "fetch_package": 21,
        "extract_caption_levels": 3,
        "embed_colour_words": 2,
        "extract_vision_features": 8,
        "score_language_model": 1,
        "score_with_likelihoods": 2,
        "measure_by_distances": 1,
        "report": 1,
    }.items():
        assert any(line.split() == [rule, str(jobs)] for line in (done.stdout + done.stderr).splitlines()), (
            rule
        )


def test_licences_are_of_all_packages_that_are_fetched():
    _, _, own = plan(ROOT / "config/config.yaml")
    fetched = {job.params.package["package"] for job in own.values() if job.rule.name == "fetch_package"}
    (listed,) = (job.params.licences for job in own.values() if job.rule.name == "list_licences")
    assert len(fetched) == 21
    assert {name for kind, name, _ in listed if kind == "package"} == fetched


def test_tables(small):
    alignment = pd.read_csv(small / "results/tables/alignment.csv")
    assert len(alignment) == 2 * 5 * 6  # data sets x metrics x model pairs
    assert alignment.score.between(-0.5, 1.5).all()
    mutual = alignment[alignment.metric == "mutual_knn"]
    assert sorted(mutual.chance.unique()) == pytest.approx([10 / 63, 10 / 19])
    crossing = mutual[(mutual.modality_x == "language") & (mutual.modality_y == "vision")]
    assert len(crossing) == 2 * 4
    assert crossing.p_value.between(1 / 20, 1).all()
    assert crossing.null_mean.notna().all()
    assert mutual.drop(crossing.index).p_value.isna().all()
    performance = pd.read_csv(small / "results/tables/performance.csv")
    assert performance.model.tolist() == ["smollm2-135m-random"]
    assert 3 < performance.bits_per_byte[0] < 5  # log2 of 49,152 words over about 4 bytes per token
    correlation = pd.read_csv(small / "results/tables/correlation.csv")
    assert (correlation.note == "1 language models: too few").all()
    assert correlation.correlation.isna().all()


def test_features_and_neighbors(small):
    for model, shapes in {
        "minilm-l6": [(64, 384)] * 7,
        "mobilenet-v2": [(64, d) for d in (16, 24, 32, 64, 96, 160, 320, 1280)],
    }.items():
        layers, names, metadata = read_features(small / f"results/features/openmoji_64/{model}.safetensors")
        assert [tuple(layer.shape) for layer in layers] == shapes
        assert names[-1] == ("block6" if model == "minilm-l6" else "head")
        assert metadata["pairs"] == 64
        assert "==" in metadata["revision"]
        ids, _ = read_index(small / f"results/neighbors/openmoji_64/{model}.safetensors")
        assert ids.shape == (len(shapes), 64, 10)


def test_records_hold_what_is_there(small):
    records = sorted((small / "results/records").rglob("*.json"))
    assert len(records) > 50
    for path in records:
        for name, facts in json.loads(path.read_text())["outputs"].items():
            assert digest(small / name) == facts["sha256"], name


def test_figures_and_report(small):
    (drawn,) = variables("drawn")
    of_the_first = drawn("openmoji_1024")
    assert len(of_the_first) == 18
    for folder, names in (("figures", of_the_first), ("figures/pictures", drawn("pictures"))):
        for name in names:
            for ending in ("pdf", "png", "csv"):
                assert (small / folder / f"{name}.{ending}").stat().st_size > 100
    page = (small / "results/report/story.html").read_text()
    assert "small test" in page
    assert "data:image/png" in page
    assert "too few" in page
    published = pd.read_csv(small / "figures/published_alignment.csv").dropna(subset="pearson")
    for r in {f"r = {r:.3f}" for r in published.pearson}:
        assert r in page
    for code_or_gap in ("story.tell", "<td>NaN</td>"):
        assert code_or_gap not in page


def test_nothing_is_done_twice(small):
    done = snakemake(small, "--dry-run")
    assert "Nothing to be done" in done.stdout + done.stderr


def test_only_figures_follow_a_lost_figure(small):
    (small / "figures/alignment_matrix.pdf").unlink()
    done = snakemake(small, "--dry-run", "figures", "--quiet", "rules")
    words = [line.split() for line in (done.stdout + done.stderr).splitlines()]
    assert {word[0] for word in words if word[1:] == ["1"]} == {"plot_alignment_matrix", "figures"}
    assert snakemake(small, "--cores", "2").returncode == 0


def test_own_captions_have_the_alignment_of_the_main_table(small):
    """Figure 9 takes all items of the small run, so that its last level is the main figure's."""
    density = pd.read_csv(small / "results/tables/caption_density.csv")
    own = density[(density.level == "own caption") & (density.vision != "mean")]
    table = pd.read_csv(small / "results/tables/alignment.csv")
    table = table[(table.dataset == "openmoji_64") & (table.metric == "mutual_knn") & (table.k == 10)]
    both = own.merge(table, left_on=["language", "vision"], right_on=["model_x", "model_y"])
    assert len(both) == len(own) == 4
    assert both.score_x.to_numpy() == pytest.approx(both.score_y.to_numpy(), abs=1e-9)
    assert (both.layer_x_x == both.layer_x_y).all()


def test_neighbours_of_many_items_are_jobs_of_parts(tmp_path):
    """1,024 items in parts of 400: three jobs for each of the ten models, and one that joins their tables."""
    config = tmp_path / "many.yaml"
    config.write_text(json.dumps({"alignment": {"rows_per_job": 400}}))
    jobs, _, own = plan(ROOT / "config/config.yaml", config)
    rules = Counter(job.rule for job in jobs.values())
    assert (rules["index_neighbors"], rules["index_rows"], rules["join_neighbors"]) == (0, 30, 10)
    parts = [(job.params.part, job.params.size) for job in own.values() if job.rule.name == "index_rows"]
    assert sorted(parts) == sorted(10 * [(0, 400), (1, 400), (2, 400)])


def test_all_items_have_the_alignment_of_the_main_table(small):
    """Alignment over n ends at all items: score, layers, null and interval are those of the table of alignments."""
    over = pd.read_csv(small / "results/tables/alignment_over_n.csv")
    assert over.groupby("rule").n.apply(list).tolist() == [[20, 20, 20, 40, 64]] * 2
    (last,) = over[(over.n == 64) & (over.rule == "k fixed")].to_dict("records")
    table = pd.read_csv(small / "results/tables/alignment.csv")
    table = table[(table.dataset == "openmoji_64") & (table.metric == "mutual_knn") & (table.k == 10)]
    (row,) = table[(table.model_x == last["model_x"]) & (table.model_y == last["model_y"])].to_dict("records")
    for column in (
        "layer_x",
        "layer_y",
        "score",
        "chance",
        "null_mean",
        "tau",
        "p_value",
        "ci_low",
        "ci_high",
    ):
        assert last[column] == pytest.approx(row[column], abs=1e-9), column
