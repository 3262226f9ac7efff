//! The embedded files of the message catalogue, and the look-up of a message in them.

use std::sync::LazyLock;

use domain::{Message, Zone, message::Arg};
use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::{Language, moment};

/// Declares the files of one language, named after the crates that declare the messages.
macro_rules! files {
    ($language:literal: $($name:literal),*) => {
        &[$(($name, include_str!(concat!("../locales/", $language, "/", $name, ".ftl")))),*]
    };
}

pub(crate) const ENGLISH_FILES: &[(&str, &str)] =
    files!("en": "api", "general", "engine", "memory", "providers", "services", "workflows");
pub(crate) const GERMAN_FILES: &[(&str, &str)] =
    files!("de": "api", "general", "engine", "memory", "providers", "services", "workflows");

type Bundle = FluentBundle<FluentResource>;

static OF_ENGLISH: LazyLock<Bundle> = LazyLock::new(|| bundle("en-GB", ENGLISH_FILES));
static OF_GERMAN: LazyLock<Bundle> = LazyLock::new(|| bundle("de", GERMAN_FILES));

fn bundle(tag: &str, files: &[(&str, &str)]) -> Bundle {
    let language: LanguageIdentifier = tag.parse().expect("the tag of a language of ours");
    let mut bundle = FluentBundle::new_concurrent(vec![language]);
    // The marks around arguments are for mixed directions of writing, and programs compare these sentences.
    bundle.set_use_isolating(false);
    for (name, text) in files {
        let resource = FluentResource::try_new((*text).to_owned());
        let resource = resource.unwrap_or_else(|(_, faults)| panic!("{name}.ftl: {faults:?}"));
        bundle.add_resource(resource).unwrap_or_else(|faults| panic!("{name}.ftl: {faults:?}"));
    }
    bundle
}

/// The rendered sentence of a message; `None` if the catalogue lacks the message, or the message lacks an argument.
pub(crate) fn render_message(message: &Message, language: Language, zone: Option<&Zone>) -> Option<String> {
    let Some(id) = message.id() else { return message.verbatim_text().map(str::to_owned) };
    let bundle = match language {
        Language::English => &*OF_ENGLISH,
        Language::German => &*OF_GERMAN,
    };
    let pattern = bundle.get_message(id)?.value()?;
    let mut args = FluentArgs::new();
    for (name, arg) in message.args() {
        args.set(name.to_owned(), value(arg, language, zone)?);
    }
    let mut faults = Vec::new();
    let sentence = bundle.format_pattern(pattern, Some(&args), &mut faults).into_owned();
    faults.is_empty().then_some(sentence)
}

fn value(arg: &Arg, language: Language, zone: Option<&Zone>) -> Option<FluentValue<'static>> {
    Some(match arg {
        Arg::Text(text) => text.clone().into(),
        Arg::Number(number) => (*number).into(),
        Arg::Moment { moment: at } => moment(*at, language, zone).into(),
        Arg::Nested { message } => render_message(message, language, zone)?.into(),
        Arg::Unknown(_) => return None,
    })
}
