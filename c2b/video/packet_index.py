"""The packets of a container: which of them become frames that a player shows, when, and what of the file is missing.

A container lists more packets than it shows frames, or fewer: an edit list leaves some out (which are decoded all the same, as
others refer to them) or shows some twice; empty packets stand for a frame that was dropped, during which a player goes on showing
the one before; some codecs have packets that are never shown. Here a frame is what FFmpeg gives, once each, in the order shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from c2b.video import container_boxes
from sensors.refusal import Refusal

#: Codecs beside those of key frames only whose every packet is one frame; those of others are counted by decoding them.
_ONE_EACH = ("h264", "hevc", "av1", "vp9", "mpeg1video", "mpeg2video", "ffv1")

#: Relative to the time from frame to frame: how early or late a frame of a constant rate may be, and how much longer a long one is.
_JITTER, _LONG = 0.05, 1.5

#: How Matroska writes the duration of a stream.
_CLOCK = re.compile(r"([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)")


class PacketIndex(NamedTuple):
    """What a player shows of a container.

    Attributes
    ----------
    frames : int
        Number of frames.
    stamps : list of int
        Their times, ascending, in units of the stream; empty where they are not known.
    keys : list of int
        Those of the frames that can be decoded without others.
    ordered : bool
        Whether frames come out of the decoder in the order of `stamps`, all different, so that each is found by its time.
    last : int
        How long the last frame is shown, in the same units; 0 if not known.
    missing : str
        What the file announces and does not hold, in a few words.
    """

    frames: int
    stamps: list[int]
    keys: list[int]
    ordered: bool
    last: int
    missing: str = ""


def read(path: Path) -> PacketIndex:
    """Read the index of a file's video; its packets where the index does not say all, and decode it only where they do not either.

    Raises
    ------
    Refusal
        If the file is damaged or holds no video.
    """
    with opened(path) as container, refusals(path, "is damaged"):
        stream = shown(container, path)
        boxes = container_boxes.read(path)
        if stream.codec_context and stream.codec_context.codec.intra_only and _is_complete(container, stream, boxes):
            size = path.stat().st_size
            listed = [entry for entry in stream.index_entries if entry.size and not entry.is_discard]
            there = list(takewhile(lambda entry: entry.pos + entry.size <= size, listed))
            stamps = sorted(entry.timestamp for entry in there)
            last = (stream.start_time or 0) + stream.duration - stamps[-1] if stamps and stream.duration else 0
            index = PacketIndex(len(there), stamps, stamps, len(set(stamps)) == len(stamps), last)
        else:
            index = _from_packets(path, container, stream)
        missing = _missing(index, container, stream) if boxes.cut or boxes.endless else ""
        return index._replace(missing=missing)


def shown(container: Any, path: Path) -> Any:
    """The video stream that a player shows: not a cover picture; the default one if there are several.

    Raises
    ------
    Refusal
        If there is none.
    """
    from av.stream import Disposition

    films = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not films:
        raise Refusal(f"{path} holds no video stream")
    return next((one for one in films if one.disposition & Disposition.default), films[0])


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Decode the frames of a stream, passing over packets that are empty or broken off."""
    for packet in container.demux(stream):
        ends = packet.pts is None and packet.dts is None and not packet.size
        if ends or (packet.size and not packet.is_corrupt):
            yield from packet.decode()


def timing(index: PacketIndex, unit: float, rate: float | None) -> str:
    """``"variable rate, 24.1 to 60 per second"``, or nothing where frames come at a constant rate.

    Parameters
    ----------
    unit : float
        Unit of the time stamps, in seconds. Where the time from frame to frame is no whole number of it, stamps are rounded, which is
        no variation.
    rate : float, optional
        Frames per second by the word of the file.
    """
    stamps = np.array(index.stamps, np.float64)
    if len(stamps) < 2 or stamps[0] == stamps[-1]:
        return "variable rate, all frames at the same time" if len(stamps) > 1 else ""
    gaps = np.diff(stamps)
    period = 1 / (rate * unit) if rate else 0.5
    rounded = abs(period - round(period)) > 1e-6 * period
    late = np.abs(stamps - np.linspace(stamps[0], stamps[-1], len(stamps))).max()
    if index.last > _LONG * max(gaps.max(), period):
        gaps = np.append(gaps, index.last)
    elif late <= _JITTER * gaps.mean() + 1.01 * rounded:
        return ""
    at_once = f", {(gaps == 0).sum() + 1} at the same time as another" if not gaps.all() else ""
    slow, fast = (1 / (gap * unit) for gap in (gaps.max(), gaps[gaps > 0].min()))
    return f"variable rate, {_short(slow)} to {_short(fast)} per second{at_once}"


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A container for a while."""
    import av

    with refusals(path, "is not a readable video"):
        container = av.open(str(path), metadata_encoding="latin-1")
    with container:
        yield container


@contextmanager
def refusals(path: Path, what: str) -> Iterator[None]:
    """Turn what FFmpeg reports into a `Refusal`."""
    import av

    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except av.FFmpegError as error:
        raise Refusal(f"{path} {what}: {error.strerror or error}") from None


def _is_complete(container: Any, stream: Any, boxes: container_boxes.Boxes) -> bool:
    """Whether the index of a file lists every packet: that of an AVI that was finished, of an MP4 that is not in pieces."""
    entries = stream.index_entries
    if not len(entries) or boxes.in_pieces:
        return False
    return container.format.name.startswith("mov") or (
        container.format.name == "avi" and entries[len(entries) - 1].timestamp + 1 == stream.frames
    )


def _from_packets(path: Path, container: Any, stream: Any) -> PacketIndex:
    packets = [p for p in container.demux(stream) if p.size and not p.is_corrupt]
    displayed = [p for p in packets if not p.is_discard]
    if not displayed or stream.codec_context is None:
        return PacketIndex(0, [], [], False, 0)
    guessed = container.format.name == "avi" and stream.codec_context.has_b_frames  # an AVI has no times, only an order
    timed = not guessed and all(p.pts is not None for p in packets)
    codec = stream.codec_context.codec
    begins_with_key = packets[0].is_keyframe and not (timed and min(p.pts for p in packets) < packets[0].pts)
    if begins_with_key and (codec.canonical_name in _ONE_EACH or codec.intra_only):
        stamps: list[Any] = sorted(p.pts for p in displayed) if timed else [p.dts for p in displayed]
        ordered = timed and _rises(displayed)
    else:
        stamps, ordered = _decoded_stamps(path), timed
    known = None not in stamps and (ordered or not timed)
    ordered = ordered and known and all(here < there for here, there in pairwise(stamps))
    keys = sorted({p.pts for p in displayed if p.is_keyframe} & set(stamps)) if ordered else []
    return PacketIndex(len(stamps), sorted(stamps) if known else [], keys, ordered, int(displayed[-1].duration or 0))


def _decoded_stamps(path: Path) -> list[int | None]:
    """Times of all frames, by decoding them."""
    with opened(path) as container, refusals(path, "is damaged"):
        return [frame.pts for frame in decoded(container, shown(container, path))]


def _rises(packets: Iterable[Any]) -> bool:
    """Whether no key frame is shown before a packet that comes before it, as at a second edit."""
    latest = -np.inf
    for packet in packets:
        if packet.is_keyframe and packet.pts < latest:
            return False
        latest = max(latest, packet.pts)
    return True


def _missing(index: PacketIndex, container: Any, stream: Any) -> str:
    """What the words of a file that is cut short promise beyond what is there."""
    told, about = "", ""
    if container.format.name.startswith("mov"):
        announced = sum(bool(entry.size) and not entry.is_discard for entry in stream.index_entries)
    elif container.format.name == "avi":
        dropped = index.stamps[-1] + 1 - index.frames if index.stamps else 0  # which the announced number counts
        announced = stream.frames - max(0, dropped)
    else:
        announced, told = _announced_by_duration(index, container, stream)
        about = "about "
    return f"{told}it holds {index.frames} of {about}{announced} frames" if index.frames < announced else ""


def _announced_by_duration(index: PacketIndex, container: Any, stream: Any) -> tuple[int, str]:
    """Frames by the duration of the stream, or of the whole file where there is nothing beside the video; and these times in words."""
    rate, unit = float(stream.average_rate or 0), float(stream.time_base or 0)
    found = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
    told = 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3]) if found else 0.0
    if not found and len(container.streams) == 1 and container.duration:
        told = container.duration / 1e6
    if not index.stamps or not told or not rate:
        return 0, ""
    gap, last = max(np.diff(index.stamps).max(initial=0) * unit, 1 / rate, index.last * unit), index.stamps[-1] * unit
    if told <= last + _LONG * gap:
        return 0, ""
    return index.frames + round((told - last) * rate) - 1, f"it should last {told:.3f} s and its last frame is at {last:.3f} s; "


def _short(rate: float) -> str:
    return f"{rate:.3g}" if rate < 100 else f"{rate:.0f}"
