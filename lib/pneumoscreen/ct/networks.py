"""Names of the networks of the CT method, in the order in which a screening uses them."""

CANDIDATES = "ct_candidates"
CLASSIFIER = "ct_classifier"
NETWORKS = (CANDIDATES, CLASSIFIER)
