"""What a run says while it runs: a line per rule, refreshed in place on a terminal, rare and plain elsewhere."""

import logging
import shutil
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

CLEAR = "\r\x1b[J"  # to the line's begin, and empty from there to the screen's end
RARE = 60  # seconds without a line, where there is no terminal, until there is one; later in a run a tenth of its time


@dataclass
class Rule:
    """A rule of the run: how many jobs it has, which are running, how long those took that are done."""

    total: int
    began: float | None = None
    ended: float | None = None
    running: dict = field(default_factory=dict)  # job -> when it began, what it does
    seconds: list = field(default_factory=list)
    failed: set = field(default_factory=set)

    @property
    def left(self):
        """Jobs that have not begun."""
        return self.total - len(self.seconds) - len(self.running) - len(self.failed)


class Progress:
    """Lines on a stream about the jobs of a run.

    Parameters
    ----------
    stream: where the lines go. terminal: whether they may be refreshed in place.
    typical: seconds that a job of a rule takes somewhere; only the proportions count, until a job of the rule is done.
    other: the same for all other rules; None: not known.
    clock: seconds, from anywhere.

    On a terminal the lines of unfinished rules stand below an empty line, at whose begin the cursor waits: whatever another
    process prints then stands above them.

    """

    def __init__(self, stream, terminal, typical=(), other=None, clock=monotonic):
        self.stream, self.terminal, self.clock = stream, terminal, clock
        self.typical, self.other = dict(typical), other
        self.rules, self.rule_of, self.began, self.spoke = {}, {}, None, 0.0
        self._lock, self._stop = threading.RLock(), threading.Event()

    def begin(self, counts):
        """The run begins; counts: jobs per rule."""
        self.began = self.clock()
        self.rules = {name: Rule(count) for name, count in counts.items()}
        with self.aside():
            self._say(f"{counted(sum(counts.values()), 'job')} of {counted(len(counts), 'rule')}")
        threading.Thread(target=self._tick, daemon=True).start()

    def started(self, job, rule, what=""):
        """A job begins, perhaps again; what: what it does, in words."""
        with self.aside():
            found = self.rules.setdefault(rule, Rule(0))
            found.began, found.ended = self.clock() if found.began is None else found.began, None
            found.failed.discard(job)  # it is tried again
            found.running[job] = (self.clock(), what)
            found.total += max(-found.left, 0)  # more than was announced
            self.rule_of[job] = rule

    def ended(self, job, failed=False):
        """A job ends."""
        with self.aside():
            found = self.rules.get(self.rule_of.get(job))
            if found is None or job not in found.running:
                return
            began, _ = found.running.pop(job)
            if failed:
                found.failed.add(job)
            else:
                found.seconds.append(self.clock() - began)
            if not found.running and found.left <= 0:
                found.ended = self.clock()
                self._say(self._line(self.rule_of[job]) + ("" if self.terminal else f"; {self._overall()}"))

    def close(self):
        """No more lines; rules that were not finished get a last one."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
            self._write(CLEAR if self.terminal and self.began is not None else "")
            for name, rule in self.rules.items():
                if rule.began is not None and rule.ended is None:
                    self._say(self._line(name))

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
        """An estimate for the run, or None: the work that is left by the number of jobs that ran at once so far."""
        now, work, longest = self.clock(), 0.0, 0.0
        done = sum(sum(rule.seconds) for rule in self.rules.values())
        for name, rule in self.rules.items():
            expected = self._expected(name)
            if expected is None and (rule.running or rule.left > 0):
                return None
            rests = [_rest(expected, now - began) for began, _ in rule.running.values()]
            done += sum(now - began for began, _ in rule.running.values())
            work += sum(rests) + max(rule.left, 0) * (expected or 0)
            longest = max([longest, *rests])
        at_once = max(1.0, done / max(now - self.began, 1e-9))
        return max(work / at_once, longest)

    def _expected(self, name):
        """Seconds for a job of a rule: as its others took, or as is typical at this machine's speed."""
        rule = self.rules[name]
        if rule.seconds:
            return sum(rule.seconds) / len(rule.seconds)
        typical = {n: self.typical.get(n, self.other) for n in self.rules}
        known = [(r.seconds, typical[n]) for n, r in self.rules.items() if r.seconds and typical[n]]
        if typical[name] is None or not known:
            return None
        speed = sum(sum(took) for took, _ in known) / sum(len(took) * usual for took, usual in known)
        return typical[name] * speed

    def _line(self, name):
        """What is to be said of a rule."""
        rule, now = self.rules[name], self.clock()
        words = [
            f"{name:30} {len(rule.seconds):>4} of {rule.total:<4} {duration((rule.ended or now) - rule.began):>12}"
        ]
        if rule.failed:
            words.append(f"{len(rule.failed)} failed")
        if rule.ended is None:
            expected = self._expected(name)
            if expected is not None and rule.running:
                rests = [_rest(expected, now - began) for began, _ in rule.running.values()]
                work = sum(rests) + max(rule.left, 0) * expected
                words.append(about(max(work / len(rests), *rests, 0.0)))
            words += [what for _, what in list(rule.running.values())[-1:] if what]
        return "  ".join(words).rstrip()

    def _overall(self):
        """How far the run is."""
        done = sum(len(rule.seconds) for rule in self.rules.values())
        total = sum(rule.total for rule in self.rules.values())
        left = self.seconds_left() if done < total else None
        said = f"{done} of {counted(total, 'job')} in {duration(self.clock() - self.began)}"
        return f"{said}, {about(left)}" if left else said

    def _draw(self):
        size = shutil.get_terminal_size()
        live = [self._line(n) for n, r in self.rules.items() if r.began is not None and r.ended is None]
        if not live:
            return
        lines = ["", *live[-max(size.lines - 3, 1) :], self._overall()]
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
                running = [self._line(name) for name, rule in self.rules.items() if rule.running]
                self._say("; ".join(filter(None, ["\n".join(running), self._overall()])))

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


def _rest(expected, elapsed):
    """Seconds that a job still takes; one that outlasts what was expected is taken to be four fifths done."""
    return max(expected - elapsed, elapsed / 4)


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
# Snakemake's lines that say nothing about this run.
CHATTER = ("Using shell:", "Select jobs to execute", "Conda environments: ignored", "Group jobs: inactive")


class Calm(logging.Handler):
    """Snakemake's messages to the terminal: jobs as lines of `Progress`, all else as Snakemake says it.

    inner: Snakemake's own handler, whose place this one takes. real: a function that gives the names of rules with jobs.
    """

    def __init__(self, inner, real):
        super().__init__()
        self.name, self.inner, self.real, self.failed = inner.name, inner, real, {}
        self.progress = Progress(inner.stream, inner.can_color_tty(), TYPICAL, 5)

    def emit(self, record):
        """Take a message; called with this handler's lock."""
        event = getattr(record, "event", None)
        if event == "run_info":
            real = self.real()
            self.progress.begin({rule: jobs for rule, jobs in record.stats.items() if rule in real})
        elif event == "job_info" and (record.output or record.log):
            self.failed.pop(record.jobid, None)
            self.progress.started(record.jobid, record.rule_name, record.rule_msg or "")
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

    workflow, logger: Snakemake's. Snakemake's own lines, several per job, are in .snakemake/log; `--verbose` or any `--quiet`
    brings them to the terminal. In jobs, and as a module of another workflow, nothing is taken over.
    """

    def __init__(self, workflow, logger, clock=monotonic):
        self.clock, self.began, self.calm = clock, clock(), None
        asked = workflow.output_settings
        asked = asked.dryrun or asked.quiet or asked.verbose or asked.debug_dag or asked.printshellcmds
        if asked or not workflow.is_main_process or not workflow.modifier.is_main_snakefile():
            return

        def real():  # targets are not
            return {rule.name for rule in workflow.rules if rule.output or rule.log}

        for inner in [handler for handler in logger.handlers if handler.name == "DefaultStreamHandler"]:
            self.calm = Calm(inner, real)
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
