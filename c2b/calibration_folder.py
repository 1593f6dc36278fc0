"""A folder of darks, flats and coded captures, and ``calibration.json`` that says what each file is.

::

    {"sensor": "two-bucket", "bits": 12, "sub_exposures": 9, "sub_exposure": 0.00556, "title": "...",
     "files": [{"file": "dark-1.npy",  "kind": "dark", "exposure": 0.05, "temperature": 25},
               {"file": "flat-3.npy",  "kind": "flat", "exposure": 0.05, "level": 0.3, "duty": 1},
               {"file": "duty-2.npy",  "kind": "duty", "exposure": 0.05, "level": 0.5, "duty": "2/9"},
               {"file": "flash-0.npy", "kind": "strobe", "strobe": 0},
               {"file": "rows-0.npy",  "kind": "gray-code", "axis": "row", "bit": 0, "complement": false},
               {"file": "late-1.npy",  "kind": "parasitic", "exposure": 0.01, "readout": 0.2, "duty": 1},
               {"file": "mask-0.npy",  "kind": "mask-flat", "mask": 0}, {"file": "white.npy", "kind": "mask-flat", "mask": "white"}]}

A file is a capture or a plain stack (frame, bucket, row, column) in DN. ``exposure`` in seconds; ``level`` in units of white; ``duty``
the part m/S of sub-exposures in which the code is open: flats have 1 (all open) or 0 (all shut); ``readout`` the seconds from the
readout of the first row to that of the last, the lamp still on. A strobe file has, for a flash in sub-exposure ``strobe``, frames
under the T one-hot codes, all open, all shut, as often as one likes. Bit 0 of a Gray code is the highest. ``sensor``, ``bits`` (of
integer frames) and the files are needed, the rest where a number depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import sensors
from c2b import captures, json_file
from c2b.captures import plain_stack
from sensors import spec
from sensors.calibration import code_registration, mask_flats
from sensors.calibration.characterisation import Characterisation, Stack, characterise
from sensors.calibration.stack_moments import CLIPPED, StackMoments, stack_moments
from sensors.refusal import Refusal

NAME = "calibration.json"

#: What may stand beside ``file`` and ``kind``.
KINDS = {
    "dark": ("exposure", "temperature"),
    "flat": ("exposure", "level", "duty", "temperature"),
    "duty": ("exposure", "level", "duty", "readout", "temperature"),
    "strobe": ("strobe",),
    "parasitic": ("exposure", "readout", "duty", "temperature"),
    "gray-code": ("axis", "bit", "complement"),
    "mask-flat": ("mask", "exposure"),
}
SETTINGS = ("sensor", "bits", "sub_exposures", "sub_exposure", "title", "white", "files")

Progress = Callable[[Iterable[Any], int, str], Iterator[Any]]


@dataclass
class FolderCalibration:
    """What a folder gave.

    Parameters
    ----------
    found : Characterisation
        The numbers.
    document : dict
        Content of the sensor file.
    maps : dict of str to ndarray
        That go beside it.
    """

    found: Characterisation
    document: dict[str, Any]
    maps: dict[str, NDArray] = field(default_factory=dict)


def calibrate_folder(folder: str | Path, *, progress: Progress | None = None) -> FolderCalibration:
    """Read a folder, one stack at a time, and measure what can be measured.

    Raises
    ------
    Refusal
        If the folder or its JSON is absent, empty or damaged, a file it names is absent or unlike the others, or there is no dark.
    """
    folder = Path(folder)
    settings, entries = _read_json(folder)
    kinds: dict[str, list[tuple[dict[str, Any], Any]]] = {kind: [] for kind in KINDS}
    for entry in progress(entries, len(entries), "calibrate") if progress else entries:
        kinds[entry["kind"]].append((entry, _moments(folder, entry, settings)))
    notes = _copies(kinds)
    found = characterise(
        _at_one_temperature(_stacks(kinds["dark"]), kinds, notes),
        *(_stacks(kinds[kind]) for kind in ("flat", "duty")),
        strobed=_strobed(kinds["strobe"]),
        parasitic=_stacks(kinds["parasitic"]),
        bits=settings.get("bits"),
        sub_exposures=settings.get("sub_exposures"),
    )
    found.missing |= notes
    registration = _registration(kinds["gray-code"], found)
    _masks(kinds["mask-flat"], kinds["dark"], found)
    return FolderCalibration(found, _document(settings, found, registration), found.maps)


def _document(settings: Mapping[str, Any], found: Characterisation, registration: Mapping[str, Any]) -> dict[str, Any]:
    numbers = found.document()
    said = {"provenance": "given", "source": NAME}
    for group, names in {"readout": ("bits", "white"), "timing": ("sub_exposure",)}.items():
        given = {name: {"value": settings[name], **said} for name in names if settings.get(name) is not None}
        numbers[group] = {**given, **numbers.get(group, {})}
    if "white" in numbers["readout"]:
        numbers["not_measured"].pop("white", None)
    head = {"title": settings.get("title", ""), "sensor": settings["sensor"]}
    return {**head, **numbers, **({"registration": dict(registration)} if registration else {})}


def _read_json(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    path = folder / NAME
    if not folder.is_dir():
        raise Refusal(f"{folder} {'is a file' if folder.exists() else 'does not exist'}; give a folder of darks and flats")
    if not path.is_file():
        raise Refusal(f"{folder} holds no {NAME}, which says what each file is")
    try:
        document = json_file.read(path)
    except ValueError as error:
        raise Refusal(f"{path} is not JSON: {error}") from None
    entries = document.get("files") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise Refusal(f'{path} names no files; needed: {{"sensor": ..., "files": [{{"file": ..., "kind": "dark"}}, ...]}}')
    for key in document:
        if key not in SETTINGS:
            raise Refusal(f"{path}: {spec.unknown('setting', key, SETTINGS)}")
    if not isinstance(document.get("sensor"), str) or document["sensor"] not in sensors.SENSORS:
        raise Refusal(f"{path}: {spec.unknown('sensor', str(document.get('sensor')), sensors.SENSORS)}")
    for name, whole, most in (
        ("bits", True, 16),
        ("sub_exposures", True, 1e6),
        ("sub_exposure", False, 1e6),
        ("white", False, 1e12),
    ):
        if document.get(name) is not None:
            value = _number(document[name], f"{path}: {name}", least=1 if whole else 0, most=most)
            if whole and value != int(value):
                raise Refusal(f"{path}: {name} is a whole number, not {value}")
            document[name] = int(value) if whole else value
    return document, [_checked(entry, path) for entry in entries]


def _checked(entry: Any, path: Path) -> dict[str, Any]:
    """An entry with its numbers as numbers."""
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str) or "\0" in entry["file"] or not entry["file"]:
        raise Refusal(f'{path}: {json.dumps(entry)[:60]} is not {{"file": ..., "kind": ...}}')
    where, kind = f"{path}: {entry['file']}", entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Refusal(f"{where}: {spec.unknown('kind', str(kind), KINDS)}")
    for key in entry:
        if key not in ("file", "kind", *KINDS[kind]):
            raise Refusal(f"{where}: {spec.unknown(f'word for kind {kind}', key, KINDS[kind])}")
    needed = {
        "duty": ("duty",),
        "strobe": ("strobe",),
        "parasitic": ("exposure", "readout", "duty"),
        "gray-code": ("axis", "bit"),
    }
    if lacking := [key for key in (*needed.get(kind, ()), *(("mask",) if kind == "mask-flat" else ())) if key not in entry]:
        raise Refusal(f"{where}: kind {kind} needs {lacking[0]}")
    checked = dict(entry)
    limits = {"exposure": (0, 1e6), "level": (0, 1e9), "duty": (0, 1), "readout": (0, 1e6), "temperature": (-273.15, 1e3)}
    for key, (least, most) in limits.items():
        if entry.get(key) is not None:
            checked[key] = _number(entry[key], f"{where}: {key}", least=least, most=most)
    for key in ("strobe", "bit", "mask"):
        if key in entry and entry[key] != "white" and not (type(entry[key]) is int and 0 <= entry[key] < 10_000):
            raise Refusal(f"{where}: {key} is a whole number from 0 on, not {entry[key]!r}")
    if kind == "gray-code" and entry["axis"] not in ("row", "column"):
        raise Refusal(f"{where}: axis is row or column, not {entry['axis']!r}")
    return checked


def _number(value: Any, what: str, *, least: float, most: float) -> float:
    """A number, also as the text of a fraction such as 2/9."""
    try:
        number = float(Fraction(value)) if isinstance(value, str) else float(value)
        if isinstance(value, bool) or not isfinite(number) or not least <= number <= most:
            raise ValueError
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        raise Refusal(f"{what} is a number from {least:g} to {most:g}, not {value!r}") from None
    return number


def _moments(folder: Path, entry: Mapping[str, Any], settings: dict[str, Any]) -> Any:
    """A file reduced to its moments; for a strobe still as a stack."""
    path = folder / entry["file"]
    if not path.exists():
        raise Refusal(f"{folder / NAME} names {entry['file']}, which is not in the folder")
    if captures.format_of(path):
        stack = captures.read_capture(path).images
        if stack.ndim != 4:
            raise Refusal(f"{path} is a colour capture; calibrate the planes of the mosaic as mono")
    else:
        stack = plain_stack.read_plain_stack(path)
    if stack.dtype.kind != "f" and settings.get("bits") is None:
        raise Refusal(f"{folder / NAME} lacks bits, those of the converter; {entry['file']} holds whole numbers")
    top = None if settings.get("bits") is None else 2 ** settings["bits"] - 1
    if top is not None and stack.dtype.kind != "f" and (largest := int(stack.max())) > top:
        raise Refusal(f"{path} holds {largest}, beyond a converter of {settings['bits']} bits")
    moments = stack_moments(stack, top=top, name=str(path))
    if entry["kind"] == "strobe" and top is not None and (stack[:, 0] >= top).mean() > CLIPPED:
        raise Refusal(f"{path} is saturated; take the strobes with less light")
    return (np.asarray(stack[:, 0], np.float64), path) if entry["kind"] == "strobe" else moments


def _copies(kinds: Mapping[str, list[tuple[dict[str, Any], Any]]]) -> dict[str, str]:
    """A note on files in which frames repeat others."""
    every = [(entry["file"], moments) for items in kinds.values() for entry, moments in items if isinstance(moments, StackMoments)]
    found = [f"{name} ({one.copies} of {one.frames + one.copies})" for name, one in every if one.copies]
    return {"frames that are copies": f"left out: {', '.join(found)}"} if found else {}


def _stacks(items: Iterable[tuple[dict[str, Any], StackMoments]]) -> list[Stack]:
    return [
        Stack(moments, entry.get("exposure", 0.0), entry.get("level"), entry.get("duty", 1.0), entry.get("readout", 0.0))
        for entry, moments in items
    ]


def _at_one_temperature(darks: list[Stack], kinds: Mapping[str, list[Any]], notes: dict[str, str]) -> list[Stack]:
    """The darks at the temperature of the flats, or else at that of most darks."""
    told = [entry.get("temperature") for entry, _ in kinds["dark"]]
    known = [each for each in told if each is not None]
    lit = [entry["temperature"] for kind in ("flat", "duty") for entry, _ in kinds[kind] if entry.get("temperature") is not None]
    if len(set(known)) < 2:
        return darks
    chosen = next((each for each in lit if each in known), max(known, key=known.count))
    notes["dark_current at other temperatures"] = f"only the darks at {chosen:g} degrees Celsius are used"
    return [dark for dark, each in zip(darks, told, strict=True) if each == chosen]


def _strobed(items: list[tuple[dict[str, Any], Any]]) -> list[NDArray]:
    """Mean images (T + 2, H, W) for each strobe, in order."""
    by_strobe = {entry["strobe"]: stack for entry, stack in items}
    count = len(by_strobe)
    if sorted(by_strobe) != list(range(len(items))):
        raise Refusal(f"strobes should be numbered 0 .. {len(items) - 1}, each once, not {sorted(e['strobe'] for e, _ in items)}")
    for stack, path in by_strobe.values():
        if len(stack) % (count + 2):
            raise Refusal(
                f"{path} has {len(stack)} frames; {count} strobes need a multiple of {count + 2}: one-hot codes, open, shut"
            )
    return [by_strobe[t][0].reshape(-1, count + 2, *by_strobe[t][0].shape[1:]).mean(0) for t in range(count)]


def _registration(items: list[tuple[dict[str, Any], StackMoments]], found: Characterisation) -> dict[str, Any]:
    """Offset and flip of the code along rows and columns; pixels that do not follow go to the maps."""
    told: dict[str, Any] = {}
    for number, axis in enumerate(("row", "column")):
        images = {(e["bit"], bool(e.get("complement"))): m.mean[0] for e, m in items if e["axis"] == axis}
        if not images:
            continue
        bits = max(bit for bit, _ in images) + 1
        if lacking := [f"{bit}{' complement' * c}" for bit in range(bits) for c in (False, True) if (bit, c) not in images]:
            found.missing[f"registration of {axis}s"] = f"Gray-code bit {lacking[0]} is not among the files"
            continue
        planes, complements = (np.stack([images[bit, c] for bit in range(bits)]) for c in (False, True))
        try:
            one = code_registration.register(*code_registration.decode(planes, complements), number)
        except Refusal as why:
            found.missing[f"registration of {axis}s"] = str(why)
            continue
        told[axis] = {
            "offset": one.offset,
            "flipped": one.flipped,
            "agreement": round(one.agreement, 6),
            "stuck_pixels": int(one.stuck.sum()),
            "skipped": list(one.skipped),
            "provenance": "measured",
        }
        found.maps["stuck_pixels"] = found.maps.get("stuck_pixels", np.zeros_like(one.stuck)) | one.stuck
    return told


def _masks(
    items: list[tuple[dict[str, Any], StackMoments]], darks: list[tuple[Any, StackMoments]], found: Characterisation
) -> None:
    if not items:
        return
    by_mask = {entry["mask"]: moments for entry, moments in items}
    if len(by_mask) < len(items):
        found.missing["masks"] = "a mask-flat is named twice; each mask and white need one"
        return
    numbers = sorted(each for each in by_mask if each != "white")
    if "white" not in by_mask or numbers != list(range(len(numbers))):
        found.missing["masks"] = "needs mask-flats numbered 0, 1, ... and one with mask white"
        return
    try:
        masks, half = mask_flats.grey_masks([by_mask[k] for k in numbers], by_mask["white"], darks[0][1])
    except Refusal as why:
        found.missing["masks"] = str(why)
        return
    found.maps |= {"masks": masks.clip(0, 1), "masks_half_width": half}
