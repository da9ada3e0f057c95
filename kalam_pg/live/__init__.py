"""Live changes: channels of LISTEN and NOTIFY, subscriptions, what they are told."""
