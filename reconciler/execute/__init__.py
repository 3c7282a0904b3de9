"""The fourth room: does what a plan says. The only room that changes the world.

A Plan enters, Outcomes leave, one a change. Site changes run on workers under the site's lease; the changes of a target
run as one batch under the target's lease and never take a site's. What an attempt taught is remembered in the store
before its outcome is told.

`executor` hands a plan's changes on by `schedule`: to `sites`, what is done for one site, and to `batches`, what is
done on one target. What these ask the network stands in `probes`, the checklist in `preflight`.

Must not do: add a change, decide whether something is wanted, print.
"""
