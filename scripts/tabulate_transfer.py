"""Figure 2 as tables: scores on tasks, what each model solves, how each pair of models agrees, and how the two go together."""

from prh.alignment.last_layers import METRIC, all_pairs
from prh.features.layers import read_features
from prh.features.panel import relation
from prh.job import job, use_threads
from prh.performance.tasks import halves
from prh.performance.transfer import relate, score_tasks
from prh.tables import PREDICTIONS, VISION_PAIRS, read_parts, write_table

with job(snakemake) as out:
    given, params = snakemake.input, snakemake.params
    use_threads(snakemake.threads)
    models, sizes = list(params.models), (params.resamples, params.confidence, params.seed)
    predictions = read_parts(given.predictions, PREDICTIONS)
    transfer, competence = score_tasks(
        predictions, models, params.solved, params.resamples, params.permutations, *sizes[1:]
    )
    last = [read_features(path)[0][-1] for path in given.features]
    if params.shared:
        last = [values[halves(len(values), params.seed)[0]] for values in last]
    pairs = all_pairs(
        dict(zip(models, last, strict=True)), params.k, params.clamp, *sizes[:2],
        params.permutations, params.alpha, params.seed, params.device,
    )  # fmt: skip
    facts = {
        "dataset": params.dataset,
        "metric": METRIC,
        "k": params.k,
        "chance": params.k / (len(last[0]) - 1),
    }
    related = [
        relation(params.models[x], params.models[y])
        for x, y in zip(pairs.model_x, pairs.model_y, strict=True)
    ]
    pairs = pairs.assign(**facts, relation=related)[VISION_PAIRS]
    write_table(transfer, out.transfer)
    write_table(competence, out.competence)
    write_table(pairs, out.pairs)
    write_table(relate(pairs, competence, params.bins, *sizes), out.convergence)
