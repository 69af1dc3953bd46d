"""All files of results that a run writes."""

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from json import dumps, loads
from pathlib import Path
from types import TracebackType
from typing import Any

from mmcount.utils.atomic import write_atomic
from mmcount.utils.cells import plain_text, safe_cell
from mmcount.version import __version__

from .growing_files import GrowingCsv, GrowingFile, GrowingJson, partial_path, read_rows
from .layouts import COUNT_COLUMNS, OBJECT_COLUMNS, coco_document, count_rows, json_list, object_rows
from .results import CountResult


class ResultFiles:
    """All files that a run writes, image by image.

    They grow under ``<path>.partial`` and get their names when everything is written. Leaving the context through an
    exception keeps the partial files for :attr:`done` of the next run.

    Args:
        classes: C names.
        model: Name of the model.
        weights_sha256: Checksum of its weights; empty if it has none.
        csv: Table of :data:`COUNT_COLUMNS` with one row per image and class, zeros and failures included, or None.
        objects_csv: Table of :data:`OBJECT_COLUMNS` with one row per object, or None.
        json: List of results, or None.
        coco: Images, categories and objects in the layout of COCO, or None.
        resume: Continue interrupted files; ``csv`` says which images are done. Those that failed are tried again.
        settings: How images are counted: strings and numbers that have to be the same when files are continued. They
            lie in ``<csv>.partial.json`` as long as the files grow.

    Raises:
        FileNotFoundError: There are counts to continue, but not what belongs to them in another file.
        ValueError: Two files have one name, or the interrupted counts are of another model, version or set of classes,
            or were made with other settings.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        model: str,
        weights_sha256: str,
        csv: str | Path | None = None,
        objects_csv: str | Path | None = None,
        json: str | Path | None = None,
        coco: str | Path | None = None,
        resume: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.classes = classes
        self.model = model
        self.weights_sha256 = weights_sha256
        self.done: set[str] = set()
        self.paths = [str(path) for path in (objects_csv, json, coco, csv) if path is not None]
        if len({os.path.abspath(path) for path in self.paths}) < len(self.paths):
            raise ValueError(f'every file of results needs its own name, got {self.paths}')
        keep = None
        self._settings = None if csv is None else partial_path(csv).with_name(f'{partial_path(csv).name}.json')
        if resume and csv is not None and partial_path(csv).is_file():
            self._check_settings(csv, dict(settings or {}))
            keep = self.done = self._finished(partial_path(csv))
            for path in self.paths:
                if not partial_path(path).is_file():
                    raise FileNotFoundError(
                        f'{partial_path(path)} is missing: the counts in {partial_path(csv)} were made without it, so '
                        'it cannot be continued'
                    )
        if self._settings is not None:
            write_atomic(self._settings, dumps(dict(settings or {})))
        keep_rows = None if keep is None else {safe_cell(name) for name in keep}
        # The counts come last, so that an image that has counts is in all other files.
        self._files: list[GrowingFile] = []
        if objects_csv is not None:
            self._files.append(GrowingCsv(objects_csv, OBJECT_COLUMNS, self._object_rows, keep_rows))
        if json is not None:
            self._files.append(GrowingJson(json, json_list, keep))
        if coco is not None:
            self._files.append(GrowingJson(coco, self._coco, keep))
        if csv is not None:
            self._files.append(GrowingCsv(csv, COUNT_COLUMNS, self._count_rows, keep_rows))

    def _check_settings(self, csv: str | Path, settings: dict[str, Any]) -> None:
        if self._settings is None or not self._settings.is_file():
            return
        before = loads(self._settings.read_text(encoding='utf-8'))
        for name in sorted({*before, *settings}):
            if before.get(name) != loads(dumps(settings.get(name))):
                raise ValueError(
                    f'{partial_path(csv)} was made with {name}={before.get(name)!r}, cannot be continued with '
                    f'{settings.get(name)!r}; delete it or do not resume'
                )

    def _count_rows(self, result: CountResult) -> list[list[Any]]:
        return count_rows(result, self.classes, self.model, self.weights_sha256)

    def _object_rows(self, result: CountResult) -> list[list[Any]]:
        return object_rows(result, self.classes)

    def _coco(self, results: Callable[[], Iterator[dict]]) -> Iterator[str]:
        info = dict(model=self.model, weights_sha256=self.weights_sha256, version=__version__)
        return coco_document(results, self.classes, info)

    def _finished(self, path: Path) -> set[str]:
        """Images of which every class was written and none failed."""
        column = COUNT_COLUMNS.index
        classes = [safe_cell(name) for name in self.classes]
        expected = [safe_cell(self.model), self.weights_sha256, __version__]
        done = set()
        for image, group in groupby(read_rows(path, COUNT_COLUMNS), key=lambda row: row[0]):
            rows = list(group)
            for row in rows:
                found = [row[column('model')], row[column('weights_sha256')], row[column('version')]]
                if found != expected or row[1] not in classes:
                    raise ValueError(
                        f'{path}, image {image}: was counted as {row[1]!r} by {found}, cannot be continued for '
                        f'{list(self.classes)} by {expected}; delete it or do not resume'
                    )
            # An error cut short by the interruption may look like none, but a failed image has no count either.
            counted = all(row[column('count')] and not row[column('error')] for row in rows)
            if counted and [row[1] for row in rows] == classes:
                done.add(plain_text(image))
        return done

    def write(self, result: CountResult) -> None:
        """Append one image to every file."""
        for file in self._files:
            file.write(result)

    def __enter__(self) -> 'ResultFiles':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for file in self._files:
            file.close(complete=kind is None)
        if kind is None and self._settings is not None:
            self._settings.unlink(missing_ok=True)
