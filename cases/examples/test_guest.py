# SPDX-License-Identifier: GPL-2.0-only
"""Python cases: what a C case cannot see, its guest being gone; docs/python-cases.md."""


def test_release_is_that_of_the_image(guest, kernel):
    """uname(2): ``release`` is the string that the image carries."""
    assert guest.run("uname", "-r", check=True).stdout.strip() == kernel.release


def test_crash_on_request_is_a_panic_that_says_so(guest):
    """Documentation/admin-guide/sysrq.rst: ``c`` crashes the kernel."""
    mark = guest.mark()
    assert guest.crash() == "Kernel panic - not syncing: sysrq triggered crash"
    assert "sysrq: Trigger a crash" in guest.console(since=mark)
    assert not guest.alive


def test_host_name_set_in_one_guest_is_not_in_another(fork):
    """Two forks share what was before them, and nothing after."""
    with fork() as one, fork() as other:
        one.run("hostname", "mine", check=True)
        assert one.run("hostname").stdout == "mine\n"
        assert other.run("hostname").stdout == "(none)\n"
