"""Which artifacts of a run stay as they are, though Snakemake would make them anew: imported ones, those whose inputs were deleted to
save space, and those whose inputs were made again since, and came out the same.
"""

import json
import sys
from pathlib import Path

from prh.errors import InputError, damaged, is_there
from prh.provenance import WORKFLOW, digest, json_text, plain, portable, read_json, record_path
from prh.times import set_time, time_of

IMPORTED = Path("results/imported.json")  # where artifacts of others came from: see prh.share.imports
VERSION = "code"  # the parameter that is a digest of code


class Kept:
    """What of a plan stays: `jobs` that are as if they were done, `stale` artifacts that were imported for something else.

    dag: Snakemake's, with all of its jobs. base: the workflow's folder. An artifact is *sound* if its record says the parameters and
    inputs that the plan asks for, nothing that it was made from is here with another content, and all of that is sound as well, there
    or not. A sound one stays if it was imported, or if one of its inputs is gone, or is newer; of an imported one the code's version
    may differ.
    """

    def __init__(self, dag, base):
        self.dag, self.base, self._sound, self._records = dag, Path(base), {}, {}
        self.imported, self.other_code, self.jobs, self.stale = _imported(), set(), set(), {}
        here = [job for job in dag.jobs if job.output and all(map(is_there, job.output))]
        wanted = [job for job in here if self._is_imported(job) or self._lacks(job) or self._newer(job)]
        if not wanted:
            return
        for job in self._from_sources():
            self._sound[job] = self._differs(job)
        self.jobs = {job for job in wanted if not self._sound[job]}
        self.other_code &= self.jobs
        self._make_older()
        self.stale = {
            path: self._sound[job]
            for job in wanted
            if self._sound[job] and self._is_imported(job) and not self._is_forced(job)
            for path in job.output
        }
        self.jobs |= {*dag.jobs} - self._asked_for()

    def _lacks(self, job):
        return not all(map(is_there, job.input))

    def _newer(self, job):
        """Inputs of a job that are newer than its output, which is there."""
        made = min(time_of(Path(path)) for path in job.output)
        return [path for path in job.input if is_there(path) and time_of(Path(path)) > made]

    def _make_older(self):
        """Give inputs that were made again, and came out the same, the time of what was made from them: what is newer is not read twice."""
        for job in reversed(self._from_sources()):
            if job in self.jobs:
                made = min(time_of(Path(path)) for path in job.output)
                for path in self._newer(job):
                    if self._named(path).startswith("results/"):
                        set_time(Path(path), made)

    def _from_sources(self):
        """All jobs, each after those that it depends on."""
        return [job for level in self.dag.toposorted() for job in level]

    def _asked_for(self):
        """The jobs that the targets need, where what stays needs nothing."""
        found, todo = set(), [*self.dag.targetjobs]
        while todo:
            job = todo.pop()
            if job not in found:
                found.add(job)
                todo += [] if job in self.jobs else self.dag.dependencies[job]
        return found

    def _differs(self, job):
        """In what a job, or one that it depends on, is not what the record of its artifact says, in a word; "" if in nothing."""
        if not job.output:
            return "no artifact"
        if self._is_forced(job):
            return "forced"
        record = self._record(job)
        if record is None:
            return "no record"
        asked, said = json.loads(json_text(plain(dict(job.params.items())))), record["parameters"]
        other = sorted(key for key in asked.keys() | said.keys() if asked.get(key) != said.get(key))
        if VERSION in other and self._is_imported(job):
            self.other_code.add(job)
            other.remove(VERSION)
        if other:
            return f"parameter {other[0]}"
        named = {self._named(path): str(path) for path in job.input}
        # A record also names what a job read beyond its inputs, as the pictures of a folder.
        ours = {n for n in record["inputs"] if n in named or n.startswith(("results/", "figures/", WORKFLOW))}
        if ours != named.keys():
            return f"input {min(ours ^ named.keys())}"
        for before, files in self.dag.dependencies[job].items():
            if self._sound[before]:
                return self._sound[before]
            made = self._record(before)["outputs"]
            for path in map(str, files):
                if made.get(path, {}).get("sha256") != record["inputs"][path]:
                    return f"input {path}"
        made = {self._named(f) for files in self.dag.dependencies[job].values() for f in files}
        there = all(map(is_there, job.output))
        look = (named.keys() - made) | {self._named(f) for f in (self._newer(job) if there else ())}
        other = [name for name in sorted(look) if _digest(named[name]) != record["inputs"][name]]
        return f"input {other[0]}" if other else ""

    def _named(self, path):
        """A path as records name it."""
        return portable(path, self.base)

    def _record(self, job):
        """The record of a job that was done once, or None."""
        path = record_path(job.output[0])
        if path not in self._records:
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
                right = found["rule"] == job.rule.name and {*found["outputs"]} == {*map(str, job.output)}
                self._records[path] = (
                    found if right and {"parameters", "inputs", "run"} <= found.keys() else None
                )
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                self._records[path] = None  # the audit names it
        return self._records[path]

    def _is_imported(self, job):
        """Whether the record of a job's artifacts came with an import, and the job was not done here since."""
        seal = self.imported.get(record_path(job.output[0]).as_posix()) if self.imported else None
        record = self._record(job) if seal else None
        return record is not None and record["run"].get("sha256") == seal

    def _is_forced(self, job):
        return job.rule in self.dag.forcerules or not self.dag.forcefiles.isdisjoint(job.output)


def keep(dag_class, base):
    """Have every plan of Snakemake's class of plans keep what `Kept` says, and say so in one line where code or settings differ."""
    plan = getattr(dag_class, "plan_without_kept", dag_class.update_needrun)

    async def update_needrun(dag, *args, **kwargs):
        kept = Kept(dag, base)
        if not getattr(dag, "said_kept", False):
            print(*_in_words(kept), sep="\n", end="\n" * bool(_in_words(kept)), file=sys.stderr)
        dag.said_kept = True
        done, dag._finished = dag._finished, dag._finished | kept.jobs
        dag.forcefiles.update(kept.stale)
        try:
            await plan(dag, *args, **kwargs)
        finally:
            dag._finished = done
            dag._len = len(done | dag._needrun)

    dag_class.plan_without_kept, dag_class.update_needrun = plan, update_needrun


def _in_words(kept):
    said = []
    if kept.other_code:
        said.append(
            f"Kept, though made by another version of the code: {_some(kept.other_code, lambda job: job.output[0])}; "
            "--forcerun makes them anew."
        )
    if kept.stale:
        said.append(
            f"Imported, but not of this configuration, and made anew where needed: {_some(kept.stale, lambda p: f'{p} ({kept.stale[p]})')}."
        )
    return said


def _some(things, name, most=3):
    names = sorted(map(name, things))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _imported():
    """Digests of the records that came with imports, by path; none if there are none, or their list is damaged, as the audit says."""
    try:
        return {path: sha for source in read_imported("") for path, sha in source["records"].items()}
    except (InputError, AttributeError):
        return {}


def read_imported(folder):
    """The sources that a run was imported from: mappings with from, pin, artifacts, records, licences. Raises `InputError` if damaged."""
    path = Path(folder) / IMPORTED
    if not path.exists():
        return []
    found = read_json(path, ["imports"])["imports"]
    keys = {"from", "pin", "artifacts", "records", "licences"}
    if not isinstance(found, list) or not all(isinstance(s, dict) and keys <= s.keys() for s in found):
        raise damaged(path, "not a list of sources", "import again")
    return found


def _digest(path):
    return digest(path) if is_there(path) else None
