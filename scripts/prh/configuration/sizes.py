"""How many items data sets have, as far as that is known before any job, and what does not fit so few."""

import itertools
from pathlib import Path

from prh.alignment.catalogue import METRICS, SAMPLES_HELD, metric_name, parse_metric
from prh.configuration.tables import captions_of, files_of, record_instead
from prh.errors import InputError
from prh.sources.model_files import check_pairs, shapes_of_features
from prh.sources.registry import AT_MOST

OWN = "folder"  # the source of data of one's own
FEWEST = 3  # items of any data set: a nearest neighbour, and one that is none


def count_items(rows, names):
    """Items of each data set by name: as many as its row asks for, a folder's own number, or None where only the job can tell.

    One whose folder is not here has as many as its record says. Where there is none, the job that makes the data set says so, if it is
    asked for. Raises `InputError` for what is wrong with a folder's table, and where it has fewer than asked for.
    """
    return {name: _count(rows[name]) for name in names}


def _count(row):
    if row.source != OWN:
        return row.size
    if record := record_instead(row):
        return record["parameters"]["row"]["size"]
    if not Path(row.path).expanduser().exists():
        return None
    table = captions_of(row.path, row.columns)
    if row.size is not None and row.size > len(table.items):
        raise InputError(
            f"{table.source}: {row.size} pairs asked for, it has {len(table.items)}; lower `size`"
        )
    return row.size or len(table.items)


def fit(config, rows, sizes, source):
    """Leave out or lower what does not fit the smallest data set, where `alignment.fit` says so; returns what was done, in words.

    Changes `config`: the metrics of alignment and calibration, and the windows of distances. Raises `InputError` with the first
    key that does not fit where nothing is to be fitted.
    """
    known = {name: sizes[name] for name in config["datasets"] if sizes[name] is not None}
    if not known:
        return ""
    smallest = min(known, key=known.get)
    n, said = known[smallest], f"data set `{smallest}` has {known[smallest]}"
    if n < FEWEST:
        raise InputError(f"{source}: key `datasets`: {said} items, at least {FEWEST} are needed")
    wanted, calibrated = config["alignment"]["metrics"], config["calibration"]["metrics"]
    too_large = [name for name in wanted if n < fewest_items(name)]
    edges = config["figures"]["distance_windows"]
    kept_edges = _merged(edges, n)
    on = config["alignment"]["fit"]
    if not (rows[smallest].source == OWN if on is None else on):
        if too_large:
            raise InputError(_refusal(too_large, calibrated, said, source))
        if kept_edges != edges and config["figures"]["layer_pairs"]:
            raise InputError(
                f"{source}: key `figures.distance_windows`: {edges}: a window holds no pair of items, since {said} items; take "
                "wider ones, or set `alignment.fit` to true"
            )
        return ""
    fitted = _fitted(wanted, n)
    if not any(fitted.values()):
        raise InputError(_refusal(too_large, calibrated, said, source))
    for section in ("alignment", "calibration"):
        names = [fitted[name] for name in config[section]["metrics"] if fitted[name]]
        config[section] = config[section] | {"metrics": list(dict.fromkeys(names))}
    config["figures"] = config["figures"] | {"distance_windows": kept_edges}
    return _in_words(
        rows[smallest].label, n, fitted, kept_edges != edges and bool(config["figures"]["layer_pairs"])
    )


def check_sizes(configuration, sizes, source):
    """Raise `InputError` for features of another number of items, and for what single figures ask of more, or of a longer text."""
    config = configuration.config
    _check_features(configuration, sizes)
    _check_most(config, sizes, source)
    _check_shards(configuration, sizes, source)
    transfer, density, likelihoods = (
        *(config[key] for key in ("transfer", "caption_density")),
        config["performance"]["likelihoods"],
    )
    if transfer:
        size = sizes[transfer["images"]]
        half = transfer["images"] in transfer["tasks"]  # the other half is for the probes
        if size and transfer["k"] > size // (1 + half) - 2:
            raise InputError(
                f"{source}: key `transfer.k`: {transfer['k']} neighbours need at least {transfer['k'] + 2} images, but data set "
                f"`{transfer['images']}` has {size}{', half of them for alignment' if half else ''}"
            )
    with_keywords = [name for name in config["datasets"] if configuration.datasets[name].keywords]
    if density and (density["data"] or (with_keywords and not density["summariser"])):
        name = density["data"] or with_keywords[0]
        if sizes[name] and density["k"] > sizes[name] - 2:
            raise InputError(
                f"{source}: key `caption_density.k`: {density['k']} neighbours need at least {density['k'] + 2} items, but "
                f"data set `{name}` has {sizes[name]}"
            )
    gap = config["modality_gap"]
    size = gap and sizes[gap["data"] or config["datasets"][0]]
    if size and gap["k"] > size - 2:
        raise InputError(
            f"{source}: key `modality_gap.k`: {gap['k']} neighbours need at least {gap['k'] + 2} pairs, here are {size}"
        )
    _check_over_n(configuration, sizes, source)
    text = configuration.corpora[config["performance"]["corpus"]]
    if likelihoods and text.bytes and likelihoods["inputs"] > text.bytes:
        raise InputError(
            f"{source}: key `performance.likelihoods.inputs`: {likelihoods['inputs']} places, but the text `{text.name}` has "
            f"{text.bytes} bytes; lower it"
        )


def _check_over_n(configuration, sizes, source):
    """Numbers of items below that of the data set, and enough of them for the neighbours asked for."""
    over = configuration.config["alignment_over_n"]
    for name in configuration.data_over_n():
        where, least = f"{source}: key `alignment_over_n", min(over["sizes"], default=sizes[name])
        if sizes[name] and over["sizes"] and over["sizes"][-1] >= sizes[name]:
            raise InputError(
                f"{where}.sizes`: {over['sizes'][-1]}, but data set `{name}` has {sizes[name]} items, which are taken as the last size "
                "anyway; leave it out"
            )
        for key, k in (("k", over["k"]), ("share", round(over["share"] * least))) if least else ():
            if k > least - 2:
                raise InputError(
                    f"{where}.{key}`: {over[key]}: {k} neighbours need at least {k + 2} items, the fewest are {least}; lower it"
                )


def _check_most(config, sizes, source):
    """No data set has more items than a metric, or the windows of distances, can take."""
    name = max(config["datasets"], key=lambda name: sizes[name] or 0)
    n = sizes[name] or 0
    most = {metric: METRICS[parse_metric(metric)[0]].most for metric in config["alignment"]["metrics"]}
    over = [f"{metric} takes {limit:,}" for metric, limit in most.items() if limit and limit < n]
    if over:
        raise InputError(
            f"{source}: key `alignment.metrics`: {', '.join(over)} items at most, but data set `{name}` has {n:,}; take them out, or "
            "fewer items"
        )
    if config["figures"]["layer_pairs"] and n > SAMPLES_HELD:
        raise InputError(
            f"{source}: key `figures.layer_pairs`: windows of distances take at most {SAMPLES_HELD:,} items, but data set `{name}` has "
            f"{n:,}; name no pairs, or fewer items"
        )


def _check_shards(configuration, sizes, source):
    """Shards are of data sets whose number of items is known, and of features that an item has by itself."""
    features, where = configuration.config["features"], f"{source}: key `features.items_per_shard`"
    if not features["items_per_shard"]:
        return
    if features["mode"] == "reference":
        raise InputError(
            f"{where}: in `features.mode` reference captions are padded to the longest of all; take robust, or set the key to null"
        )
    for name in configuration.config["datasets"]:
        if sizes[name] is None or configuration.datasets[name].source in AT_MOST:
            raise InputError(
                f"{where}: how many items data set `{name}` has is not known before it is made, so that its shards cannot be planned; "
                "give its row a `size` that it must have, or set the key to null"
            )


def _check_features(configuration, sizes):
    """Files of features have a row for each item of each data set that they are taken for, where their heads tell."""
    config = configuration.config
    uses = [(config["models"], config["datasets"])]
    if config["transfer"]:
        uses.append((configuration.panel, [config["transfer"]["images"], *config["transfer"]["tasks"]]))
    uses.append((sorted({*itertools.chain(*configuration.pairs_over_n())}), configuration.data_over_n()))
    for names, data in uses:
        for row in (configuration.models[name] for name in names):
            shapes = shapes_of_features(files_of(row.path)) if row.type == "features" else None
            for name in filter(sizes.get, data if shapes else []):
                check_pairs(config["tables"]["models"], row.name, shapes[0][0], name, sizes[name])


def fewest_items(name):
    """Items that a metric, METRIC or METRIC@K, needs at least: for k neighbours k + 2; for a window of distances a pair within."""
    metric, k = parse_metric(name)
    spec = METRICS[metric]
    if k is not None:
        return k + 2
    n = spec.fewest
    while _pairs(n) * (spec.window[1] - spec.window[0]) < 1:
        n += 1
    return n


def _pairs(n):
    return n * (n - 1) / 2


def _merged(edges, n):
    """Edges of windows, less those that would leave a window without a pair of n items."""
    kept = [edges[0]]
    for edge in edges[1:]:
        if _pairs(n) * (edge - kept[-1]) >= 1 - 1e-9:
            kept.append(edge)
    return kept if kept[-1] == edges[-1] else [*(kept[:-1] or kept), edges[-1]]


def _fitted(wanted, n):
    """What becomes of each metric: itself; None; or, where none of its numbers of neighbours fits, half of the items for the first."""
    found = {name: name if n >= fewest_items(name) else None for name in wanted}
    measured = {parse_metric(name)[0] for name, kept in found.items() if kept}
    for name in wanted:
        metric, k = parse_metric(name)
        lowered = metric_name(metric, n // 2) if k is not None else None
        least = 2 if METRICS[metric].family == "cknna" else 1
        if metric not in measured and lowered and n // 2 >= least and n >= fewest_items(lowered):
            found[name] = lowered
            measured.add(metric)
    return found


def _refusal(names, calibrated, said, source):
    """Which metrics do not fit, in one line."""
    key = f"{source}: key `alignment.metrics`"
    also = [name for name in names if name in calibrated]
    largest = max(names, key=fewest_items)
    k, least = parse_metric(largest)[1], fewest_items(largest)
    needs = f"{k} neighbours need at least {least} pairs" if k else f"{largest} needs at least {least} pairs"
    more = f" (of `calibration.metrics` {', '.join(also)})" if also else ""
    return (
        f"{key}: {', '.join(names)}{more}: {needs}, but {said}; take them out, or set `alignment.fit` to true"
    )


def _in_words(label, n, fitted, merged):
    out, lowered = {}, []
    for name, kept in fitted.items():
        metric, k = parse_metric(name)
        if kept is None:
            out.setdefault(metric, []).extend([f"@{k}"] if k else [])
        elif kept != name:
            lowered.append(f"{name} to @{parse_metric(kept)[1]}")
    done = [f"left out: {', '.join(metric + ' '.join(ks) for metric, ks in out.items())}"] if out else []
    done += [f"lowered: {', '.join(lowered)}"] if lowered else []
    done += ["joined: windows of distances that would hold no pair"] if merged else []
    return f"Fitted to {n} pairs ({label}): {'; '.join(done)}." if done else ""
