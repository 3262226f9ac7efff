//! End-to-end tests, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[macro_use]
mod harness;
mod accessibility;
mod audit;
mod bad_input;
mod caldav;
mod campaigns;
mod canaries;
mod cases;
mod commands;
mod copies;
mod counts;
mod demo;
mod edges;
mod faults;
mod following;
mod google;
mod kill;
mod languages;
mod leaving;
mod notices;
mod one_connection;
mod online;
mod paths;
mod questions;
mod radicale;
mod runs;
mod s1_connecting;
mod s1_pages;
mod s2_service_account;
mod s3_everyone;
mod s4_rooms;
mod s5_layers;
mod s6_browser;
mod s6_corrections;
mod s6_links;
mod s6_personal;
mod suspension;
mod t16;
mod t17;
mod t18;
mod texts;
mod two_tabs;
mod unknown_words;
