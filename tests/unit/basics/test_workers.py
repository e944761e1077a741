"""Worker processes: who gets Ctrl-C."""

import subprocess
import sys

from waiting import HANGS

ASK_EVERY_WORKER = """
import signal
from unequal.workers import Workers

def held():
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

if __name__ == "__main__":
    with Workers(2, print) as workers:
        workers.submit("one", held)
        workers.submit("two", held)
        answers = []
        while len(answers) < 2:
            answers += [future.result() for _, future in workers.finished()]
    print(answers, signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_ctrl_c_reaches_no_worker_not_even_the_first_of_a_process(tmp_path):
    script = tmp_path / "ask.py"
    script.write_text(ASK_EVERY_WORKER)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=HANGS)
    assert result.stdout == "[True, True] False\n", result.stderr
