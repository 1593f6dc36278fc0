"""Captures in the formats of others: what a format can hold comes back to the last bit, and what it cannot is said."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

import sensors
from c2b import code_files, codes
from c2b.captures import CodeMissing, format_named, format_of, mat_file, read_capture, write_capture
from c2b.cli import main
from c2b.video.recording import open_recording
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.timing import Timing
from sensors.two_bucket import TwoBucket
from tests.stored_data import data

H, W, T, N = 12, 20, 5, 3
NOISY = Readout(white=50, full_well=(900, 800), read_noise=(2, 3), gain=0.5, black_level=(16, 20), bits=12, serial=3)


def scene(frames=N * T, dtype=np.uint8):
    video = np.random.default_rng(1).integers(0, 256, (frames, H, W))
    return video.astype(dtype)


def mask(seed=2, grey=False):
    values = np.random.default_rng(seed).random((T, H, W), np.float32)
    return values if grey else (values < 0.5).astype(np.uint8)


def two_bucket(readout=NOISY, **settings):
    sensor = TwoBucket(codes.make("bump:frames=5,tile=[2,3],length=2"), readout=readout, **settings)
    return sensor.capture(scene(sensor.period * (N - 1) + T).astype(np.float32) / 255, seed=4)


def coded_pixel(code=None, video=None):
    return sensors.make("coded-pixel", mask() if code is None else code).capture(scene() if video is None else video, seed=0)


def same(one, other):
    assert one.images.dtype == other.images.dtype and np.array_equal(one.images, other.images)
    assert one.sensor.digest == other.sensor.digest and one.record == other.record


def last(frames):
    """Time last, as MATLAB has it."""
    return np.moveaxis(frames, 0, -1)


# npz, HDF5 -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[".npz", ".h5"])
def exact(request):
    if request.param == ".h5":
        pytest.importorskip("h5py")
    return request.param


@pytest.mark.parametrize(
    "take", [two_bucket, coded_pixel, lambda: two_bucket(leakage=np.full((2, H, W), 0.01), timing=Timing(0.1, 1))]
)
def test_exact_formats_give_back_every_bit_from_any_format(tmp_path, take, exact):
    capture = take()
    write_capture(tmp_path / f"a{exact}", capture)
    same(read_capture(tmp_path / f"a{exact}"), capture)
    for name in ("b.c2b.ome.tif", f"c{exact}"):
        write_capture(tmp_path / name, read_capture(tmp_path / f"a{exact}"))
        same(read_capture(tmp_path / name), capture)
    assert isinstance(read_capture(tmp_path / name).images, np.memmap)


def test_an_archive_is_opened_by_numpy_without_pickle(tmp_path):
    write_capture(tmp_path / "a.npz", two_bucket())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["meas"], two_bucket().images) and np.array_equal(arrays["code"], two_bucket().sensor.code)
        assert json.loads(arrays["document.json"])["buckets"][0] == {"index": 0, "active_when_code": 1}


def test_a_code_in_an_archive_is_not_taken_for_a_capture(tmp_path):
    np.savez(tmp_path / "mask.npz", code=mask())
    assert format_of(tmp_path / "mask.npz") is None and format_named("mask.npz") is not None
    with pytest.raises(Refusal, match=r"no document\.json"):
        read_capture(tmp_path / "mask.npz")
    write_capture(tmp_path / "a.npz", coded_pixel())
    assert format_of(tmp_path / "a.npz") and np.array_equal(codes.make(str(tmp_path / "a.npz")), mask())


def test_a_changed_byte_of_an_exact_file_is_noticed_or_does_not_matter(tmp_path, exact):
    capture, path = two_bucket(), tmp_path / f"a{exact}"
    write_capture(path, capture)
    whole, rng, noticed = path.read_bytes(), np.random.default_rng(0), 0
    for place in rng.integers(0, len(whole), 150):
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(content)
        try:
            same(read_capture(path), capture)
        except Refusal as error:
            assert "\n" not in str(error) and str(path) in str(error)
            noticed += 1
    assert noticed > 40


def test_a_file_cut_short_is_refused(tmp_path, exact):
    path = tmp_path / f"a{exact}"
    write_capture(path, two_bucket())
    whole = path.read_bytes()
    for length in [*range(0, 40, 7), *np.linspace(40, len(whole) - 1, 30).astype(int)]:
        path.write_bytes(whole[:length])
        with pytest.raises(Refusal):
            read_capture(path)


def test_a_file_is_not_damaged_by_a_write_that_fails(tmp_path, exact):
    path = tmp_path / f"a{exact}"
    write_capture(path, two_bucket())
    before = path.read_bytes()
    with pytest.raises(Refusal, match="announced"):
        format_named(path).write(path, two_bucket().sensor, iter(two_bucket().images[:2]), N, {})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


# SCI .mat --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[".mat", ".v73.mat"])
def mat(request):
    if request.param == ".v73.mat":
        pytest.importorskip("h5py")
    return request.param


@pytest.mark.parametrize("grey", [False, True])
def test_a_snapshot_compressive_file_comes_back(tmp_path, mat, grey):
    capture = coded_pixel(mask(grey=grey))
    write_capture(tmp_path / f"a{mat}", capture, orig=scene())
    again = read_capture(tmp_path / f"a{mat}")
    assert np.array_equal(again.images, capture.images) and again.images.dtype == capture.images.dtype
    assert again.sensor.digest == capture.sensor.digest and again.white == 255
    assert np.array_equal(again.charge, capture.charge) and again.record["frame_index"] == capture.record["frame_index"]
    assert "not normalised; mask is bucket 0" in again.record["convention"]
    with open_recording(tmp_path / f"a{mat}") as truth:
        assert np.array_equal(truth[:], scene()) and truth.white == 255


def test_matlab_versions_hold_the_same_arrays(tmp_path):
    h5py = pytest.importorskip("h5py")
    content = {"meas": last(scene(N, np.uint16)), "mask": last(mask()).astype(bool), "calibrated": last(mask(grey=True))}
    mat_file.write_v5(tmp_path / "a.mat", content)
    mat_file.write_v73(tmp_path / "b.mat", content)
    found = loadmat(tmp_path / "a.mat")
    assert all(np.array_equal(found[name], array) for name, array in content.items())
    shapes = {"meas": (H, W, N), "mask": (H, W, T), "calibrated": (H, W, T)}
    assert mat_file.contents(tmp_path / "a.mat") == mat_file.contents(tmp_path / "b.mat") == shapes
    for path in (tmp_path / "a.mat", tmp_path / "b.mat"):
        assert all(np.array_equal(array, content[name]) for name, array in mat_file.arrays(path, tuple(content)).items())
    with h5py.File(tmp_path / "b.mat") as file:
        assert file.userblock_size == 512 and file["meas"].shape == (N, W, H)
        classes = {name: file[name].attrs["MATLAB_class"] for name in file}
        assert classes == {"meas": b"uint16", "mask": b"logical", "calibrated": b"single"}
    head = (tmp_path / "b.mat").read_bytes()[:128]
    assert head.startswith(b"MATLAB 7.3 MAT-file") and head[124:] == b"\x00\x02IM"


@pytest.mark.parametrize("version", [mat_file.write_v5, mat_file.write_v73])
def test_arrays_of_any_form_are_understood(tmp_path, version):
    if version is mat_file.write_v73:
        pytest.importorskip("h5py")
    capture, path = coded_pixel(), tmp_path / "a.mat"
    meas = last(capture.images[:, 0])
    version(path, {"meas": meas[..., 0], "mask": last(mask())})  # one measurement, two axes
    assert np.array_equal(read_capture(path).images, capture.images[:1])
    version(path, {"meas_bayer": meas, "mask_bayer": last(mask()), "orig_bayer": last(scene())})
    bayer = read_capture(path)
    assert bayer.sensor.colour == "rggb" and bayer.white == 255 and np.array_equal(bayer.images, capture.images)
    write_capture(tmp_path / "again.mat", bayer)
    assert mat_file.contents(tmp_path / "again.mat").keys() == {"meas_bayer", "mask_bayer", "white"}
    assert read_capture(tmp_path / "again.mat").sensor.digest == bayer.sensor.digest
    assert open_recording(path).colour == "rggb" and np.array_equal(open_recording(path)[:], scene())
    version(path, {"measO": meas[..., 0], "measR": meas[..., 1], "rnd_mask": last(mask(3)), "opt_mask": last(mask(4))})
    pair = read_capture(path)
    assert np.array_equal(pair.sensor.code, np.stack([mask(4), mask(3)])) and np.array_equal(pair.images, capture.images[:2])
    version(path, {"mask": last(mask())})
    assert format_of(path) is None and np.array_equal(codes.make(str(path)), mask())


def test_white_is_that_of_the_frames_or_the_least_that_explains_the_measurement(tmp_path):
    path = tmp_path / "a.mat"
    for frames, white in ((scene(), 255), (scene(dtype=np.float64), 255), (scene() / 255, 1), (scene().astype(np.uint16), 65535)):
        savemat(path, {"meas": last(coded_pixel(video=frames).images[:, 0]), "mask": last(mask()), "orig": last(frames)})
        assert read_capture(path).white == white
    flat = np.full((T, H, W), 40, np.uint8)
    savemat(path, {"meas": last(coded_pixel(video=flat).images[:, 0]), "mask": last(mask())})
    assert read_capture(path).white == 40 and "assumed" in read_capture(path).record["provenance"]["white"]


def test_a_mask_above_one_keeps_the_charge(tmp_path):
    """meas = sum of mask orig holds for any unit of the mask; a code lies in [0, 1]."""
    meas = (mask() * 4.0 * scene(T)).sum(0)
    savemat(tmp_path / "a.mat", {"meas": meas, "mask": last(mask() * 4.0), "orig": last(scene(T))})
    capture = read_capture(tmp_path / "a.mat")
    assert np.array_equal(capture.sensor.code, mask())
    assert np.allclose(capture.charge[0], capture.sensor.expose(scene(T).astype(np.float32) / 255))


def test_a_measurement_without_mask_needs_its_code(tmp_path):
    savemat(tmp_path / "a.mat", {"meas": last(coded_pixel().images[:, 0])})
    with pytest.raises(CodeMissing, match=r"meas 12x20x3 and no mask; .* --code"):
        read_capture(tmp_path / "a.mat")
    assert np.array_equal(read_capture(tmp_path / "a.mat", code=mask()).sensor.code, mask())


def test_one_bucket_of_two_has_the_mask_of_its_light(tmp_path):
    capture = two_bucket(Readout(), leakage=(0.1, 0.2))
    with pytest.raises(Refusal, match="2 buckets and the format holds one"):
        write_capture(tmp_path / "a.mat", capture)
    for bucket in (0, 1):
        write_capture(tmp_path / "a.mat", capture, bucket=bucket)
        again = read_capture(tmp_path / "a.mat")
        assert np.array_equal(again.images[:, 0], capture.images[:, bucket])
        video = scene(T).astype(np.float32)
        assert np.allclose(again.sensor.expose(video)[0], capture.sensor.expose(video)[bucket], rtol=1e-5)


def test_a_noisy_capture_becomes_charge(tmp_path):
    write_capture(tmp_path / "a.mat", two_bucket(), bucket=1)
    assert np.array_equal(read_capture(tmp_path / "a.mat").charge[:, 0], two_bucket().charge[:, 1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"meas": np.zeros((H, W, N, 2)), "mask": last(mask())}, r"needed: \(H, W, N\)"),
        ({"meas": np.ones((H, W + 1)), "mask": last(mask())}, "of one size"),
        ({"meas": np.zeros((H, W)), "mask": last(mask())}, "dark"),
        ({"meas": np.full((H, W), np.nan), "mask": last(mask())}, "not finite"),
        ({"meas": np.ones((H, W)), "mask": -last(mask(grey=True))}, "code values"),
        ({"measA": np.ones((H, W)), "measB": np.ones((H, W)), "mask_a": np.ones((H, W, 3)), "x_mask": last(mask())}, "no mask"),
        ({"other": np.ones((H, W))}, "needed: meas"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, content, said):
    savemat(tmp_path / "a.mat", content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(Refusal, match=said):
            read_capture(tmp_path / "a.mat")


def test_damaged_matlab_files_are_refused_in_one_line(tmp_path, mat):
    path = tmp_path / f"a{mat}"
    write_capture(path, coded_pixel(), orig=scene())
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for round_ in range(120):
        content = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 4000), 3):
            content[place] = int(rng.integers(256))
        path.write_bytes(content[: int(rng.integers(len(whole)))] if round_ % 3 == 0 else content)
        for opened in (read_capture, open_recording, codes.make):
            try:
                opened(str(path))
            except Refusal as error:
                assert "\n" not in str(error) and str(path) in str(error)


def test_a_size_that_no_file_can_have_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file.create_dataset("meas", (40000, 40000, 8), np.float64, chunks=(64, 64, 1), compression="gzip")
    with pytest.raises(Refusal, match="claims 102400 MB"):
        read_capture(tmp_path / "a.mat", code=mask())
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file["meas"] = h5py.ExternalLink("elsewhere.h5", "meas")
    with pytest.raises(Refusal):
        read_capture(tmp_path / "b.mat", code=mask())


# Bucket PNG pairs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("readout", [NOISY, replace(NOISY, bits=8, gain=0.1)])
def test_pairs_that_we_wrote_come_back(tmp_path, readout):
    capture = two_bucket(readout, leakage=np.full((2, H, W), 0.02))
    write_capture(f"{tmp_path}/pairs/", capture)
    same(read_capture(tmp_path / "pairs"), capture)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "pairs" / "bucket1_0002.png")), capture.images[2, 0])
    assert (loadmat(tmp_path / "pairs" / "BlackIms.mat")["blackLvl"] == np.array([16, 20]).reshape(2, 1, 1)).all()
    Image.fromarray(np.zeros((H, W), np.uint8)).save(tmp_path / "pairs" / "bucket2_0001.png")
    with pytest.raises(Refusal, match=r"pairs (is|holds|.* damaged)"):
        read_capture(tmp_path / "pairs")


def pairs(folder, images, name="bucket{}_{}.png"):
    folder.mkdir()
    for number, image in enumerate(images):
        for bucket in (0, 1):
            Image.fromarray(image[bucket]).save(folder / name.format(bucket + 1, number))
    return folder


@pytest.mark.parametrize("name", ["bucket{}_{}.png", "bucket{} {}.png", "bucket{}_{:04}.png"])
def test_pairs_of_others_need_a_code_and_name_their_order(tmp_path, name):
    images = np.random.default_rng(0).integers(1, 200, (12, 2, H, W)).astype(np.uint8)
    folder, code = pairs(tmp_path / "p", images, name), mask()
    with pytest.raises(CodeMissing, match="--code"):
        read_capture(folder)
    capture = read_capture(folder, code=code)
    assert np.array_equal(capture.images, images) and capture.record["convention"].endswith("while the code is 1")
    swapped = read_capture(folder, code=code, swap=True)
    assert np.array_equal(swapped.images, images[:, ::-1]) and swapped.record["convention"].endswith("while the code is 0")
    np.save(folder / "code.npy", code)
    (folder / "capture.json").write_text('{"code": "code.npy", "bucket1_active_when_code": 0, "white": 30}')
    assert np.array_equal(read_capture(folder).images, images[:, ::-1]) and read_capture(folder).white == 30


@pytest.mark.parametrize("pages_first", [True, False])
def test_dummies_are_cut_and_the_black_level_subtracted(tmp_path, pages_first):
    rng = np.random.default_rng(0)
    images = rng.integers(50, 200, (2, 2, 176, 288)).astype(np.uint8)
    black = rng.random((2, 176, 288)) * 40
    folder = pairs(tmp_path / "p", images)
    savemat(folder / "blacklevel.mat", {"blacklvl": black if pages_first else last(black), "blackstd": black})
    capture = read_capture(folder, code=codes.make("impulse"), swap=True)
    expected = images[:, ::-1, 0:160, 10:248] - black[::-1, 0:160, 10:248].astype(np.float32)
    assert np.array_equal(capture.images, expected) and capture.record["cut"] == [0, 10, 160, 238]
    assert "blacklevel.mat" in capture.record["black_level"]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [("{", "damaged"), ("[]", "damaged"), ('{"code": 3}', "--code"), ('{"code": "impulse", "rows": [3, 99]}', "beyond"),
     ('{"code": "impulse", "white": 0}', "above 0"), ('{"code": "impulse", "columns": "all"}', "columns is"), ('{"code": "no"}', "no")],
)  # fmt: skip
def test_a_wrong_sidecar_is_refused(tmp_path, sidecar, said):
    folder = pairs(tmp_path / "p", np.full((1, 2, H, W), 9, np.uint8))
    (folder / "capture.json").write_text(sidecar)
    with pytest.raises(Refusal, match=said):
        read_capture(folder)


def test_a_pair_that_lacks_one_is_refused(tmp_path):
    folder = pairs(tmp_path / "p", np.full((2, 2, H, W), 9, np.uint8))
    (folder / "bucket2_1.png").unlink()
    with pytest.raises(Refusal, match=r"bucket2_1\.png is missing"):
        read_capture(folder, code=mask())
    with pytest.raises(Refusal, match="8 or 16 bit"):
        write_capture(f"{tmp_path}/q/", two_bucket(Readout()))
    assert not (tmp_path / "q").exists()


# Mask stacks -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("camera", "size"), [("t6", (320, 320)), ("t7", (480, 640))])
def test_a_mask_stack_comes_back_as_the_tile_over_the_chip(tmp_path, camera, size):
    code = codes.make("bump:frames=6,tile=[3,7],length=2")
    path = tmp_path / "a.bmp"
    code_files.write_code(path, code, camera=camera)
    rows, columns = (np.arange(length) % tile for length, tile in zip(size, (3, 7), strict=True))
    again = code_files.read_code(path)
    assert np.array_equal(again, code[:, rows][:, :, columns])
    picture = np.asarray(Image.open(path))
    assert picture.dtype == bool and picture.shape == (6 * size[0], 1024 if camera == "t7" else 320)
    assert np.array_equal(picture[size[0] - 1 if camera == "t7" else 0, : size[1]], again[0, 0])
    code_files.write_code(tmp_path / "b.bmp", again, camera=camera)
    assert (tmp_path / "b.bmp").read_bytes() == path.read_bytes()


def test_square_masks_need_no_camera_and_others_do(tmp_path):
    code_files.write_code(tmp_path / "a.bmp", codes.make("impulse:tile=5"))
    assert np.array_equal(codes.make(str(tmp_path / "a.bmp")), codes.make("impulse:tile=5"))
    for code, camera, said in (
        (mask(), "", "needs a camera"),
        (mask(grey=True), "t7", "zeros and ones"),
        (mask(), "t8", "known: t6, t7"),
        (np.ones((1, 481, 2)), "t7", "do not fit"),
    ):
        with pytest.raises(Refusal, match=said):
            code_files.write_code(tmp_path / "b.bmp", code, camera=camera)
    Image.fromarray(np.zeros((31, 7), np.uint8)).save(tmp_path / "c.bmp")
    with pytest.raises(Refusal, match="31x7"):
        codes.make(str(tmp_path / "c.bmp"))
    with pytest.raises(Refusal, match="480 rows of 1024 or 640"):
        code_files.read_code(tmp_path / "a.bmp", camera="t7")
    assert len(list(tmp_path.iterdir())) == 2


def test_masks_are_read_from_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mask"], file["other"] = mask(grey=True), [1]
    assert np.array_equal(codes.make(str(tmp_path / "a.h5")), mask(grey=True))


def test_a_mask_stored_as_0_and_255_is_a_binary_code(tmp_path):
    for scaled in (mask() * 255.0, mask() * np.float32(255), mask() * np.uint8(255)):
        savemat(tmp_path / "m.mat", {"mask": last(scaled)})
        found = code_files.read_code(tmp_path / "m.mat")
        assert np.array_equal(found, mask()) and found.dtype == np.uint8
    savemat(tmp_path / "m.mat", {"mask": last(mask() * 254.5)})
    with pytest.raises(Refusal, match=r"values up to 254\.5"):
        code_files.read_code(tmp_path / "m.mat")
    savemat(tmp_path / "m.mat", {"mask": last(mask())[..., 0]})
    with pytest.raises(Refusal, match=r"holds mask 12x20; needed: mask \(H, W, T\)"):
        code_files.read_code(tmp_path / "m.mat")


# DNG -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mosaic", ["", "rggb", "gbrg"])
def test_a_dng_is_read_by_libraw(tmp_path, mosaic):
    rawpy = pytest.importorskip("rawpy")
    sensor = two_bucket(timing=Timing(0.002), colour="rggb" if mosaic else "mono").sensor
    sensor = replace(sensor, origin=(mosaic == "gbrg", 0))  # the mosaic of a picture begins where the picture does
    capture = sensor.capture(
        np.random.default_rng(0).random((2 * T, 30, 46), np.float32), seed=0
    )  # LibRaw knows none below 22x22
    write_capture(tmp_path / "a.dng", capture, exposure=1, bucket=1)
    with rawpy.imread(str(tmp_path / "a.dng")) as raw:
        assert np.array_equal(raw.raw_image, capture.images[1, 1])
        assert set(raw.black_level_per_channel) == {20} and raw.white_level == 4095
        if mosaic:
            letters = [raw.color_desc.decode()[number].lower() for number in raw.raw_pattern.ravel()]
            assert "".join(letters) == mosaic
    with open_recording(tmp_path / "a.dng") as picture:
        assert np.array_equal(picture[0], capture.images[1, 1])
        assert (picture.black, picture.white, picture.shutter) == (20, 4095, 0.01) and picture.colour == (mosaic or "mono")


def test_a_companded_capture_is_linear_in_its_dng(tmp_path):
    rawpy = pytest.importorskip("rawpy")
    readout = Readout(white=400, read_noise=2, bits=12, black_level=20, gain=4, companded_bits=8)
    video = np.random.default_rng(0).random((T, 30, 46), np.float32)
    capture, converted = (two_bucket(how).sensor.capture(video, seed=0) for how in (readout, replace(readout, companded_bits=None)))
    write_capture(tmp_path / "a.dng", capture, bucket=1)
    with open_recording(tmp_path / "a.dng") as picture, rawpy.imread(str(tmp_path / "a.dng")) as raw:
        assert np.array_equal(picture[0], raw.raw_image) and len(np.unique(picture[0])) > 20
        assert (picture.black, picture.white) == (20, 4095) and raw.white_level == 4095
        rounding = picture[0].astype(float) - converted.images[0, 1]
        assert 1 < np.abs(rounding).max() < 32 and abs(rounding.mean()) < 1


def test_the_noise_profile_is_the_variance_of_the_readout(tmp_path):
    import tifffile

    flat = TwoBucket(codes.make("long:frames=1"), readout=replace(NOISY, white=400, full_well=None))
    capture = flat.capture(np.full((1, 90, 110), 0.5, np.float32), seed=0)
    write_capture(tmp_path / "a.dng", capture, bucket=0)
    with tifffile.TiffFile(tmp_path / "a.dng") as tiff:
        slope, offset = tiff.pages[0].tags[51041].value
    normal = (capture.images[0, 0] - 16.0) / (4095 - 16)
    assert normal.var() == pytest.approx(slope * normal.mean() + offset, rel=5 * np.sqrt(2 / normal.size))


def test_a_dng_holds_one_picture_of_a_converter(tmp_path):
    for capture, how, said in (
        (two_bucket(), {}, "--exposure 0"),
        (two_bucket(), {"exposure": 0}, "--bucket 0"),
        (two_bucket(), {"exposure": 9}, "0 .. 2"),
        (two_bucket(Readout()), {"exposure": 0, "bucket": 0}, "charge, not DN"),
    ):
        with pytest.raises(Refusal, match=said):
            write_capture(tmp_path / "a.dng", capture, **how)
    assert not list(tmp_path.iterdir())


# Command line ----------------------------------------------------------------------------------------------------------------


def c2b(capsys, *words):
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    return status or 0, said.out if not status else said.err


def run(capsys, *words):
    status, said = c2b(capsys, *words)
    assert status == 0, said
    return said


def test_a_scene_goes_round_all_formats_on_the_command_line(tmp_path, capsys, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    write_capture("scene.mat", coded_pixel(), orig=scene())
    chain = ["scene.mat", "a.npz", "b.h5", "c.c2b.ome.tif", "d.v73.mat", "e.h5"]
    for source, target in pairwise(chain):
        assert ("left out: readout" in run(capsys, "convert", source, target)) == target.endswith(".mat")
        assert json.loads(run(capsys, "info", target, "--json"))["kind"] == "capture"
    assert np.array_equal(read_capture("e.h5").charge, coded_pixel().charge)
    run(capsys, "convert", "scene.mat", "truth.npy")
    assert np.array_equal(np.load("truth.npy"), scene())
    run(capsys, "convert", "e.h5", "back.mat", "--orig", "truth.npy")
    assert np.array_equal(loadmat("back.mat")["orig"], last(scene())) and loadmat("back.mat")["orig"].dtype == np.uint8
    run(capsys, "convert", "scene.mat", "mask.npy", "--what", "code")
    assert np.array_equal(np.load("mask.npy"), mask())
    run(capsys, "simulate", "scene.mat", "again.c2b.ome.tif", "--sensor", "coded-pixel", "--code", "mask.npy")
    assert np.array_equal(read_capture("again.c2b.ome.tif").images, coded_pixel().images)
    run(capsys, "reconstruct", "scene.mat", "out.npy", "--method", "pseudo-inverse")
    for truth in ("scene.mat", "truth.npy"):
        assert json.loads(run(capsys, "score", "out.npy", truth, "--json"))["psnr"] > 5


def test_a_code_is_given_where_the_file_has_none(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    savemat("meas.mat", {"meas": last(coded_pixel().images[:, 0])})
    np.save("code.npy", mask())
    assert "not in the file" in run(capsys, "info", "meas.mat")
    assert c2b(capsys, "reconstruct", "meas.mat", "x.npy")[0] == 2
    run(capsys, "reconstruct", "meas.mat", "x.npy", "--code", "code.npy")
    run(capsys, "convert", "meas.mat", "x.npz", "--code", "code.npy")
    assert np.array_equal(read_capture("x.npz").sensor.code, mask())
    pairs(Path("pairs"), two_bucket(replace(NOISY, bits=8)).images)
    assert "bucket PNG pairs" in run(capsys, "info", "pairs")
    run(capsys, "convert", "pairs/", "y.npz", "--code", "code.npy", "--swap-buckets")
    assert np.array_equal(read_capture("y.npz").images, two_bucket(replace(NOISY, bits=8)).images[:, ::-1])
    run(capsys, "convert", "y.npz", "again/")
    same(read_capture("again"), read_capture("y.npz"))


def test_options_that_do_not_belong_are_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_capture("a.npz", two_bucket())
    for line, said in {
        "a.npz b.npz --rows 0:4": "--rows does not belong",
        "a.npz b.npz --bucket 0": "holds whole captures; --bucket",
        "a.npz b.npz --code impulse": "holds its own sensor and code",
        "a.npz b.dng": "--exposure 0",
        "a.npz b.mat": "--bucket 0",
        "a.npz b.mkv": "is a capture, not a video",
        "impulse b.npy --code long": "--code does not belong",
        "impulse b.bmp --camera t9": "known: t6, t7",
        "a.npz b.xyz --what capture": "known: NAME.c2b.ome.tif",
    }.items():
        status, told = c2b(capsys, "convert", *line.split())
        assert status == 2 and said in told and told.count("\n") == 1, (line, told)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


# Real files ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crash32", "kobe32", "runner40"])
def test_a_benchmark_scene_is_what_scipy_reads_and_the_model_explains_it(name):
    path = data(f"sci/{name}_cacti.mat")
    file, capture = loadmat(path), read_capture(path)
    assert np.array_equal(capture.images[:, 0], np.moveaxis(file["meas"], 2, 0)) and capture.images.dtype == file["meas"].dtype
    assert np.array_equal(capture.sensor.code, np.moveaxis(file["mask"], 2, 0)) and capture.white == 255
    with open_recording(path) as truth:
        assert np.array_equal(truth[:], np.moveaxis(file["orig"], 2, 0))
        assert np.array_equal(capture.sensor.capture(truth[:], seed=0).images, capture.images)


def test_optical_measurements_come_with_their_codes():
    path = data("real/wine.mat")
    file, capture = loadmat(path), read_capture(path)
    for number, (meas, code) in enumerate((("measO_roi", "opt_mask"), ("measR_roi", "rnd_mask"))):
        assert np.array_equal(capture.images[number, 0], file[meas])
        assert np.array_equal(capture.sensor.at(number).code, np.moveaxis(file[code], 2, 0))
    assert capture.charge.max() == 1  # one open slot per pixel, so that the brightest sample is white
    duomino = data("real/meas_duomino_cr_10.mat")
    with pytest.raises(CodeMissing, match="meas 512x512x6"):
        read_capture(duomino)
    with pytest.raises(Refusal, match="was not taken with this code"):
        read_capture(duomino, code=codes.make("bernoulli:frames=10"))
    assert len(read_capture(duomino, code=codes.make("bernoulli:frames=10"), check=False)) == 6


def test_a_version_7_3_file_is_what_h5py_reads():
    h5py = pytest.importorskip("h5py")
    path = data("formats/synthetic/sci_style_v73.mat")
    capture = read_capture(path)
    with h5py.File(path) as file:
        assert np.array_equal(capture.images[:, 0], file["meas"][()].transpose(0, 2, 1))
        assert np.array_equal(capture.sensor.code, file["mask"][()].transpose(0, 2, 1))
    with pytest.raises(Refusal, match="testdouble; needed: meas"):
        read_capture(data("formats/sci/testhdf5_7.4_GLNX86.mat"))


def test_laboratory_pairs_are_the_images_that_pillow_reads(tmp_path):
    source = data("formats/synthetic/toronto_png")
    shutil.copytree(source, tmp_path / "p")
    capture = read_capture(tmp_path / "p", code=codes.make("impulse:tile=4"))
    for number in range(2):
        for bucket in range(2):
            assert np.array_equal(
                capture.images[number, bucket], np.asarray(Image.open(source / f"bucket{bucket + 1}_000{number}.png"))
            )


def test_masks_of_real_cameras_are_recognised_by_their_size(tmp_path):
    for name, shape in {"t6_A": (1, 320, 512), "t6_coded_exposure_2x2": (4, 320, 320), "t7_coded_exposure_4x4": (16, 480, 640),
                        "trial_coded_exposure_8x8": (64, 256, 256)}.items():  # fmt: skip
        path = data(f"masks/{name}.bmp")
        code = codes.make(str(path))
        assert code.shape == shape and code.dtype == np.uint8
        stack = np.asarray(Image.open(path)).reshape(shape[0], shape[1], -1)[:, :, : shape[2]] > 0
        assert np.array_equal(code, stack[:, ::-1] if name.startswith("t7") else stack)
        if len(code) == 16 or len(code) == 4:
            assert (code.sum(0) == 1).all()  # coded exposure by an impulse tile: each pixel is open once
    code_files.write_code(tmp_path / "a.bmp", codes.make(str(data("masks/t7_coded_exposure_4x4.bmp"))), camera="t7")
    assert np.array_equal(codes.make(str(tmp_path / "a.bmp")), codes.make(str(data("masks/t7_coded_exposure_4x4.bmp"))))


def test_files_of_other_programs_open_or_say_why_not():
    with open_recording(data("formats/synthetic/tap1_rggb.dng")) as picture:
        truth = np.load(data("formats/synthetic/meas_truth.npy"))
        assert np.array_equal(picture[0], truth[0, 1]) and (picture.colour, picture.black, picture.white) == ("rggb", 64, 4095)
    with pytest.raises(Refusal, match=r"only codedexp\.capture of another program"):
        read_capture(data("formats/synthetic/c2b_capture.ome.tif"))
