"""An own model or data set in two commands: a row in the table, and a configuration for a run with it."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from helpers.configuration import SCHEMAS, laid_over
from helpers.project import ROOT, SNAKEMAKE
from helpers.tiny_models import save
from prh.configuration import loading
from prh.configuration.add import add_data, add_model, type_of
from prh.configuration.tables import content_of, look_again
from prh.errors import InputError
from prh.sources import hub
from prh.sources.model_files import local_files

TYPES = {
    "llama": "causal_lm",
    "gpt2": "causal_lm",
    "bert": "text_encoder",
    "bert_masked": "masked_lm",
    "vit": "vision",
    "siglip": "vision",
    "convnext": "vision",
    "swin": "vision",
}


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A working directory with the tables, and 14 pictures with captions."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "pictures").mkdir()
    for i in range(14):
        Image.new("RGB", (8, 8), (18 * i, 0, 0)).save(tmp_path / f"pictures/{i}.png")
    lines = [f"{i}.png,picture {i}" for i in range(14)]
    (tmp_path / "pictures/captions.csv").write_text("\n".join(["image,caption", *lines]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(name):
    """Lines of a table of the working directory."""
    return Path(f"config/{name}.tsv").read_text().splitlines()


def read(config):
    """What a run with this configuration over the default one would be asked for."""
    default = yaml.safe_load(Path("config/config.yaml").read_text())
    return loading.load(laid_over(default, config), SCHEMAS, lambda path: path)


@pytest.mark.parametrize("kind", TYPES)
def test_the_kind_of_a_model_by_its_files(kind, tmp_path):
    assert type_of(local_files(save(kind, tmp_path / "own"))) == TYPES[kind]


def test_a_model_by_its_path(workplace):
    folder_of_it = save("gpt2", workplace / "My own GPT", n_positions=48)
    (folder_of_it / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# My own\n")
    before = table("models")
    facts, config = add_model("My own GPT", SCHEMAS)
    assert facts == {
        "kind": "causal_lm (gpt2, language)",
        "blocks": 2,
        "width": 16,
        "parameters": 7568,
        "licence": "apache-2.0",
    }
    assert table("models")[:-1] == before
    setup = read(config)
    row = setup.models["my-own-gpt"]
    assert (row.type, row.path, row.label, row.modality) == (
        "causal_lm",
        "My own GPT",
        "my-own-gpt",
        "language",
    )
    assert setup.size("my-own-gpt") == (7568, 3, 16)
    assert setup.chosen() == ["my-own-gpt", "mobilenet-v2"]
    assert setup.made_by("local") == ["my-own-gpt"]
    assert (config["transfer"], config["performance"]["window"]) == (None, 48)


def test_names_types_and_labels(workplace):
    save("vit", workplace / "vit")
    _, config = add_model("vit", SCHEMAS, name="a", label="ViT, mine")
    assert config["models"] == ["minilm-l6", "a"]
    assert read(config).models["a"].label == "ViT, mine"
    before = table("models")
    with pytest.raises(InputError, match=r"config/models.tsv has a row `a`; give another name by --name"):
        add_model("vit", SCHEMAS, name="a")
    with pytest.raises(InputError, match="--type encoder: not one of causal_lm"):
        add_model("vit", SCHEMAS, name="b", type="encoder")
    with pytest.raises(InputError, match=r"`./none` is not there, and is no ORGANISATION/NAME of the hub"):
        add_model("./none", SCHEMAS)
    with pytest.raises(InputError, match="key `name`: '-b' does not have the form"):
        add_model("vit", SCHEMAS, name="-b")
    assert table("models") == before
    assert sorted(path.name for path in Path("config").glob("*.new")) == []


def test_a_model_of_the_hub(workplace, monkeypatch):
    import huggingface_hub

    snapshot = SimpleNamespace(folder=save("bert", workplace / "snapshot"), commit="0" * 40)
    monkeypatch.setattr(hub, "fetch", lambda repo, revision, choose: snapshot)
    info = SimpleNamespace(safetensors=SimpleNamespace(total=1234))
    monkeypatch.setattr(
        huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=lambda repo, revision: info)
    )
    _, config = add_model("org/Tiny-BERT", SCHEMAS)
    row = read(config).models["tiny-bert"]
    assert (row.repo, row.revision, row.parameters) == ("org/Tiny-BERT", "0" * 40, 1234)
    assert (row.type, row.path) == ("text_encoder", "")


def test_another_content_is_another_revision(workplace):
    place = save("vit", workplace / "vit")
    looked, row = [], SimpleNamespace(name="vit", path="vit")
    for changed in (None, "preprocessor_config.json", "notes.txt", "training.log"):
        if changed:
            with (place / changed).open("a") as file:
                file.write("\n")
        look_again()
        looked.append(content_of(row))
    assert looked[0].startswith("sha256:")
    assert looked[0] != looked[1] != looked[2] == looked[3]  # a log is no part of the model


@pytest.mark.slow
def test_what_came_from_a_model_by_its_path_follows_its_content(workplace):
    place, made = save("llama", workplace / "own"), Path("results/models/own/model.safetensors")
    config = add_model("own", SCHEMAS)[1]
    Path("mine.yaml").write_text(yaml.safe_dump(config))
    command = [*SNAKEMAKE, "--cores", "1", "results/models/own", "--configfile", "mine.yaml"]

    def run():
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr

    run()
    kept = load_file(place / "model.safetensors")
    assert load_file(made).keys() == kept.keys()
    (place / "model.safetensors").touch()
    assert "Nothing to be done" in run()
    (place / "model.safetensors").unlink()  # as one who trains on and saves anew
    name = min(kept)
    save_file({**kept, name: kept[name] + 1}, place / "model.safetensors", metadata={"format": "pt"})
    assert "Nothing to be done" not in run()
    assert torch.equal(load_file(made)[name], kept[name] + 1)


def test_data_by_its_folder(workplace):
    facts, config = add_data("pictures", SCHEMAS)
    assert facts == {
        "pictures": 14,
        "captions per picture": 1,
        "captions from": "pictures/captions.csv (columns image, caption, by commas)",
    }
    setup = read(config)
    assert (setup.datasets["pictures"].source, setup.datasets["pictures"].path) == ("folder", "pictures")
    assert setup.config["alignment"]["metrics"] == ["mutual_knn@10"]
    with pytest.raises(InputError, match="has a row `pictures`"):
        add_data("pictures", SCHEMAS)


def test_without_tables_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("vit", tmp_path / "vit")
    with pytest.raises(InputError, match=r"config/models.tsv is not here; run this in the workflow's folder"):
        add_model("vit", SCHEMAS)
    assert not Path("config").exists()


def test_two_commands(workplace):
    save("llama", workplace / "own")
    add = [sys.executable, str(ROOT / "scripts/add.py")]
    done = subprocess.run([*add, "model", "own"], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[0] == "kind: causal_lm (llama, language)"
    Path("mine.yaml").write_text(done.stdout)
    plan = [*SNAKEMAKE, "-n", "--quiet", "rules", "--cores", "1", "--configfile", "mine.yaml"]
    planned = subprocess.run(plan, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stderr
    again = subprocess.run([*add, "model", "own"], capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stderr == "add: config/models.tsv has a row `own`; give another name by --name\n"
