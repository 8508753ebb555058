# SPDX-License-Identifier: GPL-2.0-only
"""An installed kselftest folder and an installed LTP, made here out of small programs."""

import subprocess
from pathlib import Path

import pytest

ENDS = """
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		puts(argv[i]);
	fflush(stdout);
	if (argv[1][0] == 's')
		raise(SIGSEGV);
	if (argv[1][0] == 'h')
		for (;;)
			pause();
	return atoi(argv[1]);
}
"""
CRASHES = """
#include <fcntl.h>
#include <unistd.h>
int main(void)
{
	write(1, "TAP version 13\\n1..2\\nok 1 before\\n", 33);
	return write(open("/proc/sysrq-trigger", O_WRONLY), "c", 1) == 1;
}
"""
LIBRARY = "int answer(void) { return 42; }\n"
USES_LIBRARY = """
#include <pthread.h>
#include <stdio.h>
int answer(void);
static void *thread(void *arg) { pthread_exit(arg); }
int main(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread, NULL);
	pthread_join(t, NULL);
	printf("TAP version 13\\n1..1\\n%s 1 the library answers\\n", answer() == 42 ? "ok" : "not ok");
	return answer() != 42;
}
"""
FORKS = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void)
{
	puts("TAP version 13\\n1..2\\nok 1 printed once");
	if (!fork())
		exit(0);
	wait(NULL);
	puts("ok 2 and after");
	return 0;
}
"""
SCRIPTS = {
    "codes:xfail.sh": "#!/bin/sh\nexit 2\n",
    "codes:xpass.sh": "#!/bin/sh\nexit 3\n",
    "codes:skip.sh": "#!/bin/sh\necho '1..0 # SKIP no such device'\nexit 4\n",
    "codes:fail.sh": "#!/bin/sh\necho '# mine.sh:7: it went wrong'\nexit 1\n",
    "codes:pass.sh": "#!/bin/sh\nexit 0\n",
    "codes:lies.sh": "#!/bin/sh\nprintf 'TAP version 13\\n1..1\\nnot ok 1 a check\\n'\nexit 0\n",
    "codes:short.sh": "#!/bin/sh\nprintf 'TAP version 13\\n1..3\\nok 1 a check'\nexit 0\n",
    "codes:hangs.sh": "#!/bin/sh\necho begun\nsleep 100\n",
    "files:reads.sh": "#!/bin/sh\n. ../kselftest/helper.sh\ngrep -q right data && helped && "
    'echo "# $0 in $PWD" && echo new >here && cat here && sed -i s/right/wrong/ data\n',
    "files:env.sh": "#!/usr/bin/env bash\nwords=(a b c)\n[[ ${#words[@]} = 3 && $1 = '-v two' ]]\n",
    "files:nested.sh": "#!/bin/sh\ncat <<EOF\nKTAP version 1\n1..2\n  KTAP version 1\n  1..2\n"
    "  ok 1 inner one\n  ok 2 inner two # SKIP not here\nok 1 outer\nok 2 alone\nEOF\n",
    "files:helped.sh": "#!/bin/sh\n./by_bash && ./uses_answer\n",
    "files:python.py": "#!/usr/bin/env python3\nprint('hello')\n",
}


def compile_c(text: str, target: Path, *flags: str) -> Path:
    """Compiles C; dynamically linked unless ``flags`` say otherwise."""
    command = ["gcc", "-w", "-x", "c", "-", "-o", str(target), *flags]
    subprocess.run(command, input=text, text=True, check=True)
    return target


@pytest.fixture(scope="session")
def kselftest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``make kselftest-install`` leaves a folder like it."""
    folder = tmp_path_factory.mktemp("kselftest")
    for name in ("codes", "files", "kselftest", "guest/deep"):
        (folder / name).mkdir(parents=True)
    for name, text in SCRIPTS.items():
        path = folder / name.replace(":", "/")
        path.write_text(text)
        path.chmod(0o755)
    (folder / "files" / "data").write_text("right\n")
    (folder / "kselftest" / "helper.sh").write_text("helped() { true; }\n")
    helper = folder / "files" / "by_bash"
    helper.write_text("#!/bin/bash\nwords=(a b)\n[[ ${#words[@]} = 2 ]]\n")
    helper.chmod(0o755)
    compile_c(FORKS, folder / "files" / "forks")
    (folder / "codes" / "settings").write_text("# a comment\ntimeout=3\n")
    compile_c(ENDS, folder / "codes" / "ends")
    compile_c(LIBRARY, folder / "guest" / "libanswer.so", "-shared", "-fPIC")
    library = ("-L", str(folder / "guest"), "-lanswer", "-Wl,-rpath,$ORIGIN/..", "-pthread")
    compile_c(USES_LIBRARY, folder / "guest" / "deep" / "uses_library", *library)
    compile_c(LIBRARY, folder / "files" / "libanswer.so", "-shared", "-fPIC")
    beside = ("-L", str(folder / "files"), "-lanswer", "-Wl,-rpath,$ORIGIN", "-pthread")
    compile_c(USES_LIBRARY, folder / "files" / "uses_answer", *beside)
    compile_c(CRASHES, folder / "guest" / "deep" / "crashes", "-static")
    listed = [
        *SCRIPTS,
        "files:forks",
        "codes:ends",
        "codes:gone",
        "guest/deep:uses_library",
        "guest/deep:crashes",
    ]
    (folder / "kselftest-list.txt").write_text("\n".join(listed) + "\n")
    return folder


@pytest.fixture(scope="session")
def ltp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``make install`` of LTP leaves a folder like it."""
    folder = tmp_path_factory.mktemp("ltp")
    programs = folder / "testcases" / "bin"
    programs.mkdir(parents=True)
    (folder / "runtest").mkdir()
    compile_c(ENDS, programs / "ends")
    (programs / "lib.sh").write_text("say() { echo said; }\n")
    script = programs / "shell01.sh"
    script.write_text(
        "#!/bin/sh\n. lib.sh\n"
        'if [ "$LTPROOT" = /opt/ltp ] && [ -s /boot/config-$(uname -r) ] && touch file; then\n'
        'echo "shell01 1 TPASS: $(say)"\nelse\necho "shell01 1 TFAIL: environment"\nexit 1\nfi\n'
    )
    script.chmod(0o755)
    (folder / "runtest" / "calls").write_text(
        "# what it says and how it ends\n"
        "passes ends 0 'a.c:5: TPASS: as promised'\n"
        "fails ends 1 'a.c:5: TPASS: one' 'a.c:7: TFAIL: got EINVAL'\n"
        "broken ends 2 'a.c:9: TBROK: mount() failed'\n"
        "not_here ends 32 'a.c:9: TCONF: syscall(434) not supported'\n"
        "shell01 shell01.sh\n"
        "piped ends 0 'a.c:5: TPASS: x' | grep -q TPASS\n"
    )
    (folder / "runtest" / "other").write_text("gone nosuch -a\n")
    return folder
