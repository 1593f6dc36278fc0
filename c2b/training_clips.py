"""Folders of recordings and photographs to the arrays that methods learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from c2b.scenes import SCENES
from c2b.video.image_folder import ImageFolder
from c2b.video.recording import Recording, open_recording
from sensors.refusal import Refusal

#: What may lie beside recordings: facts about them.
NO_VIDEO = (".json", ".md", ".txt", ".csv")

IMAGES = (".png", ".jpg", ".jpeg")

Progress = Callable[[Iterable[Any], int, str], Iterator[Any]]


def read_clips(
    videos: Iterable[Path],
    stills: Iterable[Path] = (),
    *,
    linearize: str | None = None,
    white: float | None = None,
    black: float | None = None,
    channels: str = "luma",
    progress: Progress | None = None,
) -> list[NDArray]:
    """Everything in the folders, in the order of the names.

    Parameters
    ----------
    videos : iterable of path
        Recordings, folders of recordings, folders of the frames of one recording, folders of such folders; scenes by their names.
    stills : iterable of path
        Images, or folders of images, of any sizes.
    channels : str
        ``luma``, or ``rgb`` for colour where there is any.
    linearize : str, optional
        How stored values come from light, as for `open_recording`; by default what the file says of itself, else they stay as they are.

    Returns
    -------
    list of ndarray, (F, H, W) or (F, H, W, 3)
        Integers as they are stored where white is their largest number; else float16, 1 = white. A photograph has one frame.

    Raises
    ------
    Refusal
        If a folder holds nothing, or a file cannot be read.
    """
    films = [path for given in videos for path in _recordings(Path(given))]
    photographs = [path for given in stills for path in _images(Path(given))]
    paths = films + photographs
    found = []
    for number, path in enumerate(progress(paths, len(paths), "read clips") if progress else paths):
        opened = _opened(path, response=linearize, white=white, black=black) if number < len(films) else ImageFolder(path)
        with opened as recording:
            recording.response = linearize or recording.response
            colour = channels == "rgb" and recording.colour != "mono"
            found.append(_values(recording.window(channels="rgb" if colour else "luma")))
    return found


def _opened(path: Path, **levels: Any) -> Recording:
    if str(path).partition(":")[0] in SCENES and not path.exists():
        from c2b.source import open_video

        return open_video(str(path), linearize=levels["response"], white=levels["white"], black=levels["black"])
    return open_recording(path, **levels)


def _recordings(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(one for one in path.iterdir() if not one.name.startswith(".") and one.suffix.lower() not in NO_VIDEO)
    if not inside:
        raise Refusal(f"the folder {path} holds no videos")
    return [path] if any(one.suffix.lower() in IMAGES for one in inside) else inside


def _images(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    inside = sorted(one for one in path.iterdir() if not one.name.startswith(".") and one.suffix.lower() in IMAGES)
    if not inside:
        raise Refusal(f"the folder {path} holds no PNG or JPEG images")
    return inside


def _values(recording: Recording) -> NDArray:
    stored = recording.response == "none" and recording.black == 0 and recording.dtype.kind == "u"
    if stored and recording.white == np.iinfo(recording.dtype).max:
        return np.ascontiguousarray(recording[:])
    return np.concatenate([recording.irradiance(n, n + 1).astype(np.float16) for n in range(len(recording))])
