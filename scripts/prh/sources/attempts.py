"""What fails and may pass is tried again, with growing pauses, or when the other side asks for it."""

import sys
import time

ATTEMPTS, PAUSE, GROWTH = 4, 2.0, 4  # the second in seconds
LONGEST = 300  # seconds that are waited because the other side asks for them


class Passing(Exception):
    """A failure that may pass; its text is the reason.

    headers: of the answer, whose `Retry-After` (RFC 9110, 10.2.3), if it is a number, says how many seconds it wants to be left alone.
    """

    def __init__(self, reason, headers=None):
        super().__init__(reason)
        asked = (headers or {}).get("Retry-After", "")
        self.after = min(int(asked), LONGEST) if asked.isdecimal() else 0


def persist(step, attempts=ATTEMPTS, pause=PAUSE, growth=GROWTH):
    """What `step()` gives; where it raises `Passing` it is called again, up to so many times, and the last one is raised.

    pause: seconds after the first attempt; each further one is `growth` times as long, or as long as the failure asks for.
    """
    for attempt in range(1, attempts + 1):
        try:
            return step()
        except Passing as error:
            if attempt == attempts:
                raise
            print(f"attempt {attempt} of {attempts} failed: {error}", file=sys.stderr, flush=True)
            time.sleep(max(pause * growth ** (attempt - 1), error.after))
