"""What tests stand on and is no test itself; pytest and Sphinx find it by the path of ``tests``."""
