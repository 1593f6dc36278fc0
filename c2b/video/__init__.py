"""High-speed video in and out: frames as stored, and the light they stand for.

recording     what every format gives: frames read when sliced, and what their numbers mean
window        a lazy part of a recording: frames, crop, luma, size
response      how stored values come from light, and back
sidecar       the facts that a video file cannot hold, in a JSON file beside it
writing       video to file
image_folder, tiff_stack, npy_array, container      one file per format
yuv           luma and colour differences to red, green, blue

A new format is one file with one subclass of `recording.Recording`, and one line in `FORMATS`.
"""

from __future__ import annotations

FORMATS = {
    "image-folder": "c2b.video.image_folder:ImageFolder",
    "tiff-stack": "c2b.video.tiff_stack:TiffStack",
    "npy-array": "c2b.video.npy_array:NpyArray",
    "container": "c2b.video.container:Container",
}
