"""A run over many images and what is said at its end, shared by the command and the tools."""

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from .inferencer import CountInferencer
from .inputs import InputList, Inputs
from .results import CountResult, round_count

#: Names that a summary lists before it only counts the others.
MOST_NAMES = 3


@dataclass
class CountRun:
    """Outcome of a run so far.

    Attributes:
        totals: Objects of each class.
        images: Images of the run, those counted before included.
        counted: Images that were counted.
        failed: Names of images that could not be counted, with the reason.
        saturated: Names of images whose count is a lower bound.
        before: Images that an interrupted run had counted.
        left_out: Files that are no images, by suffix.
        seconds: From the first image on.
    """

    totals: dict[str, float]
    images: int = 0
    counted: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    saturated: list[str] = field(default_factory=list)
    before: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, result: CountResult) -> None:
        """Take one result in."""
        if result.error is not None:
            self.failed[result.image] = result.error
            return
        self.counted += 1
        if result.saturated:
            self.saturated.append(result.image)
        for name, value in result.counts.items():
            self.totals[name] += value

    @property
    def speed(self) -> str:
        """Images per second, or seconds per image if that is more.

        Example:
            >>> CountRun({}, counted=10, seconds=4.0).speed, CountRun({}, counted=2, seconds=5.0).speed
            ('2.5 images/s', '2.5 s per image')
        """
        done = self.counted + len(self.failed)
        if not done or not self.seconds:
            return ''
        rate = done / self.seconds
        return f'{rate:.1f} images/s' if rate >= 1 else f'{1 / rate:.1f} s per image'

    @property
    def exit_code(self) -> int:
        """0 if every image was counted, 1 if some failed."""
        return 1 if self.failed else 0

    def summary(self) -> list[str]:
        """Lines on what was counted, failed, left out, saturated.

        Example:
            >>> run = CountRun({'cell': 0.0}, images=2, left_out=Counter({'.txt': 1}))
            >>> run.add(CountResult('a.png', counts={'cell': 7.2}))
            >>> run.add(CountResult('b.png', error='cannot decode b.png'))
            >>> for line in run.summary():
            ...     print(line)
            1 image counted: cell 7
            1 image failed: b.png (cannot decode b.png)
            1 file left out: .txt 1
        """
        totals = ', '.join(f'{name} {round_count(value)}' for name, value in self.totals.items())
        speed = f' in {self.seconds:.1f} s ({self.speed})' if self.seconds else ''
        before = f', {self.before} before' if self.before else ''
        lines = [f'{_images(self.counted)} counted{before}{speed}: {totals}']
        if self.failed:
            reasons = [f'{name} ({reason})' for name, reason in self.failed.items()]
            lines.append(f'{_images(len(self.failed))} failed: {_first(reasons)}')
        if self.left_out:
            number = self.left_out.total()
            suffixes = ', '.join(f'{suffix} {files}' for suffix, files in sorted(self.left_out.items()))
            lines.append(f'{number} file{"s" if number > 1 else ""} left out: {suffixes}')
        if self.saturated:
            lines.append(
                f'{_images(len(self.saturated))} reached the limit of the model, so that the count is a lower bound: '
                f'{_first(self.saturated)}'
            )
        return lines


def _images(number: int) -> str:
    return f'{number} image' if number == 1 else f'{number} images'


def _first(names: list[str]) -> str:
    more = f' and {len(names) - MOST_NAMES} more' if len(names) > MOST_NAMES else ''
    return ', '.join(names[:MOST_NAMES]) + more


def run_counts(inferencer: CountInferencer, inputs: Inputs, **options: Any) -> tuple[CountRun, Generator[CountResult]]:
    """Check everything and prepare a run.

    Args:
        inferencer: Counts.
        inputs: As of :meth:`CountInferencer.iterate`.
        **options: As of :meth:`CountInferencer.iterate`.

    Returns:
        The run, which fills as results are taken, and the results.

    Raises:
        FileNotFoundError: An input gives no image.
        ValueError: An option is not valid.
    """
    items = inputs if isinstance(inputs, InputList) else inferencer.list_inputs(inputs, options.get('overlay'))
    run = CountRun(dict.fromkeys(inferencer.classes, 0.0), images=len(items), left_out=items.left_out)
    results = inferencer.iterate(items, return_density=False, **options)
    return run, _followed(run, results)


def _followed(run: CountRun, results: Iterator[CountResult]) -> Generator[CountResult]:
    started = perf_counter()
    for result in results:
        run.add(result)
        run.seconds = perf_counter() - started
        yield result
    run.before = run.images - run.counted - len(run.failed)
