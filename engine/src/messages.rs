//! The engine's messages about runs. The sentences are in `messages/locales/en/engine.ftl`.

domain::messages! {
    run_quarantined();
    read_history_then_retry();
    run_cancelled();
    wait_unnamed();
    successor_unknown();
    check_the_provider_then_retry();
    state_unknown();
    step_panicked();
    memory_unreadable();
}
