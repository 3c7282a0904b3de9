"""Proving names by DNS: dns-01, dns-account-01, dns-persist-01.

Enters: a hostname and what the CA asks for. Leaves: a TXT value at one name, an `Undo` by which exactly that value is
taken away again, and the certainty that every authoritative name server has it.
Must not: write at a zone's apex, follow an alias without leave, replace or delete what somebody else wrote.

Reasons of failures: AliasStands, AliasRefused, NotPropagated, ProviderFailed, ProviderBusy, ProviderRefused,
LexiconMissing, LexiconOptions, CredentialsUnfit, and those of the doors dns_client, http and processes; WaitingForSolve
(Waiting) while a person has not published a record.
"""
