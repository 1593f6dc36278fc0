"""Short clips without end to learn from: crops of real film, and photographs set in procedural motion.

Film teaches what the world does; there is never enough of it. A photograph teaches as much about texture, and motion can be given to
it: a camera that moves, turns and zooms, and convex objects cut from other photographs that pass by on their own ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from sensors.kernel import FLAGS
from sensors.refusal import Refusal
from sensors.sensor import white_of

#: Speeds in pixels per frame are drawn log-uniformly between these; a share of cameras and objects stands still.
SLOWEST, FASTEST, STANDING = 0.05, 6.0, 0.25

#: Largest rotation (degrees) and zoom (part) per frame.
TURN, ZOOM = 1.5, 0.01

#: Objects that pass in front of a photograph, at most; corners of an object.
OBJECTS, CORNERS = 3, (3, 9)

#: Film is run so many times faster at most, by leaving out frames.
SKIP = 3

#: Contrast and brightness: stored values are multiplied by a factor between these, and clipped.
GAINS = (0.5, 1.3)

#: Half planes of a picture that fills the clip.
NO_EDGE = np.empty((0, 3), np.float32)


class Clips:
    """Draws clips from film and photographs.

    Parameters
    ----------
    videos : iterable of array_like, (F, H, W)
        Stored values: uint8, uint16, or floats with 1 = white. One of a single frame is a photograph.
    frames : int
        T, the length of a clip.
    size : (int, int)
        Rows and columns of a clip.
    photographs : float
        The share of clips drawn from photographs; all of them where there is no film, none where there is no photograph.

    Raises
    ------
    Refusal
        If nothing is long and large enough to draw from.
    """

    def __init__(self, videos: Iterable[Any], frames: int, size: tuple[int, int], *, photographs: float = 0.5) -> None:
        every = [video for video in videos if min(video.shape[-2:]) >= max(size)]
        self.film: Sequence[Any] = [video for video in every if len(video) >= frames]
        self.photographs: Sequence[Any] = [video for video in every if len(video) == 1]
        if not self.film and not self.photographs:
            raise Refusal(f"no video of {frames} frames or more, and no photograph, is {max(size)} pixels high and wide")
        share = photographs if self.photographs else 0.0
        self.share = share if self.film else 1.0
        self.frames = frames
        self.size = size

    def draw(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """One clip (T, h, w) of stored values in [0, 1]; flipped, transposed, reversed and made brighter or darker at random."""
        clip = self._photograph(rng) if rng.random() < self.share else self._film(rng)
        clip = clip[:: rng.choice((1, -1)), :: rng.choice((1, -1)), :: rng.choice((1, -1))]
        if self.size[0] == self.size[1] and rng.random() < 0.5:
            clip = clip.transpose(0, 2, 1)
        return np.clip(clip * np.float32(rng.uniform(*GAINS)), 0, 1)

    def _film(self, rng: np.random.Generator) -> NDArray[np.float32]:
        video = self.film[int(rng.integers(len(self.film)))]
        skip = int(rng.integers(1, min(SKIP, (len(video) - 1) // max(self.frames - 1, 1)) + 1)) if self.frames > 1 else 1
        first = rng.integers(len(video) - skip * (self.frames - 1))
        top, left = (rng.integers(whole - part + 1) for whole, part in zip(video.shape[-2:], self.size, strict=True))
        run = video[first : first + skip * (self.frames - 1) + 1 : skip, top : top + self.size[0], left : left + self.size[1]]
        return _stored(run)

    def _photograph(self, rng: np.random.Generator) -> NDArray[np.float32]:
        clip = np.zeros((self.frames, *self.size), np.float32)
        for number in range(rng.integers(1, OBJECTS + 2)):
            picture = self._picture(rng)
            _warp(picture, self._path(rng, picture.shape), _polygon(rng, self.size) if number else NO_EDGE, clip)
        return clip

    def _picture(self, rng: np.random.Generator) -> NDArray[np.float32]:
        return np.ascontiguousarray(_stored(self.photographs[int(rng.integers(len(self.photographs)))])[0])

    def _path(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Per frame the matrix (2, 3) from pixels, counted from the middle of the clip, to pixels of the picture of that shape,
        about a random place of it; the motion accelerates a little."""
        moving = rng.random() >= STANDING
        speed = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST))) * moving
        heading = rng.uniform(0, 2 * np.pi)
        turn = np.deg2rad(rng.normal(0, TURN / 3)) * moving
        zoom = rng.normal(0, ZOOM / 3) * moving
        time = np.arange(self.frames) - (self.frames - 1) / 2
        time = time * (1 + rng.uniform(-0.5, 0.5) * time / max(self.frames, 1))
        scale = np.exp(rng.uniform(np.log(0.7), np.log(1.5))) * np.exp(zoom * time)
        angle = rng.normal(0, 0.1) + turn * time
        place = rng.uniform(0.1, 0.9, 2) * shape  # of the middle; beyond the picture its mirror image goes on
        matrices = np.empty((self.frames, 2, 3), np.float64)
        matrices[:, 0, 0] = matrices[:, 1, 1] = scale * np.cos(angle)
        matrices[:, 0, 1], matrices[:, 1, 0] = -scale * np.sin(angle), scale * np.sin(angle)
        matrices[:, 0, 2], matrices[:, 1, 2] = speed * np.cos(heading) * time, speed * np.sin(heading) * time
        matrices[:, :, 2] += place
        return matrices.astype(np.float32)


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
