"""What a run says while it runs: a line per rule, refreshed in place on a terminal, rare and plain elsewhere."""

import logging
import shutil
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from prh.forecast import forecast, planned

CLEAR = "\r\x1b[J"  # to the line's begin, and empty from there to the screen's end
RARE = 60  # seconds without a line, where there is no terminal, until there is one; later in a run a tenth of its time


class Rule:
    """A rule of the run: its jobs, what those do that run, when it began and ended."""

    def __init__(self, jobs):
        self.jobs, self.what, self.began, self.ended = jobs, {}, None, None

    def count(self, state):
        """How many of its jobs are done, running, failed, waits."""
        return sum(getattr(job, state) for job in self.jobs.values())


class Progress:
    """Lines on a stream about the jobs of a run.

    stream: where the lines go. terminal: whether they may be refreshed in place. clock: seconds, from anywhere.

    On a terminal the lines of unfinished rules stand below an empty line, at whose begin the cursor waits: whatever another
    process prints then stands above them.
    """

    def __init__(self, stream, terminal, clock=monotonic):
        self.stream, self.terminal, self.clock = stream, terminal, clock
        self.jobs, self.limits, self.rules, self.began, self.spoke = {}, (), {}, None, 0.0
        self._lock, self._stop = threading.RLock(), threading.Event()

    def begin(self, jobs, limits=()):
        """The run begins; jobs: {name: Job}, of which `limits` allows some at once."""
        self.began, self.jobs, self.limits = self.clock(), jobs, limits
        for name, job in jobs.items():
            self.rules.setdefault(job.rule, Rule({})).jobs[name] = job
        with self.aside():
            self._say(f"{counted(len(jobs), 'job')} of {counted(len(self.rules), 'rule')}")
        threading.Thread(target=self._tick, daemon=True).start()

    def started(self, name, what=""):
        """A job begins, perhaps again; what: what it does, in words."""
        with self.aside():
            job = self.jobs[name]
            rule = self.rules[job.rule]
            job.began, job.failed = self.clock(), False
            rule.began, rule.ended = job.began if rule.began is None else rule.began, None
            rule.what[name] = what

    def ended(self, name, failed=False):
        """A job ends."""
        with self.aside():
            job = self.jobs.get(name)
            if job is None or not job.running:
                return
            rule = self.rules[job.rule]
            job.failed, job.seconds = failed, None if failed else self.clock() - job.began
            del rule.what[name]
            if not rule.count("running") and not rule.count("waits"):
                rule.ended = self.clock()
                self._say(
                    self._line(job.rule, {}) + ("" if self.terminal else f"; {self._overall(self._ends())}")
                )

    def close(self):
        """No more lines; rules that were not finished get a last one."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
            self._write(CLEAR if self.terminal and self.began is not None else "")
            for name, rule in self.rules.items():
                if rule.began is not None and rule.ended is None:
                    self._say(self._line(name, {}))

    @contextmanager
    def aside(self):
        """While this lasts the terminal is free for other lines."""
        with self._lock:
            live = self.terminal and self.began is not None and not self._stop.is_set()
            self._write(CLEAR if live else "")
            yield
            if live:
                self._draw()

    def seconds_left(self):
        """How long the run still takes, about; None while there is no ground to say so."""
        return self._left(self._ends())

    def _ends(self):
        """When each job is expected to end."""
        return forecast(self.jobs, self.limits, self.clock())

    def _left(self, ends, jobs=None):
        """Seconds until these jobs end, or all."""
        last = max((end for name, end in ends.items() if jobs is None or name in jobs), default=None)
        return None if last is None else last - self.clock()

    def _line(self, name, ends):
        """What is to be said of a rule."""
        rule, failed = self.rules[name], self.rules[name].count("failed")
        took = duration((rule.ended or self.clock()) - rule.began)
        words = [f"{name:30} {rule.count('done'):>4} of {len(rule.jobs):<4} {took:>12}"]
        words += [f"{failed} failed"] if failed else []
        if rule.ended is None:
            left = self._left(ends, rule.jobs)
            words += [about(left)] if left is not None and rule.count("running") else []
            words += [what for what in list(rule.what.values())[-1:] if what]
        return "  ".join(words).rstrip()

    def _overall(self, ends):
        """How far the run is."""
        done, left = sum(job.done for job in self.jobs.values()), self._left(ends)
        said = f"{done} of {counted(len(self.jobs), 'job')} in {duration(self.clock() - self.began)}"
        return said if left is None else f"{said}, {about(left)}"

    def _draw(self):
        size, ends = shutil.get_terminal_size(), self._ends()
        live = [self._line(n, ends) for n, r in self.rules.items() if r.began is not None and r.ended is None]
        if not live:
            return
        lines = ["", *live[-max(size.lines - 3, 1) :], self._overall(ends)]
        text = "\n".join(line[: size.columns - 1] for line in lines)
        self._write(f"{text}\r\x1b[{len(lines) - 1}A")

    def _tick(self):
        while not self._stop.wait(1):
            self.tick()

    def tick(self):
        """Once a second: refresh the lines; without a terminal, say what runs if nothing was said for long."""
        with self.aside():
            silence = self.clock() - self.spoke
            if not self.terminal and silence >= max(RARE, (self.clock() - self.began) / 10):
                ends = self._ends()
                running = [
                    self._line(name, ends) for name, rule in self.rules.items() if rule.count("running")
                ]
                self._say("; ".join(filter(None, ["\n".join(running), self._overall(ends)])))

    def _say(self, line):
        self._write(line + "\n")
        self.spoke = self.clock()

    def _write(self, text):
        self.stream.write(text)
        self.stream.flush()


def duration(seconds):
    """Seconds in words: 4 s, 2 min 10 s, 1 h 5 min."""
    minutes, rest = divmod(int(seconds), 60)
    hours, more = divmod(minutes, 60)
    if hours:
        return f"{hours} h {more} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(number, thing):
    """A number of things: 1 job, 2 jobs."""
    return f"{number} {thing}" + "s" * (number != 1)


def about(seconds):
    """An estimate in words, no finer than it is good: to 10 seconds, to a minute."""
    if seconds < 60:
        return f"about {10 * max(1, round(seconds / 10))} s left"
    return f"about {duration(60 * round(seconds / 60))} left".replace(" 0 s", "").replace(" 0 min", "")


# Snakemake's lines that say nothing about this run.
CHATTER = ("Using shell:", "Select jobs to execute", "Conda environments: ignored", "Group jobs: inactive")


class Calm(logging.Handler):
    """Snakemake's messages to the terminal: jobs as lines of `Progress`, all else as Snakemake says it.

    inner: Snakemake's own handler, whose place this one takes. plan: a function that gives the run's jobs and their limits.
    """

    def __init__(self, inner, plan):
        super().__init__()
        self.name, self.inner, self.plan, self.failed = inner.name, inner, plan, {}
        self.progress = Progress(inner.stream, inner.can_color_tty())

    def emit(self, record):
        """Take a message; called with this handler's lock."""
        event = getattr(record, "event", None)
        if event == "run_info":
            self.progress.begin(*self.plan())
        elif event == "job_info" and record.jobid in self.progress.jobs:
            self.failed.pop(record.jobid, None)
            self.progress.started(record.jobid, record.rule_msg or "")
        elif event == "job_finished":
            self.progress.ended(record.job_id)
        elif event == "job_error":
            self.progress.ended(record.jobid, failed=True)
            self.failed[record.jobid] = f"  {record.rule_name:30} {' '.join(record.log)}"
        told = event in {None, "job_error", "group_error", "error", "debug_dag"}
        if told and not str(record.msg).startswith(CHATTER):
            with self.progress.aside():
                self.inner.handle(record)

    def close(self):
        """End the lines."""
        self.progress.close()
        self.inner.close()
        super().close()


class Lines:
    """What a run says: its progress, and at the end what was made, where, how long it took, what to look at first.

    workflow, logger: Snakemake's. cost: see `prh.forecast.planned`. Snakemake's own lines, several per job, are in
    .snakemake/log; `--verbose` or any `--quiet` brings them to the terminal. In jobs, and as a module of another workflow,
    nothing is taken over.
    """

    def __init__(self, workflow, logger, cost, clock=monotonic):
        self.clock, self.began, self.calm = clock, clock(), None
        asked = workflow.output_settings
        asked = asked.dryrun or asked.quiet or asked.verbose or asked.debug_dag or asked.printshellcmds
        if asked or not workflow.is_main_process or not workflow.modifier.is_main_snakefile():
            return

        for inner in [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]:
            self.calm = Calm(inner, lambda: _begun(workflow, cost))
            logger.removeHandler(inner)
            logger.addHandler(self.calm)

    def done(self, first):
        """The end of a run that made something; first: (path, what it is) of what to look at."""
        there = [f"  {path:40} {what}" for path, what in first if Path(path).is_file()]
        if there:
            words = f"Done in {duration(self.clock() - self.began)}. To look at first:"
            self._say([words, *there, "To check it all: make audit"])

    def failed(self):
        """The end of a run that was not finished: which jobs failed, where their logs are, what to do."""
        jobs = [] if self.calm is None else sorted(self.calm.failed.values())
        what = f"{counted(len(jobs), 'job')} failed" if jobs else "Stopped"
        rest = "what is done stays, and the same command goes on from there."
        words = f"{what} after {duration(self.clock() - self.began)}; {rest}"
        self._say([words, *(["To mend first, by their logs:"] if jobs else []), *jobs])

    def _say(self, lines):
        if self.calm is not None:
            self.calm.progress.close()
        print(*lines, sep="\n", file=sys.stderr)


def _begun(workflow, cost):
    """The plan of a run whose scheduler is at hand, see `planned`.

    By default the scheduler begins at most 100 jobs a second, which nothing here comes near, and for this looks for jobs again
    one second after each look: with each job that ends there is one more such look each second, in the end a fifth of a core.
    """
    limiter = workflow.scheduler.job_rate_limiter
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
    return planned(workflow, cost)
