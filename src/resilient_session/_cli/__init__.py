"""The command line: `demo`, `get` and `explain`.

It knows arguments, printing and exit statuses. It must not do anything that a program could not do through the
public API: each command only uses the library.
"""
