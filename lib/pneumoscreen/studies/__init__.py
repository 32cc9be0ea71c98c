"""The studies folder: its labelled cases, their truth and their split; readers' annotations and who made them."""
