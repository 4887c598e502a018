"""One run, grids of runs, and the folders that keep their results.

Nothing is imported here, so that the command line's help stays cheap: ``fit.fit_probe``,
``evaluate.evaluate``, ``evaluate.evaluate_probe``, ``evaluate.score_files``, ``sweep.sweep``,
``results.ResultsFolder`` and ``rows.ROW_KEYS`` are the doors.
"""
