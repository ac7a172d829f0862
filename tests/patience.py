"""How long tests wait.

A test proves what happens, not how fast this machine is: a wait's limit ends a hang, with the last thing seen. Where the time itself is
promised, the promise is held to three times as long: machines are slower than the one it was made on, and busy with other tests.
"""

SLOWER = 3.0  # times, than the machine that promises are made on
HANG_SECONDS = 300.0  # of a single wait; well below pytest's own `timeout`, which shows no more than where it waited
