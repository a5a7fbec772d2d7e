"""Images with classes in archives on the hub, as WebDataset has them: KEY.jpg (or .png, .webp) beside KEY.cls, the class's number."""

import tarfile
from collections import Counter
from itertools import groupby
from pathlib import Path

from prh.errors import InputError
from prh.job import progress
from prh.sources.classes import ENDINGS, some_of
from prh.sources.datasets import write_dataset
from prh.sources.hub import fetch_or_mirror
from prh.sources.images import counted, store_image


def make(row, wheels, seed, folder):
    """Take images from the archives of the row's repository, all splits together; see `make_from_archives`."""
    what = f"data set table, row `{row.name}`"
    snapshot = fetch_or_mirror(row.repo, row.revision, row.mirror, choose=_wanted, kind="dataset", what=what)
    facts = {"repo": snapshot.repo, "commit": snapshot.commit, "checksums_verified": snapshot.verified}
    names = snapshot.folder / "classnames.txt"
    names = names.read_text(encoding="utf-8").splitlines() if names.is_file() else []
    archives = sorted(snapshot.folder.rglob("*.tar"))
    if not archives:
        raise InputError(f"{what}: {row.repo} has no archives (*.tar); correct `repo`, or use a folder")
    make_from_archives(archives, snapshot.folder, names, row.size, seed, folder, **facts)


def _wanted(paths):
    return [path for path in paths if path.endswith((".tar", "classnames.txt"))]


def make_from_archives(archives, root, names, size, seed, folder, **facts):
    """Take images and classes from archives below `root`, at most `size`, drawn with `seed`.

    names: of the classes, by their numbers; where there are none, the number itself is the caption.
    Raises `InputError` for an archive or image that cannot be read, an image without class, and a class without name.
    """
    samples = [sample for archive in archives for sample in _samples(archive)]
    chosen = some_of(len(samples), size, seed)
    (Path(folder) / "images").mkdir(parents=True)
    rows, done = [], Counter()
    for archive, numbers in groupby(progress(chosen, "extracting", unit="image"), lambda i: samples[i][0]):
        with tarfile.open(archive) as file:
            for number in numbers:
                _, image, label = samples[number]
                where = f"{archive.relative_to(root).as_posix()}: {image.name}"
                if label is None:
                    raise InputError(f"{where} has no class (a file .cls beside it); take a folder instead")
                data, ending = file.extractfile(image).read(), Path(image.name).suffix[1:].lower()
                name = store_image(data, folder, f"{number:06d}", done, where, ending)
                text = file.extractfile(label).read().decode(errors="replace").strip()
                if names and not (text.isdigit() and int(text) < len(names)):
                    raise InputError(
                        f"{where}: class `{text}` has no line in classnames.txt ({len(names)} lines)"
                    )
                rows.append((f"{number:06d}", name, names[int(text)] if names else text, where))
    about = {"kind": "webdataset", "seed": seed, "images": counted(done)}
    write_dataset(folder, rows, **about, **facts)


def _samples(archive):
    """(archive, image, class or None) of each image of an archive, members of it, in its order."""
    try:
        with tarfile.open(archive) as file:
            members = {member.name: member for member in file.getmembers() if member.isfile()}
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{archive.name}: not a readable archive ({error}); fetch it again") from None
    found = [name for name in members if Path(name).suffix.lower() in ENDINGS]
    return [(archive, members[name], members.get(f"{name.rpartition('.')[0]}.cls")) for name in found]
