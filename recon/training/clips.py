"""Short clips without end to learn from: crops of real film, and photographs set in procedural motion.

Film teaches what the world does; there is never enough of it. A photograph teaches as much about texture, and motion can be given to
it: a camera that moves, turns and zooms, and convex objects cut from other photographs that pass by on their own ways.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from recon.training.settings import LEAST_DEFOCUS, SLOWEST
from sensors.kernel import FLAGS
from sensors.refusal import Refusal
from sensors.sensor import white_of

#: Share of cameras and objects that stand still; the speeds of the others are log-uniform from `SLOWEST` on.
STANDING = 0.25

#: Largest rotation (degrees) and zoom (part) per frame.
TURN, ZOOM = 1.5, 0.01

#: Objects that pass in front of a photograph, at most; corners of an object.
OBJECTS, CORNERS = 3, (3, 9)

#: Pixels between the pictures that a blurred frame is the mean of, and how many these are at most.
BLUR_STEP, MOST_STEPS = 1.5, 8

#: Share of photographs that are out of focus, where any is.
DEFOCUSED = 0.5

#: Contrast and brightness: stored values are multiplied by a factor between these, and clipped.
GAINS = (0.5, 1.3)

#: Part of the memory that kept clips may take; what sets their random numbers apart from those of batches.
MOST_OF_MEMORY, KEPT = 0.7, 2**41

#: Half planes of a picture that fills the clip.
NO_EDGE = np.empty((0, 3), np.float32)


class Clips:
    """Draws clips from film and photographs.

    Parameters
    ----------
    videos : iterable of array_like, (F, H, W) or (F, H, W, 3)
        Stored values: uint8, uint16, or floats with 1 = white. One of a single frame is a photograph.
    frames : int
        T, the length of a clip.
    size : (int, int)
        Rows and columns of a clip.
    photographs : float
        The share of clips drawn from photographs; all of them where there is no film, none where there is no photograph.
    fastest : float
        Largest speed of a photograph or an object in front of it, pixels per frame.
    skip : int
        Film is run up to so many times faster, by leaving out frames.
    shutter : float
        Largest part of a frame's time for which it is exposed: frames are blurred by motion as those of a camera, for a part of the
        time that is drawn for each clip. 0: photographs are sharp however fast they move, film that is run faster is not blurred more.
    defocus : float
        Largest standard deviation, in pixels, of the Gaussian by which every second photograph is out of focus behind its objects,
        log-uniformly from `LEAST_DEFOCUS` on. 0: photographs are as they are.
    reversal : bool
        Show clips backwards too.
    colour : bool
        Clips in colour, (T, h, w, 3); otherwise each clip of a colour video is one of its planes.

    Raises
    ------
    Refusal
        If nothing is long and large enough to draw from, or clips in colour are asked of a grey video.
    """

    def __init__(
        self,
        videos: Iterable[Any],
        frames: int,
        size: tuple[int, int],
        *,
        photographs: float = 0.5,
        fastest: float = 6.0,
        skip: int = 3,
        shutter: float = 0.0,
        defocus: float = 0.0,
        reversal: bool = True,
        colour: bool = False,
    ) -> None:
        every = [video for video in videos if min(video.shape[1:3]) >= max(size)]
        self.film: Sequence[Any] = [video for video in every if len(video) >= frames]
        self.photographs: Sequence[Any] = [video for video in every if len(video) == 1]
        if not self.film and not self.photographs:
            raise Refusal(f"no video of {frames} frames or more, and no photograph, is {max(size)} pixels high and wide")
        if colour and (grey := sum(video.ndim == 3 for video in [*self.film, *self.photographs])):
            raise Refusal(f"clips in colour are asked for, and {grey} of the videos are grey; leave those out")
        share = photographs if self.photographs else 0.0
        self.share = share if self.film else 1.0
        self.frames = frames
        self.size = size
        self.fastest = fastest
        self.skip = skip
        self.shutter = shutter
        self.defocus = defocus
        self.reversal = reversal
        self.colour = colour

    def draw(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One clip (T, h, w[, 3]) of stored values in [0, 1]; mirrored, transposed, reversed and made brighter or darker at random."""
        return self.varied(self.original(rng), rng)

    def original(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One clip as it is."""
        return self._photograph(rng) if rng.random() < self.share else self._film(rng)

    def varied(self, clip: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A clip mirrored, transposed, reversed and made brighter or darker at random."""
        time, rows, columns = (int(rng.choice((1, -1))) for _ in range(3))
        clip = clip[:: time if self.reversal else 1, ::rows, ::columns]
        if clip.shape[1] == clip.shape[2] and rng.random() < 0.5:
            clip = clip.swapaxes(1, 2)
        return np.clip(clip * np.float32(rng.uniform(*GAINS)), 0, 1)

    def _film(self, rng: np.random.Generator) -> NDArray[np.float32]:
        video = self.film[int(rng.integers(len(self.film)))]
        skip = int(rng.integers(1, min(self.skip, (len(video) - 1) // max(self.frames - 1, 1)) + 1)) if self.frames > 1 else 1
        open_for = max(1, round(self._shutter(rng) * skip))
        first = int(rng.integers(max(1, len(video) - skip * (self.frames - 1) - open_for + 1)))
        top, left = (rng.integers(whole - part + 1) for whole, part in zip(video.shape[1:3], self.size, strict=True))
        runs = [
            video[start : start + skip * (self.frames - 1) + 1 : skip, top : top + self.size[0], left : left + self.size[1]]
            for start in range(first, min(first + open_for, len(video) - skip * (self.frames - 1)))
        ]
        plane = ... if self.colour or video.ndim == 3 else (..., int(rng.integers(video.shape[3])))
        return np.mean([_stored(run[plane]) for run in runs], 0) if len(runs) > 1 else _stored(runs[0][plane])

    def _photograph(self, rng: np.random.Generator) -> NDArray[np.float32]:
        drawn = []
        for number in range(rng.integers(1, OBJECTS + 2)):
            picture = self._picture(rng)
            drawn.append((picture, self._motion(rng, picture.shape[:2]), _polygon(rng, self.size) if number else NO_EDGE))
        time = np.arange(self.frames) - (self.frames - 1) / 2
        if shutter := self._shutter(rng):
            farthest = max(float(np.ptp(motion(time)[:, :, 2], axis=0).max()) / self.frames for _, motion, _ in drawn)
            count = int(np.clip(np.ceil(shutter * farthest / BLUR_STEP), 1, MOST_STEPS))
            time = (time[:, None] + shutter * ((np.arange(count) + 0.5) / count - 0.5)).ravel()
        clip = np.zeros((3 if self.colour else 1, len(time), *self.size), np.float32)
        for picture, motion, outline in drawn:
            for plane, moving in zip(np.atleast_3d(picture).transpose(2, 0, 1), clip, strict=True):
                _warp(np.ascontiguousarray(plane), motion(time), outline, moving)
            if outline is NO_EDGE and (sigma := self._defocus(rng)):
                clip = gaussian_filter(clip, (0, 0, sigma, sigma), mode="mirror")
        if len(time) > self.frames:
            clip = clip.reshape(len(clip), self.frames, -1, *self.size).mean(2)
        return clip.transpose(1, 2, 3, 0) if self.colour else clip[0]

    def _shutter(self, rng: np.random.Generator) -> float:
        """Part of a frame's time for which the film is exposed."""
        return float(rng.uniform(0, self.shutter)) if self.shutter else 0.0

    def _defocus(self, rng: np.random.Generator) -> float:
        """Standard deviation of the defocus of a photograph, 0 for every second one."""
        drawn = float(np.exp(rng.uniform(np.log(LEAST_DEFOCUS), np.log(self.defocus)))) if self.defocus else 0.0
        return drawn if self.defocus and rng.random() < DEFOCUSED else 0.0

    def _picture(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """A photograph (H, W[, 3])."""
        picture = self.photographs[int(rng.integers(len(self.photographs)))][0]
        return _stored(picture if self.colour or picture.ndim == 2 else picture[..., int(rng.integers(3))])

    def _motion(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Callable[[NDArray], NDArray[np.float32]]:
        """From times in frames, counted from the middle of the clip, to matrices (N, 2, 3) from pixels to pixels of the picture.

        Pixels of the clip are counted likewise. The clip lies about a random place of the picture of that shape; the motion accelerates
        a little.
        """
        moving = rng.random() >= STANDING
        speed = np.exp(rng.uniform(np.log(SLOWEST), np.log(self.fastest))) * moving
        heading = rng.uniform(0, 2 * np.pi)
        turn = np.deg2rad(rng.normal(0, TURN / 3)) * moving
        zoom = rng.normal(0, ZOOM / 3) * moving
        acceleration = rng.uniform(-0.5, 0.5)
        size = np.exp(rng.uniform(np.log(0.7), np.log(1.5)))
        tilt = rng.normal(0, 0.1)
        place = rng.uniform(0.1, 0.9, 2) * shape  # of the middle; beyond the picture its mirror image goes on

        def matrices(time: NDArray) -> NDArray[np.float32]:
            time = time * (1 + acceleration * time / max(self.frames, 1))
            scale = size * np.exp(zoom * time)
            angle = tilt + turn * time
            found = np.empty((len(time), 2, 3), np.float64)
            found[:, 0, 0] = found[:, 1, 1] = scale * np.cos(angle)
            found[:, 0, 1], found[:, 1, 0] = -scale * np.sin(angle), scale * np.sin(angle)
            found[:, 0, 2], found[:, 1, 2] = speed * np.cos(heading) * time, speed * np.sin(heading) * time
            found[:, :, 2] += place
            return found.astype(np.float32)

        return matrices


class KeptClips:
    """Clips drawn once, when each is first asked for, and kept as 8 bit; each pass has them in another order and varies them anew.

    Parameters
    ----------
    clips : Clips
        Clips of the size that is kept.
    count : int
    seed : int

    Raises
    ------
    Refusal
        If so many do not fit the memory of the machine.
    """

    def __init__(self, clips: Clips, count: int, seed: int) -> None:
        self.clips = clips
        self.seed = seed
        self._kept: list[NDArray[np.uint8] | None] = [None] * count
        self._shuffled: tuple[int, NDArray[np.int64]] = (-1, np.arange(count))
        room = count * clips.frames * clips.size[0] * clips.size[1] * (3 if clips.colour else 1)
        if room > MOST_OF_MEMORY * (there := _memory()):
            raise Refusal(f"kept={count} clips take {room / 1e9:.1f} GB, and this machine has {there / 1e9:.1f}; keep fewer")

    def draw(self, place: int, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
        """The clip at a place of the endless row of passes, cut to a size."""
        turn, number = divmod(place, len(self._kept))
        clip = self._clip(int(self._order(turn)[number]))
        top, left = (int(rng.integers(whole - part + 1)) for whole, part in zip(clip.shape[1:3], size, strict=True))
        return self.clips.varied(_stored(clip[:, top : top + size[0], left : left + size[1]]), rng)

    def _clip(self, number: int) -> NDArray[np.uint8]:
        clip = self._kept[number]
        if clip is None:
            values = self.clips.original(np.random.default_rng((self.seed, KEPT, number)))
            clip = self._kept[number] = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)
        return clip

    def _order(self, turn: int) -> NDArray[np.int64]:
        if self._shuffled[0] != turn:
            rng = np.random.default_rng((self.seed, KEPT, len(self._kept), turn))
            self._shuffled = turn, rng.permutation(len(self._kept))
        return self._shuffled[1]


def _memory() -> float:
    """Bytes of memory of this machine."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # not known
        return float("inf")


def _stored(values: Any) -> NDArray[np.float32]:
    values = np.asarray(values)
    return values.astype(np.float32) / np.float32(white_of(values))


def _polygon(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """A convex object about the middle of a clip: half planes (normal row, normal column, distance)."""
    corners = int(rng.integers(*CORNERS))
    around = np.sort(rng.uniform(0, 2 * np.pi, corners))
    away = rng.uniform(0.08, 0.45) * min(size) * rng.uniform(0.6, 1.2, corners)
    centre = rng.uniform(-0.4, 0.4, 2) * size
    normals = np.stack([np.cos(around), np.sin(around)], 1)
    return np.column_stack([normals, away + normals @ centre]).astype(np.float32)


@numba.njit(**FLAGS)
def _warp(picture, path, planes, clip):
    """Lay a moving picture over the clip where all half planes, which move with it, agree."""
    H, W = picture.shape
    T, h, w = clip.shape
    half = np.float32(0.5)
    start = path[T // 2]
    scale = np.float32(1) / (start[0, 0] * start[1, 1] - start[0, 1] * start[1, 0])
    for t in range(T):
        m = path[t]
        for i in range(h):
            u = np.float32(i) - half * np.float32(h - 1)
            for j in range(w):
                v = np.float32(j) - half * np.float32(w - 1)
                y = m[0, 0] * u + m[0, 1] * v + m[0, 2]
                x = m[1, 0] * u + m[1, 1] * v + m[1, 2]
                alpha = np.float32(1)
                if len(planes):  # where this point of the picture is in the middle of the clip
                    down, right = y - start[0, 2], x - start[1, 2]
                    row = (start[1, 1] * down - start[0, 1] * right) * scale
                    column = (start[0, 0] * right - start[1, 0] * down) * scale
                    for k in range(len(planes)):
                        alpha = min(alpha, planes[k, 2] - planes[k, 0] * row - planes[k, 1] * column + half)
                if alpha <= 0:
                    continue
                top, left = int(np.floor(y)) - 1, int(np.floor(x)) - 1
                g, f = y - np.floor(y), x - np.floor(x)
                a0, a1, a2, a3 = _cubic(f)
                b0, b1, b2, b3 = _cubic(g)
                if top >= 0 and left >= 0 and top + 4 <= H and left + 4 <= W:
                    r0, r1, r2, r3, c0, c1, c2, c3 = top, top + 1, top + 2, top + 3, left, left + 1, left + 2, left + 3
                else:
                    r0, r1, r2, r3 = _mirrored(top, H), _mirrored(top + 1, H), _mirrored(top + 2, H), _mirrored(top + 3, H)
                    c0, c1, c2, c3 = _mirrored(left, W), _mirrored(left + 1, W), _mirrored(left + 2, W), _mirrored(left + 3, W)
                value = (
                    b0 * (a0 * picture[r0, c0] + a1 * picture[r0, c1] + a2 * picture[r0, c2] + a3 * picture[r0, c3])
                    + b1 * (a0 * picture[r1, c0] + a1 * picture[r1, c1] + a2 * picture[r1, c2] + a3 * picture[r1, c3])
                    + b2 * (a0 * picture[r2, c0] + a1 * picture[r2, c1] + a2 * picture[r2, c2] + a3 * picture[r2, c3])
                    + b3 * (a0 * picture[r3, c0] + a1 * picture[r3, c1] + a2 * picture[r3, c2] + a3 * picture[r3, c3])
                )
                clip[t, i, j] += alpha * (value - clip[t, i, j])


@numba.njit(**FLAGS)
def _cubic(f):
    """Catmull-Rom weights of the four samples about a point that lies f behind the second."""
    half = np.float32(0.5)
    return (
        half * f * (np.float32(-1) + f * (np.float32(2) - f)),
        np.float32(1) + half * f * f * (np.float32(3) * f - np.float32(5)),
        half * f * (np.float32(1) + f * (np.float32(4) - np.float32(3) * f)),
        half * f * f * (f - np.float32(1)),
    )


@numba.njit(**FLAGS)
def _mirrored(p, size):
    p %= 2 * size
    return p if p < size else 2 * size - 1 - p
