"""The policy: what follows from an attempt. Pure: no socket, no clock, no logger, no environment.

It knows what a failure proves, which retries are safe (RFC 9110 §9.2.2), which delay the server requested, and how
long to back off. It must not know who asks, or what anybody does with the verdict. Everything here is a function of
its arguments, so tables and properties test it.
"""
