"""What it costs to be wrong about the camera: each error, each method, and what a check-up says of it.

python examples/wrong_belief.py [--quick] [CLIP...]

One camera takes each CLIP (or a scene), and every method reconstructs its numbers believing something else. The loss in dB is against
the same method told the truth. The first table is of a tiled code, the second of the registration of a full-resolution mask; the last
column is what `c2b check` finds in the captures of the first clip under that belief, and not under the truth.
"""

import sys

import numpy as np

import recon
from c2b import streaming
from c2b.belief import SAME, believing
from c2b.camera_grid import CameraGrid
from c2b.check.checkup import check
from c2b.comparison import Comparison
from c2b.source import Levels, Part, Source, open_video
from recon.metrics import score
from sensors.capture import Capture
from sensors.response import make as response

QUICK = "--quick" in sys.argv
CLIPS = [word for word in sys.argv[1:] if word != "--quick"]
ROWS, COLUMNS, FRAMES = (48, 60, 20) if QUICK else (96, 120, 30)

#: The camera: two buckets, 100 electrons at white, a dead sub-exposure between exposures, and codes that change over slowly.
SENSOR, TILED = "cep-2019:white=100,dead_frames=1,lag=0.05", "impulse:tile=3"
METHODS = ["tile", "pseudo-inverse", "gap-tv", "gmm", "unfolding"]
MASK = f"bernoulli:frames=9,tile=[{ROWS},{COLUMNS}],seed=3"
MASK_METHODS = ["pseudo-inverse", "gap-tv", "unfolding"]
if QUICK:
    METHODS, MASK_METHODS = ["pseudo-inverse", "tile"], ["pseudo-inverse"]

#: Error to what is believed of sensor and code.
ERRORS = {
    "tile a row lower": (SAME, "same:rows=1"),
    "tile half a pixel lower": (SAME, "same:rows=0.5"),
    "buckets exchanged": (SAME, "same:exchanged=true"),
    "frames reversed": (SAME, "same:reversed=true"),
    "leakage 5 %, is 0.5 %": ("same:leakage=0.05", SAME),
    "taps equal, are 2 % apart": ("same:mismatch=0", SAME),
    "tap 1 of 10 % more gain": ("same:gain=[0.48,0.528]", SAME),
    "gain of both 10 % more": ("same:gain=0.528", SAME),
    "black level 5 DN too high": ("same:black_level=69", SAME),
    "black level of tap 1 too high": ("same:black_level=[64,69]", SAME),
    "no dead time, is 1 frame": ("same:dead_frames=0", SAME),
    "no lag, is 5 %": ("same:lag=0", SAME),
    "white twice as bright": ("same:white=200", SAME),
    "read noise 3 e-, is 12": ("same:read_noise=3", SAME),
}
MASK_ERRORS = {
    "mask 0.25 px off": (SAME, "same:rows=0.25"),
    "mask 0.5 px off": (SAME, "same:rows=0.5"),
    "mask a pixel off": (SAME, "same:rows=1"),
    "mask turned over": (SAME, "same:turned=upside-down"),
}


def source(name):
    """The middle of a clip, as light; a scene as it is."""
    if not CLIPS:
        return Source(name)
    with open_video(name) as film:
        top, left = (film.height - ROWS) // 2, (film.width - COLUMNS) // 2
    part = Part(frames=f"0:{FRAMES}", rows=f"{top}:{top + ROWS}", columns=f"{left}:{left + COLUMNS}", channels="luma")
    return Source(name, Levels(linearize="srgb"), part)


def losses(films, code, errors, methods):
    """dB that each error costs each method, and the method's own PSNR, by (error, method)."""
    beliefs = {", ".join(words if words[1] != SAME else words[:1]): error for error, words in errors.items()}
    pairs = [words for words in errors.values() if words[1] == SAME], [words for words in errors.values() if words[1] != SAME]
    rows = []
    for some in filter(None, pairs):
        sensors, codes = (tuple(dict.fromkeys(words)) for words in zip(*some, strict=True))
        grid = CameraGrid((SENSOR,), (code,), beliefs=sensors, believed_codes=codes)
        rows += Comparison(films, grid, {name: recon.make(name) for name in methods}).run()
    psnr = {(beliefs.get(row.belief, ""), row.method): [] for row in rows}
    for row in {row.digest: row for row in rows}.values():
        psnr[beliefs.get(row.belief, ""), row.method].append(row.psnr)
    found = {key: np.mean(values) - np.mean(psnr["", key[1]]) * bool(key[0]) for key, values in psnr.items()}
    return found


def findings(film, code, words):
    """What the check-up finds in captures that are believed to be of another camera, by the words of the belief."""
    with film.open() as video:
        true = CameraGrid((SENSOR,), (code,)).cameras(video, print)[0]
        capture = streaming.expose(video, true.chip, seed=0)
    seen = {None: true.chip} | {each: believing(true, *each).seen_as for each in words}
    reports = {key: check(Capture(capture.images, chip, capture.record), code=not QUICK) for key, chip in seen.items()}
    found = {key: {figure.name for figure in report.findings} for key, report in reports.items()}
    return {key: ", ".join(sorted(found[key] - found[None])) or "nothing" for key in words}


def table(films, code, errors, methods):
    """A table in Markdown."""
    found = losses(films, code, errors, methods)
    print(f"\n| {code} | {' | '.join(methods)} | c2b check |\n|---{'|---' * len(methods)}|---|")
    told = [f"{found['', name]:.2f}" for name in methods]
    print(f"| told the truth, PSNR in dB | {' | '.join(told)} | |")
    checked = findings(next(iter(films.values())), code, errors.values())
    for error, words in errors.items():
        told = ["refused" if (error, name) not in found else f"{found[error, name]:+.2f}" for name in methods]
        print(f"| {error} | {' | '.join(told)} | {checked[words]} |")
    return found


films = {name: source(name) for name in CLIPS or [f"occluding-objects:frames={FRAMES},height={ROWS},width={COLUMNS}"]}
few = ("tile a row lower", "black level of tap 1 too high")
found = table(films, TILED, {name: ERRORS[name] for name in few} if QUICK else ERRORS, METHODS)
table(films, MASK, {"mask a pixel off": MASK_ERRORS["mask a pixel off"]} if QUICK else MASK_ERRORS, MASK_METHODS)

# The same by hand, for one error: the numbers of one camera, handed to a method as those of another
ERROR, METHOD = "black level of tap 1 too high", "pseudo-inverse"
film, psnr = next(iter(films.values())), {True: [], False: []}
with film.open() as video:
    true, wrong = CameraGrid((SENSOR,), (TILED,), beliefs=(ERRORS[ERROR][0],)).cameras(video, print)
    encode = response(video.response).encode
    for capture, light in streaming.exposures(video, true.chip, seed=0):
        believed = Capture(capture.images, wrong.seen_as, capture.record)
        for one in (capture, believed):
            made = recon.make(METHOD).reconstruct(one)[0]
            psnr[one is believed].append(score(encode(made), encode(light)).psnr)
loss = np.mean(psnr[True]) - np.mean(psnr[False])
print(f"\nby hand, {next(iter(films))}: {METHOD} {loss:+.2f} dB, {ERROR}")
assert len(films) > 1 or abs(loss - found[ERROR, METHOD]) < 1e-3
