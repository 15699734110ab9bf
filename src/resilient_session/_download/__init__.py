"""`download()`: a file that arrives as a whole, or not at all.

The bytes are collected in a part beside the file (`_part`). A note beside the part says of what they are: the hash
of the URL, the validator of the version, its length and its digests. So another run of the program can go on. What
the server sends is joined with them only where `_policy._joining` proves that it belongs to them; else the download
begins anew (`_receiver`). In one run, a body that breaks is requested again as the policy of its session decides
(`_resuming`).

At the end length and digests are checked (`_digests`), and the part gets the name of the file in one step. Whenever
the program is killed, there is the old file, or none, or the new one, and never a mixture.
"""
