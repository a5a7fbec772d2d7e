"""What each figure says, in plain sentences with this run's numbers; see `prh.report.story.TOLD`."""

import itertools
import math

from prh.report.run import interval, many, span
from prh.tables import FEWEST

FEW = 6  # fewer points than these lie near a line too often by chance for a correlation to be read from them
NAMED = 6  # of more models than these only the first and the last are named
NOTHING = ((), (), (), ())


def performance(run, _numbers):
    """Figure 3 of the paper: alignment over language-model performance."""
    table, trained = run.across, run.trained(run.across)
    if table.empty:
        return NOTHING
    best = (trained if len(trained) else table).sort_values("score", ascending=False, kind="stable").iloc[0]
    scored = table.dropna(subset="bits_per_byte").sort_values("bits_per_byte", kind="stable")
    line = scored[scored.model_y == best.model_y]  # of the vision model in the best pair
    others = list(dict.fromkeys(table[table.bits_per_byte.isna()].model_x))
    asked = ["Does a language model that predicts text better agree better with models that see?"]
    drawn = [
        "Each mark is a language model with a vision model; a line for each vision model.",
        f"To the right, how well the language model predicts a text ({run.text}): 1 - its bits per byte, the bits that are "
        "left to guess at each byte; further right is better.",
        "Upwards, alignment." + (f" Dotted: chance, {run.chance:.3f}." if run.chance else ""),
        others and f"In the strip at the right, without bits per byte: {run.labels(others)}.",
        run.of("vision", trained=False) and "Hollow and dashed: vision models with random weights.",
    ]
    common = f", or {best.score * run.k:.2f} of {run.k} neighbours in common" if run.chance else ""
    found = [
        f"Most alike are {run.label(best.model_x)} and {run.label(best.model_y)}: {best.score:.3f}{interval(best)}{common}.",
        _one_by_one(run, line),
        *(_beside_its_twin(run, model) for model in run.of("language", trained=True)),
        _steps(scored[scored.model_y.isin(run.of("vision", trained=True))]),
        _beside_shuffles(trained),
        _correlation(run, line),
    ]
    return asked, drawn, found, [_too_few(run, line), _size_is_not_all(run, line), _floor(run)]


def _one_by_one(run, line):
    """The language models of one vision model's line, the best predictor first."""
    if line.empty:
        return None
    shown = line if len(line) <= NAMED else line.iloc[[0, -1]]
    each = [
        f"{run.label(row.model_x)} at {row.bits_per_byte:.2f} bits per byte has {row.score:.3f}, from its {run.layer(row.model_x, row.layer_x)}"
        for row in shown.itertuples()
    ]
    which = "" if len(line) == 1 else ", the best predictor of text first"
    which += f" and the worst of {len(line)} last" if len(shown) < len(line) else ""
    return f"With {run.label(line.model_y.iloc[0])}{which}: {'; '.join(each)}."


def _beside_its_twin(run, model):
    """A language model and the same one untrained."""
    twin, vision = run.twin(model), run.of("vision", trained=True)
    if twin is None or not vision:
        return None
    scores = run.across.pivot(index="model_y", columns="model_x", values="score").loc[vision]
    more = scores[model] - scores[twin]
    return (
        f"{run.label(model)} agrees more than its untrained twin with {(more > 0).sum()} of "
        f"{many(len(more), 'trained vision model')}; the mean difference is {more.mean():.3f}."
    )


def _steps(scored):
    """Whether the order by bits per byte is that by alignment, with each vision model."""
    lines = [line.score.tolist() for _, line in scored.groupby("model_y", sort=False)]
    if not lines or len(lines[0]) < 3:
        return None
    rising = sum(all(better > worse for better, worse in itertools.pairwise(line)) for line in lines)
    return (
        f"From the worst predictor of text to the best, alignment rises at every step with {rising} of "
        f"{many(len(lines), 'trained vision model')}."
    )


def _beside_shuffles(table):
    """What the best layers reach by chance, and how many pairs are above that."""
    known = table.dropna(subset=["null_mean", "q_value"])
    if known.empty:
        return None
    return (
        f"With captions at wrong pictures, and the best layers chosen likewise, {known.null_mean.mean():.3f} is reached on average; "
        f"{(known.q_value < 0.05).sum()} of {many(len(known), 'pair')} of trained models are above what chance gives (q < 0.05)."
    )


def _correlations(run):
    """Pearson's r of each trained vision model, where there is one."""
    table = run.correlation
    table = table[(table.of == "score") & (table.method == "pearson")]
    return table[table.vision_model.isin(run.of("vision", trained=True))].dropna(
        subset=["correlation", "ci_low", "ci_high"]
    )


def _points(run, line):
    untrained = sum(not run.is_trained(model) for model in line.model_x)
    return many(len(line), "language model") + (f" ({untrained} of them untrained)" if untrained else "")


def _correlation(run, line):
    """The correlation over language models, where there are enough of them."""
    table = _correlations(run)
    if len(line) < FEW or table.empty:
        return None
    return (
        f"Over {_points(run, line)} Pearson's r of performance and alignment is {span(table.correlation)}, by vision model; its interval is "
        f"above 0 with {(table.ci_low > 0).sum()} of {many(len(table), 'trained vision model')}."
    )


def _too_few(run, line):
    """Why no correlation can be read, or what its intervals do not know."""
    table = _correlations(run)
    if len(line) < FEWEST:
        chance = (
            f": even a perfect order of {len(line)} comes about by chance once in {math.factorial(len(line))} times"
            if len(line) > 1
            else ""
        )
        return f"Bits per byte are of {_points(run, line)}, too few for a correlation, which takes {FEWEST}{chance}."
    if table.empty:
        return None
    if len(line) < FEW:
        return (
            f"No correlation can be read from {_points(run, line)}: Pearson's r is {span(table.correlation)}, by vision model, with "
            f"intervals from {table.ci_low.min():.2f} to {table.ci_high.max():.2f}."
        )
    return "Language models of one family are not independent, which intervals do not know."


def _size_is_not_all(run, line):
    """The larger model that predicts the text worse by most than a smaller one."""
    sizes = {model: run.models[model].get("parameters") for model in line.model_x if run.is_trained(model)}
    bits = line.set_index("model_x").bits_per_byte
    pairs = [(bits[a] - bits[b], a, b) for a, b in itertools.permutations(sizes, 2) if sizes[a] and sizes[b]]
    worse = [(gap, a, b) for gap, a, b in pairs if gap > 0 and sizes[a] > sizes[b]]
    if not worse:
        return None
    _, large, small = max(worse)
    return (
        f"Bits per byte on one text are not all that a model knows: {run.label(large)}, {sizes[large] / 1e6:,.0f} million parameters, has more "
        f"of them ({bits[large]:.2f}) than {run.label(small)}, {sizes[small] / 1e6:,.0f} million ({bits[small]:.2f}). What a model was trained "
        "on counts: one of program code predicts prose worse than its size suggests."
    )


def _floor(run):
    """Untrained language models that are above chance."""
    table = run.across[run.across.model_x.isin(run.of("language", trained=False))]
    chance = table.tau.fillna(run.chance) if run.chance else table.tau
    if table.empty or not (table.score > chance).all():
        return None
    return (
        f"Not all of it is learned: {run.labels(dict.fromkeys(table.model_x))}, never trained, comes to {span(table.score, '.3f')}, "
        "since captions that share a word share it whatever the weights. Learned is what is above that."
    )


def matrix(run, _numbers):
    """All models by all models."""
    pairs = run.trained(run.pairs)
    if pairs.empty:
        return NOTHING
    kinds = [("language", "language"), ("vision", "vision"), ("language", "vision")]
    parts = {k: pairs[(pairs.modality_x == k[0]) & (pairs.modality_y == k[1])] for k in kinds}
    words = ("two language models", "two vision models", "a language model and a vision model")
    drawn = [
        "Each row and each column is a model; a cell is the alignment of two, brighter if they agree more.",
        len(run.across) and "White lines part language models from vision models.",
        "The diagonal was not measured.",
    ]
    means = [
        f"{what} {part.score.mean():.3f}"
        + (f" ({span(part.score, '.3f')}, {len(part)} pairs)" if len(part) > 1 else "")
        for what, part in zip(words, parts.values(), strict=True)
        if len(part)
    ]
    found = [f"Trained models, on average: {'; '.join(means)}."]
    best = pairs.sort_values("score", ascending=False, kind="stable").iloc[0]
    families = [run.models[model].get("family") for model in (best.model_x, best.model_y)]
    built = f", both of the family {families[0]}" if families[0] and families[0] == families[1] else ""
    found += [
        f"Most alike of all are {run.label(best.model_x)} and {run.label(best.model_y)}{built}: {best.score:.3f}."
    ]
    limits = [
        "Two models of one kind can be alike because they are built alike, or learned from the same data; the picture does not tell.",
        _untrained_sight(run),
    ]
    return ["Which models agree, within a kind and across?"], drawn, found, limits


def _untrained_sight(run):
    """Untrained vision models beside trained ones."""
    untrained = run.of("vision", trained=False)
    one = run.pairs.model_x.isin(untrained) ^ run.pairs.model_y.isin(untrained)
    table = run.pairs[one & (run.pairs.modality_x == "vision")]
    if table.empty:
        return None
    return (
        f"{run.labels(untrained)}, never trained, still reaches {table.score.mean():.3f} on average with trained vision models: pictures "
        "that look alike are near each other without learning."
    )


def layers(run, numbers):
    """Layer by layer."""
    found, names = [], ["model_x", "model_y"]
    for (x, y), grid in numbers.groupby(names, sort=False):
        best = grid.loc[grid.score.idxmax()]
        found.append(
            f"{run.label(x)} with {run.label(y)}: {best.score:.3f}, at {run.layer(x, int(best.layer_x))} and {run.layer(y, int(best.layer_y))}"
            f"{_embedding(run, x, grid, best)}; half of the {many(len(grid), 'pair')} of layers are below {grid.score.median():.3f}."
        )
    drawn = [
        "A panel for each pair of models. Upwards the layers of the one, to the right those of the other; brighter: they agree more.",
        "Layer 0 is what a model starts from; of a language model, each word by itself. The ring marks the best pair of layers.",
    ]
    null = run.pairs.merge(numbers[names].drop_duplicates(), on=names).null_mean.dropna()
    shuffled = "captions at wrong pictures" if len(run.across) else "the items of one model in another order"
    limits = [
        "The best of many pairs of layers is high by chance alone"
        + (f", here {span(null, '.3f')} with {shuffled}." if len(null) else ".")
    ]
    return ["Where in the models do they agree?"], drawn, found, limits


def _embedding(run, model, grid, best):
    """What a language model's words by themselves reach, if a later layer is the best."""
    if run.models[model]["modality"] != "language":
        return ""
    if best.layer_x == 0:
        return ", so by its words alone"
    return f"; its words alone, layer 0, reach {grid[grid.layer_x == 0].score.max():.3f}"
