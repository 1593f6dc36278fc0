"""Small sound files of every format: from our own writers, built by hand, cut out of real recordings where these are at hand.

A sample is made in a folder of its own; every file in it may be damaged, and what is opened is the path it returns.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import c2b
from tests import handmade_recordings as handmade

Make = Callable[[Path], Path]


def kinds() -> dict[str, str]:
    """Every format: what kind of reader takes it."""
    videos = dict.fromkeys(c2b.VIDEO_FORMATS, "video")
    captures = {f"capture.{name}": "capture" for name in c2b.CAPTURE_FORMATS if name not in _ONLY_WRITTEN}
    code_files = {f"code{suffix}": "code" for suffix in (".npy", ".npz", ".mat", ".txt", ".tif", ".png")}
    return videos | captures | code_files | {"sensor-file": "sensor", "calibration-folder": "bench"}


def samples(name: str) -> list[Make]:
    """The makers of the samples of a format; none if nothing at hand writes it."""
    if name.startswith("capture.") and name not in _MAKERS:
        return [partial(_capture, name.partition(".")[2], sensor) for sensor in _SENSORS]
    return _MAKERS.get(name, [])


def _frames(dtype: str = "uint8", top: int | None = None, shape: tuple[int, ...] = (3, 6, 8)) -> np.ndarray:
    rng = np.random.default_rng(7)
    return rng.integers(0, top or np.iinfo(dtype).max, shape, dtype, endpoint=True)


def _written(name: str, frames: np.ndarray, folder: Path, **facts: object) -> Path:
    from c2b.video.writing import write_video

    write_video(f"{folder}/{name}", frames, **facts)  # type: ignore[arg-type]
    return folder / name


def _tiff(folder: Path, **options: object) -> Path:
    import tifffile

    tifffile.imwrite(folder / "x.tif", _frames("uint16"), **options)
    return folder / "x.tif"


def _tiffs(folder: Path) -> Path:
    import tifffile

    (folder / "x").mkdir()
    for k, frame in enumerate(_frames("uint16")):
        tifffile.imwrite(folder / "x" / f"{k}.tif", frame)
    return folder / "x"


def _jpegs(folder: Path) -> Path:
    from PIL import Image

    (folder / "x").mkdir()
    for k, frame in enumerate(_frames()):
        Image.fromarray(frame).save(folder / "x" / f"{k}.jpg")
    return folder / "x"


def _bombed_png(folder: Path) -> Path:
    """Some kilobytes that claim, and hold, a picture of 30,000 x 30,000."""
    side = 30_000
    squeeze = zlib.compressobj(9)
    content = b"".join(squeeze.compress(bytes(1 + side)) for _ in range(side)) + squeeze.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", content), (b"IEND", b"")]
    (folder / "x").mkdir(exist_ok=True)
    path = folder / "x" / "1.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    )
    return folder / "x"


def _bombed_code_png(folder: Path) -> Path:
    (_bombed_png(folder) / "1.png").rename(folder / "x.png")
    return folder / "x.png"


def _bombed_npz(folder: Path) -> Path:
    """A megabyte that unpacks to one gigabyte."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (1000, 1000, 1000)})
    with zipfile.ZipFile(folder / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("code.npy", "w") as stream:
        stream.write(head.getvalue())
        for _ in range(1000):
            stream.write(bytes(1_000_000))
    return folder / "x.npz"


def _bombed_tiff(folder: Path) -> Path:
    import tifffile

    pages = (np.zeros((10_000, 10_000), np.uint8) for _ in range(8))
    tifffile.imwrite(folder / "x.tif", pages, shape=(8, 10_000, 10_000), dtype=np.uint8, compression="zlib")
    return folder / "x.tif"


def _bombed_mat(folder: Path) -> Path:
    from scipy.io import savemat

    savemat(folder / "x.mat", {"mask": np.zeros((1000, 1000, 700), np.uint8)}, do_compression=True)
    return folder / "x.mat"


def _code(name: str, folder: Path) -> Path:
    from c2b.code_files import write_code

    write_code(folder / name, _frames(top=1))
    return folder / name


def _code_mat(folder: Path, *, compressed: bool) -> Path:
    from scipy.io import savemat

    savemat(folder / "x.mat", {"mask": _frames(top=1), "meas": np.eye(3)}, do_compression=compressed)
    return folder / "x.mat"


def _code_png(folder: Path) -> Path:
    from PIL import Image

    Image.fromarray(_frames(top=1, shape=(24, 8)) * np.uint8(255)).save(folder / "x.png")
    return folder / "x.png"


#: Formats of captures that are not read as such.
_ONLY_WRITTEN = ("dng",)

_SENSORS = ("two-bucket", "two-bucket:leakage=0.02", "cep-2019:white=100", "coded-pixel")


def _capture(name: str, sensor: str, folder: Path) -> Path:
    import sensors
    from c2b import codes
    from c2b.captures import write_capture
    from sensors.spec import find

    frames = np.random.default_rng(3).random((9, 6, 9), np.float32)
    path = f"{folder}/x{find(c2b.CAPTURE_FORMATS, 'capture format', name).suffix}"
    write_capture(path, sensors.make(sensor, codes.make("impulse:tile=3")).capture(frames, seed=0))
    return Path(path)


def _levelled_dng(folder: Path) -> Path:
    """With a table, an active and a masked area, and black per place, row and column."""
    import tifffile

    tags = [(50706, 1, 4, bytes((1, 4, 0, 0))), (33421, 3, 2, (2, 2)), (33422, 1, 4, bytes((0, 1, 1, 2)))]
    tags += [(50712, 3, 256, [n * n // 2 for n in range(256)]), (50713, 3, 2, (2, 2)), (50714, 4, 4, (60, 64, 66, 70))]
    tags += [(50715, 10, 20, [1, 2] * 20), (50716, 10, 12, [-1, 3] * 12), (50717, 4, 1, 30000)]
    tags += [(50829, 4, 4, (2, 4, 14, 24)), (50830, 4, 4, (0, 0, 16, 4))]
    picture = np.arange(16 * 24, dtype=np.uint16).reshape(16, 24) % 256
    tifffile.imwrite(folder / "l.dng", picture, photometric=32803, metadata=None, extratags=[(*tag, True) for tag in sorted(tags)])
    return folder / "l.dng"


def _own(folder: Path, *, name: str) -> Path:
    """Arrays of a laboratory: what is opened holds its mask, or lies beside a sidecar that names it."""
    mask = _frames(top=1, shape=(4, 6, 9))
    arrays = {"meas": _frames("uint16", shape=(3, 6, 9)), "mask": mask}
    if name == "x.npz":
        np.savez(folder / name, **arrays)
    elif name == "z.npz":
        np.savez_compressed(folder / name, y=arrays["meas"], Phi=np.moveaxis(mask, 0, -1) * 255.0)
    else:
        np.save(folder / name, arrays["meas"])
        np.save(folder / "mask.npy", mask)
        (folder / f"{name}.json").write_text('{"code": "mask.npy", "white": 4095, "black": 64, "origin": [0, 0]}')
    return folder / name


def _dng(folder: Path) -> Path:
    return _capture("dng", "coded-pixel:white=100,bits=12,gain=0.4,full_well=9000", folder)


def _bench(folder: Path) -> Path:
    """Two stacks of darks, two of flats and a duty ramp; what is opened is the folder."""
    rng = np.random.default_rng(5)
    files = []
    for number, words in enumerate(
        [
            {"kind": "dark", "exposure": 0.01},
            {"kind": "dark", "exposure": 1.0},
            *({"kind": "flat", "exposure": 0.01, "level": level, "duty": duty} for level in (0.5, 1.0) for duty in (1, 0)),
            *({"kind": "duty", "exposure": 0.01, "level": 1, "duty": f"{m}/9"} for m in (0, 9)),
        ]
    ):
        light = 400 * float(words.get("level", 0)) * np.array([1.0, 0.05])[:: 1 if words.get("duty") in (1, "9/9") else -1]
        stack = rng.poisson(np.broadcast_to(light[:, None, None] + 64, (2, 2, 8, 8))).astype(np.uint16)
        np.save(folder / f"{number}.npy", stack)
        files.append({"file": f"{number}.npy", **words})
    (folder / "calibration.json").write_text(
        json.dumps({"sensor": "two-bucket", "bits": 12, "sub_exposures": 9, "sub_exposure": 0.001, "files": files})
    )
    return folder


def _sensor_file(folder: Path) -> Path:
    from c2b.calibration_folder import calibrate_folder
    from c2b.sensor_file import write_sensor

    (folder / "bench").mkdir()
    found = calibrate_folder(_bench(folder / "bench"))
    shutil.rmtree(folder / "bench")
    hot = np.zeros((2, 8, 8), bool)
    hot[1, 2, 3] = True
    given = {"value": 0.5, "provenance": "assumed", "source": "by hand"}
    document = {
        **found.document,
        "photometry": {"quantum_efficiency": given},
        "registration": {"row": {"offset": 3, "flipped": True}},
    }
    write_sensor(folder / "x.json", document, {"hot_pixels": hot})
    return folder / "x.json"


def _scene_mat(folder: Path) -> Path:
    from scipy.io import savemat

    savemat(folder / "x.mat", {"orig": _frames(shape=(6, 8, 3)), "mask": _frames(top=1)}, do_compression=True)
    return folder / "x.mat"


def _real(names: tuple[str, ...], folder: Path) -> Path:
    """Files of the data folder, the first being opened; a CINE is cut down to its first frame."""
    root = Path(os.environ.get("C2B_DATA") or Path(__file__).parents[3] / "shared" / "data") / "formats"
    for name in names:
        if not (root / name).exists():
            raise FileNotFoundError(name)
        content = (root / name).read_bytes()
        if name.endswith(".cine"):
            (place,) = struct.unpack_from("<q", content, struct.unpack_from("<I", content, 32)[0])
            content = content[:20] + struct.pack("<I", 1) + content[24 : place + 8 + struct.unpack_from("<I", content, 64)[0]]
        (folder / Path(name).name).write_bytes(content)
    return folder / Path(names[0]).name


def _mraw(folder: Path, bits: int, **facts: object) -> Path:
    top, dtype = (1 << min(bits, 12)) - 1, "uint8" if bits in (8, 24) else "uint16"
    shape = (3, 6, 8, 3) if bits >= 24 else (3, 6, 8)
    return handmade.write_mraw(folder / "x", _frames(dtype, min(top, 255) if bits in (8, 24) else top, shape), bits, **facts)  # type: ignore[arg-type]


def _cine(folder: Path, dtype: str = "uint16", top: int = 4095, **facts: int) -> Path:
    return handmade.write_cine(folder / "x.cine", _frames(dtype, top), **facts)


def _dump(folder: Path, pixel_format: str, each: int, **layout: object) -> Path:
    return handmade.write_dump(folder / "x.raw", bytes(range(each)) * 3, pixel_format=pixel_format, width=8, height=4, **layout)


#: Small files that hold far more than they look; opened once each and not damaged, which would only be slow.
BOMBS: dict[str, Make] = {
    "image-folder": _bombed_png,
    "tiff-stack": _bombed_tiff,
    "code.npz": _bombed_npz,
    "code.mat": _bombed_mat,
    "code.tif": _bombed_tiff,
    "code.png": _bombed_code_png,
}

_MAKERS: dict[str, list[Make]] = {
    "frame-folder": [_tiffs],
    "image-folder": [
        partial(_written, "x/", _frames()),
        partial(_written, "x/", _frames("uint16")),
        partial(_written, "x/", _frames(shape=(2, 6, 8, 3))),
        _jpegs,
    ],
    "tiff-stack": [
        partial(_written, "x.tif", _frames("uint16"), rate=25.0, record={"method": "none"}),
        partial(_written, "x.tif", _frames().astype(np.float32) / 255),
        partial(_tiff, compression="zlib", predictor=True),
        partial(_tiff, bigtiff=True, byteorder=">", tile=(16, 16)),
        partial(_tiff, imagej=True),
        partial(_tiff, ome=True),
    ],
    "npy-array": [
        partial(_written, "x.npy", _frames()),
        partial(_written, "x.npy", _frames().astype(np.float32) / 255),
        partial(_written, "x.npy", _frames("uint16", shape=(2, 6, 8, 3))),
    ],
    "container": [partial(_written, name, _frames(shape=(3, 16, 16))) for name in ("x.mkv", "x.avi", "x.mp4", "x.mov")],
    "dng": [_dng, _levelled_dng],
    "sci-scene": [_scene_mat],
    "capture.own-measurement": [partial(_own, name=name) for name in ("x.npz", "z.npz", "x.npy")],
    "sensor-file": [_sensor_file],
    "calibration-folder": [_bench],
    "photron-mraw": [
        *(partial(_mraw, bits=bits) for bits in (8, 10, 12, 16)),
        partial(_mraw, bits=16, text=True, side="Higher"),
        partial(_mraw, bits=24, colour="Color"),
        partial(_real, ("photron/beam.cihx", "photron/beam.mraw")),
    ],
    "phantom-cine": [
        _cine,
        partial(_cine, dtype="uint8", top=255, version=0),
        partial(_cine, packing=256, top=1023, compression=2, cfa=3, bits=10),
        partial(_cine, packing=1024, bits=12, black=64, white=4064),
        partial(_cine, length=900),
        partial(_real, ("phantom/cine_781.cine",)),
        partial(_real, ("phantom/cine_legacy.cine",)),
    ],
    "norpix-seq": [
        lambda folder: handmade.write_seq(folder / "x.seq", _frames()),
        lambda folder: handmade.write_seq(folder / "x.seq", _frames("uint16", 4095), version=4, allocated=0),
        partial(_real, ("norpix/sample_norpix6.seq",)),
    ],
    "packed-dump": [
        partial(_dump, pixel_format="Mono12p", each=48),
        partial(_dump, pixel_format="Mono10Packed", each=71, stride=13, frame_header=8, frame_trailer=11),
        partial(_dump, pixel_format="BayerRG10p", each=40, header_bytes=40),
        partial(_dump, pixel_format="Mono16", each=64, endianness="big"),
        partial(_dump, pixel_format="RGB8", each=96),
    ],
    "code.npy": [partial(_code, "x.npy")],
    "code.npz": [partial(_code, "x.npz")],
    "code.mat": [partial(_code_mat, compressed=False), partial(_code_mat, compressed=True)],
    "code.txt": [partial(_code, "x.txt")],
    "code.tif": [_tiff, partial(_tiff, compression="zlib")],
    "code.png": [_code_png],
}
