"""A whole archive screened by one command that can be killed: what was done stands in a manifest.

jobs         what lies in the source, folder by folder
worker       one job in a process of its own
manifest     what became of each job, in SQLite
run          all of it, from a source to a page
summary      figures, table and page
"""
