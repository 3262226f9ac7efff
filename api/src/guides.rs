//! Guides for IT administrators, one for each calendar system and language.
//!
//! A guide is a Markdown file in `guides/`, embedded in the binary. The pages render it as HTML and the API returns it
//! as it is, so there is one source for both. Placeholders such as `{{application_id}}` stand for facts of this
//! installation; a paragraph or block of code that names a fact which this installation does not have is left out.

use ::messages::Language;
use domain::ProviderKind;
use maud::{Markup, PreEscaped};
use pulldown_cmark::{Event, Parser, html};
use services::{
    Services,
    connect::provider_label,
    providers::{ConsentFlow, Provider},
};

use crate::{messages, wording};

/// A guide in the language of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guide {
    /// Name of the calendar system.
    pub title: &'static str,
    /// Language of the text.
    pub language: Language,
    /// The text below the title, in CommonMark without HTML; headings are of level 2.
    pub body: String,
}

impl Guide {
    /// The guide to a calendar system, with the facts of this installation.
    pub(crate) fn of(provider: ProviderKind, services: &Services) -> Self {
        let language = wording::language();
        let connector = services.connectors.get(provider).ok();
        let facts = connector.as_ref().map(|connector| facts(connector.as_ref(), services));
        let text = fill(source(provider, language), &facts.unwrap_or_default());
        let title = provider_label(provider);
        let body = match connector {
            Some(_) => text,
            None => format!("**{}**\n\n{text}", wording::render_message(&messages::guide_not_set_up(title))),
        };
        Self { title, language, body }
    }

    /// The guide as a Markdown document with a title.
    pub(crate) fn markdown(&self) -> String {
        format!("# {}\n\n{}", self.title, self.body)
    }

    /// The text below the title as HTML. HTML in the source is shown as text.
    pub(crate) fn html(&self) -> Markup {
        let events = Parser::new(&self.body).map(|event| match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            event => event,
        });
        let mut rendered = String::new();
        html::push_html(&mut rendered, events);
        PreEscaped(rendered)
    }
}

/// Path of the page with the guide for a calendar system.
pub(crate) fn path(provider: ProviderKind) -> String {
    format!("/guides/{}", provider.as_str().to_lowercase().replace('_', "-"))
}

fn source(provider: ProviderKind, language: Language) -> &'static str {
    use Language::{English, German};
    use ProviderKind as P;
    match (provider, language) {
        (P::Microsoft365, English) => include_str!("guides/en/microsoft-365.md"),
        (P::Microsoft365, German) => include_str!("guides/de/microsoft-365.md"),
        (P::Exchange, English) => include_str!("guides/en/exchange.md"),
        (P::Exchange, German) => include_str!("guides/de/exchange.md"),
        (P::GoogleWorkspace, English) => include_str!("guides/en/google-workspace.md"),
        (P::GoogleWorkspace, German) => include_str!("guides/de/google-workspace.md"),
        (P::CalDav, English) => include_str!("guides/en/caldav.md"),
        (P::CalDav, German) => include_str!("guides/de/caldav.md"),
    }
}

/// What the placeholders of a guide stand for.
fn facts(connector: &dyn Provider, services: &Services) -> Vec<(&'static str, String)> {
    let settings = &services.settings;
    let mut facts = vec![("{{public_url}}", settings.absolute_url("/"))];
    if let Some(id) = connector.application_id() {
        let paths = connector.redirect_paths();
        facts.push(("{{application_id}}", id.to_owned()));
        let redirects = [
            ("{{signed_in_url}}", paths.signed_in),
            ("{{consented_url}}", paths.consented),
            ("{{own_url}}", paths.own),
        ];
        facts.extend(
            redirects.into_iter().filter_map(|(name, path)| Some((name, settings.absolute_url(path?)))),
        );
    }
    if let ConsentFlow::ServiceAccount { scopes, .. } = connector.consent_flow() {
        facts.push(("{{scopes}}", scopes.join("\n")));
        facts.push(("{{scopes_by_comma}}", scopes.join(",")));
    }
    facts
}

/// Replaces the placeholders. Leaves out each block, delimited by blank lines, that still has one.
fn fill(source: &str, facts: &[(&str, String)]) -> String {
    let filled = facts.iter().fold(source.to_owned(), |text, (name, fact)| text.replace(name, fact));
    let blocks: Vec<_> = filled.split("\n\n").filter(|block| !block.contains("{{")).collect();
    blocks.join("\n\n")
}

#[cfg(test)]
mod tests;
