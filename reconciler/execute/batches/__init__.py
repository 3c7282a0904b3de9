"""The changes of a target in batches: files staged and switched, one test, one reload, what is loaded noted, the proof.

Changes of one target and what is live enter, their outcomes leave. All is done under the target's lease; what got worse
is put back. Must not order or store a certificate, nor know how a site's changes are done.
"""
