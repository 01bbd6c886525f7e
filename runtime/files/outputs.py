"""Where restored pictures go: one file, or a folder, here or in a store, that mirrors the tree of the inputs."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from edgevision.core.atomic_files import check_writable, translated_write_errors
from edgevision.core.errors import InputError, OutputError
from edgevision.core.regular_files import real_path
from edgevision.imaging.picture_formats import IMAGE_SUFFIXES, written_format
from edgevision.runtime.files.inputs import PictureInput
from edgevision.runtime.files.stored_files import StoredFile, on_this_machine_or_stored

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureJob:
    """One picture, where its result goes, and where the comparison of both goes, if there is to be one.

    Of a result that is to be ``stored`` the ``target`` is its name below the folder in that store.
    """

    picture: PictureInput
    target: Path
    compare: Path | None = None
    stored: StoredFile | None = None

    @property
    def place(self) -> str:
        """Where the result is, to show it."""
        return str(self.stored or self.target)

    @contextmanager
    def writing(self) -> "Iterator[PictureJob]":
        """The job with a target of this machine, which is stored at the end of the block if it is to be."""
        if self.stored is None:
            yield self
            return
        with self.stored.writing() as local:
            yield replace(self, target=local)


def plan_outputs(
    pictures: Sequence[PictureInput],
    output: str | Path | None,
    *,
    name_suffix: str,
    compare: Path | None = None,
    protected: Iterable[Path] = (),
    force: bool = False,
    resume: bool = False,
    transparent: bool = False,
    ending: str | None = None,
    check_name: Callable[[Path], object] = written_format,
) -> list[PictureJob]:
    """Decide every output before the work starts.

    Without ``output`` the result of a picture that the user named lies beside it as ``NAME-suffix`` in its own format.
    Where that can only be read, or cannot hold what is ``transparent``, it is PNG, which holds all that there may be;
    that is said. For several,
    for what was found in a folder or by a glob, and where ``output`` is a folder or ends in a slash, it is a folder in
    which results lie as the pictures do below what the user named; so is ``compare``. With ``resume`` pictures whose
    result exists are left out, which is said too. Results of another kind than their inputs have an ``ending`` of their
    own, and ``check_name`` refuses the name of a file that cannot be one. Of what was found, ``NAME-suffix`` beside
    NAME is an earlier result, and left out. A URL as ``s3://bucket/results`` is such a folder, too.

    Raises:
        OutputError: a result would overwrite an input, one of ``protected``, another result, or without ``force``
            anything else.
        InputError: several pictures or standard input without ``output``.
    """
    place = on_this_machine_or_stored(str(output)) if output is not None else None
    if isinstance(place, StoredFile):
        if compare is not None:
            raise OutputError("comparisons are written to a folder of this machine, with results in -o of this machine")
        return _plan_stored(pictures, place, force=force, resume=resume, ending=ending)
    folder = place
    with translated_write_errors(folder or Path()):
        asked_for_folder = folder is not None and (folder.is_dir() or str(output).endswith("/"))
    single = len(pictures) == 1 and not pictures[0].found and not asked_for_folder
    if folder is None and (not single or not isinstance(pictures[0].place, Path)):
        raise InputError("name the folder for the results with -o (and a file for standard input, or what is stored)")
    if single and folder is not None and not folder.suffix:
        raise OutputError(
            f"{str(output)!r} is no file's name; end it in {ending or '.png'} for a file, or in / for a folder"
        )
    if (
        not single
        and not asked_for_folder
        and folder is not None
        and folder.suffix.lower() in {*IMAGE_SUFFIXES, ending}
    ):
        raise OutputError(f"{str(output)!r} is one picture's name, and the results want a folder; end it in /")
    jobs = []
    not_written: set[str] = set()
    given = {_stem(picture) for picture in pictures}
    for picture in pictures:
        if not single and any(_is_earlier_result(picture, place) for place in (folder, compare)):
            continue
        if picture.found and _stem(picture).removesuffix(f"-{name_suffix}") in given - {_stem(picture)}:
            continue
        if single and folder is not None:
            target = folder
            check_name(target)
        else:
            alike = folder / picture.relative if folder is not None else _beside(picture, name_suffix)
            target = alike.with_suffix(ending) if ending else _writable(alike, transparent=transparent)
            if target != alike and not ending:
                not_written.add(alike.suffix or "files without an ending")
        jobs.append(PictureJob(picture, target, _compare_target(compare, picture, single=single)))
    _check(jobs, protected, force=force or resume)
    if not_written:
        why = "have no transparency" if transparent else "are read only"
        _log.info("pictures in %s %s: their results are PNG", ", ".join(sorted(not_written)), why)
    return _not_done([job for job in jobs if not (resume and job.target.exists())], len(jobs))


def _plan_stored(
    pictures: Sequence[PictureInput], folder: StoredFile, *, force: bool, resume: bool, ending: str | None
) -> list[PictureJob]:
    """As :func:`plan_outputs` in a folder of a store, which is listed once however many pictures there are."""
    there = set() if force else folder.files_below()
    pictures = [picture for picture in pictures if not _lies_below(picture, folder)]
    inputs = {picture.place for picture in pictures}
    jobs: dict[StoredFile, PictureJob] = {}
    for picture in pictures:
        relative = Path(picture.relative.name if isinstance(picture.place, bytes) else picture.relative)
        target = relative.with_suffix(ending) if ending else _writable(relative, transparent=False)
        stored = folder / PurePosixPath(target.as_posix())
        if stored in inputs:
            raise OutputError(f"{str(stored)!r} is an input, which is never overwritten; choose another -o")
        if stored in jobs:
            other = jobs[stored].picture.name
            raise OutputError(f"{other!r} and {picture.name!r} would both be written to {str(stored)!r}")
        if stored in there and not resume:
            raise OutputError(f"{str(stored)!r} exists already; --force overwrites it")
        jobs[stored] = PictureJob(picture, target, stored=stored)
    return _not_done([job for stored, job in jobs.items() if not (resume and stored in there)], len(jobs))


def _lies_below(picture: PictureInput, folder: StoredFile) -> bool:
    """Whether a picture was found only because the results' folder lies in the one that was searched."""
    if not picture.found or not isinstance(picture.place, StoredFile) or picture.place.store != folder.store:
        return False
    root = picture.place.path.parents[len(picture.relative.parts) - 1]
    return folder.path != root and picture.place.path.is_relative_to(folder.path)


def _not_done(left: list[PictureJob], count: int) -> list[PictureJob]:
    """What is ``left`` of ``count`` jobs; those that are done are said."""
    if len(left) < count:
        _log.info("skipping %d of %d pictures, which are done already", count - len(left), count)
    return left


def make_folders(jobs: Sequence[PictureJob]) -> None:
    """The folders that the targets are to lie in."""
    for job in jobs:
        for target in (job.target if job.stored is None else None, job.compare):
            if target is not None and not target.parent.exists():
                with translated_write_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)


def _check(jobs: Sequence[PictureJob], protected: Iterable[Path], *, force: bool) -> None:
    seen: dict[Path, str] = {}
    inputs = {real_path(path) for path in protected} | {
        real_path(job.picture.place) for job in jobs if isinstance(job.picture.place, Path)
    }
    for job in jobs:
        for target in (job.target, job.compare):
            if target is None:
                continue
            if real_path(target) in inputs:
                raise OutputError(f"{str(target)!r} is an input, which is never overwritten; choose another -o")
            if target in seen:
                raise OutputError(f"{seen[target]!r} and {job.picture.name!r} would both be written to {str(target)!r}")
            seen[target] = job.picture.name
            if target.parent.exists():
                check_writable(target, force=force)


def _beside(picture: PictureInput, name_suffix: str) -> Path:
    assert isinstance(picture.place, Path)
    return picture.place.with_name(f"{picture.place.stem}-{name_suffix}{picture.place.suffix}")


def _writable(path: Path, *, transparent: bool) -> Path:
    """The name of a result, or in PNG where its format can only be read or cannot hold what is transparent."""
    try:
        kind = written_format(path)
    except OutputError:
        return path.with_suffix(".png")
    return path.with_suffix(".png") if transparent and not kind.alpha else path


def _compare_target(compare: Path | None, picture: PictureInput, *, single: bool) -> Path | None:
    if compare is None or single:
        return compare
    return compare / picture.relative.with_suffix(".png")


def _stem(picture: PictureInput) -> str:
    return str(Path(picture.name).with_suffix(""))


def _is_earlier_result(picture: PictureInput, place: Path | None) -> bool:
    """Whether a picture was found only because the results' folder lies in the one that was searched."""
    if place is None or not picture.found or not isinstance(picture.place, Path):
        return False
    root = real_path(picture.place.parents[len(picture.relative.parts) - 1])
    return real_path(place) != root and real_path(picture.place).is_relative_to(real_path(place))
