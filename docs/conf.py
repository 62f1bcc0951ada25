"""Configuration of the documentation. Nothing is fetched while it is built."""

import inspect
from pathlib import Path

import sktaag
from sktaag.datasets import list_datasets

HERE = Path(__file__).parent

project = "sktaag"
author = "The sktaag developers"
project_copyright = author
version = release = sktaag.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "ignore_pattern": "quickstart",  # it takes minutes, and has an environment of tox
    "abort_on_example_error": True,
    "download_all_examples": False,
    "copyfile_regex": r".*\.rst",
    "within_subsection_order": "FileNameSortKey",
}
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
default_role = "py:obj"  # single backticks in docstrings: a link where there is such an object, else code
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
numpydoc_show_class_members = False  # the template of classes lists the methods

html_theme = "pydata_sphinx_theme"
html_title = f"sktaag {version}"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_show_sourcelink = False
html_sidebars = {page.stem: [] for page in HERE.glob("*.md") if page.stem != "api"}  # they have no pages below them
html_theme_options = {"logo": {"text": "sktaag"}, "navbar_align": "left", "header_links_before_dropdown": 7}


def write_dataset_tables(path):
    """Write what `list_datasets` returns as Markdown tables, for the user guide to include."""
    table = list_datasets()
    parts = {
        "Molecules, offline": table[table["offline"]],
        "Molecules": table[~table["offline"] & (table["kind"] == "molecule")],
        "Polymers": table[table["kind"] == "polymer"],
        "Compositions": table[table["kind"] == "composition"],
        "Atoms in space": table[table["kind"] == "structure"],
        "Tables of elements": table[table["kind"] == "element"],
    }
    assert sum(map(len, parts.values())) == len(table), "a data set of another kind: give it a table"
    head = ["| call | property | unit | rows | values from | licence |", "|---|---|---|---|---|---|"]
    lines = []
    for title, part in parts.items():
        lines += [f"### {title}", "", *head]
        for row in part.itertuples():
            cells = [row.property, row.unit, f"{row.n:,}", row.method, row.licence]
            lines.append(" | ".join([f"| `{row.call}`", *(cell.replace("*", r"\*") for cell in cells)]) + " |")
        lines.append("")
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")


def skip_inherited(app, what, name, obj, skip, options):
    """Leave out methods that scikit-learn wrote: they are in its own documentation."""
    function = obj.fget if isinstance(obj, property) else inspect.unwrap(obj) if callable(obj) else obj
    module = getattr(function, "__module__", None)
    return True if module is not None and not module.startswith("sktaag") else None


def setup(app):
    """Connect the functions above to Sphinx."""
    write_dataset_tables(HERE / "_build" / "datasets.md")
    app.connect("autodoc-skip-member", skip_inherited)
