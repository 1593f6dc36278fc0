"""The page of a comparison: whole, self-contained, as large as it may be, and nothing in it but what was compared."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from c2b.cli import main
from c2b.comparison import Comparison
from c2b.comparison_store import CELLS, Store
from c2b.comparison_unit import MOTION
from c2b.plots.inline_svg import inline_svg
from c2b.plots.psnr_panel import Line, panel_figure
from c2b.report.cameras import code_image
from c2b.report.compared import line_up
from c2b.report.page import Column, Page, html, write_page
from c2b.report.paired_differences import paired_difference
from c2b.report.sprites import BLOCK, RUNGS, sprites_of
from sensors.refusal import Refusal
from tests.c2b.report.handmade_comparison import FRAMES, HEIGHT, IMAGE, SCRIPT, WIDTH, run


@pytest.fixture(scope="module")
def page(page_path: Path) -> str:
    return page_path.read_text(encoding="utf-8")


class Seen(HTMLParser):
    """Tags with their attributes, and the text of the page outside its script."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text.append(data)


def test_it_has_every_part(page: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    parts = ["Frames", "Table", "PSNR over light", "PSNR over motion", "PSNR of each frame", "Differences", "Codes and captures"]
    assert titles == [*parts, "Left out, and why", "How it was made"]
    assert "a 1x1 tile determines 1 of 4 frames" in page, "why a method was left out"
    ids = re.findall(r'<section id="([^"]*)"', page)
    assert {f"#{one}" for one in ids} == set(re.findall(r'<a href="(#[^"]*)"', page.split("<nav")[1].split("</nav>")[0]))


def test_it_loads_nothing_and_runs_its_own_script_alone(page: str) -> None:
    tags = Seen(page).tags
    addresses = [attributes.get(name) or "" for _, attributes in tags for name in ("src", "href", "srcset", "data")]
    assert all(address.startswith(("data:", "#")) for address in addresses if address)
    assert "url(" not in page.replace("url(#", "") and "@import" not in page
    script = page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(attributes["content"] for tag, attributes in tags if "http-equiv" in attributes)
    assert policy == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    kinds = [attributes.get("type", "javascript") for tag, attributes in tags if tag == "script"]
    assert kinds == ["application/json", "javascript", "text/plain", "text/plain"]


def test_names_are_text_and_never_code(page: str) -> None:
    seen = Seen(page)
    assert not [attributes for _, attributes in seen.tags if any(name.startswith("on") for name in attributes)]
    assert not [1 for tag, attributes in seen.tags if tag == "i" or (tag == "img" and attributes["src"] == "x")]
    text = "".join(seen.text)
    assert IMAGE in text and SCRIPT in text
    known = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert any(SCRIPT in thing["name"] for thing in known["views"][0]["shown"])


def test_the_table_has_the_rows_of_the_comparison(page: str, compared: Comparison) -> None:
    rows = re.findall(r"<tr.*?</tr>", page.split('<table class="sortable">')[1].split("</table>")[0], re.S)[1:]
    assert len(rows) == len(compared.rows) + len({(r.sensor, r.code, r.light, r.method) for r in compared.rows})
    whole = {f'data-value="{row.psnr}"' for row in compared.rows}
    assert all(any(value in row for row in rows) for value in whole)


def test_frames_in_the_page_are_those_that_were_kept(page: str, compared: Comparison) -> None:
    known = json.loads(page.split('id="data">')[1].split("</script>")[0])
    packs = re.findall(r'id="pack-\d">([^<]*)</script>', page)
    view = known["views"][0]
    assert view["name"] == f"{IMAGE}, exposure 0" and [thing["kind"] for thing in view["shown"]].count("truth") == 1
    frames = compared.frames(compared.rows[0])
    of = {thing["series"]: thing for thing in view["shown"]}
    for thing, true in ((view["shown"][0], frames.truth[0]), (of[0], frames.video[0])):
        sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(packs[thing["pack"]][thing["start"] : thing["end"]]))).convert("L"))
        for k in range(FRAMES):
            top, left = k // thing["columns"] * thing["down"], k % thing["columns"] * thing["across"]
            error = sheet[top : top + HEIGHT, left : left + WIDTH].astype(float) - true[k]
            assert np.sqrt(np.square(error).mean()) < 6
    assert of[0]["psnr"] == pytest.approx([float(text) for text in compared.rows[0].frame_psnr.split()], abs=3)


def test_captures_codes_and_motion_are_kept_beside_the_frames(compared: Comparison) -> None:
    row = next(row for row in compared.rows if row.sensor == "two-bucket" and row.light is None and row.method != SCRIPT)
    store = compared._store
    assert store is not None
    (cell,) = store.known(row.digest, row.digest)
    frames = store.load(cell)
    assert frames.capture.shape == (1, 2, HEIGHT, WIDTH) and frames.code.shape[:2] == (1, FRAMES)
    assert np.array_equal(frames.capture[0].sum(0), frames.truth[0].sum(0)), "two buckets hold all the light"
    assert len(cell.scores[MOTION]) == 2 and all(0.05 < motion < 8 for motion in cell.scores[MOTION])
    stores = {path.name for path in (store.folder / CELLS).glob("*.npy")}  # type: ignore[operator]
    assert len([name for name in stores if name.endswith("truth.npy")]) == 2, "cameras share the truth"


def test_a_page_is_made_again_out_of_the_folder_alone(
    page: str, compared: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("c2b.comparison_unit.Unit.run", None)
    folder = compared._store and compared._store.folder
    assert main(["plot", str(folder), str(tmp_path / "again.html")]) == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page
    assert "page of" in capsys.readouterr().out


def test_a_page_is_no_larger_than_it_may_be(compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("c2b.report.comparison_page.curves_of", lambda compared: [])
    most = compared.page(tmp_path / "large.html").stat().st_size - 60_000
    path = compared.page(tmp_path / "small.html", megabytes=most / 1e6)
    assert path.stat().st_size <= most and "JPEG, quality 92" not in path.read_text()
    with pytest.raises(Refusal, match="too small: the page takes 0"):
        compared.page(tmp_path / "none.html", megabytes=0.05)


def test_from_the_command_line_in_one_go(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wave = np.rint(127 + 90 * np.sin(np.arange(9)[:, None, None] / 3 + np.arange(12)[:, None] / 2 + np.arange(15) / 3))
    np.save("v.npy", wave.astype(np.uint8))
    words = ["compare", "v.npy", "--sensor", "two-bucket", "--method", "pseudo-inverse", "--page", "p.html"]
    assert main(words) == 0 and "p.html: the page, " in capsys.readouterr().out
    page = Path("p.html").read_text()
    assert "c2b compare v.npy --sensor two-bucket --method pseudo-inverse --page p.html" in "".join(Seen(page).text)
    assert "This is one scene" in page and "so no intervals" in page
    assert sorted(path.name for path in Path().iterdir()) == ["p.html", "v.npy"]
    assert main([*words[:-1], "p.pdf"]) == 2 and "name it p.html" in capsys.readouterr().err
    assert main(["plot", ".", "q.html"]) == 2 and "c2b compare VIDEO --report" in capsys.readouterr().err
    assert main([*words, "--megabytes", "0"]) == 2


def test_intervals_are_over_scenes_or_the_exposures_of_one(compared: Comparison, tmp_path: Path) -> None:
    assert compared._store is not None
    lines = line_up(compared._store, compared._store.noted())
    assert lines.several and lines.over == "2 scenes"
    exposures = lines.exposures(lines.series[0])
    told = paired_difference([e.psnr for e in exposures], [0] * 4, [e.video for e in exposures])
    assert lines.interval(exposures, lambda e: e.psnr) == pytest.approx((told.mean, told.low, told.high), rel=0.02)
    for count, over in ((2, ""), (3, "3 exposures of one scene")):
        found = run(tmp_path, videos=1, exposures=count)
        assert found._store is not None
        alone = line_up(found._store, [])
        assert alone.over == over
        assert np.isfinite(alone.interval(alone.exposures(alone.series[0]), lambda e: e.psnr)).tolist() == [True, count > 2, count > 2]


@pytest.mark.parametrize("shape", [(5, 30, 41), (9, 16, 32, 3), (1, 7, 5)])
def test_sprites_hold_their_frames_and_stay_in_their_room(shape: tuple[int, ...]) -> None:
    i = np.arange(shape[1])[:, None] * 2 + np.arange(shape[2])
    video = np.stack([(i * 2 + 20 * t) % 200 for t in range(shape[0])]).astype(np.uint8)
    video = video if len(shape) == 3 else np.repeat(video[..., None], 3, -1)
    many = {str(k): video for k in range(30)}
    all_ = sprites_of(many, 10_000_000)
    assert list(all_.by) == list(many) and (all_.kind, all_.scale, all_.quality) == RUNGS[0] and all_.fidelity > 25
    sprite = all_.by["0"]
    assert sprite.across % BLOCK == sprite.down % BLOCK == 0 and sprite.columns * -(-shape[0] // sprite.columns) >= shape[0]
    needed = sum(len(sprite.file) for sprite in all_.by.values())
    some = sprites_of(many, needed // 3)
    assert sum(len(sprite.file) for sprite in some.by.values()) <= needed // 3 and (some.kind, some.scale, some.quality) != RUNGS[0]
    few = sprites_of(many, 700)
    assert 0 < len(few.by) < 30 and list(few.by) == list(many)[: len(few.by)], "the first ones are the most important"
    assert not sprites_of({}, 0).by


def test_a_code_is_dark_where_bucket_0_collects() -> None:
    code = np.zeros((3, 2, 4))
    code[1, 1, 3] = 1
    image = code_image(code)
    dark = (image[..., 0] < 100) & (image[..., 3] == 255)
    rows, columns = np.nonzero(dark)
    each = 10
    assert (rows.min(), rows.max() + 1) == (each, 2 * each) and columns.max() - columns.min() + 1 == each
    assert dark.sum() == each**2 and (image[..., 3] == 0).any(), "gaps between tiles are transparent"


def test_curves_take_the_colours_of_the_page() -> None:
    line = Line([20, 100], [20.0, np.inf], [19, np.nan], [21, np.nan], 1, (30.0, 29.0, 31.0))
    figure = panel_figure([line], x="electrons", span=(15, 35), logarithmic=True, apart="ideal")
    assert isinstance(figure, Figure)
    svg = inline_svg(figure, 'over <light> & "motion"')
    assert "var(--line-1)" in svg and "#d55e00" not in svg and ">ideal</text>" in svg and ">100</text>" in svg
    assert "&lt;light&gt; &amp;" in svg and "<style" not in svg and svg.count("<svg") == 1
    with pytest.raises(Refusal, match="no PSNR"):
        panel_figure([], x="", span=(0, 1))


def test_cells_say_what_there_is_to_say() -> None:
    column = Column("PSNR", ".2f")
    assert [column.text(value) for value in (None, np.nan, np.inf, 31.954, 3)] == ["–", "–", "∞", "31.95", "3.00"]


def test_an_empty_page_is_a_page(tmp_path: Path) -> None:
    text = write_page(tmp_path / "p.html", Page("a \udce4 <b>")).read_text(encoding="utf-8")
    assert "a ? &lt;b&gt;" in text and "<section" in text and html(Page("t")).count("<section") == 1


@pytest.mark.parametrize(("name", "word"), [("a.pdf", "name it a.html"), ("absent/a.html", "does not exist")])
def test_a_page_that_cannot_be_written_is_refused(name: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=word):
        write_page(tmp_path / name, Page("t"))
    with pytest.raises(Refusal, match=re.escape("c2b compare VIDEO --report")):
        from c2b.report.comparison_page import write_comparison_page

        write_comparison_page(tmp_path / "p.html", Store(tmp_path))
    assert not list(tmp_path.iterdir())
