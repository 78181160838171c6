"""What holds for every test, whichever folder it is in."""

import os

# A bar appears where work takes over a second: on a slow machine it would join what a test reads from standard error.
# Read by tqdm when it is imported, here and in the processes that tests start.
os.environ["TQDM_DISABLE"] = "1"
