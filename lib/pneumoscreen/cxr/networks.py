"""Names of the networks of the X-ray method, in the order in which a screening uses them."""

LUNG_BOXES = "cxr_lung_boxes"
DISCRIMINATION = "cxr_discrimination"
LOCALIZATION = "cxr_localization"
NETWORKS = (LUNG_BOXES, DISCRIMINATION, LOCALIZATION)
