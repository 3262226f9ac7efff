//! The connectors against imitated and real servers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[macro_use]
mod conformance;

mod answering;
mod bad_items;
mod caldav_bad_servers;
mod caldav_conformance;
mod caldav_free_busy;
mod caldav_listing;
mod caldav_login;
mod caldav_owners;
mod caldav_radicale;
mod caldav_reading;
mod caldav_requests;
mod caldav_script;
mod caldav_server;
mod caldav_setup;
mod caldav_store;
mod caldav_sync;
mod calendar_lists;
mod cases;
mod exchange_answers;
mod exchange_conformance;
mod exchange_requests;
mod exchange_script;
mod exchange_setup;
mod google_conformance;
mod google_faults;
mod google_hooks;
mod google_keyless;
mod google_official;
mod google_online;
mod google_recorded;
mod google_requests;
mod google_setup;
mod memory_conformance;
mod microsoft_browser;
mod microsoft_clouds;
mod microsoft_conformance;
mod microsoft_faults;
mod microsoft_identity;
mod microsoft_online;
mod microsoft_recorder;
mod microsoft_requests;
mod microsoft_setup;
mod microsoft_sign_in;
mod microsoft_watermark;

mod mutilated;
mod mutilated_xml;
mod spoilt_answers;
mod waits;
