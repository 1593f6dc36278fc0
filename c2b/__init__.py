"""c2b: simulate coded-exposure sensors, compare their codes, reconstruct video from their captures.

What a user holds in hand; `sensors` has the physics, `recon` the inversions::

    camera.py source.py      words to a sensor: a name, a preset, a file; words to a recording: a file, a folder, a scene
    belief.py                what a camera is believed to be by whoever reconstructs its captures
    codes.py code_files.py   codes by name and from files
    watching.py              captures reconstructed as a camera writes them
    rates.py                 the rate of a film against the sub-exposures of a sensor
    recording_folder.py      the recordings in a folder of them, such as a data set
    code_or_video.py         whether a word means a code or a video
    masks.py                 masks told apart: moving, independent, neither; laid over a frame
    array_names.py           what an array in a file is, by the names that laboratories give it
    video/                   high-speed video in and out, one file per format
    scenes/                  procedural scenes with a known answer
    captures/                capture files, one file per format
    comparison.py camera_grid.py sweep.py                videos x cameras x methods, settings taken through several values
    comparison_unit.py comparison_store.py               its units of work, for any process; the cells that they leave
    comparison_work.py comparison_processes.py           what a process does of them; several processes
    comparison_table.py comparison_dataframe.py          the tables that it gives; the same for pandas and as Parquet
    alignment.py             a reconstruction beside its truth
    catalogue.py             all that has a name, with its settings and what they mean
    file_facts.py            what any file is and holds
    design/                  codes designed for a sensor
    criteria/                what a sensor under a code is worth before any picture is taken with it, one file per criterion
    calibration_template.py  the folder before anything is taken
    calibration_folder.py calibration_table.py           a folder of darks and flats to a sensor file, and what it found
    sensor_file.py           measured sensors: numbers with intervals, and maps
    training_clips.py        folders of recordings and photographs to what methods learn from
    own_captures.py          folders of captures to what a network goes on learning from
    training_run.py          one training: its folder, its steps, where it stands
    training_queue.py        several trainings, one after the other
    training_log.py          how a training went
    motion_blur.py           blurred pictures out of a film
    streaming.py             a recording of any length to a capture file, in constant memory
    further_maps.py          what a method gives beside the video, as files
    demonstration.py         what c2b demo shows
    check/                   whether a capture is right, told without truth
    plots/ report/           pictures; the page of a comparison, and how sure differences are
    cli.py commands/         the command line, one file per command; options.py, options that several share
    every_command.py         options of every command: --plugin, --memory
    command_examples.py      what the help of each command ends with
    terminal.py              tables and bars on a terminal
    output_path.py           never over what is read
    natural_order.py         names with numbers in them, sorted
    json_file.py             JSON as people write it by hand
"""

from c2b.captures import FORMATS as CAPTURE_FORMATS
from c2b.scenes import SCENES
from c2b.video import FORMATS as VIDEO_FORMATS
from sensors.name_table import NameTable

__version__ = "0.1.0"

__all__ = ["CAPTURE_FORMATS", "CODES", "SCENES", "VIDEO_FORMATS", "__version__"]

CODES = {
    "impulse": "c2b.codes:impulse",
    "long": "c2b.codes:long",
    "bernoulli": "c2b.codes:bernoulli",
    "bump": "c2b.codes:bump",
    "hadamard": "c2b.codes:hadamard",
    "s-matrix": "c2b.codes:s_matrix",
    "shifting-mask": "c2b.codes:shifting_mask",
    "flutter": "c2b.codes:flutter",
}
CODES = NameTable("codes", CODES)
