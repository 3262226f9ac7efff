# What the engine says about a run.

run-quarantined = This run crashed the server several times and is quarantined.
read-history-then-retry = Read the run's history, then retry the run.
run-cancelled = A person cancelled this run.
wait-unnamed = A step requested a wait without a time or a signal.
successor-unknown = A step moved the run to a state that its workflow does not allow.
check-the-provider-then-retry = Check which changes remain at the provider, then retry the run.
state-unknown = The run is in a state that this version of Muster does not support.
step-panicked = A step of this run failed because of a defect in Muster.
memory-unreadable = The run's saved state cannot be read.
