"""Videos x cameras x methods: every exposure of every video, reconstructed and scored against the frames that it saw.

A cell is one video by one camera through one method. All that decides its numbers goes into a digest, so that a cell known from
before need not be computed again. The methods of a camera share its captures; one exposure at a time is in memory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import c2b
import recon
from c2b import streaming
from c2b.camera import Camera
from c2b.camera_grid import CameraGrid
from c2b.comparison_table import Row, read_rows, write_rows
from c2b.source import Source, facts, part_text, place_and_time
from c2b.video.recording import Recording
from recon.demosaicing import demosaic
from recon.metrics import Score, score
from recon.reconstructor import Reconstructor
from sensors import spec
from sensors.colour_filter import PATTERNS
from sensors.refusal import Refusal
from sensors.response import make as make_response


@dataclass(frozen=True)
class Cell:
    """One video by one camera through one method."""

    video: str
    camera: Camera
    method: str
    exposures: int
    digest: str


@dataclass
class Comparison:
    """What is compared, and how it is scored.

    Parameters
    ----------
    videos : mapping of str to Source
        Name to the recording, or the part of it that counts.
    grid : CameraGrid
    methods : mapping of str to Reconstructor
    seed : int
        Of the noise.
    protocol : str
        Of `recon.metrics.PROTOCOLS`.

    Attributes
    ----------
    left_out : dict of (str, str) to None
        What does not go together and why, in the order in which it was found.
    computed : int
        How many rows `run` had to compute.
    """

    videos: Mapping[str, Source]
    grid: CameraGrid
    methods: Mapping[str, Reconstructor]
    seed: int = 0
    protocol: str = ""
    left_out: dict[tuple[str, str], None] = field(default_factory=dict)
    computed: int = 0

    def run(self, file: Path | None = None, progress: streaming.Progress | None = None) -> list[Row]:
        """The rows of all cells; with ``file``, a CSV that grows row by row and whose rows are not computed again.

        Raises
        ------
        Refusal
            If a video cannot be opened, nothing goes together, or the file is not such a CSV.
        """
        known = read_rows(file) if file else {}
        cells = self.cells()
        new = [cell for cell in cells if cell.digest not in known]
        steps: Iterable[Row | None] = self.rows(new)
        if progress:
            count = sum({(cell.video, cell.camera): cell.exposures for cell in new}.values()) + len(new)
            steps = progress(steps, count, "compare")
        for row in filter(None, steps):
            self.computed += 1
            known[row.digest] = row
            if file:
                file.parent.mkdir(exist_ok=True)
                write_rows(file, known.values())
        if found := [known[cell.digest] for cell in cells if cell.digest in known]:
            return found
        what, why = next(iter(self.left_out))
        raise Refusal(f"nothing here goes together; {what}: {why}")

    def cells(self) -> list[Cell]:
        """All that goes together, as far as the headers of the videos tell.

        Raises
        ------
        Refusal
            If a video cannot be opened.
        """
        found: list[Cell] = []
        for name, source in self.videos.items():
            with source.open() as video:
                told, frames, cameras = facts(video), len(video), self.grid.cameras(video, self.leave_out)
            for camera in cameras:
                try:
                    exposures = camera.chip.exposures_in(frames)
                except Refusal as reason:
                    self.leave_out(f"{name}, {camera.name}", reason)
                    continue
                found += (
                    Cell(name, camera, method, exposures, self._digest(told, camera, method)) for method in self._serving(camera)
                )
        return [*{cell.digest: cell for cell in found}.values()]

    def rows(self, cells: Iterable[Cell]) -> Iterator[Row | None]:
        """None after each exposure, and a row when it is complete."""
        for (name, camera), group in groupby(cells, lambda cell: (cell.video, cell.camera)):
            running = {cell: _Running() for cell in group}
            with self.videos[name].open() as video:
                try:
                    yield from self._exposures(video, camera, running)
                except Refusal as reason:
                    self.leave_out(f"{name}, {camera.name}", reason)
                    continue
                yield from (self._row(cell, video, state) for cell, state in running.items())

    def leave_out(self, what: str, why: object) -> None:
        """Note, once, what does not go together."""
        self.left_out[what, str(why)] = None

    def _serving(self, camera: Camera) -> Iterator[str]:
        """The methods that can serve a camera, under each code of its cycle."""
        for name, method in self.methods.items():
            reasons = (method.refusal(camera.chip.at(n)) for n in range(camera.chip.codes))
            if reason := next(filter(None, reasons), ""):
                self.leave_out(f"{camera.sensor}, {camera.code}, {name}", reason)
            else:
                yield name

    def _exposures(self, video: Recording, camera: Camera, running: dict[Cell, _Running]) -> Iterator[None]:
        """Take, reconstruct and score one exposure after another; a method that refuses one is not asked again."""
        encode = make_response(video.response).encode
        for capture, light in streaming.exposures(video, camera.chip, seed=self.seed):
            truth = encode(demosaic(light, video.colour) if video.colour in PATTERNS else light)
            for cell, state in list(running.items()):
                try:
                    started = process_time()
                    made = self.methods[cell.method].reconstruct(capture)[0]
                    state.seconds += process_time() - started
                    state.scores.append(score(encode(made), truth, protocol=self.protocol))
                except Refusal as reason:
                    self.leave_out(f"{cell.video}, {camera.name}, {cell.method}", reason)
                    del running[cell]
            yield None
            if not running:
                return

    def _row(self, cell: Cell, video: Recording, state: _Running) -> Row:
        camera, rules = cell.camera, state.scores[0].conventions
        return Row(
            video=cell.video,
            sensor=camera.sensor,
            code=camera.code,
            mask=camera.mask,
            readout=camera.readout,
            light=camera.chip.readout.white,
            method=cell.method,
            psnr=_mean(one.psnr for one in state.scores),
            ssim=_mean(one.ssim for one in state.scores),
            middle_psnr=_mean(one.per_frame[len(one.per_frame) // 2]["psnr"] for one in state.scores),
            ssim_range_2=state.scores[0].ssim_range_2 and _mean(one.ssim_range_2 for one in state.scores),
            cpu_seconds=round(state.seconds, 4),
            exposures=cell.exposures,
            frames=camera.chip.frames,
            part=part_text(video),
            height=video.height,
            width=video.width,
            colour=video.colour,
            response=video.response,
            seed=self.seed,
            protocol=self.protocol,
            psnr_of=rules["psnr"],
            ssim_window=rules["ssim_window"],
            clipped=rules["clipped"],
            sensor_digest=camera.chip.digest,
            digest=cell.digest,
            c2b=c2b.__version__,
        )

    def _digest(self, light: Mapping[str, Any], camera: Camera, method: str) -> str:
        words = spec.parse(method.removesuffix(recon.CONSISTENT))[1].values()
        files = [place_and_time(Path(word)) for word in words if Path(word).exists()]
        names = [camera.sensor, camera.code, camera.readout, method]
        told = [c2b.__version__, light, camera.chip.digest, names, files, self.seed, self.protocol]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass
class _Running:
    """What a cell has gathered so far."""

    scores: list[Score] = field(default_factory=list)
    seconds: float = 0.0


def _mean(values: Iterable[Any]) -> float:
    return float(np.mean([*values]))
