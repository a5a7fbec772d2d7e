# What a finished run says: what was made, where, how long it took, what to look at first.

from time import monotonic

BEGAN = monotonic()
FIRST = [
    ("figures/alignment_vs_performance.pdf", "the main figure"),
    ("results/report/index.html", "the page of the run: scores, layers, neighbours"),
    ("results/report/report.html", "the story of the run"),
    ("results/tables/alignment.csv", "every score"),
]


def closing_words():
    """Lines for the end of a run that made something."""
    minutes, seconds = divmod(int(monotonic() - BEGAN), 60)
    there = [f"  {path:40} {what}" for path, what in FIRST if Path(path).is_file()]
    return "\n".join(
        [f"Done in {minutes} min {seconds} s. To look at first:", *there, "To check it all: make audit"]
    )


onsuccess:
    if exists(FIRST[0][0]):
        print(closing_words(), file=sys.stderr)
