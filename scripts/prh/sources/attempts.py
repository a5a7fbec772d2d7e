"""What fails and may pass is tried again, with growing pauses."""

import sys
import time

ATTEMPTS, PAUSE, GROWTH = 4, 2.0, 4  # the second in seconds


class Passing(Exception):
    """A failure that may pass; its text is the reason."""


def persist(step, attempts=ATTEMPTS, pause=PAUSE, growth=GROWTH):
    """What `step()` gives; where it raises `Passing` it is called again, up to so many times, and the last one is raised.

    pause: seconds after the first attempt; each further one is `growth` times as long.
    """
    for attempt in range(1, attempts + 1):
        try:
            return step()
        except Passing as error:
            if attempt == attempts:
                raise
            print(f"attempt {attempt} of {attempts} failed: {error}", file=sys.stderr, flush=True)
            time.sleep(pause * growth ** (attempt - 1))
