"""The page of a comparison as a person uses it: in a headless browser, where one is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.c2b.report.handmade_comparison import FRAMES, IMAGE, SCRIPT
from tests.headless_browser import Browser, find

PROGRAM = find()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed; C2B_BROWSER names one")

READY = "performance.getEntriesByName('ready').length > 0"
CANVASES = "[...document.querySelectorAll('.panes canvas')].filter((canvas) => canvas.clientWidth)"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert PROGRAM is not None
    browser = Browser(PROGRAM, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(program: Browser, page_path: Path) -> Iterator[Browser]:
    program.open(page_path)
    program.wait(READY)
    yield program
    assert not program.complaints
    assert not [address for address in program.requests if not address.startswith(("data:", "file:"))]
    assert program.run("window.hacked") is None


def shown(browser: Browser, place: int) -> np.ndarray:
    """What a canvas shows, (H, W, 3)."""
    browser.settle()
    width, values = browser.run(
        f"""(() => {{
        const canvas = {CANVASES}[{place}];
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {{willReadFrequently: true}});
        copy.drawImage(canvas, 0, 0);
        return [canvas.width, [...copy.getImageData(0, 0, canvas.width, canvas.height).data]];
    }})()"""
    )
    return np.array(values, np.uint8).reshape(-1, width, 4)[..., :3].astype(int)


def place_of(browser: Browser, selector: str) -> tuple[float, float]:
    x, y = browser.run(
        f"""(() => {{
        const box = document.querySelector({selector!r}).getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    }})()"""
    )
    return x, y


def column(browser: Browser, number: int) -> list[str]:
    rows = "[...document.querySelectorAll('.sortable tbody tr')].filter((row) => !row.hidden)"
    return browser.run(f"{rows}.map((row) => row.cells[{number}].textContent)")


def search(browser: Browser, words: str) -> None:
    browser.run(f"document.querySelector('#search').value = {words!r}")
    browser.run("document.querySelector('#search').dispatchEvent(new Event('input'))")


def test_the_slider_moves_through_the_frames_of_all_columns(browser: Browser) -> None:
    before = [shown(browser, k) for k in range(3)]
    browser.run("document.querySelector('#frame').focus()")
    browser.key("ArrowRight")
    after = [shown(browser, k) for k in range(3)]
    assert browser.run("document.querySelector('#frame-number').textContent") == f"1 of {FRAMES - 1}"
    assert all(np.abs(one - other).mean() > 0.5 for one, other in zip(before, after, strict=True))
    browser.key("End")
    assert browser.run("document.querySelector('#frame').value") == str(FRAMES - 1)


def test_playing_goes_round(browser: Browser) -> None:
    browser.run("document.querySelector('#play').click()")
    browser.wait("document.querySelector('#frame').value === '2'")
    browser.wait("document.querySelector('#frame').value === '0'")
    browser.run("document.querySelector('#play').click()")
    assert browser.run("document.querySelector('#play').getAttribute('aria-pressed')") == "false"


def test_zoom_and_pan_are_the_same_in_all_columns(browser: Browser) -> None:
    whole = shown(browser, 0)
    browser.run("document.querySelector('.panes canvas').focus()")
    browser.key("+")
    browser.key("+")
    near = shown(browser, 0)
    height, width = whole.shape[:2]
    middle = Image.fromarray(whole.astype(np.uint8)).crop((3 * width // 8, 3 * height // 8, 5 * width // 8, 5 * height // 8))
    assert browser.run("document.querySelector('#zoom').textContent") == "400 %"
    assert np.abs(np.asarray(middle.resize((width, height))).astype(int) - near).mean() < 12
    browser.run("document.querySelector('.panes canvas').scrollIntoView({block: 'center', behavior: 'instant'})")
    x, y = place_of(browser, ".panes canvas")
    others = [shown(browser, k) for k in (1, 2)]
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x - 60, y, button="left", buttons=1)
    browser.mouse("mouseReleased", x - 60, y, button="left", clickCount=1)
    moved = shown(browser, 0)
    assert np.abs(moved[:, :-80] - near[:, 60:-20]).mean() < 6, "what is under the pointer goes with it"
    assert all(np.abs(shown(browser, k) - other).mean() > 1 for k, other in zip((1, 2), others, strict=True))
    browser.run("document.querySelector('[data-zoom=\"0\"]').click()")
    assert np.abs(shown(browser, 0) - whole).mean() < 0.5


def test_an_error_map_is_dark_where_truth_and_reconstruction_agree(browser: Browser) -> None:
    def mean_error() -> float:
        return float(shown(browser, 2).mean())

    small = browser.run("document.querySelector('#limit').selectedIndex")
    before = mean_error()
    browser.run("(() => { const s = document.querySelector('#limit'); s.selectedIndex = 0; s.dispatchEvent(new Event('input')); })()")
    assert browser.run("document.querySelector('#limit').selectedIndex") < small and mean_error() > before
    browser.run(
        """(() => { const select = document.querySelectorAll('.pane select')[1];
        select.value = 0; select.dispatchEvent(new Event('input')); })()"""
    )
    browser.settle()
    assert browser.run("document.querySelectorAll('.pane')[1].querySelector('.error').hidden"), "the truth has no error"


def test_the_table_sorts_by_number_and_by_name(browser: Browser) -> None:
    names = browser.run("[...document.querySelectorAll('.sortable thead th')].map((cell) => cell.innerText.trim())")
    psnr, sensor = (1 + next(k for k, name in enumerate(names) if name.startswith(word)) for word in ("PSNR", "sensor"))
    header = f"document.querySelector('.sortable thead tr').cells[{psnr}]"
    for way, sign in (("descending", -1), ("ascending", 1)):
        browser.run(f"{header}.querySelector('button').focus()")
        browser.key("Enter")
        values = [float(text) for text in column(browser, psnr)]
        assert values == sorted(values, key=lambda value: sign * value)
        assert browser.run(f"{header}.getAttribute('aria-sort')") == way
    browser.run(f"document.querySelector('.sortable thead tr').cells[{sensor}].querySelector('button').click()")
    assert column(browser, sensor) == sorted(column(browser, sensor))


def test_the_table_filters(browser: Browser) -> None:
    assert set(column(browser, 1)) == {"mean of 2"}, "means over the videos come first"
    choose = "const s = document.querySelector('.filters select'); s.value = {}; s.dispatchEvent(new Event('input'));"
    browser.run(f"(() => {{ {choose.format('s.options[0].value')} }})()")
    assert {"mean of 2", "plain.npy"} < set(column(browser, 1))
    search(browser, "two-bucket PLAIN")
    assert set(column(browser, 1)) == {"plain.npy"} and set(column(browser, 2)) == {"two-bucket"}
    count = browser.run("document.querySelector('#count').textContent")
    assert count.startswith(f"{len(column(browser, 1))} of ")


def test_a_row_of_the_table_goes_to_the_viewer(browser: Browser) -> None:
    search(browser, "50 e-")
    browser.run("[...document.querySelectorAll('.sortable tbody tr')].find((row) => !row.hidden).querySelector('.show').click()")
    browser.settle()
    captions = browser.run("[...document.querySelectorAll('.pane figcaption')].map((caption) => caption.textContent)")
    assert any("50 e-" in caption for caption in captions)
    assert browser.run("document.activeElement.matches('.pane select')"), "the focus goes to where it is shown"


def test_another_exposure_keeps_the_columns(browser: Browser) -> None:
    names = "[...document.querySelectorAll('.pane select')].map((select) => select.selectedOptions[0].text)"
    before, picture = browser.run(names), shown(browser, 0)
    assert any(SCRIPT in name for name in before)
    browser.run("(() => { const s = document.querySelector('#view'); s.selectedIndex = 1; s.dispatchEvent(new Event('input')); })()")
    browser.settle()
    assert browser.run(names) == before and np.abs(shown(browser, 0) - picture).mean() > 2
    assert IMAGE in browser.run("document.querySelector('#view').options[0].text")


def test_columns_come_and_go(browser: Browser) -> None:
    count = browser.run("document.querySelectorAll('.pane').length")
    browser.run("document.querySelector('#more').click()")
    browser.settle()
    assert browser.run("document.querySelectorAll('.pane').length") == count + 1
    for _ in range(9):
        browser.run("document.querySelector('#fewer').click()")
    assert browser.run("document.querySelectorAll('.pane').length") == 1


def test_every_control_is_reached_by_the_keyboard(browser: Browser) -> None:
    bad = """[...document.querySelectorAll("button, select, input, canvas, a[href], summary, pre, .scroll")]
        .filter((one) => one.offsetParent)
        .filter((one) => one.tabIndex < 0 || !(one.innerText || one.ariaLabel || one.labels?.length))
        .map((one) => one.outerHTML.slice(0, 100))"""
    assert browser.run(bad) == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_all_of_it(program: Browser, page_path: Path, tmp_path: Path, dark: bool) -> None:
    program.open(page_path, width=400, height=800, dark=dark)
    program.wait(READY)
    program.settle()
    assert program.run("document.documentElement.scrollWidth") <= 400
    wide = """[...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll, svg, .sr, select") && one.offsetParent)
        .filter((one) => one.getBoundingClientRect().right > 400.5 || one.scrollWidth > one.clientWidth + 1 && one.clientWidth
            && getComputedStyle(one).overflowX !== "visible").map((one) => one.outerHTML.slice(0, 90))"""
    assert program.run(wide) == []
    seen = np.asarray(Image.open(program.picture(tmp_path / "seen.png")).convert("L")).astype(int)
    assert (np.median(seen) < 60) == dark
    assert not program.complaints
