"""PneumoScreen: screening of chest scans for pneumonia. Research use only."""

__version__ = "0.1.0"
RESEARCH_USE_ONLY = "Research use only. Not a medical device; not for diagnosis."
