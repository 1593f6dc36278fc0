"""``c2b convert``"""

from __future__ import annotations

from typing import Literal


def convert(
    source: str,
    target: str,
    /,
    *,
    frames: str = "",
    rows: str = "",
    columns: str = "",
    channels: Literal["luma", "rgb", "stored"] = "stored",
    resize: str = "",
) -> None:
    """From one video or code format to another.

    Parameters
    ----------
    source
        Video file, folder or scene; or a code, by name or file.
    target
        Video: .mkv .avi .mp4 .mov .tif .npy, or a folder for PNG; code: .npy .npz .txt.
    frames
        A part such as 0:90, or with a step 0:90:2.
    rows
        A part such as 0:720.
    columns
        A part such as 0:1278.
    channels
        As stored, or turned into luma or rgb.
    resize
        WIDTHxHEIGHT, Lanczos, after the crop.
    """
    from c2b import code_files
    from c2b.commands import a_code, apart, counted, open_video, part_of, progress
    from c2b.video.writing import write_video
    from sensors.refusal import Refusal

    apart(source, target)
    code = a_code(source, perhaps_video=target.lower().endswith((".npz", ".txt")))
    if code is not None:
        if frames or rows or columns or resize or channels != "stored":
            raise Refusal(f"{source} is a code; --frames, --rows, --columns, --channels and --resize are of videos")
        code_files.write_code(target, code)
        print(f"{target}: code of shape {'x'.join(map(str, code.shape))}")
        return
    with open_video(source) as recording:
        part = part_of(recording, frames, rows, columns, None if channels == "stored" else channels, resize)
        write_video(target, part, progress=progress)
        print(f"{target}: {counted(len(part), 'frame')} of {part.height}x{part.width}")
