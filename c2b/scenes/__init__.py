"""High-speed film of moving textured things, computed and not downloaded, with the true motion known.

::

    rotating_camera.py      one photograph of a far world, the camera turns: global motion
    occluding_objects.py    a drifting camera, objects at several depths that pass before each other
    panorama.py             a whole sphere, the camera turns about one axis: rotational blur
    scene.py                Scene: settings, frames on demand, masks, optical flow, occlusion
    as_recording.py         a scene in the place of a video file
    layer.py                one flat textured thing, seen through a homography, laid over what is behind it
    motion.py               where cameras and objects are at any time
    texture.py              photographs, grain, letters, Siemens star: what surfaces look like
    shape.py                discs, wheels, blades, polygons: where surfaces end

A scene behaves like a video: ``scene[a:b]`` is (n, H, W) float32 linear irradiance, 1 = white, and computes just those frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensors.name_table import NameTable

if TYPE_CHECKING:
    from c2b.scenes.scene import Scene

SCENES = {
    "occluding-objects": "c2b.scenes.occluding_objects:OccludingObjects",
    "panorama": "c2b.scenes.panorama:Panorama",
    "rotating-camera": "c2b.scenes.rotating_camera:RotatingCamera",
}
SCENES = NameTable("scenes", SCENES)


def make(spec: str, **settings: Any) -> Scene:
    """A scene from its name: ``scenes.make("occluding-objects:frames=18,height=240,width=320,seed=3")``.

    Parameters
    ----------
    spec : str
        A name of `SCENES`, with settings (see `sensors.spec`).
    **settings
        Further settings of the scene; one in ``spec`` goes before them.

    Raises
    ------
    Refusal
        If the name or a setting is unknown, or a setting is out of range.

    Examples
    --------
    >>> make("rotating-camera:frames=8,height=24,width=32")[2:5].shape
    (3, 24, 32)
    """
    from sensors import spec as grammar

    return grammar.make(SCENES, "scene", spec, **settings)
