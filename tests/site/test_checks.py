"""The checks of the chapters held when the site was built: the list that `make book` only names."""

from tools.site import checks, executed


def test_every_check_held_when_the_site_was_built(site):
    assert not executed.failed(), "\n".join(checks.report(executed.failed()))


def test_the_site_shows_a_run_of_every_chapter(site):
    outdated, _ = executed.outdated(executed.chapters())
    assert not outdated, f"run `make book`: {outdated}"
