"""Codes: what the papers that named them say of them, and that every file gives back what a lab put in."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import c2b
import sensors
from c2b import codes
from c2b.code_files import CODE_ONLY, SUFFIXES, read_code, write_code
from c2b.criteria.tile_system import criteria, system
from sensors.refusal import Refusal

ORDERS = [1, 2, 4, 8, 12, 16, 20, 24, 32, 40, 44, 48]


@pytest.mark.parametrize("name", c2b.CODES)
def test_a_code_is_a_share_of_the_light(name):
    code = codes.make(name)
    assert code.ndim == 3 and code.dtype == np.uint8
    assert set(np.unique(code)) <= {0, 1}


@pytest.mark.parametrize(("p", "q"), [(3, 3), (2, 5), (4, 1)])
def test_an_impulse_pixel_sees_one_frame_in_reading_order(p, q):
    code = codes.make(f"impulse:tile=[{p},{q}]")
    assert code.shape == (p * q, p, q)
    for t in range(p * q):
        assert np.argwhere(code[t]).tolist() == [[t // q, t % q]]


def test_a_long_exposure_is_always_open():
    assert codes.make("long:frames=5").tolist() == [[[1]]] * 5


def test_the_raskar_code_has_52_chips_26_of_them_open():
    code = codes.make("flutter").ravel()
    assert len(code) == 52 and code.sum() == 26
    spectrum = np.abs(np.fft.fft(code, 299))
    assert spectrum.min() == pytest.approx(1.32, abs=0.05)  # a box of 52 has zeros; this one has none


@pytest.mark.parametrize("bits", [2, 3, 5, 6, 10])
def test_a_maximum_length_sequence_is_balanced_and_white(bits):
    length = 2**bits - 1
    code = codes.make(f"flutter:chips=mls{length}").ravel()
    assert len(code) == length and code.sum() == 2 ** (bits - 1)
    sign = 1 - 2.0 * code
    assert np.allclose([sign @ np.roll(sign, k) for k in range(1, min(length, 40))], -1)


def test_a_word_of_chips_is_taken_as_it_stands():
    assert codes.make("flutter:chips=1101").ravel().tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("order", ORDERS)
def test_code_minus_complement_is_a_hadamard_matrix(order):
    code = codes.make(f"hadamard:order={order}")
    H = code.reshape(order, -1).T.astype(int) - (1 - code).reshape(order, -1).T.astype(int)
    assert np.array_equal(H @ H.T, order * np.eye(order))
    assert (H[0] == 1).all()  # the first row is open throughout
    assert code.shape[1] <= code.shape[2] and code.shape[1] * code.shape[2] == order


@pytest.mark.parametrize("order", [3, 7, 11, 15, 19, 23, 31])
def test_an_s_matrix_is_the_best_weighing_design_of_one_bucket(order):
    code = codes.make(f"s-matrix:order={order}")
    S = code.reshape(order, order).T.astype(int)
    assert (S.sum(0) == (order + 1) // 2).all() and (S.sum(1) == (order + 1) // 2).all()
    assert np.array_equal(S @ S.T, (order + 1) // 4 * (np.eye(order) + 1))
    assert criteria(code).noise_gain[0] ** 2 == pytest.approx(4 * order / (order + 1) ** 2)


@pytest.mark.parametrize(("frames", "p", "q", "length"), [(9, 3, 3, 3), (16, 4, 7, 5), (30, 2, 3, 4), (5, 2, 2, 5)])
def test_a_bump_opens_once_for_its_length(frames, p, q, length):
    code = codes.make(f"bump:frames={frames},tile=[{p},{q}],length={length}")
    assert code.shape == (frames, p, q)
    opened = np.diff(np.pad(code.astype(int), ((1, 1), (0, 0), (0, 0))), axis=0)
    assert ((opened == 1).sum(0) == 1).all() and (code.sum(0) == length).all()
    starts = np.sort(code.argmax(0).ravel())
    if p * q >= frames - length + 1:
        assert set(starts) == set(range(frames - length + 1))  # dealt out evenly


@pytest.mark.parametrize(("step", "across"), [(2, 0), (-1, 0), (0, 1), (0, -2), (1, -1)])
def test_a_shifting_mask_moves_by_its_step(step, across):
    code = codes.make(f"shifting-mask:frames=5,tile=[9,7],step={step},across={across},seed=3")
    for earlier, later in pairwise(code):
        kept = slice(max(step, 0), 9 + min(step, 0)), slice(max(across, 0), 7 + min(across, 0))
        assert np.array_equal(later[kept], np.roll(earlier, (step, across), (0, 1))[kept])
    assert len({frame.tobytes() for frame in code}) == 5
    still = codes.make("shifting-mask:step=0")
    assert (still == still[0]).all()


@pytest.mark.parametrize("probability", [0, 0.2, 0.5, 1])
def test_bernoulli_is_open_with_its_probability(probability):
    code = codes.make(f"bernoulli:frames=20,tile=[40,50],probability={probability}")
    assert code.mean() == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / code.size) + 1e-12)
    neighbours = np.corrcoef(code[1:].ravel(), code[:-1].ravel())[0, 1] if 0 < probability < 1 else 0
    assert abs(neighbours) < 4 / np.sqrt(code.size)


@pytest.mark.parametrize("name", ["bernoulli:tile=8", "bump:tile=8", "shifting-mask"])
def test_the_seed_fixes_a_random_code(name):
    joint = "," if ":" in name else ":"
    first, again, other = (codes.make(f"{name}{joint}seed={seed}") for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@pytest.mark.parametrize(
    "text",
    [
        "impulse:tile=0", "impulse:tile=[3,0]", "impulse:tile=70000", "long:frames=0", "bernoulli:frames=-1",
        "bernoulli:probability=1.5", "bernoulli:probability=nan", "bernoulli:seed=-1", "bernoulli:tile=100000",
        "bump:length=0", "bump:length=10", "bump:frames=0", "bump:seed=-1",
        "hadamard:order=0", "hadamard:order=6", "hadamard:order=92", "hadamard:order=-4", "hadamard:order=8192",
        "s-matrix:order=5", "s-matrix:order=0", "s-matrix:order=-1", "s-matrix:order=91",
        "shifting-mask:step=1000000000", "shifting-mask:frames=0", "shifting-mask:probability=2",
        "flutter:chips=mls64", "flutter:chips=mls", "flutter:chips=mls1", "flutter:chips=102", "flutter:chips=''",
    ],
)  # fmt: skip
def test_an_impossible_code_is_refused_in_one_line(text):
    with pytest.raises(Refusal) as refused:
        codes.make(text)
    assert "\n" not in str(refused.value)


# Criteria --------------------------------------------------------------------------------------------------------------------


def test_light_and_rank_of_the_impulse_code():
    found = criteria(codes.make("impulse:tile=[2,3]"))
    assert (found.frames, found.tile, found.light) == (6, (2, 3), pytest.approx(1 / 6))
    assert (found.fewest_open, found.most_open) == (1, 1)
    assert found.rank == (6, 6) and found.condition[0] == pytest.approx(1) and found.noise_gain[0] == pytest.approx(1)


@pytest.mark.parametrize(("order", "mse"), [(7, 0.4375), (15, 0.2344), (31, 0.1211)])
def test_noise_gain_of_s_matrices_is_the_published_one(order, mse):
    assert criteria(codes.make(f"s-matrix:order={order}")).noise_gain[0] ** 2 == pytest.approx(mse, abs=5e-5)


@pytest.mark.parametrize(("order", "mse"), [(4, 0.4167), (8, 0.2232), (12, 0.1540), (16, 0.1177)])
def test_noise_gain_of_two_bucket_hadamard_is_the_published_one(order, mse):
    """PHYSICS.md 1.8: without the row that is open throughout, order - 1 exposures of two buckets."""
    code = codes.make(f"hadamard:order={order}").reshape(order, 1, order)[:, :, 1:]
    found = criteria(code)
    assert found.noise_gain[1] ** 2 == pytest.approx(mse, abs=5e-5)
    assert found.condition[1] == pytest.approx(np.sqrt(order - 1))


def test_two_buckets_see_one_direction_more_than_pixels_at_most():
    found = criteria(codes.make("bernoulli:frames=30,tile=[2,3],seed=1"))
    assert found.rank == (6, 7) and found.noise_gain == (np.inf, np.inf) and found.condition == (np.inf, np.inf)


def test_a_sensor_is_judged_with_what_it_loses():
    code = codes.make("impulse")
    clean, leaky = (system(sensors.make(f"two-bucket:leakage={leakage}", code)) for leakage in (0, 0.1))
    assert clean.rank == leaky.rank == 9 and leaky.noise_gain > 1.05 * clean.noise_gain and leaky.condition > clean.condition


def test_a_dark_code_has_no_rank_in_its_own_bucket():
    assert criteria(np.zeros((2, 3, 3), np.uint8)).rank == (0, 1)


def test_a_cycle_of_codes_has_no_single_criterion():
    with pytest.raises(Refusal, match="judge each on its own"):
        criteria(np.ones((2, 9, 3, 3)))


def test_a_row_of_the_table_has_a_cell_for_each_criterion():
    assert criteria(codes.make("impulse")).row()[:4] == ("9", "3x3", "0.111", "1")


# Files -----------------------------------------------------------------------------------------------------------------------

BINARY = (np.random.default_rng(5).random((4, 5, 5)) < 0.5).astype(np.uint8)
GREY = np.random.default_rng(6).random((4, 5, 5)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".txt"])
@pytest.mark.parametrize("code", [BINARY, BINARY[:, :2, :3], BINARY[:, :1, :1], BINARY[:1, :2], GREY, BINARY[None]])
def test_a_written_code_is_read_back(tmp_path, suffix, code):
    path = tmp_path / f"code{suffix}"
    if suffix == ".txt" and (code.ndim == 4 or code.dtype != np.uint8):
        with pytest.raises(Refusal, match=r"use \.npy"):
            write_code(path, code)
        assert not list(tmp_path.iterdir())
        return
    write_code(path, code)
    again = read_code(path)
    assert np.array_equal(again, code) and again.dtype == code.dtype
    assert np.array_equal(codes.make(str(path)), code)


def test_one_row_of_pixels_in_one_frame_is_no_text_file(tmp_path):
    """It would be read back as a flutter code."""
    with pytest.raises(Refusal, match=r"use \.npy"):
        write_code(tmp_path / "code.txt", BINARY[:1, :1])


def written(path, code):
    """As other programs write masks."""
    if path.suffix == ".mat":
        from scipy.io import savemat

        savemat(path, {"mask": code.transpose(1, 2, 0)})
    elif path.suffix in (".tif", ".tiff"):
        import tifffile

        tifffile.imwrite(path, code * np.uint8(255), photometric="minisblack")
    elif path.suffix in (".png", ".bmp"):
        from PIL import Image

        Image.fromarray(code.reshape(-1, code.shape[2]) * np.uint8(255)).save(path)
    elif path.suffix == ".txt":
        path.write_text("\n\n".join("\n".join("".join(map(str, row)) for row in frame) for frame in code))
    elif path.suffix == ".npz":
        np.savez(path, other=np.zeros(3), mask=code)
    elif path.suffix == ".h5":
        with pytest.importorskip("h5py").File(path, "w") as file:
            file["other"], file["mask"] = np.zeros(3), code
    else:
        np.save(path, code.astype(bool))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_file_format_gives_the_same_code(tmp_path, suffix):
    read = read_code(written(tmp_path / f"mask{suffix}", BINARY))
    assert np.array_equal(read, BINARY) and read.dtype == np.uint8


def test_text_codes_are_words_or_frames(tmp_path):
    (tmp_path / "word.txt").write_text("1101\n")
    assert read_code(tmp_path / "word.txt").shape == (4, 1, 1)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damaged_code_files_are_refused_in_one_line(tmp_path, suffix):
    whole = written(tmp_path / f"mask{suffix}", BINARY).read_bytes()
    for number, content in enumerate([b"", b"\xff\xfe nonsense" * 9, whole[: len(whole) // 3]]):
        path = tmp_path / f"damaged{number}{suffix}"
        path.write_bytes(content)
        if suffix == ".txt" and number == 2:
            continue  # part of a text is a text
        with pytest.raises(Refusal) as refused:
            read_code(path)
        assert "\n" not in str(refused.value) and str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.ones((3, 3)), "a code is numbers"),
        (np.full((2, 3, 3), -1.0), "negative or not finite"),
        (np.full((2, 3, 3), np.nan), "negative or not finite"),
        (np.full((2, 3, 3), 1.5), "values up to 1.5"),
        (np.array([[["a"]]]), "a code is numbers"),
        (np.ones((0, 3, 3)), "a code is numbers"),
    ],
)
def test_arrays_that_are_no_code_are_refused(tmp_path, array, says):
    np.save(tmp_path / "code.npy", array)
    with pytest.raises(Refusal, match=says):
        read_code(tmp_path / "code.npy")


def test_other_content_is_refused(tmp_path):
    np.savez(tmp_path / "two.npz", a=BINARY, b=BINARY)
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "rows.txt").write_text("01\n011\n")
    (tmp_path / "frames.txt").write_text("01\n01\n\n01\n")
    (tmp_path / "mask.xyz").write_text("01")
    from PIL import Image

    Image.fromarray(np.zeros((5, 4), np.uint8)).save(tmp_path / "wide.png")
    for name in ("two.npz", "pickled.npy", "rows.txt", "frames.txt", "mask.xyz", "wide.png", "absent.npy"):
        with pytest.raises(Refusal) as refused:
            codes.make(str(tmp_path / name))
        assert "\n" not in str(refused.value)
    with pytest.raises(Refusal, match=r"cannot be written as \.png"):
        write_code(tmp_path / "code.png", BINARY)
    assert set(CODE_ONLY) < set(SUFFIXES)
