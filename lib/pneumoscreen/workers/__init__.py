"""Work that is done by several workers: in this process, in processes beside it, or by actors of a Ray cluster.

pool         what a work is, what a pool of workers does, and all jobs of a list
results      those of a list of jobs; jobs that are functions
here         a pool of this process alone
processes    of processes of this machine
ray_pool     of actors of a Ray cluster
ray_cluster  how that is joined, and how many it takes
machine      cores, memory and threads of this machine
asked        which of them the options of a command ask for
"""
