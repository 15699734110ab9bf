"""The command line: `demo`, `get` and `explain`.

It knows arguments, printing and exit codes. It must not know anything that a program could not do through the
public API: each command is a user of the library.
"""
