"""Generated probes of whether one user can see, or infer, what another has."""
