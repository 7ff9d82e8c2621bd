"""nbgrader's settings for these labs: `nbgrader` and its formgrader read them when they start beside it."""

c = get_config()  # noqa: F821 (traitlets gives it)

c.CourseDirectory.course_id = "exploding-gradients"

# tools/labs/derive.py reads them here, too. nbgrader knows by them which paragraph was left unanswered.
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer.*"

# The seconds that one cell may take. nbgrader has no limit for a notebook and isolates nothing.
c.ExecutePreprocessor.timeout = 120
c.Execute.timeout = 120
c.ExecutePreprocessor.interrupt_on_timeout = True

# A warning on stderr is no failure: the checks raise when they fail.
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = ".*"
