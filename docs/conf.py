"""How Sphinx builds these pages: MyST in, Furo out. It needs no network."""

import sys
from pathlib import Path

from circus_core import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "circus-bus"
author = "the circus-bus contributors"
copyright = author
version = release = __version__

extensions = ["myst_parser", "reference"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"circus-bus {version}"
html_show_copyright = False
