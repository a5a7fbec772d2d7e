"""The command `prh`: scores of two feature files, without a run."""

import argparse
import json
import math
import sys

from prh.alignment.align import align
from prh.alignment.calibration import calibrate
from prh.errors import InputError
from prh.features.files import read_any_features

ALPHA, RESAMPLES, CONFIDENCE = 0.05, 1000, 0.95


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        """End with what is wrong, without the usage."""
        sys.exit(f"prh: {message}; see prh score --help")


def main(arguments=None):
    """The command line."""
    parser = Parser(prog="prh", description=__doc__)
    score = parser.add_subparsers(dest="command", required=True, parser_class=Parser).add_parser(
        "score", help="the best layer pair of two feature files", description=report.__doc__
    )
    score.add_argument(
        "x", help=".safetensors, .npz, .npy or .pt: an array (n, d) per layer, or (n, layers, d)"
    )
    score.add_argument("y", help="the same of the other model, of the same items in the same order")
    score.add_argument("--metric", default="mutual_knn@10", help="METRIC or METRIC@K (default: %(default)s)")
    score.add_argument("--calibrate", type=int, metavar="K", help="against K permutations of y's items")
    score.add_argument("--seed", type=int, default=0, help="of permutations and resamples (default: 0)")
    score.add_argument(
        "--clamp", choices=["exact", "sampled", "none"], default="exact", help="(default: exact)"
    )
    score.add_argument("--json", action="store_true", help="JSON to the output, the line to the error output")
    given = parser.parse_args(arguments)
    try:
        found, line = report(given.x, given.y, given.metric, given.calibrate, given.seed, given.clamp)
    except (InputError, OSError, MemoryError) as error:
        sys.exit(f"prh: {error}")
    if given.json:
        print(json.dumps(found))
    print(line, file=sys.stderr if given.json else sys.stdout)


def report(path_x, path_y, metric="mutual_knn@10", permutations=None, seed=0, clamp="exact"):
    """Score two feature files by their best layer pair: a mapping, and a line that says the same."""
    x, y = read_any_features(path_x), read_any_features(path_y)
    clamp = None if clamp == "none" else clamp
    found = {"metric": metric, "x": str(path_x), "y": str(path_y), "n": len(x[0]), "clamp": clamp}
    if permutations is None:
        best = align(x, y, metric, clamp)
    else:
        best = calibrate(x, y, metric, permutations, ALPHA, RESAMPLES, CONFIDENCE, seed, clamp)
    found |= {"score": best.score, "layer_x": best.layer_x, "layer_y": best.layer_y}
    line = f"{metric} {best.score:.4f}: layer {best.layer_x} of {path_x}, layer {best.layer_y} of {path_y}, {len(x[0]):,} items"
    if permutations is None:
        return found, line
    low, high = (None if math.isnan(end) else end for end in best.interval)
    found |= {"ci_low": low, "ci_high": high, "confidence": CONFIDENCE, "resamples": RESAMPLES}
    found |= {"null_mean": best.null_mean, "tau": best.tau, "p_value": best.p_value}
    found |= {
        "calibrated_score": best.calibrated_score,
        "alpha": ALPHA,
        "permutations": permutations,
        "seed": seed,
    }
    interval = "" if low is None else f", {CONFIDENCE:.0%} interval {low:.4f} to {high:.4f}"
    line += f"{interval}; chance {best.null_mean:.4f}, threshold {best.tau:.4f}, p = {best.p_value:.4f}, calibrated {best.calibrated_score:.4f}"
    return found, line


if __name__ == "__main__":
    main()
