"""Configuration: every option, described once in one table, and the values that rule an adapter.

It knows names, types, defaults, environment variables and their checks: an argument outranks a variable, which
outranks the default. It must not know what an option does; whoever reads a value acts on it.
"""
