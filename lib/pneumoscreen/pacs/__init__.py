"""The hospital's PACS: studies come from it by DICOMweb, and the results go back as DICOM objects. Research use only.

``watch`` is the loop; ``client`` speaks DICOMweb; ``selection`` chooses the image of a study; ``results`` writes SEG,
SR, PDF and Secondary Capture; ``state`` remembers in SQLite what was done, so that a kill neither loses nor doubles.
"""
