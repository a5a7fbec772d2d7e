"""Is an artifact what its kind should be? Format and meaning, and whether its numbers follow from what it was made from.

A check is a generator: it takes the run and the artifact's name, and yields a reason for each thing that is wrong.
Whatever it raises counts as a reason too. Nothing is taken from memory: what belongs together is read again from files.
"""

from prh.checks_measures import CHECKS as OF_MEASURES
from prh.checks_sources import CHECKS as OF_SOURCES
from prh.checks_tables import CHECKS as OF_TABLES
from prh.kinds import kind_of

CHECKS = {**OF_SOURCES, **OF_MEASURES, **OF_TABLES}


def reasons(run, artifact):
    """All that is wrong with an artifact of a known kind; empty if nothing is, or no check is known."""
    check = CHECKS.get(kind_of(artifact))
    if check is None:
        return []
    found = []
    try:
        found.extend(check(run, artifact))
    except Exception as error:  # a damaged file may make a library raise anything
        found.append(f"cannot be checked ({type(error).__name__}: {str(error).split(chr(10))[0]})")
    return found
