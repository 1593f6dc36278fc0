"""``c2b convert``"""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def convert(
    source: str,
    target: Path,
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
        Video: a folder, .tif .npy .mkv .mp4 ...; code: .npy .npz .txt.
    frames, rows, columns
        Parts such as 0:720.
    channels
        As stored, or turned into luma or rgb.
    resize
        WIDTHxHEIGHT, Lanczos.
    """
    import c2b
    from c2b import code_files, codes
    from c2b.commands import open_video, part_of
    from c2b.video.writing import write_video

    if source.partition(":")[0] in c2b.CODES or (Path(source).suffix.lower() in code_files.CODE_ONLY and Path(source).is_file()):
        code = codes.make(source)
        code_files.write_code(target, code)
        print(f"{target}: code of shape {'x'.join(map(str, code.shape))}")
        return
    with open_video(source) as recording:
        part = part_of(recording, frames, rows, columns, None if channels == "stored" else channels, resize)
        write_video(target, part)
        print(f"{target}: {len(part)} frames of {part.height}x{part.width}")
