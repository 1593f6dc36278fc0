"""Pages to show around: one HTML file with its pictures beside it, opened by a double click, offline.

::

    page.py            what a page holds, and writing it
    page.html.jinja    how it looks
"""
