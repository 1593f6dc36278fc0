"""Calibration: what was put into a simulated sensor comes out of its darks and flats, with intervals that hold it; else the reason."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import bdtr

import sensors
from c2b.calibration_folder import FolderCalibration, calibrate_folder
from c2b.cli import main
from c2b.plots.photon_transfer_picture import photon_transfer_figure
from c2b.sensor_file import load_sensor, provenance, read_sensor, write_sensor
from sensors.atomic_file import atomic_file
from sensors.calibration import code_registration, mask_flats, parasitic_light, tap_contrast
from sensors.calibration.characterisation import Stack, characterise
from sensors.calibration.estimate import estimate, replicates
from sensors.calibration.stack_moments import stack_moments
from sensors.photometry import Photometry
from sensors.readout import Readout
from sensors.refusal import Refusal
from sensors.timing import Timing
from tests.handmade_calibration import (
    FIRST_ROW,
    LAST_COLUMN,
    LEAKAGE,
    MISMATCH,
    READOUT,
    SECONDS,
    SHAPE,
    Laboratory,
    T,
    lag_matrix,
    open_for,
    write_folder,
)
from tests.soak_calibration import calibrated, coverage, settings

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("bench") / "lab")


@pytest.fixture(scope="module")
def measured(folder: Path) -> FolderCalibration:
    return calibrate_folder(folder)


@pytest.mark.parametrize(("title", "seeds"), [(title, 24 if "uneven" in title else 6) for title in settings()])
def test_intervals_hold_the_truth_95_times_in_100(title: str, seeds: int) -> None:
    """Of n intervals so many miss that it would happen once in a thousand times at most; `tests.soak_calibration` has more seeds."""
    hits = coverage(settings()[title], range(seeds), frames=3, levels=6)
    assert hits.keys() >= settings()[title].truth().keys() - {"full_well"}  # which the converter may hide
    assert not {name: (inside, count) for name, (inside, count) in hits.items() if bdtr(inside, count, 0.95) < 1e-3}


def test_intervals_are_not_wider_than_they_need_be() -> None:
    """Photon transfer: the gain's error is that of the variances, sqrt(2 / N) each, weighted by their squared signals."""
    found = calibrated(settings()["cep-2019"], 3)
    gain = found.readout["gain"]
    assert found.curve is not None
    signal = found.curve.signal[0, found.curve.fitted[:, 0], 0]
    samples = 48 * 56 * 3  # of variance, each pixel of four frames
    expected = 0.48 * np.sqrt((signal**2 * signal**2).sum() * 2 / samples) / (signal**2).sum()
    assert (gain.high - gain.value)[0] == pytest.approx(2.04 * expected, rel=0.5)


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    image = RNG.normal(0, 3, (640, 50))
    one = estimate(replicates(image), "test")
    assert one.high - one.low == pytest.approx(2 * 2.04 * 3 / np.sqrt(image.size), rel=0.35)


def test_moments_keep_fixed_pattern_rows_and_flicker_apart() -> None:
    frames, rows, columns = 40, 60, 80
    fixed = RNG.normal(100, 20, (rows, columns))
    flicker, of_row = RNG.normal(0, 5, (frames, 1, 1)), RNG.normal(0, 2, (frames, rows, 1))
    stack = fixed + flicker + of_row + RNG.normal(0, 3, (frames, rows, columns))
    moments = stack_moments(stack[:, None])
    assert moments.variance.mean() == pytest.approx(9, rel=0.02)
    assert moments.row_variance.mean() - 9 / columns == pytest.approx(4, rel=0.1)
    two = stack_moments(stack[:2, None])
    difference = stack[0] - stack[1]
    difference -= difference.mean(1, keepdims=True)
    assert two.variance.mean() == pytest.approx((difference**2).mean() / 2 * columns / (columns - 1), rel=1e-3)


def test_hot_pixels_are_found_and_kept_out() -> None:
    stack = RNG.normal(64, 5, (6, 1, 40, 50))
    stack[:, 0, [3, 17], [8, 30]] += 400
    found = characterise([Stack(stack_moments(stack))])
    assert np.argwhere(found.maps["hot_pixels"][0]).tolist() == [[3, 8], [17, 30]]
    assert found.readout["black_level"].covers(64).all()
    assert found.readout["hot_pixels"].covers(2 / 2000)


def test_a_folder_gives_what_is_in_the_sensor(measured: FolderCalibration) -> None:
    document = measured.document
    truth = {"leakage": LEAKAGE, "mismatch": MISMATCH, "lag": lag_matrix()}
    truth |= {name: getattr(READOUT, name) for name in ("gain", "black_level", "read_noise", "dark_current", "full_well", "prnu")}
    for name, value in truth.items():
        entry = document["sensor_settings"].get(name) or document["readout"][name]
        low, high = np.moveaxis(np.array(entry["interval"]), -1, 0)
        half, middle = (high - low) / 2, (high + low) / 2
        assert (np.abs(middle - value) <= 2.2 * half + 1e-9).all(), name  # many numbers: not all within 95 %
        assert entry["provenance"] == "measured" and entry["source"]
    assert document["readout"]["bits"] == {"value": 13, "provenance": "given", "source": "calibration.json"}
    assert list(document["not_measured"]) == ["drain"]


def test_gray_codes_tell_offset_flip_and_the_stuck_pixel(measured: FolderCalibration) -> None:
    row, column = (measured.document["registration"][axis] for axis in ("row", "column"))
    assert (row["offset"], row["flipped"]) == (FIRST_ROW, False)
    assert (column["offset"], column["flipped"]) == (LAST_COLUMN, True)
    assert np.argwhere(measured.maps["stuck_pixels"]).tolist() == [[7, 11]]
    assert row["skipped"] == column["skipped"] == []


def test_a_skipped_row_of_the_code_memory_is_seen() -> None:
    address = np.arange(30) + 5 + (np.arange(30) >= 12) * 2
    planes = code_registration.gray_planes(64)[:, address][..., None] * np.full((1, 1, 20), 500.0)
    images = planes + RNG.normal(60, 9, planes.shape), 560 - planes + RNG.normal(0, 9, planes.shape)
    found = code_registration.register(*code_registration.decode(*images), 0)
    assert found.skipped == (12,) and not found.stuck.any() and found.offset == 7 and found.agreement == 18 / 30


def test_a_sensor_file_gives_the_code_where_the_memory_puts_it(measured: FolderCalibration, tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    maps = write_sensor(path, measured.document, measured.maps)
    assert {each.name for each in maps} == set(load_sensor(path)["maps"].values()) and all(each.is_file() for each in maps)
    code = RNG.integers(0, 2, (9, 8, 10))
    sensor = read_sensor(path, code)
    seen = np.take(np.take(sensor.code, (np.arange(8) + sensor.origin[0]) % 8, 1), (np.arange(10) + sensor.origin[1]) % 10, 2)
    loaded = code[:, (FIRST_ROW + np.arange(8)) % 8][:, :, (LAST_COLUMN - np.arange(10)) % 10]
    np.testing.assert_array_equal(seen, loaded)
    assert sensor.readout.gain == pytest.approx(READOUT.gain, rel=0.05) and sensor.readout.bits == 13
    assert read_sensor(path, code, {"white": "7", "leakage": "0.1"}).readout.white == 7
    with pytest.raises(Refusal, match="lag=0"):
        read_sensor(path, np.ones((4, 1, 1)))
    with pytest.raises(Refusal, match="did you mean leakage"):
        read_sensor(path, code, {"leakag": "0.1"})


def test_lux_says_how_bright_white_is_on_a_measured_sensor(measured: FolderCalibration, tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    write_sensor(path, {**measured.document, "photometry": {"pixel_pitch": {"value": 11.2, "provenance": "published"}}}, {})
    words = {"lux": "10", "f_number": "4", "quantum_efficiency": "0.3", "lag": "0"}
    expected = Photometry(lux=10, f_number=4, pixel_pitch=11.2, quantum_efficiency=0.3).white(SECONDS / T)
    sensor = read_sensor(path, open_for(3), words)
    assert sensor.readout.white == pytest.approx(expected)
    assert sensor.readout.gain == tuple(measured.document["readout"]["gain"]["value"])
    told = provenance(path, words)
    assert told["white"] == told["lux"] == "given" and told["pixel_pitch"] == "published" and told["gain"] == "measured"
    for wrong, reason in (
        ({"lux": "10"}, "give quantum_efficiency"),
        ({"f_number": "4"}, "needs lux"),
        ({"lux": "10", "white": "9"}, "both say how bright"),
        ({"lux": "bright"}, "is not a number"),
    ):
        with pytest.raises(Refusal, match=reason):
            read_sensor(path, open_for(3), {**wrong, "lag": "0"})


def test_the_hot_pixels_of_a_measured_sensor_carry_no_weight(measured: FolderCalibration, tmp_path: Path) -> None:
    """The map is that of the image, wherever the code memory begins."""
    path, hot = tmp_path / "chip.json", np.zeros((2, *SHAPE), bool)
    hot[0, 4, 7] = hot[1, 30, 50] = True
    words = {"white": "100", "lag": "0"}
    assert any(entry["offset"] for entry in measured.document["registration"].values())
    write_sensor(path, measured.document, {"hot_pixels": hot})
    sensor = read_sensor(path, np.ones((3, 4, 5)), words)
    capture = sensor.capture(np.full((3, *SHAPE), 0.5, np.float32), seed=0)
    assert np.argwhere(np.isinf(capture.variance[0])).tolist() == [[0, 4, 7], [1, 30, 50]]
    write_sensor(path, measured.document, {"hot_pixels": np.zeros_like(hot)})
    assert read_sensor(path, np.ones((3, 4, 5)), words).hot is None
    beside = tmp_path / "chip.hot_pixels.npy"
    for damaged in (b"", beside.read_bytes()[:200], beside.read_bytes().replace(b"|b1", b"|u1"), None):
        beside.unlink() if damaged is None else beside.write_bytes(damaged)
        with pytest.raises(Refusal, match=r"chip\.json: its map of hot pixels, chip\.hot_pixels\.npy beside it, cannot be read"):
            read_sensor(path, np.ones((3, 4, 5)), words)


def test_leakage_needs_no_gain() -> None:
    """Gain, photo response and light of each bucket cancel in the ratio of offset and slope."""
    e0, e1 = LEAKAGE
    duties = np.array([0, 0.25, 1])
    both = np.stack([(1 - e0) * duties + e1 * (1 - duties), e0 * duties + (1 - e1) * (1 - duties)], -1)
    response = RNG.uniform(0.2, 3, (2, 30, 40))
    ramp = [stack_moments((each[:, None, None] * response * [[[700.0]], [[90.0]]])[None]) for each in both]
    line = tap_contrast.duty_ramp(
        duties.tolist(), ramp, stack_moments(np.zeros((1, 2, 30, 40))), np.ones((2, 30, 40), bool)
    )
    np.testing.assert_allclose(tap_contrast.leakage(line.slope, line.offset)[0], LEAKAGE, rtol=1e-9)


def test_a_bent_duty_ramp_is_refused() -> None:
    duties = [0, 0.25, 0.5, 0.75, 1]
    levels = [(min(700.0, 1000 * d), 1000 * (1 - d)) for d in duties]  # bucket 0 holds 700
    ramp = [stack_moments(np.reshape(pair, (2, 1, 1)) + RNG.normal(0, 0.1, (2, 2, 30, 40))) for pair in levels]
    with pytest.raises(Refusal, match="not a straight rising line"):
        tap_contrast.duty_ramp(duties, ramp, stack_moments(np.zeros((2, 2, 30, 40))), np.ones((2, 30, 40), bool))


def test_parasitic_light_is_the_slope_over_rows() -> None:
    sensitivity, exposure, readout = 0.004, 0.01, 0.5
    rows = np.arange(64)[:, None] / 64
    lit = 3000 * ((1 + sensitivity) + sensitivity * readout / exposure * rows) + RNG.normal(0, 5, (4, 1, 64, 70))
    found = parasitic_light.parasitic_sensitivity(
        stack_moments(lit),
        stack_moments(np.zeros((2, 1, 64, 70))),
        np.ones((1, 64, 70), bool),
        exposure=exposure,
        readout=readout,
    )
    one = estimate(found, "test")
    assert one.value[0] == pytest.approx(sensitivity, rel=0.02)
    assert (one.high - one.low)[0] < 0.05 * sensitivity


@pytest.mark.parametrize("kind", ["two-bucket", "coded-pixel"])
def test_parasitic_light_is_measured_in_the_convention_of_the_model(tmp_path: Path, kind: str) -> None:
    """What is put into the sensor comes out again: as part of the light, not of the open bucket, and not a second time as leakage."""
    settings: dict = {"leakage": (0.06, 0.03), "mismatch": 0.1, "drain": 0.2} if kind == "two-bucket" else {}
    parasitic = (0.012, 0.02)[: 1 + bool(settings)]
    seconds, reading = 0.05, 0.4
    readout = Readout(white=200, gain=0.5, read_noise=3, black_level=50)
    taken, files = 0, []

    def save(name: str, light: float, count: int, **words: object) -> None:
        nonlocal taken
        late = reading if words.get("readout") else 0.0
        timing = Timing(sub_exposure=seconds / 9, readout_time=late, rows=SHAPE[0])
        chip = sensors.make(kind, open_for(count), readout=readout, timing=timing, parasitic=parasitic, **settings)
        video = np.full((9, *SHAPE), light, np.float32)
        np.save(tmp_path / f"{name}.npy", np.stack([chip.take(video, seed=6, number=taken + n) for n in range(6)]))
        files.append({"file": f"{name}.npy", "exposure": seconds, **words})
        taken += 6

    save("dark", 0, 0, kind="dark")
    for duty in (1, 0)[: len(parasitic)]:
        save(f"late{duty}", 40, 9 * duty, kind="parasitic", readout=reading, duty=duty)
        for level in np.linspace(2, 40, 8):
            save(f"flat{duty}-{level:.0f}", level, 9 * duty, kind="flat", level=level, duty=duty)
    for m in range(0, 10 * bool(settings), 3):
        save(f"duty{m}", 40, m, kind="duty", level=40, duty=f"{m}/9", readout=reading)
    (tmp_path / "calibration.json").write_text(json.dumps({"sensor": kind, "sub_exposures": 9, "files": files}))
    found = calibrate_folder(tmp_path).found
    kept = 1 - settings.get("drain", 0)  # white is measured behind the drain, and so is all that is a part of the light
    assert found.sensor["parasitic"].value == pytest.approx(np.array(parasitic) / kept, rel=0.03)
    in_dn = found.readout["white"].value * found.readout["gain"].value[0]  # which the error of the gain does not touch
    assert in_dn == pytest.approx(200 * kept * 0.5, rel=0.002)
    if settings:
        assert found.sensor["leakage"].value == pytest.approx(settings["leakage"], abs=3e-4)
        assert found.sensor["mismatch"].covers(settings["mismatch"])


def test_grey_masks_come_back_within_their_intervals() -> None:
    truth, response = RNG.uniform(0, 1, (3, 40, 50)), RNG.uniform(800, 1000, (40, 50))
    taken = [stack_moments(50 + RNG.poisson(each * response, (6, 1, 40, 50))) for each in (*truth, np.ones((40, 50)))]
    dark = stack_moments(50 + RNG.normal(0, 2, (6, 1, 40, 50)))
    masks, half = mask_flats.grey_masks(taken[:3], taken[3], dark)
    assert (np.abs(masks - truth) <= half).mean() == pytest.approx(0.95, abs=0.015)
    assert half.max() < 0.1


# What the data cannot tell -------------------------------------------------------------------------------------------------


def test_copies_in_a_file_are_named(tmp_path: Path) -> None:
    lab = Laboratory(tmp_path / "lab")
    lab.save("d.npy", lab.take(0, open_for(0), 6, 0.05).repeat(2, 0), "dark", exposure=0.05)
    missing = calibrate_folder(lab.finish()).document["not_measured"]
    assert missing["frames that are copies"] == "left out: d.npy (6 of 12)"


def test_darks_alone_give_what_darks_hold(tmp_path: Path) -> None:
    lab = Laboratory(tmp_path / "lab")
    lab.save("d.npy", lab.take(0, open_for(0), 6, 0.05), "dark", exposure=0.05)
    document = calibrate_folder(lab.finish()).document
    assert set(document["readout"]) == {"bits", "hot_pixels", "black_level"}
    assert {"read_noise_DN", "row_noise_DN", "dsnu_DN"} == set(document["measured"])
    assert {"gain", "full_well", "read_noise", "prnu", "leakage", "mismatch", "white", "drain"} <= set(document["not_measured"])


def test_saturated_flats_give_no_gain(tmp_path: Path) -> None:
    for bits in (10, 14):  # the converter ends first, or the full well
        lab = Laboratory(tmp_path / f"lab{bits}", replace(READOUT, bits=bits))
        lab.save("d.npy", lab.take(0, open_for(0)), "dark")
        for level in (40, 50, 60):
            lab.save(f"{level}.npy", lab.take(level, np.ones((9, 1, 1)) / 2), "flat", level=level)
        document = calibrate_folder(lab.finish()).document
        assert "gain" not in document["readout"] and "saturated" in document["not_measured"]["gain"]


def test_a_full_well_beyond_the_converter_is_named_not_guessed() -> None:
    found = calibrated(settings()["cep-2019"], 1)
    assert "full_well" not in found.readout and found.missing["full_well"].startswith(
        "the converter ends first; it is at least 8"
    )


def test_photon_transfer_through_companding_is_refused() -> None:
    def companded(electrons: float, frames: int) -> np.ndarray:
        linear = np.maximum(RNG.poisson(electrons, (frames, 1, 40, 50)) + RNG.normal(10, 5, (frames, 1, 40, 50)) + 64, 0)
        return np.round(np.sqrt(linear) * 64)

    darks = [Stack(stack_moments(companded(0, 6), top=2**13 - 1))]
    flats = [Stack(stack_moments(companded(level, 4), top=2**13 - 1)) for level in np.linspace(200, 9000, 12)]
    found = characterise(darks, flats, bits=13)
    assert "gain" not in found.readout and "compand" in found.missing["gain"]


def test_white_of_a_single_bucket_comes_from_a_flat_that_is_not_full() -> None:
    readout = replace(READOUT, gain=0.45, prnu=0, dark_current=0)

    def stack(level: float, first: int) -> Stack:
        charge = np.full((1, 40, 50), 9 * level, np.float32)
        images = [readout.read_out(charge, seed=1, number=first + n) for n in range(4)]
        return Stack(stack_moments(np.stack(images), top=2**13 - 1), level=level)

    flats = [stack(level, 4 * k) for k, level in enumerate(range(1, 14), start=1)]  # full from 9.3 on
    found = characterise([stack(0, 0)], flats, bits=13, sub_exposures=9)
    assert found.readout["white"].value == pytest.approx(100, rel=0.03) and found.readout["full_well"].covers(8400).all()


def test_read_noise_below_rounding_is_named() -> None:
    coarse = replace(READOUT, read_noise=1.0, gain=0.1, bits=12, black_level=20.2, full_well=None, dark_current=0, dsnu=0, prnu=0)
    setting = replace(settings()["cep-2019"], readout=coarse)
    found = calibrated(setting, 1)
    assert "read_noise" not in found.readout and "rounding hides it" in found.missing["read_noise"]


# What a user can do wrong --------------------------------------------------------------------------------------------------


def spoilt(folder: Path, change: str, tmp_path: Path) -> Path:
    """A copy of the folder with one thing wrong."""
    if change == "missing folder":
        return tmp_path / "nowhere"
    lab = tmp_path / "lab"
    if change == "empty folder":
        lab.mkdir()
        return lab
    shutil.copytree(folder, lab)
    path = lab / "calibration.json"
    document = json.loads(path.read_text())
    first = document["files"][0]
    match change:
        case "damaged JSON":
            path.write_text(path.read_text()[:200])
            return lab
        case "list":
            document = [1, 2]
        case "no files":
            document["files"] = []
        case "absent file":
            (lab / first["file"]).unlink()
        case "other shape":
            np.save(lab / first["file"], np.ones((3, 2, 20, 20), np.uint16))
        case "NaN":
            np.save(lab / first["file"], np.full((3, 2, *SHAPE), np.nan))
        case "damaged file":
            (lab / first["file"]).write_bytes(b"\x93NUMPY nothing")
        case "too bright":
            np.save(lab / first["file"], np.full((3, 2, *SHAPE), 9000, np.uint16))
        case "unknown kind":
            first["kind"] = "drak"
        case "no darks":
            document["files"] = [each for each in document["files"] if each["kind"] != "dark"]
        case "no bits":
            del document["bits"]
        case "duty":
            next(each for each in document["files"] if each["kind"] == "duty")["duty"] = "10/9"
        case "swapped":
            for each in document["files"]:
                each["kind"] = {"dark": "flat", "flat": "dark"}.get(each["kind"], each["kind"])
                if each["kind"] == "dark":
                    each.pop("level"), each.pop("duty")
        case "buckets":
            for each in document["files"]:
                if each["kind"] == "duty" and each["file"].endswith(".npy"):
                    np.save(lab / each["file"], np.load(lab / each["file"])[:, ::-1])
        case "sensor":
            document["sensor"] = "two-buckets"
    path.write_text(json.dumps(document))
    return lab


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("missing folder", "does not exist"),
        ("empty folder", "holds no calibration.json"),
        ("damaged JSON", "is not JSON"),
        ("list", "names no files"),
        ("no files", "names no files"),
        ("absent file", "not in the folder"),
        ("other shape", "differ in"),
        ("NaN", "not finite"),
        ("damaged file", "damaged"),
        ("too bright", "beyond a converter of 13 bits"),
        ("unknown kind", "did you mean dark"),
        ("no darks", "begins with darks"),
        ("no bits", "lacks bits"),
        ("duty", "duty is a number from 0 to 1"),
        ("sensor", "did you mean two-bucket"),
        ("swapped", "dark and flat are swapped"),
        ("buckets", "the buckets are swapped"),
    ],
)
def test_a_wrong_folder_is_refused_in_one_line(
    folder: Path, change: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out" / "chip.json"
    target.parent.mkdir()
    assert main(["calibrate", str(spoilt(folder, change, tmp_path)), str(target)]) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1 and not said.out
    assert not list(target.parent.iterdir())


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "c2b sensor 1"}', '{"format": "c2b sensor 1", "sensor": 3}'])
def test_a_damaged_sensor_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="JSON|not a sensor file"):
        read_sensor(path, open_for(3))


@pytest.mark.parametrize("group", ["readout", "sensor_settings", "timing", "registration"])
def test_words_where_numbers_belong_are_refused(group: str, tmp_path: Path) -> None:
    name = {"readout": "gain", "sensor_settings": "leakage", "timing": "sub_exposure", "registration": "row"}[group]
    path = tmp_path / "chip.json"
    document = {"format": "c2b sensor 1", "sensor": "two-bucket", "readout": {"white": {"value": 9}}}
    path.write_text(json.dumps({**document, group: {**document.get(group, {}), name: {"value": "much", "offset": "far"}}}))
    with pytest.raises(Refusal):
        read_sensor(path, open_for(3))


def test_dark_current_is_taken_off_where_no_dark_lasts_as_long() -> None:
    """Without it the leakage to the bucket with more dark current would be too large."""
    current, duties = np.array([4000.0, 100.0]), (0.0, 0.5, 1.0)

    def stack(light: np.ndarray, seconds: float) -> Stack:
        mean = (light + current * seconds)[:, None, None]
        return Stack(stack_moments(RNG.poisson(np.broadcast_to(mean, (6, 2, 40, 50))) + 10.0), seconds)

    darks = [stack(np.zeros(2), seconds) for seconds in (0.001, 0.2)]
    ramp = [replace(stack(np.array([3000 * d + 90, 3000 * (1 - d) + 60]), 0.02), duty=d) for d in duties]
    found = characterise(darks, ramp=ramp)
    assert found.sensor["leakage"].value == pytest.approx([60 / 3150, 90 / 3150], rel=0.05)


@pytest.mark.parametrize(
    "readout", [{"gain": 3}, {"gain": {"value": "much"}}, {"gain": {"value": [[1], "a"]}}, {"colour": {"value": 1}}, {"gain": {}}]
)
def test_damaged_numbers_of_a_sensor_file_are_refused(readout: dict, tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    white = {"white": {"value": 100}}
    path.write_text(json.dumps({"format": "c2b sensor 1", "sensor": "two-bucket", "readout": {**white, **readout}}))
    with pytest.raises(Refusal):
        read_sensor(path, open_for(3))


def test_the_command_writes_a_sensor_that_simulates(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chip, plot = tmp_path / "chip.json", tmp_path / "curve.png"
    assert main(["calibrate", str(folder), str(chip), "--plot", str(plot)]) == 0
    assert "photon transfer" in capsys.readouterr().out and plot.stat().st_size > 10_000
    capture = tmp_path / "x.c2b.ome.tif"
    scene = "occluding-objects:frames=9,height=40,width=56"
    assert main(["simulate", scene, str(capture), "--sensor", f"{chip}:white=50", "--code", "bernoulli:frames=9"]) == 0
    assert capture.is_file()
    with atomic_file(tmp_path / "y.json") as partial:
        shutil.copy(chip, partial)
    assert load_sensor(tmp_path / "y.json")["title"] == "made by hand"


def test_the_curve_is_drawn_also_where_there_is_no_gain(measured: FolderCalibration) -> None:
    assert measured.found.curve is not None
    curve = replace(measured.found.curve, trouble=("companded", ""))
    assert len(photon_transfer_figure(curve).axes) == 2
    nothing = replace(curve, signal=curve.signal * 0)
    with pytest.raises(Refusal, match="no flat above the dark"):
        photon_transfer_figure(nothing)
