"""One door for each outside thing that several rooms need: files, processes, certificates, DNS, retries.

Bytes and facts of the world enter here and leave as values of the model or as plain bytes; every failure leaves as a
type of `reconciler.errors`. A door must not decide what a certificate needs, and must not know another door or any
room above.
"""
