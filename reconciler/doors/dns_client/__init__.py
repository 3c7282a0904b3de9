"""Door to `dnspython`: questions to name servers, and signed updates of TXT records.

Enters: names, and the addresses of servers. Leaves: `Answer`, `Zone`, or `Failed` with one clean sentence, whatever a
server sent (it is hostile: wrong, endless, truncated, silent). A question takes 5 s at most, UDP first and TCP where
the answer was cut; an answer has 64 KiB at most; a chain of aliases 8 hops.
Must not: change anything but TXT and addresses by an update, delete anything but by value, keep what it was told.
Import the public face: `from reconciler.doors.dns_client import api as dns`. `dnspython` (100 ms) loads on use.
"""
