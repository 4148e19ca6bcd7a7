"""Figures of many series at one moment, packed; and strips of such frames, of a limited length and size.

A series is a number here. A moment is seconds by a clock that only goes forward, also while the machine is suspended.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Columns = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float], Sequence[float]]

KIB = 1024
MOST = 65_535
"""The highest number of threads or processes that is kept."""
FRAME = 160
"""What a frame takes besides its figures, in bytes, roughly."""
NUMBERS = "I"


class Frame:
    """What there was to know of each series in `numbers` about the `span` seconds before `at`.

    Subclasses say by `CODES` how each of their figures is packed (the module array).
    """

    __slots__ = ("at", "data", "numbers", "span")
    CODES: ClassVar[str]

    def __init__(self, at: float, span: float, numbers: array[int], columns: Iterable[Iterable[float]]) -> None:
        self.at = at
        self.span = span
        self.numbers = numbers
        self.data = b"".join(array(code, column).tobytes() for code, column in zip(self.CODES, columns, strict=True))

    def columns(self) -> Columns:
        """CPU in percent of one core and the most it was, memory in KiB and the most it was, and how many there were.

        That is threads of a process, or processes of a watcher.
        """
        raise NotImplementedError

    def _unpacked(self) -> list[memoryview[float]]:
        found, start, count, data = [], 0, len(self.numbers), memoryview(self.data)
        for code in self.CODES:
            end = start + array(code).itemsize * count
            found.append(data[start:end].cast(code))  # type: ignore[call-overload]
            start = end
        return found


class Look(Frame):
    """Of one look: CPU, memory, and how many. 10 bytes for each series."""

    __slots__ = ()
    CODES = "fIH"

    def columns(self) -> Columns:
        """As in Frame; what it was is the most it was."""
        cpu, memory, count = self._unpacked()
        return cpu, cpu, memory, memory, count


class Minute(Frame):
    """Of several looks: the mean of the CPU and the most, those of the memory, the mean of how many. 20 bytes each."""

    __slots__ = ()
    CODES = "ffIIf"

    def columns(self) -> Columns:
        """As in Frame."""
        cpu, most_cpu, memory, most_memory, count = self._unpacked()
        return cpu, most_cpu, memory, most_memory, count


class Strip:
    """Frames, the oldest first: those of `span` seconds at most. `size` is what they take, in bytes.

    `cut`: for the lack of room it does not reach as far back as it should.
    """

    def __init__(self, span: float) -> None:
        self.span = span
        self.frames: deque[Frame] = deque()
        self.size = 0
        self.cut = False

    def add(self, frame: Frame) -> None:
        """One more. As long as the series are the same, frames share the list of their numbers."""
        if self.frames and self.frames[-1].numbers == frame.numbers:
            frame.numbers = self.frames[-1].numbers
        else:
            self.size += _size(frame.numbers)
        self.frames.append(frame)
        self.size += FRAME + len(frame.data)

    def trim(self, limit: float) -> None:
        """Drop what is too old, or more than there is room for."""
        frames = self.frames
        while frames and frames[0].at <= frames[-1].at - self.span:
            self._drop()
            self.cut = False
        while len(frames) > 1 and self.size > limit:
            self._drop()
            self.cut = True

    def _drop(self) -> None:
        dropped = self.frames.popleft()
        self.size -= FRAME + len(dropped.data)
        if not self.frames or self.frames[0].numbers is not dropped.numbers:
            self.size -= _size(dropped.numbers)

    @property
    def begins(self) -> float | None:
        """The moment since which it tells anything."""
        return self.frames[0].at - self.frames[0].span if self.frames else None


class Sums:
    """What several frames come to, by the number of each series: means, where each frame has its weight, and mosts."""

    def __init__(self) -> None:
        self._cells: dict[int, list[float]] = {}

    def __bool__(self) -> bool:
        return bool(self._cells)

    def add(self, frame: Frame, weight: float, places: Iterable[int] | None = None) -> None:
        """One more frame; only the series at these places of it, if they are given."""
        cells, columns, numbers = self._cells, frame.columns(), frame.numbers
        rows: Iterable[tuple[int, float, float, float, float, float]]
        if places is None:
            rows = zip(numbers, *columns, strict=True)
        else:
            cpu, most_cpu, memory, most_memory, count = columns
            rows = ((numbers[at], cpu[at], most_cpu[at], memory[at], most_memory[at], count[at]) for at in places)
        for number, used, most_used, size, most_size, many in rows:
            cell = cells.get(number)
            if cell is None:
                cells[number] = [weight, used * weight, most_used, size * weight, most_size, many * weight]
                continue
            cell[0] += weight
            cell[1] += used * weight
            cell[3] += size * weight
            cell[5] += many * weight
            if most_used > cell[2]:
                cell[2] = most_used
            if most_size > cell[4]:
                cell[4] = most_size

    def rows(self) -> Iterable[tuple[int, tuple[float, float, float, float, float]]]:
        """Each series with its figures, as `Frame.columns` has them."""
        for number, (weight, used, most_used, size, most_size, many) in self._cells.items():
            yield number, (used / weight, most_used, size / weight, most_size, many / weight)


def _size(numbers: array[int]) -> int:
    return numbers.itemsize * len(numbers)
