"""The library of the workflow, a package for each stage of the argument; a module imports what stands above it, never below.

errors, provenance, times, kept, forecast, progress, job: what every stage uses: one-line errors, records, times of artifacts, what stays of an import, how far a run is, a script's frame
sources: what comes from outside: wheels, the hub, folders; data sets, texts, captions of several densities, colours
features: models run once over a data set: adapters, batches, one tensor per layer on disk
tables: the final tables: their columns, reading and writing
alignment: metrics, neighbours, kernels, null calibration; the density of captions, the geometry of colours
performance: how good the language models are: bits per byte, benchmarks, correlation with alignment
figures: tables in, figures out; published numbers beside this run's
report: what a run's numbers say in words; its page
share: a run published on the hub, and what others published imported
audit: what every artifact should be, samples made again by plain definitions, the crate
configuration: what a run is asked for, checked before any job starts; read by the rules only
command: the command `prh`, for feature files without a run

What others call stands in `PUBLIC`: `from prh import measure`.
"""

from importlib import import_module

# Imported when asked for, so that a rule does not depend on what it does not use.
PUBLIC = {
    "InputError": "prh.errors",
    "METRICS": "prh.alignment.catalogue",
    "align": "prh.alignment.align",
    "calibrate": "prh.alignment.calibration",
    "measure": "prh.alignment.align",
    "metric_name": "prh.alignment.catalogue",
    "read_any_features": "prh.features.files",
}


def __getattr__(name):
    """A public name, out of its module (PEP 562)."""
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(PUBLIC[name]), name)


def __dir__():
    """The public names, and the module's own."""
    return sorted({*globals(), *PUBLIC})
