"""High-speed video in and out: frames as stored, and the light they stand for.

recording     what every format gives: frames read when sliced, and what their numbers mean
window        a lazy part of a recording: frames, crop, luma, size
orientation   which way up a picture is stored
sidecar       the facts that a video file cannot hold, in a JSON file beside it
writing       video to file
plausibility  stored values held against what is declared of them
sci_scene, dng              the true frames of a MATLAB scene; one raw picture
dng_levels    what the tags of a raw picture say of its numbers
image_folder, tiff_stack, npy_array, container      one file per format
photron_mraw, phantom_cine, norpix_seq              those of high-speed cameras, digital numbers as they are
packed_dump   raw frames with a layout beside them
pixel_packing, pixel_unpacking                      10 and 12 bit pixels in bytes; the same, compiled
packet_index  which packets of a container are frames; container_boxes, whether it is all there
tiff_pages    which pages of a TIFF are there, and which samples are alpha
yuv           luma and colour differences to red, green, blue

A new format is one file with one subclass of `recording.Recording`, and one line in `FORMATS`.
"""

from __future__ import annotations

FORMATS = {
    "dng": "c2b.video.dng:Dng",
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
