"""Benchmarks of language models, by lm-eval."""

from pathlib import Path

import lm_eval
import lm_eval.tasks
from lm_eval.models.huggingface import HFLM

from prh.errors import InputError

# The measure that stands for a benchmark; of others the first that lm-eval gives.
MEASURES = {"hellaswag": "acc_norm,none", "gsm8k": "exact_match,strict-match"}


def evaluate(model, tokenizer, tasks, limit=None, batch_size=8, seed=1234):
    """Scores of a causal language model on TASK@SHOTS, one mapping each: task, shots, measure, value, error, ...

    The questions come from the hub, through `datasets`. limit: so many documents of each, for a try.
    Raises `InputError` for a task that lm-eval does not have.
    """
    wrapped = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
    seeds = dict.fromkeys(
        ("random_seed", "numpy_random_seed", "torch_random_seed", "fewshot_random_seed"), seed
    )
    asked = [name.split("@") for name in tasks]
    manager, rows = _manager([task for task, _ in asked]), []
    for task, shots in asked:
        try:
            found = lm_eval.simple_evaluate(
                wrapped,
                tasks=[task],
                task_manager=manager,
                num_fewshot=int(shots),
                limit=limit,
                log_samples=False,
                **seeds,
            )
        except KeyError as error:
            raise InputError(
                f"task `{task}` is not lm-eval's ({error}); correct `performance.tasks`"
            ) from None
        rows.append(_row(task, int(shots), found))
    return rows


def _manager(tasks):
    """lm-eval's tasks: of the folders with files of these names if that is where they are, since all 14,000 files take 12 seconds."""
    root = Path(lm_eval.tasks.__file__).parent
    folders = sorted({file.parent for task in tasks for file in root.rglob(f"{task}.yaml")})
    some = lm_eval.tasks.TaskManager(include_path=folders, include_defaults=False)
    return some if {*tasks} <= {*some.all_tasks} else lm_eval.tasks.TaskManager()


def _row(task, shots, found):
    scores = found["results"][task]
    measures = [key for key, value in scores.items() if isinstance(value, float) and "_stderr" not in key]
    measure = MEASURES.get(task, measures[0])
    error = scores.get(measure.replace(",", "_stderr,"))
    return {
        "task": task,
        "shots": shots,
        "measure": measure,
        "value": float(scores[measure]),
        "stderr": float(error) if isinstance(error, float | int) else None,
        "documents": int(found["n-samples"][task]["effective"]),
        "task_version": str(found["versions"][task]),
        "lm_eval": lm_eval.__version__,
    }
