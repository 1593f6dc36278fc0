"""``c2b calibrate``"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def calibrate(folder: Path, sensor: Path, /, *, plot: Path | None = None) -> None:
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
    """
    from c2b.calibration_folder import NAME, calibrate_folder
    from c2b.calibration_table import registrations, tables
    from c2b.output_path import refuse_input
    from c2b.plots import FIGURE_SUFFIXES
    from c2b.sensor_file import check_name, write_sensor
    from c2b.terminal import counted, progress, table
    from sensors.refusal import Refusal

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


def _draw(measured: Any, plot: Path, folder: str) -> None:
    from c2b.plots import save
    from c2b.plots.photon_transfer_picture import photon_transfer_figure

    title = measured.document["title"] or Path(folder).name
    save(photon_transfer_figure(measured.found.curve, title="Photon transfer", subtitle=title), plot)
    print(f"{plot}: photon-transfer curve")
