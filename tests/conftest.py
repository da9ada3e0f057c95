"""What holds for all tests."""

import os
import sys

from hypothesis import settings

# A suite starts some 150 servers. Without compiled modules to read each would compile for a second.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("kalam", deadline=None)
settings.load_profile("kalam")
