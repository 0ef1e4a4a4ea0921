"""Templates of the package become pages: everything escaped, nothing undefined."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def filled(template: str, **values: object) -> str:
    """Fill a template of the package, and return the page.

    Parameters
    ----------
    template : str
        The file's name under `templates`.
    **values
        What the template shows besides ``style``, the sheet that all pages share.

    Returns
    -------
    str
        Without blank lines, the same for the same values.
    """
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = Markup(_resource("style.css"))
    page = environment.get_template(template).render(style=style, **values)
    return "\n".join(line.rstrip() for line in page.splitlines() if line.strip()) + "\n"


def _resource(name: str) -> str:
    """Read a template or style of the package."""
    return (files("baseeval.reporting") / "templates" / name).read_text(encoding="utf-8")
