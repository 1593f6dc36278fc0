"""What results are told by: the page of a comparison, one HTML file that opens anywhere, and how sure a difference is.

::

    comparison_page.py           what a report folder knows, as a page
    page.py                      what a page holds, and writing it
    page.html.jinja page.css page.js    how it looks, and what it does
    compared.py                  all cameras and methods of a report, exposure by exposure
    comparison_curves.py         their PSNR over light, motion and frames
    cameras.py                   pictures of codes, and captures close up
    viewer.py                    what the viewer of a page shows
    sprites.py                   the frames of a video in one picture, in the room that there is
    paired_differences.py        whether one method is better than another, by a bootstrap over groups
    comparison_differences.py    the same of the rows of a comparison, over scenes
"""
