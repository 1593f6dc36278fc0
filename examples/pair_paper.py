"""Tables II and III of the paper on a coded-blurred image pair: its network, its two baselines and a Gaussian mixture, on any clips.

python examples/pair_paper.py                          six small scenes, in place of clips
python examples/pair_paper.py gopro/*.mkv --scene 'd0[123]_*' --report pair-paper                            frames as they are
python examples/pair_paper.py gopro/*.mkv --scene 'd0[123]_*' --report pair-paper --protocol codedblurred    as the paper: 1200x720

What a report holds is read again, not computed again. Clips of one scene (--scene, a pattern of their names) are drawn together by the
bootstrap. Of each clip the first nine frames count; --table 2 is about all of them, 3 about the middle one; --markdown gives those of
the README. Anupama, Shedligeri, Pal, Mitra, "Video reconstruction by spatio-temporal fusion of blurred-coded image pair", ICPR 2020.
"""

import argparse
from pathlib import Path
from statistics import fmean, stdev

import recon
from c2b.camera_grid import CameraGrid
from c2b.comparison import Comparison
from c2b.report.comparison_differences import Series, difference, scenes_of, series_of
from c2b.source import Part, Source
from c2b.terminal import table
from sensors.refusal import Refusal

SCENES = [
    f"{name}:frames=9,height=60,width=90,seed={seed}" for name in ("occluding-objects", "rotating-camera") for seed in (1, 2, 3)
]

#: What each camera is compared by.
METHODS = {
    "conventional": ("pseudo-inverse", "blurred", "blurred:residual=true"),
    "coded-pixel": ("tile", "gmm", "coded", "coded:residual=true"),
    "two-bucket": ("tile+consistent", "gmm", "pair", "pair:residual=true"),
}

#: First and second of each difference that is told.
PAIRS = (
    ("coded-pixel coded", "conventional blurred"),
    ("two-bucket pair", "coded-pixel coded"),
    ("coded-pixel coded:residual=true", "conventional blurred:residual=true"),
    ("two-bucket pair:residual=true", "coded-pixel coded:residual=true"),
    ("coded-pixel coded", "coded-pixel gmm"),
    ("two-bucket pair", "two-bucket gmm"),
    ("two-bucket pair:residual=true", "two-bucket gmm"),
    ("two-bucket pair", "two-bucket tile+consistent"),
    ("two-bucket gmm", "coded-pixel gmm"),
)

#: PSNR, SSIM and SSIM of range 2 of each table: of all nine frames, of the middle one.
COLUMNS = {2: ("psnr", "ssim", "ssim_range_2"), 3: ("middle_psnr", "middle_ssim", "middle_ssim_range_2")}
TITLES = {2: "Table II, nine frames", 3: "Table III, the middle frame"}


def part_of(clip: str, protocol: str) -> Part:
    """The first nine frames: at the size of the paper, or cropped to whole tiles of 3x3 pixels."""
    if protocol == "codedblurred":
        return Part(frames="0:9", resize="1200x720")
    with Source(clip).open() as video:
        return Part(frames="0:9", rows=f"0:{video.height // 3 * 3}", columns=f"0:{video.width // 3 * 3}")


def compared(clips: list[str], protocol: str, report: Path | None) -> tuple[list[Series], list[str]]:
    """The rows of each camera and method, and what was left out; by the conventions of the paper, whatever the size."""
    sources = {clip: Source(clip, part=part_of(clip, protocol)) for clip in clips}
    rows, left_out = [], []
    for camera, methods in METHODS.items():
        named = {name: recon.make(name) for name in methods}
        comparison = Comparison(sources, CameraGrid((camera,), ("impulse",), (), ()), named, protocol="codedblurred")
        rows += comparison.run(report)
        left_out += [f"{what}: {why}" for what, why in comparison.left_out]
    return series_of(rows), left_out


def spread(values: list[float]) -> str:
    """Standard deviation, of several."""
    return f"{stdev(values):.2f}" if len(values) > 1 else ""


def scores(series: list[Series], number: int) -> str:
    """Mean and standard deviation over the clips."""
    lines = []
    for one in series:
        psnr, ssim, doubled = ([getattr(row, name) for row in one.rows.values()] for name in COLUMNS[number])
        lines.append((one.sensor, one.method, f"{fmean(psnr):.2f}", spread(psnr), f"{fmean(ssim):.3f}", f"{fmean(doubled):.3f}"))
    columns = ("camera", "method", "PSNR, dB", "standard deviation", "SSIM", "SSIM, range 2")
    return table(columns, lines, f"{TITLES[number]}: mean over {len(series[0].rows)} clips")


def gains(series: list[Series], number: int, scene: dict[str, str]) -> str:
    """Differences of PSNR, paired over the clips."""
    known = {one.names[0]: one for one in series}
    found = [
        (pair, difference(*(known[name] for name in pair), COLUMNS[number][0], scene))
        for pair in PAIRS
        if known.keys() >= {*pair}
    ]
    lines = [(first, second, str(told), "yes" if told.certain else "no") for (first, second), told in found]
    scenes = len(set(scene.values()))
    title = f"{TITLES[number]}: differences of PSNR in dB, 95 % intervals by a bootstrap over {scenes} scenes"
    return table(("of", "over", "mean and interval", "certain"), lines, title)


def markdown(series: list[Series], scene: dict[str, str]) -> str:
    """Both tables beside each other, and the differences."""
    lines = ["| camera | method | nine frames | SSIM, range 1 / 2 | middle frame | SSIM, range 1 / 2 |", "|---|---|---|---|---|---|"]
    for one in series:
        cells = [one.sensor, one.method]
        for names in COLUMNS.values():
            psnr, ssim, doubled = ([getattr(row, name) for row in one.rows.values()] for name in names)
            cells += [f"{fmean(psnr):.2f} ({spread(psnr)})", f"{fmean(ssim):.3f} / {fmean(doubled):.3f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| of | over | nine frames | middle frame |", "|---|---|---|---|"]
    known = {one.names[0]: one for one in series}
    for first, second in (pair for pair in PAIRS if known.keys() >= {*pair}):
        told = [difference(known[first], known[second], names[0], scene) for names in COLUMNS.values()]
        lines.append(f"| {first} | {second} | {' | '.join(f'**{one}**' if one.certain else str(one) for one in told)} |")
    return "\n".join(lines)


def main() -> None:
    """The tables of the words on the command line."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("clips", nargs="*", default=SCENES, help="videos, folders of frames or scenes")
    words.add_argument("--table", type=int, choices=COLUMNS, action="append", help="default: both")
    words.add_argument("--protocol", choices=("ours", "codedblurred"), default="ours")
    words.add_argument("--scene", action="append", default=[], help="clips of one scene, by a pattern of their names")
    words.add_argument("--report", type=Path, help="folder that keeps what was computed")
    words.add_argument("--markdown", action="store_true", help="both tables in one, for a page")
    given = words.parse_args()
    scene = scenes_of(given.clips, given.scene)
    series, left_out = compared(given.clips, given.protocol, given.report)
    if given.markdown:
        print(markdown(series, scene))
    for number in () if given.markdown else given.table or COLUMNS:
        print(scores(series, number))
        print(gains(series, number, scene))
    for reason in left_out:
        print(f"left out: {reason}")


if __name__ == "__main__":
    try:
        main()
    except Refusal as reason:
        raise SystemExit(str(reason)) from None
