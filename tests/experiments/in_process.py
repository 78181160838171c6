"""Commands in this process, where tests need no processes of their own: quicker, and tests can watch them."""

from contextlib import redirect_stderr, redirect_stdout

import main
import preprocess

COMMANDS = {"preprocess.py": preprocess.main, "main.py": main.main}


def run_script(log, script, *arguments):
    """Stands in for `experiments.commands.run_script`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as output, redirect_stdout(output), redirect_stderr(output):
        status = COMMANDS[script](list(arguments))
    if status == 130:
        raise KeyboardInterrupt
    return "" if status == 0 else log.read_text(encoding="utf-8").strip().split("\n")[-1]
