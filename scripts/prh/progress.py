"""What a run says while it runs: a line per rule, refreshed in place on a terminal, rare and plain elsewhere."""

import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
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
