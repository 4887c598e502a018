"""Measurements of speed, memory and quality; run with ``python -m benchmarks``.

``stages`` holds the stages of the main job, ``scale`` what they grow like, ``quality`` the scores;
``reference`` is the plain way, ``costs`` what it takes; ``inside`` is the one file that knows the
library's engine; ``plan`` says what is measured on what, ``clock`` measures, ``table`` prints.
"""
