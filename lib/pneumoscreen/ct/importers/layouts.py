"""The layouts of folders of CTs that are read."""

from . import boxes, covid19_ct_seg, markups, masks, mosmed, voc

DATA_SETS = (covid19_ct_seg.LAYOUT, mosmed.LAYOUT, voc.LAYOUT, markups.LAYOUT)
"""Known by their folders."""
OTHERS = (masks.LAYOUT, boxes.LAYOUT)
