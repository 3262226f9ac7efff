//! The messages of workflow steps. The sentences are in `messages/locales/en/workflows.ftl`.

domain::messages! {
    consent_pending();
    finish_the_consent();
    consent_is_tried();
    correct_or_try_again();
    connect_failed();
    start_the_connection_again();
    consent_unreadable();
    consent_missing();
    another_organisation_granted();
    another_organisation_before();
    authorisation_pending();
    authorise_the_access();
    permission_spreading();
    credentials_refused();
    verification_failed();
    integration_removed();
    consent_declined();
    connect_expired();
    disconnection_stopped();
    disconnect_again();

    mailbox_removed();
    read_only();
    grant_writing();
    try_the_activation_again();
    calendar_system_too_slow();
    calendar_too_slow();

    no_writable_calendar();
    meeting_is_over();
    activate_a_calendar();
    connect_again_then_book();
    book_a_later_time();
    booking_not_written();
    booking_removed();
    no_calendar_chosen();
    slot_taken();
    booking_over();
    cancel_again();
    event_gone();
    cancel_or_book_again();
    room_declined(room: Text);
    move_or_book_another_room();
    room_silent();
    ask_the_rooms_approver();

    update_all_servers();
}
