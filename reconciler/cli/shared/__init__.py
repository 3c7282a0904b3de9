"""What several verbs do: open the application, choose sites, converge while a person watches, tell what came of it.

Settings enter; reports, items and exit codes leave. No flag is declared here, and nothing of the command line is parsed
but what a verb hands over.
"""
