"""The door to `jinja2`: rendering server configuration in a child process that cannot hurt us.

Callers use `reconciler.doors.templates.api`.

Enters: template texts and variables (text, numbers, truth values, None, lists and mappings of them). Leaves: rendered
text, or a `RenderError` that names template, line and reason. Must not: import `jinja2` here (`_render_child` does, in
a process with limits on time and memory), give a template anything but copies, let one job's failure touch another;
but where three texts of a template ran into the limits, its others are not tried in the same call.

Templates have no loader (no include, import, extends), no blocks of `call` or `filter`, nothing random. `trim_blocks`,
`lstrip_blocks` and `keep_trailing_newline` are on. What an expression prints must consist of `A-Za-z0-9._/@:+*-`;
spaces, brackets and other punctuation stand in the template's own text.
"""
