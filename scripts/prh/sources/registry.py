"""Which module makes what a table's row asks for: a source of data sets or texts, found by its name.

A source of data sets has `make(row, wheels, seed, folder)`, which ends in `datasets.write_dataset`; one of texts has
`make(row, wheels, path)`. Modules are named here and imported where they are used: a rule's environment holds what its own
source needs, and an edit of one source runs again what came from it and nothing else.
"""

DATASETS = {  # by the column `source`
    "openmoji": "prh.sources.openmoji",
    "folder": "prh.sources.folder",
    "hub": "prh.sources.hub_pairs",
    "classes": "prh.sources.classes",
    "webdataset": "prh.sources.webdataset",
    "dci": "prh.sources.dci",
}
AT_MOST = ("classes", "webdataset")  # sources of which a row's size is the most that is taken
WITH_CAPTIONS = ("folder", "hub")  # sources whose images may have several captions each
LABELLING = ("emoji", "emojis")  # packages with names and categories of drawings: figure 2's tasks
CORPORA = {"package": "prh.sources.passage", "hub": "prh.sources.documents"}


def source_of_dataset(row):
    """Name of the module that makes a data set."""
    return DATASETS[row.source]


def source_of_corpus(row):
    """Name of the module that makes a text: by whether its row has a repository."""
    return CORPORA["hub" if getattr(row, "repo", None) else "package"]
