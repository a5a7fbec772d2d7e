"""Revisions of hub rows are pinned in the tables."""

from types import SimpleNamespace

from prh.sources import pins


def test_revisions_are_pinned(tmp_path):
    table = tmp_path / "models.tsv"
    kept = "b" * 40
    table.write_text(
        f"name\trepo\trevision\tgated\tlicence\na\to/a\t\tunknown\tx\nb\to/b\t{kept}\tno\tx\nc\to/c\t\tunknown\tx\n"
    )

    class Api:
        def repo_info(self, repo, repo_type, revision):
            assert (repo_type, revision) == ("model", "main")
            if repo == "o/c":
                raise OSError("gone")
            return SimpleNamespace(sha="a" * 40, gated="manual", card_data={"license": "mit"})

    said = pins.pin(table, "model", Api())
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    assert rows[0] == ["a", "o/a", "a" * 40, "yes", "mit"]
    assert rows[1][2] == kept
    assert rows[2][2] == ""
    assert "NOT pinned (gone)" in said[2]
