"""``c2b calibrate``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from c2b.options import Whole


def calibrate(
    folder: Path | None = None,
    sensor: Path | None = None,
    /,
    *,
    plot: Path | None = None,
    template: Path | None = None,
    size: str = "480x640",
    sub_exposures: Whole = 9,
) -> None:
    """Measure a sensor from darks, flats and coded captures.

    Parameters
    ----------
    folder
        With calibration.json, which says what each file is: {"sensor": "two-bucket", "bits": 12, "files": [{"file": "a.npy",
        "kind": "dark", "exposure": 0.05}, ...]}; kinds: dark flat duty strobe parasitic gray-code mask-flat.
    sensor
        NAME.json, for --sensor NAME.json; maps go beside it as NAME.*.npy.
    plot
        Photon-transfer curve; .png .svg .pdf.
    template
        Write instead a new folder to be filled at the bench: calibration.json with the files to take, and the codes to load (Gray code
        of rows and columns); docs/laboratory.md tells how.
    size
        ROWSxCOLUMNS of the chip, for --template.
    sub_exposures
        Sub-exposures of an exposure, for --template.
    """
    from c2b.calibration_folder import NAME, calibrate_folder
    from c2b.calibration_table import registrations, tables
    from c2b.output_path import refuse_input
    from c2b.plots import FIGURE_SUFFIXES
    from c2b.sensor_file import check_name, write_sensor
    from c2b.terminal import counted, progress, table
    from sensors.refusal import Refusal

    if template is not None:
        _template(template, size, sub_exposures)
        return
    if folder is None or sensor is None:
        raise Refusal("c2b calibrate needs a folder of darks and flats and the name of the sensor file, or --template FOLDER")
    check_name(sensor)
    refuse_input(folder / NAME, sensor)
    if plot is not None and plot.suffix.lower() not in FIGURE_SUFFIXES:
        raise Refusal(f"cannot write a figure as {plot.name}; name it {plot.stem}{' or '.join(FIGURE_SUFFIXES)}")
    measured = calibrate_folder(folder, progress=progress)
    if plot is not None and measured.found.curve is None:
        raise Refusal("there is no photon-transfer curve to plot: the folder holds no flats of at least two frames")
    maps = write_sensor(sensor, measured.document, measured.maps)
    for shown in tables(measured.document):
        print(table(*shown))
    for line in registrations(measured.document):
        print(line)
    if plot is not None and measured.found.curve is not None:
        _draw(measured, plot, str(folder))
    print(f"{sensor}: sensor file of {folder}, {counted(len(maps), 'map')} beside it; use it as --sensor {sensor}")


def _template(folder: Path, size: str, sub_exposures: int) -> None:
    from c2b.calibration_template import CODES, write_template
    from sensors.refusal import Refusal

    sides = size.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() for side in sides):
        raise Refusal(f"--size {size} is not ROWSxCOLUMNS such as 480x640")
    document = write_template(folder, int(sides[0]), int(sides[1]), sub_exposures)
    print(f"{folder}: calibration.json names {len(document['files'])} files to take; {folder / CODES} holds the codes to load")


def _draw(measured: Any, plot: Path, folder: str) -> None:
    from c2b.plots import save
    from c2b.plots.photon_transfer_picture import photon_transfer_figure

    title = measured.document["title"] or Path(folder).name
    save(photon_transfer_figure(measured.found.curve, title="Photon transfer", subtitle=title), plot)
    print(f"{plot}: photon-transfer curve")
