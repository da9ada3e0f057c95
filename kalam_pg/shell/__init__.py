r"""The interactive shell: statements, listings and live changes, over the wire like any other client.

`scanner` finds where statements end, `terminal` reads them (with `history` and `completion`), `session` runs
them, `tables` lays answers out, `listings` has `\d` and its like, `live` follows a subscription, and `shell`
is the loop that knows the commands.
"""
