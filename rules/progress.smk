# What a run says while it runs, and at the end: what was made, where, how long it took, what to look at first.
# Snakemake's own lines, several per job, are in .snakemake/log; `--verbose` or any `--quiet` brings them to the terminal.

import logging
from time import monotonic

from snakemake.logging import logger

from prh.progress import Progress, counted, duration

BEGAN = monotonic()
FIRST = [
    ("figures/alignment_vs_performance.pdf", "the main figure"),
    ("results/report/index.html", "the page of the run: scores, layers, neighbours"),
    ("results/report/report.html", "the story of the run"),
    ("results/tables/alignment.csv", "every score"),
]
# Seconds that a job took in a mini reproduction on two busy cores; all others about 5. Only the proportions count, and only
# until a job of the rule is done in this run. Those of the paper's scale, which was not run, are as their likes here.
TYPICAL = {
    "fetch_package": 1,
    "fetch_dataset": 40,
    "fetch_language_model": 20,
    "fetch_vision_model": 20,
    "fetch_hub_model": 20,
    "fetch_hub_dataset": 40,
    "extract_language_features": 50,
    "extract_vision_features": 240,
    "extract_timm_features": 240,
    "index_neighbors": 10,
    "measure_alignment": 20,
    "calibrate_alignment": 100,
    "score_language_model": 730,
    "score_captions": 50,
    "evaluate_downstream": 730,
}
# Lines that say nothing about this run.
CHATTER = ("Using shell:", "Select jobs to execute", "Conda environments: ignored")


class Calm(logging.Handler):
    """Snakemake's messages to the terminal: jobs as lines of `Progress`, all else as Snakemake says it."""

    def __init__(self, inner):
        super().__init__()
        self.name, self.inner, self.failed = inner.name, inner, {}
        self.progress = Progress(inner.stream, inner.can_color_tty(), TYPICAL, 5)

    def emit(self, record):
        """Take a message; called with this handler's lock."""
        event = getattr(record, "event", None)
        if event == "run_info":
            real = {rule.name for rule in workflow.rules if rule.output or rule.log}  # targets are not
            self.progress.begin({rule: jobs for rule, jobs in record.stats.items() if rule in real})
        elif event == "job_info" and (record.output or record.log):
            self.failed.pop(record.jobid, None)
            self.progress.started(record.jobid, record.rule_name, record.rule_msg or "")
        elif event == "job_finished":
            self.progress.ended(record.job_id)
        elif event == "job_error":
            self.progress.ended(record.jobid, failed=True)
            self.failed[record.jobid] = f"  {record.rule_name:30} {' '.join(record.log)}"
        if event in {None, "job_error", "group_error", "error", "debug_dag"}:
            if not str(record.msg).startswith(CHATTER):
                with self.progress.aside():
                    self.inner.handle(record)

    def close(self):
        self.progress.close()
        self.inner.close()
        super().close()


def calm_handler():
    """The handler that took the place of Snakemake's own, or None: in jobs, as a module, or if other output was asked for."""
    settings = workflow.output_settings
    asked = (
        settings.dryrun or settings.quiet or settings.verbose or settings.debug_dag or settings.printshellcmds
    )
    if asked or not workflow.is_main_process or not workflow.modifier.is_main_snakefile():
        return None
    for inner in [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]:
        logger.removeHandler(inner)
        logger.addHandler(Calm(inner))
        return logger.handlers[-1]


CALM = calm_handler()


def closing_words():
    """Lines for the end of a run that made something."""
    there = [f"  {path:40} {what}" for path, what in FIRST if Path(path).is_file()]
    return "\n".join(
        [f"Done in {duration(monotonic() - BEGAN)}. To look at first:", *there, "To check it all: make audit"]
    )


def words_of_failure():
    """Lines for the end of a run that was not finished: which jobs failed, where their logs are, what to do."""
    failed = [] if CALM is None else sorted(CALM.failed.values())
    what = f"{counted(len(failed), 'job')} failed" if failed else "Stopped"
    first = f"{what} after {duration(monotonic() - BEGAN)}; what is done stays, and the same command goes on from there."
    return "\n".join([first, *(["To mend first, by their logs:"] if failed else []), *failed])


def say(text):
    """Lines after the last of the progress."""
    if CALM is not None:
        CALM.progress.close()
    print(text, file=sys.stderr)


onsuccess:
    if exists(FIRST[0][0]):
        say(closing_words())


onerror:
    say(words_of_failure())
