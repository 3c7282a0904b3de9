"""From the bytes of a manifest file to YAML documents, each value with its place.

Bytes enter; data with file, line and column leave, or sentences about what is refused. What a document means is not
known here, and no file is opened.
"""
