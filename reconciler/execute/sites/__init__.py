"""The changes of a site: register, order, prove its names, store, make live, publish addresses, archive.

A change enters, its outcome leaves. Each step is done under the site's lease, which is given up before a change of a
target begins, and looks again at what is live once the lease is held. Must not touch a target's files, nor the batches.
"""
