import pytest
import torch

from prh.errors import InputError
from prh.features.layers import LayerCollector, check_layers, read_features, write_features


def layers():
    return {"embedding": torch.randn(6, 3), "block1": torch.randn(6, 5)}


def test_round_trip(tmp_path):
    made = layers()
    write_features(tmp_path / "f.safetensors", made, {"model": "m", "pairs": 6})
    read, names, metadata = read_features(tmp_path / "f.safetensors")
    assert names == ["embedding", "block1"]
    assert metadata == {"model": "m", "pairs": 6}
    for one, other in zip(made.values(), read, strict=True):
        assert torch.equal(one, other)


def test_order_is_kept_beyond_ten_layers(tmp_path):
    made = {f"block{i}": torch.full((4, 1), float(i)) for i in range(12)}
    write_features(tmp_path / "f.safetensors", made, {})
    read, names, _ = read_features(tmp_path / "f.safetensors")
    assert names == list(made)
    assert [layer[0, 0].item() for layer in read] == list(range(12))


def test_the_same_features_give_the_same_bytes(tmp_path):
    made = layers()
    metadata = {f"key{i}": i for i in range(20)}
    contents = set()
    for name in "abc":
        write_features(tmp_path / name, made, metadata)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_features(tmp_path / "none.safetensors")


def test_collector_wants_every_item():
    collector = LayerCollector(3)
    collector.add([2, 0], {"a": torch.ones(2, 4)})
    with pytest.raises(InputError, match="item 1 are missing"):
        collector.finished()


def test_collector_names_the_item_that_is_not_finite():
    collector = LayerCollector(2)
    collector.add([1, 0], {"a": torch.tensor([[1.0], [float("inf")]])})
    with pytest.raises(InputError, match="layer a: item 0"):
        collector.finished()


@pytest.mark.parametrize(("column", "value"), [("layers", 3), ("width", 4)])
def test_a_model_that_is_not_what_its_row_says(column, value):
    row = {"name": "m", "layers": 2, "width": 5, column: value}
    with pytest.raises(InputError, match=f"row `m`: {column} is {value}"):
        check_layers(layers(), row)
