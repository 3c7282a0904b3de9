"""certwright: declarative TLS certificates for ordinary servers.

The folders are the path that the data takes: manifests -> observe -> plan -> execute -> report. Nouns (`model`) lie
beneath, plug-ins (`issuers`, `challenges`, `targets`) and the `store` stand beside, `cli` and `loop` drive `engine`.
"""

__version__ = "0.1.0"  # without a type: the build finds the version by this form of the line
