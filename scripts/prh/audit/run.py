"""A run as the audit takes it: a folder with records, what they say of each artifact, where imported ones came from."""

from functools import lru_cache
from pathlib import Path

from prh.audit.artifacts import SHARD, kind_of
from prh.audit.definitions import Prepared
from prh.errors import InputError, check_readable
from prh.features.layers import read_features
from prh.kept import IMPORTED, read_imported
from prh.provenance import RECORDS, read_record

FOLDERS = ("results/", "figures/")


class Run:
    """A folder with a run's results: its records, and what they say of each artifact."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.prepared = lru_cache(maxsize=4)(
            self._prepared
        )  # the layers of a feature file, as metrics take them
        self.intact = set()  # artifacts whose digest was found to be the recorded one
        self.damaged = {}  # record -> what is wrong with it
        self.merged = {}  # shard -> the features that it was merged into
        self.made = {}  # artifact -> the record of the job that made it
        self.imported = (
            self._imported()
        )  # digest of a record, or path of a file of the run's user -> where it came from
        found = sorted((self.folder / RECORDS).rglob("*.json"))
        if not found:
            check_readable(self.folder / RECORDS)
            raise InputError(
                f"{self.folder}: has no records; give a folder with the results/ of a finished run"
            )
        for path in found:
            name = path.relative_to(self.folder).as_posix()
            try:
                record = read_record(path)
                self.made |= dict.fromkeys(record["outputs"], record)
                shards = [source for source in record["inputs"] if kind_of(source) == SHARD]
                self.merged |= dict.fromkeys(shards, next(iter(record["outputs"])))
            except InputError as error:
                self.damaged[name] = str(error).removeprefix(f"{path}: ")
        # A shard that is gone, and of which nothing that is there was merged, was of an earlier run.
        self.made = {
            name: record
            for name, record in self.made.items()
            if kind_of(name) != SHARD or name in self.merged or self.path(name).exists()
        }

    def _imported(self):
        found = {}
        try:
            for source in read_imported(self.folder):
                said = f"{source['from']} ({source['pin'] or 'which nothing pins'})"
                found |= dict.fromkeys([*source["records"].values(), *source["artifacts"]], said)
        except InputError as error:
            self.damaged[IMPORTED.as_posix()] = str(error).removeprefix(f"{self.folder / IMPORTED}: ")
        return found

    def origin(self, artifact):
        """Where an artifact was imported from, and what pins that; None if it was made here."""
        return self.imported.get(self.made[artifact]["run"].get("sha256"))

    def path(self, artifact):
        """Where an artifact lies."""
        return self.folder / artifact

    def params(self, artifact):
        """The parameters of the job that made it; of one that made several, with its own row of the table."""
        params = self.made[artifact]["parameters"]
        own = params.get("rows", {}).get(Path(artifact).name.removesuffix(".safetensors"))
        return {**params, "row": own} if own else params

    def is_intact(self, artifact):
        """Whether it is there, as it was made: nothing is held against anything else."""
        return artifact in self.intact

    def kind(self, artifact):
        """Its kind, by where it lies."""
        return kind_of(artifact)

    def metric(self, tile):
        """The metric of a tile of alignments or of nulls, by where it lies."""
        return Path(tile).parent.name

    def sha256(self, artifact):
        """Its digest by its record."""
        return self.made[artifact]["outputs"][artifact]["sha256"]

    def inputs(self, artifact):
        """What it was made from: names of artifacts; parts of the workflow, and tables of its user, left out."""
        named = self.made.get(artifact, {"inputs": {}})["inputs"]
        return [name for name in named if name.startswith(FOLDERS)]

    def sources(self, artifact):
        """As `inputs`; in place of shards what these were made from."""
        found = {}
        for name in self.inputs(artifact):
            found |= dict.fromkeys(self.inputs(name) if name in self.merged else [name])
        return list(found)

    def _prepared(self, artifact, clamp, concatenate):
        return Prepared(read_features(self.path(artifact))[0], clamp, concatenate)
