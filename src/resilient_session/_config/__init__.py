"""Configuration: one table of options, and the values resolved from it for one adapter.

It knows names, types, defaults, environment variables and validation. An argument wins over a variable, a variable
over the default. It must not know what an option does: the code that reads a value acts on it.
"""
