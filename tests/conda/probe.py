"""Put into every environment as `sitecustomize`: when a rule's script ends, it notes what the script ran with."""

import atexit
import importlib.util
import json
import os
import sys
from pathlib import Path

LOOKED_FOR = ("torch", "transformers", "onnxruntime", "matplotlib", "nbconvert", "resvg_py")


@atexit.register
def note():
    """Write down the rule, its interpreter, where its modules came from, and what else it could have imported."""
    job = getattr(sys.modules.get("__main__"), "snakemake", None)
    if job is None or "PRH_NOTES" not in os.environ:
        return
    modules = {name: module for name, module in sys.modules.items() if name != "__main__"}
    files = {getattr(module, "__file__", None) for module in modules.values()}
    facts = {
        "rule": job.rule,
        "executable": sys.executable,
        "files": sorted(filter(None, files)),
        "importable": [name for name in LOOKED_FOR if importlib.util.find_spec(name)],
    }
    Path(os.environ["PRH_NOTES"], f"{job.rule}.{os.getpid()}.json").write_text(json.dumps(facts))
