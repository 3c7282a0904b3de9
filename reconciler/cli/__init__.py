"""The command line: arguments in, calls to the rooms below, text and an exit code out. The door to `click` and `rich`.

One module a verb family in `verbs`, imported when its verb is typed; what several do stands in `shared`. `version`,
`--help`, `get` and `status` start in a blink and import neither the nouns nor the manifests. Must not decide anything
about certificates, and must not print text that was not made safe for a terminal (`screen` sees to it).
"""

from __future__ import annotations

_INTERRUPTED = 130


def main() -> int:
    """Run the program on `sys.argv` and give its exit code: the console script."""
    try:
        return _main()
    except KeyboardInterrupt:  # while the verbs were imported, before there is anybody who could tell of it
        return _INTERRUPTED


def _main() -> int:
    from reconciler.cli.environment import scrub

    scrub()  # before anything else is imported: OPENSSL_CONF runs code at `import ssl`
    from reconciler.cli.streams import complete

    complete()  # before any file is opened
    import gc

    gc.disable()  # a reader is gone before collecting pays (6 of 50 ms); verbs that work switch it on again
    from reconciler.cli.start import start

    code = start()
    gc.freeze()
    return code
