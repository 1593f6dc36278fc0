"""First, middle and last frame that a blurred image, a coded one and the pair of both give, beside the truth: a picture for each clip.

python examples/pair_paper_frames.py                                       of two scenes, into this folder
python examples/pair_paper_frames.py gopro/d01*.mkv gopro/d07*.mkv --folder pictures

Blur does not tell which way time went: of the network that sees the blurred image alone both orders are scored, and the frames are
shown in the one that fits better. Scores are those of all nine frames, whole; the part that is shown is the one that changes most.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter

import recon
import sensors
from c2b import codes, plots
from c2b.plots.contact_sheet import Row, contact_sheet
from c2b.source import Part, Source
from recon.metrics import psnr
from sensors.refusal import Refusal

SCENES = [f"{name}:frames=9,height=120,width=180,seed=1" for name in ("occluding-objects", "rotating-camera")]

#: Name of each row, and the camera and method behind it.
ROWS = {
    "blurred": ("conventional", "blurred"),
    "coded": ("coded-pixel", "coded"),
    "pair": ("two-bucket", "pair"),
}

SHOWN = (0, 4, 8)
WORDS = ("first frame", "middle frame", "last frame")


def reconstructed(video: NDArray, camera: str, method: str) -> NDArray:
    """Nine frames from one exposure under the 3x3 impulse code."""
    sensor = sensors.make(camera, codes.make("impulse:tile=3"))
    return np.clip(recon.make(method).reconstruct(sensor.capture(video, seed=0))[0], 0, 1)


def liveliest(video: NDArray, height: int, width: int) -> tuple[slice, slice]:
    """The part of a video that changes most from its first to its last frame."""
    change = uniform_filter(np.abs(video[-1] - video[0]), (height, width), mode="constant")
    (below, right), (rows, columns) = (height // 2, width // 2), change.shape
    inside = change[below : rows - height + below + 1, right : columns - width + right + 1]
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    return slice(top, top + height), slice(left, left + width)


def rows_of(video: NDArray, part: tuple[slice, slice]) -> list[Row]:
    """The truth and each method; a row of the better order where blur alone was seen."""
    rows = [Row("truth", [video[t][part] for t in SHOWN], WORDS)]
    for name, (camera, method) in ROWS.items():
        made = reconstructed(video, camera, method)
        note = f"{psnr(made, video, data_range=1):.2f} dB"
        if name == "blurred":
            given, turned = (psnr(one, video, data_range=1) for one in (made, made[::-1]))
            moves = np.std(made[-1] - made[0]) / np.std(video[-1] - video[0])
            made, shown = (made, "as given") if given >= turned else (made[::-1], "reversed")
            note = f"{given:.2f} dB as given,\n{turned:.2f} dB reversed;\nshown {shown}.\n"
            note += f"It changes by {moves:.0%} of\nwhat the truth does"
        rows.append(Row(name, [made[t][part] for t in SHOWN], note=note))
    return rows


def draw(clip: str, png: Path, height: int, width: int) -> None:
    """The picture of a clip."""
    with Source(clip, part=Part(frames="0:9")).open() as opened:
        video = opened.irradiance(0, 9)
    video = video[:, : video.shape[1] // 3 * 3, : video.shape[2] // 3 * 3]
    part = liveliest(video, min(height, video.shape[1]), min(width, video.shape[2]))
    rows = rows_of(video, part)
    where = f"rows {part[0].start} to {part[0].stop}, columns {part[1].start} to {part[1].stop}"
    title, subtitle = (
        "Nine frames from one exposure",
        f"{Path(clip.partition(':')[0]).stem}, {where}; PSNR of all nine whole frames",
    )
    plots.save(contact_sheet(rows, title=title, subtitle=subtitle, cmap="gray", vmin=0, vmax=1).sheet.figure, png)
    Image.open(png).convert("L").save(png, optimize=True)  # all is grey
    print(f"{png}: " + "; ".join(f"{row.name} {' '.join(row.note.split())}" for row in rows[1:]))


def main() -> None:
    """The pictures of the words on the command line."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("clips", nargs="*", default=SCENES, help="videos, folders of frames or scenes")
    words.add_argument("--folder", type=Path, default=Path())
    words.add_argument(
        "--size", type=int, nargs=2, default=(100, 150), metavar=("HEIGHT", "WIDTH"), help="of the part that is shown"
    )
    given = words.parse_args()
    for clip in given.clips:
        draw(clip, given.folder / f"pair_paper_{Path(clip.partition(':')[0]).stem}.png", *given.size)


if __name__ == "__main__":
    try:
        main()
    except Refusal as reason:
        raise SystemExit(str(reason)) from None
