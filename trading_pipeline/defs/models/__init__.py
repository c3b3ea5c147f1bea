"""Live models: nightly challengers and the champion."""
