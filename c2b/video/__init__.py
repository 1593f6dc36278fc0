"""High-speed video in and out: frames as stored, and the light they stand for.

recording.py            what every format gives: frames read when sliced, and what their numbers mean
view.py                 frames made of those of a recording, with the same meaning
window.py               a lazy part of a recording: frames, crop, luma, size
runs.py                 every run of so many frames of a recording, overlapping ones too
finer_film.py           film finer than the sensor, as its pixels integrate it
sub_exposures.py        sub-exposures out of film of any rate
orientation.py          which way up a picture is stored
colour_profile.py       how a picture says that its numbers are encoded
sidecar.py              the facts that a video file cannot hold, in a JSON file beside it
writing.py              video to file
plausibility.py         stored values held against what is declared of them
sci_scene.py            the true frames of a MATLAB scene
dng.py dng_levels.py    one raw picture, and what its tags say of its numbers
frame_folder.py         a TIFF or DNG file for each frame
image_folder.py tiff_stack.py npy_array.py container.py     one file per format
photron_mraw.py phantom_cine.py norpix_seq.py   those of high-speed cameras, digital numbers as they are
packed_dump.py          raw frames with a layout beside them
pixel_packing.py pixel_unpacking.py     10 and 12 bit pixels in bytes; the same, compiled
packet_index.py         which packets of a container are frames
container_boxes.py      whether a container is all there
tiff_pages.py           which pages of a TIFF are there, and which samples are alpha
yuv.py                  luma and colour differences to red, green, blue

A new format is one file with one subclass of `recording.Recording`, and one line in `FORMATS`.
"""

from __future__ import annotations

FORMATS = {
    "dng": "c2b.video.dng:Dng",
    "frame-folder": "c2b.video.frame_folder:FrameFolder",
    "image-folder": "c2b.video.image_folder:ImageFolder",
    "tiff-stack": "c2b.video.tiff_stack:TiffStack",
    "npy-array": "c2b.video.npy_array:NpyArray",
    "container": "c2b.video.container:Container",
    "photron-mraw": "c2b.video.photron_mraw:PhotronMraw",
    "phantom-cine": "c2b.video.phantom_cine:PhantomCine",
    "norpix-seq": "c2b.video.norpix_seq:NorpixSeq",
    "packed-dump": "c2b.video.packed_dump:PackedDump",
    "sci-scene": "c2b.video.sci_scene:SciScene",
}
