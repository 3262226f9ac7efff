//! Messages about failures of the in-memory provider. Their text is in `messages/locales/en/memory.ftl`.

domain::messages! {
    memory_changes_forgotten();
    memory_no_mailbox();
    memory_no_page();
    memory_read_only();
    memory_event_gone();
    memory_connection_broke();
    memory_no_push();
    memory_channel_gone();
}
