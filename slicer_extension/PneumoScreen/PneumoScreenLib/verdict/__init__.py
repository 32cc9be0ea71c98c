"""The verdict of a case in words: the card on the panel and the sentence for the report."""
