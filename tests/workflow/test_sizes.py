"""What does not fit the number of items is known before any job: fitted for a folder of one's own, else named with its key."""

import itertools
from datetime import UTC, datetime

import pytest

from helpers.configuration import load
from prh.alignment.catalogue import METRICS
from prh.alignment.subspaces import COMPONENTS
from prh.configuration.sizes import fewest_items
from prh.errors import InputError
from prh.provenance import record, record_path, write_json

HEAD = "name\tlabel\tsource\tpath\tsize\tlicence\n"


@pytest.fixture
def own(config, tmp_path, monkeypatch):
    """A function that loads the mini configuration for a folder of so many pictures, with five captions each."""
    monkeypatch.chdir(tmp_path)

    def loaded(count, size="", captions=5, datasets=("mine",), **alignment):
        rows = [f"{number}.png,caption {each}" for number in range(count) for each in range(captions)]
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures/captions.csv").write_text("image,caption\n" + "\n".join(rows))
        text = f"{HEAD}mine\tmy pictures\tfolder\tpictures\t{size}\tmine\n"
        (tmp_path / "datasets.tsv").write_text(text + "other\tothers\tclasses\tothers\t1024\tmine\n")
        config["datasets"] = [*datasets]
        config["tables"]["datasets"] = str(tmp_path / "datasets.tsv")
        config["alignment"] |= alignment
        off = ("transfer", "caption_density", "colour_geometry", "alignment_over_n")
        return load(config | dict.fromkeys(off))

    return loaded


def test_forty_pictures_fit_the_mini_configuration(own):
    setup = own(40)
    assert setup.sizes == {"mine": 40}  # pictures, not rows
    assert setup.metrics("alignment")["mutual_knn"] == [10, 20]
    assert setup.metrics("alignment")["cknna"] == [10, 30]
    assert setup.metrics("calibration")["mutual_knn"] == [10, 20]
    assert {"cka", "svcca", "trsa_0_0.075"} < {*setup.metrics("alignment")}
    assert setup.fitted == (
        "Fitted to 40 pairs (my pictures): left out: mutual_knn@50 @100, cknna@100, cknna_paper@100, cknna_centred@100, "
        "cknna_followup@100."
    )


def test_what_fits_is_left_alone(own):
    assert own(102).fitted == ""
    assert own(102).metrics("alignment")["mutual_knn"] == [10, 20, 50, 100]


def test_a_metric_is_lowered_rather_than_lost(own):
    setup = own(11)
    assert setup.metrics("alignment")["mutual_knn"] == [5]
    assert setup.config["alignment"]["metrics"][0] == "mutual_knn@5"  # that of the main figures
    assert setup.metrics("calibration")["cknna"] == [5]
    assert "svcca" not in setup.metrics("alignment")
    assert "left out: mutual_knn@20 @50 @100, svcca, " in setup.fitted
    assert "lowered: mutual_knn@10 to @5, " in setup.fitted
    assert setup.config["figures"]["distance_windows"][:3] == [
        0,
        0.05,
        0.1,
    ]  # a hundredth of 55 distances is none
    assert "joined: windows of distances" in setup.fitted


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 11, 12, 13, 51, 101])
def test_all_that_is_left_fits(own, count):
    setup = own(count, captions=1)
    for section in ("alignment", "calibration"):
        assert all(fewest_items(name) <= count for name in setup.config[section]["metrics"])
    edges = setup.config["figures"]["distance_windows"]
    assert (edges[0], edges[-1]) == (0, 1)
    pairs = count * (count - 1) / 2
    assert all(pairs * (high - low) >= 0.999 for low, high in itertools.pairwise(edges))


@pytest.mark.parametrize(
    ("alignment", "count", "says"),
    [
        ({"fit": False}, 40, "key `alignment.metrics`: mutual_knn@50, mutual_knn@100, cknna@100, .*of `calibration.metrics` mutual_knn@50, mutual_knn@100.*: 100 neighbours need at least 102 pairs, but data set `mine` has 40; take them out, or set `alignment.fit` to true"),
        ({"fit": False, "metrics": ["cka", "svcca"]}, 11, "key `alignment.metrics`: svcca: svcca needs at least 12 pairs, but data set `mine` has 11"),
        ({"fit": False, "metrics": ["trsa_0_0.075"]}, 5, "key `alignment.metrics`: trsa_0_0.075: trsa_0_0.075 needs at least 6 pairs"),
        ({"fit": False, "metrics": ["mutual_knn@5"]}, 11, "key `figures.distance_windows`: .* a window holds no pair of items, since data set `mine` has 11"),
        ({"metrics": ["cka"]}, 3, "key `alignment.metrics`: cka: cka needs at least 4 pairs, but data set `mine` has 3"),
        ({}, 2, "key `datasets`: data set `mine` has 2 items, at least 3 are needed"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(own, config, alignment, count, says):
    if "metrics" in alignment:
        config["calibration"]["metrics"] = []
    with pytest.raises(InputError, match=says):
        own(count, **alignment)


def test_the_smallest_data_set_decides(own):
    assert own(40, datasets=("other", "mine")).metrics("alignment")["mutual_knn"] == [10, 20]
    assert own(40, size=12).metrics("alignment")["mutual_knn"] == [10]
    with pytest.raises(InputError, match=r"captions\.csv: 50 pairs asked for, it has 40; lower `size`"):
        own(40, size=50)


def test_other_sources_are_not_fitted(own, config):
    assert own(2000, datasets=("other",)).fitted == ""
    config["calibration"]["metrics"] = []
    with pytest.raises(
        InputError, match="1023 neighbours need at least 1025 pairs, but data set `other` has 1024"
    ):
        own(2000, datasets=("mine", "other"), metrics=["mutual_knn@10", "mutual_knn@1023"])
    setup = own(2000, datasets=("other",), metrics=["mutual_knn@1023"], fit=True)
    assert setup.metrics("alignment") == {"mutual_knn": [512]}


def test_a_bad_table_is_named_at_planning(own, tmp_path):
    own(40)
    (tmp_path / "pictures/captions.csv").write_text('image,caption\na.png,"a dog\nb.png,a cat"\n')
    with pytest.raises(InputError, match=r"pictures/captions\.csv, line 2: a quote opens"):
        load_again(tmp_path)


def load_again(folder):
    alone = {"datasets": ["mine"], "models": ["minilm-l6", "mobilenet-v2"]}
    return load(alone | {"tables": {"datasets": str(folder / "datasets.tsv")}})


def test_a_data_set_whose_folder_is_gone_has_as_many_as_it_had(own, tmp_path):
    own(40)
    (tmp_path / "pictures").rename(tmp_path / "elsewhere")
    assert load_again(tmp_path).sizes == {"mine": None}
    made = record_path("results/data/mine")  # as an import has it: the record alone
    made.parent.mkdir(parents=True)
    row = {"revision": "as it was", "size": 40}
    write_json(made, record("fetch_dataset", [], {}, {"row": row}, 1.0, datetime.now(UTC)))
    assert load_again(tmp_path).sizes == {"mine": 40}


def test_single_figures_are_checked_by_the_same_numbers(config, own, tmp_path):
    own(40)
    config["transfer"]["images"] = "mine"
    config |= dict.fromkeys(("caption_density", "colour_geometry", "alignment_over_n"))
    config["transfer"]["k"] = 39
    with pytest.raises(
        InputError,
        match=r"key `transfer\.k`: 39 neighbours need at least 41 images, but data set `mine` has 40",
    ):
        load(config | {"transfer": config["transfer"] | {"tasks": ["other"]}})
    config["performance"]["likelihoods"]["inputs"] = 10**7
    with pytest.raises(
        InputError,
        match=r"key `performance\.likelihoods.inputs`: 10000000 places, but the text `web_bible` has",
    ):
        load(config | {"transfer": None})


def test_svcca_says_something_of_twelve():
    assert METRICS["svcca"].fewest == COMPONENTS + 2
    assert fewest_items("mutual_knn@10") == 12
    assert fewest_items("cka") == fewest_items("trsa_0.2_0.8") == 4
