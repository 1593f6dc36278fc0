"""What results are told by: pages to show around, one HTML file with its pictures beside it, and how sure a difference is.

::

    page.py                      what a page holds, and writing it
    page.html.jinja              how it looks
    paired_differences.py        whether one method is better than another, by a bootstrap over groups
    comparison_differences.py    the same of the rows of a comparison, over scenes
"""
