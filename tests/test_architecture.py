"""The house: floors that are never climbed, heavy packages that stay away until they are used, files that are one idea."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import textwrap
import tokenize
import tomllib
from functools import cache
from pathlib import Path

import pytest

import c2b
import c2b.plots
import recon
import sensors
from c2b import catalogue
from c2b.cli import COMMANDS
from c2b.criteria import CRITERIA
from recon import measures, priors
from sensors.spec import find

ROOT = Path(sensors.__file__).parents[1]
PACKAGES = ("sensors", "recon", "c2b")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "core", "base", "misc", "tools", "lib"}
HEAVY = (
    "numba",
    "scipy",
    "torch",
    "sklearn",
    "matplotlib",
    "av",
    "PIL",
    "tifffile",
    "dask",
    "zarr",
    "h5py",
    "skimage",
    "cyclopts",
)
MOST_LINES, LONGEST_FUNCTION = 350, 40
OWNERS = {  # a format or plot belongs to one place
    "av": ("c2b/video/",),
    "PIL": (
        "c2b/video/",
        "c2b/plots/",
        "c2b/code_files.py",
        "c2b/commands/",
        "c2b/demonstration.py",
        "c2b/report/",
        "c2b/scenes/",
    ),
    "tifffile": ("c2b/video/", "c2b/captures/", "c2b/code_files.py"),
    "matplotlib": ("c2b/plots/", "c2b/report/", "c2b/commands/"),
    "numba": ("sensors/", "recon/", "c2b/"),
}
TABLES = {
    "sensor": sensors.SENSORS,
    "readout": sensors.READOUTS,
    "response": sensors.RESPONSES,
    "method": recon.METHODS,
    "prior": priors.PRIORS,
    "metric": measures.METRICS,
    "criterion": CRITERIA,
    "code": c2b.CODES,
    "scene": c2b.SCENES,
    "video format": c2b.VIDEO_FORMATS,
    "capture format": c2b.CAPTURE_FORMATS,
}

every_file = pytest.mark.parametrize("path", FILES, ids=NAMES)


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Full names of all modules a file imports, wherever in the file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module


@every_file
def test_floors_are_never_climbed(path):
    floor = PACKAGES.index(path.relative_to(ROOT).parts[0])
    climbed = [name for name in imported(path) if name.partition(".")[0] in PACKAGES[floor + 1 :]]
    assert not climbed


def imports(path):
    """Modules of ours that a file imports, wherever in it, for annotations too; not the packages that it lies in.

    These are imported before it whatever it says, and it may read their tables and their errors.
    """
    here = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            for alias in node.names:
                names = [f"{module}.{alias.name}", module] if module else [alias.name]
                found = next((name for name in names if name in MODULES), None)
                if found and not here.startswith(f"{found}."):
                    yield found


MODULES = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}

#: Files that need each other, and why they may.
KNOTS = {
    frozenset({"sensors.sensor", "sensors.capture", "sensors.identity"}): (
        "a sensor takes captures, and a capture knows the sensor that took it; identity is a part of it that takes a sensor"
    ),
    frozenset({"c2b.video.recording", "c2b.video.window", "c2b.video.view", "c2b.video.sidecar", "c2b.video.plausibility"}): (
        "a window of a recording is a view of it and a recording, and the two others are steps of opening and reading one"
    ),
}


def circles(graph):
    """Sets of nodes that lead to each other: strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], set()

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[-len(part) :]
            if len(part) > 1:
                found.add(frozenset(part))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found():
    assert circles({"a": "b", "b": "cd", "c": "a", "d": "e", "e": ""}) == {frozenset("abc")}


def test_no_two_files_need_each_other():
    """Whatever a file imports, now, when it is called or for its annotations, does not lead back to it, but for `KNOTS`."""
    assert circles({name: set(imports(path)) for name, path in MODULES.items()}) == KNOTS.keys()


@every_file
def test_nothing_is_imported_from_the_tests(path):
    assert not [name for name in imported(path) if name.partition(".")[0] in ("tests", "examples", "pytest")]


@every_file
def test_a_heavy_package_is_imported_where_it_belongs(path):
    name = path.relative_to(ROOT).as_posix()
    for module in {module.partition(".")[0] for module in imported(path)} & OWNERS.keys():
        assert name.startswith(OWNERS[module]), module


def loaded_by(statement):
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_the_packages_loads_nothing_heavy():
    assert loaded_by("import c2b, sensors, recon").isdisjoint({*HEAVY, "numpy"})


def test_a_code_costs_neither_compiler_nor_plots():
    loaded = loaded_by("from c2b import codes; codes.make('impulse')")
    assert loaded.isdisjoint(HEAVY)


@every_file
def test_a_file_is_named_by_a_term_of_the_field(path):
    assert FORBIDDEN.isdisjoint({path.stem, path.parent.name})


def code_lines(text):
    """Lines that hold code: neither docstring nor comment nor blank."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    prose = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, nodes) and ast.get_docstring(node, clean=False) is not None:
            prose.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    nothing = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in nothing:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - prose)


def test_code_lines_are_counted_without_prose():
    assert code_lines('"""A\n\nB."""\n\n# why\nx = (1,\n     2)\n\ndef f():\n    """C."""\n    return 1\n') == 4


@every_file
def test_no_file_is_too_long(path):
    assert code_lines(path.read_text(encoding="utf-8")) <= MOST_LINES


def functions(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]


def is_kernel(function):
    """Whether numba compiles it, or it makes an instruction of LLVM that kernels call."""
    return any(word in ast.unparse(decorator) for decorator in function.decorator_list for word in ("njit", "intrinsic"))


def is_command(function, path):
    """Of `c2b.commands`, by the name of its file; its signature, an option a line, is not counted."""
    return path.parent.name == "commands" and function.name == path.stem


@every_file
def test_no_function_is_too_long(path):
    """Kernels are exempt: they call only kernels of their own file, and loops in one function become one loop of machine code."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and not is_kernel(node):
            length = code_lines(textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])))
            signature = node.body[0].lineno - node.lineno if is_command(node, path) else 0
            assert length - signature <= LONGEST_FUNCTION, f"{node.name} has {length} lines of code"


def methods(path):
    """Public methods of the public classes of a file."""
    for node in tree(path).body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from (one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"))


DOCUMENTED = {one.name for path in FILES for one in methods(path) if ast.get_docstring(one)}


@every_file
def test_a_method_is_documented_where_it_is_declared(path):
    """One that overrides another, or a verb of a contract, need not say again what that says."""
    assert not [one.name for one in methods(path) if not ast.get_docstring(one) and one.name not in DOCUMENTED]


def descriptions(path):
    """First words of docstrings, of the lines in them that begin a description, and of comments on constants."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield from re.findall(r"\A\w+|(?<=\n    )\w+(?= )", ast.get_docstring(node) or "")
    yield from re.findall(r"^#: (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)


@every_file
def test_a_description_begins_with_a_noun(path):
    """Not with "Of the noise", which needs the name above it to mean anything."""
    assert "Of" not in descriptions(path)


def test_every_table_is_listed():
    listed = {target for title in catalogue.tables() for target in catalogue.tables()[title].values()}
    for table in TABLES.values():
        assert set(table.values()) <= listed
    assert all(catalogue.entries(title) for title in catalogue.tables())


KERNEL_FILES = {path.relative_to(ROOT).as_posix() for path in FILES if any(map(is_kernel, functions(path)))}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_checkers_of_types_spare_just_the_files_with_kernels():
    spared = {name for name, rules in PROJECT["ruff"]["lint"]["per-file-ignores"].items() if "ANN202" in rules}
    assert spared == KERNEL_FILES
    (untyped,) = (part["module"] for part in PROJECT["mypy"]["overrides"])
    assert {name.replace(".", "/") + ".py" for name in untyped} == KERNEL_FILES


@pytest.mark.parametrize("name", sorted(KERNEL_FILES))
def test_beside_kernels_functions_are_typed(name):
    for function in functions(ROOT / name):
        if not is_kernel(function):
            given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
            untyped = [one.arg for one in given if one.annotation is None and one.arg not in ("self", "cls")]
            assert not untyped and function.returns, function.name


@every_file
def test_there_is_one_pool_of_threads(path):
    names = {node.attr if isinstance(node, ast.Attribute) else node.id for node in ast.walk(tree(path))
             if isinstance(node, (ast.Attribute, ast.Name))}  # fmt: skip
    assert "prange" not in names and not {name for name in imported(path) if name.endswith("pyplot")}


@every_file
def test_only_the_command_line_prints(path):
    name = path.relative_to(ROOT).as_posix()
    calls = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"]
    assert not calls or name.startswith("c2b/commands/") or name == "c2b/cli.py"


@every_file
def test_a_bug_is_not_swallowed(path):
    """A bare ``except`` hides Ctrl-C; ``except Exception`` is for parsers of damaged files, and then says why beside it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None
            if isinstance(node.type, ast.Name) and node.type.id == "Exception":
                assert "#" in lines[node.lineno - 1], f"line {node.lineno}"


@every_file
def test_no_global_randomness(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            assert node.attr in ("default_rng", "Generator", "SeedSequence", "Philox", "PCG64"), f"line {node.lineno}"


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_every_entry_of_a_table_is_there_and_documented(kind, name):
    entry = find(TABLES[kind], kind, name)
    assert callable(entry) and (entry.__doc__ or "").strip()


@pytest.mark.parametrize("name", sensors.PRESETS)
def test_every_preset_is_there(name):
    from sensors import preset

    assert preset.load(name)["sensor"] in sensors.SENSORS


PACKAGE_FILES = [path for path in FILES if path.name == "__init__.py"]


@pytest.mark.parametrize("path", PACKAGE_FILES, ids=lambda path: str(path.parent.relative_to(ROOT)))
def test_the_map_of_a_package_names_its_files(path):
    """The docstring of every package names all of its files and folders, and no others, but for what a table names."""
    said = set(re.findall(r"[\w-]+\.py\b|\b\w+/", ast.get_docstring(tree(path)) or ""))
    here = {one.name + "/" * one.is_dir() for one in path.parent.iterdir() if one.is_dir() or one.suffix == ".py"}
    package = ".".join(path.parent.relative_to(ROOT).parts)
    assert said <= here
    unnamed = {name for name in here - said if f"{package}.{name.removesuffix('.py')}" not in in_tables()}
    assert unnamed <= {"__init__.py", "__pycache__/"}


@cache
def in_tables():
    """Modules that a table names, and the networks that these import."""
    named = {target.partition(":")[0] for table in TABLES.values() for target in table.values()}
    named |= {f"c2b.commands.{name}" for name in COMMANDS}
    return named | {module for name in named if name in MODULES for module in imported(MODULES[name]) if ".networks." in module}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_tells_type_checkers_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()
