"""Short ways for plain requests: what `requests.Session` does before it sends, in half the instructions.

`FastSession` overrides documented methods of `requests.Session` and nothing else. Each part of the work has a
module with a short way, whose first line states what it gains. A short way is taken only for values for which it
provably does what requests does. All others go to the function of requests itself, so that errors are its own, too.

Two guards stand before them. `Originals` compares the functions that a short way replaces with what they were: if
another library patched one, requests runs with the patch. And before the first request of the process, samples are
prepared both ways. If they differ, as they may with a future requests, all short ways are off.
"""
