//! The parsed content of a page: the form marked as the next step, and the data attributes.

use scraper::{ElementRef, Html, Selector, node::Element};
use url::Url;

use crate::error::{Error, Result};

/// A parsed page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The URL that the page was read from.
    pub url: Url,
    /// The text of `<h1>`, or else of `<title>`.
    pub title: String,
    /// The text of the body, on one line.
    pub text: String,
    /// The form marked as the next step; `None` if there is none.
    pub next: Option<Form>,
    /// Whether the page shows pending work and must be reloaded.
    pub waits: bool,
    /// The link back to the vendor's product; `None` if the page shows none.
    pub landing: Option<Url>,
    /// State shown on the page; `None` if it shows none.
    pub state: Option<String>,
    /// Error code shown on the page; `None` if it shows none.
    pub code: Option<String>,
    /// Whether the page's referrer policy hides its origin when forms are submitted.
    pub hides_origin: bool,
}

/// The form of a page that leads to the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The absolute URL to which the form is submitted.
    pub action: Url,
    /// Whether the form is submitted with POST.
    pub is_post: bool,
    /// The form's controls, in document order.
    pub fields: Vec<Field>,
}

/// One control of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The key under which the control is submitted.
    pub name: String,
    /// The initial value of the control.
    pub value: String,
    /// The kind of control, which determines when it is submitted.
    pub kind: FieldKind,
}

/// Kind of a form control, which determines when it is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A text field, which is always submitted.
    Text,
    /// A hidden field, which is always submitted unchanged.
    Hidden,
    /// A check box or option, which is submitted if it is selected.
    Choice {
        /// Whether it is selected initially.
        checked: bool,
    },
    /// A button, which is submitted if it is pressed.
    Button,
}

impl Page {
    /// Parses the HTML that `url` returned; an error if several of its forms are marked as the next step.
    pub fn parse(url: Url, html: &str, hides_origin: bool) -> Result<Self> {
        let html = Html::parse_document(html);
        let mut forms = find(&html, "form[data-muster-next]");
        if forms.len() > 1 {
            let what = format!("{url} has {} forms marked data-muster-next", forms.len());
            return Err(Error::Unexpected(what));
        }
        let next = forms.pop().map(|form| Form::read(&url, form)).transpose()?;
        let mark = |name: &str| {
            let found = find(&html, &format!("[{name}]")).into_iter().next();
            found.and_then(|element| element.attr(name)).map(str::to_owned)
        };
        let landing = find(&html, "a[data-muster-landing]").into_iter().next();
        let text = |selector: &str| find(&html, selector).into_iter().next().map(line).unwrap_or_default();
        Ok(Self {
            title: if text("h1").is_empty() { text("title") } else { text("h1") },
            text: if text("main").is_empty() { text("body") } else { text("main") },
            waits: mark("data-muster-wait").is_some(),
            landing: landing.and_then(|link| url.join(link.attr("href")?).ok()),
            state: mark("data-muster-state"),
            code: mark("data-muster-code"),
            next,
            url,
            hides_origin,
        })
    }

    /// The form that leads to the next step; an error with the page's message if there is none.
    pub fn form(&self) -> Result<&Form> {
        self.next.as_ref().ok_or_else(|| self.stop_error())
    }

    /// The error that explains why the page has no form for the next step.
    pub fn stop_error(&self) -> Error {
        Error::Page {
            title: self.title.clone(),
            code: self.code.clone().unwrap_or_else(|| "PAGE_WITHOUT_FORM".to_owned()),
            message: self.text.clone(),
        }
    }
}

impl Form {
    fn read(page: &Url, form: ElementRef<'_>) -> Result<Self> {
        let action = form.attr("action").unwrap_or_default();
        let action = page
            .join(action)
            .map_err(|_| Error::Unexpected(format!("{page} has a form that goes nowhere")))?;
        let is_post = form.attr("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
        let named = Selector::parse("input[name], button[name], textarea[name]");
        let named =
            named.map_err(|_| Error::Unexpected("the fields of a form cannot be found".to_owned()))?;
        let fields = form.select(&named).filter_map(|element| Field::read(element.value())).collect();
        Ok(Self { action, is_post, fields })
    }

    /// Whether the form has a control with this name.
    pub fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// The submission with the known answers filled in. An answer fills in a text field, or selects the option or
    /// presses the button with that value.
    pub fn fill_in(&self, known: &[(&str, &str)]) -> Vec<(String, String)> {
        let wanted = |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let sent = self.fields.iter().filter_map(|field| {
            let wish = wanted(&field.name);
            let value = match (field.kind, wish) {
                (FieldKind::Text, wish) => wish.unwrap_or(&field.value),
                (FieldKind::Hidden, _) => &field.value,
                (FieldKind::Choice { .. } | FieldKind::Button, Some(wish)) => {
                    (field.value == wish).then_some(wish)?
                }
                (FieldKind::Choice { checked }, None) => checked.then_some(field.value.as_str())?,
                (FieldKind::Button, None) => return None,
            };
            Some((field.name.clone(), value.to_owned()))
        });
        sent.collect()
    }
}

impl Field {
    fn read(element: &Element) -> Option<Self> {
        let kind = match (element.name(), element.attr("type").unwrap_or("text")) {
            ("button", "reset" | "button") | ("input", "reset" | "button" | "image") => return None,
            ("button", _) | ("input", "submit") => FieldKind::Button,
            ("input", "hidden") => FieldKind::Hidden,
            ("input", "checkbox" | "radio") => {
                FieldKind::Choice { checked: element.attr("checked").is_some() }
            }
            _ => FieldKind::Text,
        };
        let fallback = if matches!(kind, FieldKind::Choice { .. }) { "on" } else { "" };
        let value = element.attr("value").unwrap_or(fallback).to_owned();
        Some(Self { name: element.attr("name")?.to_owned(), value, kind })
    }
}

fn find<'a>(html: &'a Html, selector: &str) -> Vec<ElementRef<'a>> {
    Selector::parse(selector).map_or_else(|_| Vec::new(), |selector| html.select(&selector).collect())
}

fn line(element: ElementRef<'_>) -> String {
    let text: String = element.text().collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(html: &str) -> Page {
        Page::parse("http://a.test/connect/t/choose".parse().unwrap(), html, false).unwrap()
    }

    const CHOICE: &str = r#"<title>x</title><main><h1>Choose</h1>
        <form method="post" action="/connect/t" data-muster-next>
        <input type="hidden" name="flow" value="a&amp;b">
        <label><input type="checkbox" name="terms" value="yes" required> terms</label>
        <input type="radio" name="access" value="FULL" checked><input type="radio" name="access" value="RESTRICTED">
        <input type="email" name="service_mailbox">
        <button name="provider" value="MICROSOFT_365">M</button><button name="provider" value="CALDAV">C</button>
        </form><form method="post" action="/no" data-refuse><button>No</button></form></main>"#;

    fn sent(known: &[(&str, &str)]) -> String {
        let pairs = read(CHOICE).form().unwrap().fill_in(known);
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn a_form_is_sent_as_it_is_unless_something_is_known() {
        assert_eq!(sent(&[]), "flow=a&b&access=FULL&service_mailbox=");
        let known = [
            ("terms", "yes"),
            ("provider", "CALDAV"),
            ("service_mailbox", "b@a.test"),
            ("access", "RESTRICTED"),
            ("flow", "not for people"),
        ];
        let all = "flow=a&b&terms=yes&access=RESTRICTED&service_mailbox=b@a.test&provider=CALDAV";
        assert_eq!(sent(&known), all);
        assert_eq!(sent(&[("provider", "EXCHANGE")]), sent(&[]), "a button that is not there is not pressed");
    }

    #[test]
    fn the_one_marked_form_is_the_way_on() {
        let page = read(CHOICE);
        let form = page.form().unwrap();
        assert_eq!((form.action.as_str(), form.is_post), ("http://a.test/connect/t", true));
        assert_eq!(page.title, "Choose");
        assert!(form.has_field("terms") && !form.has_field("password"));
        let two = "<form data-muster-next></form><form data-muster-next></form>";
        assert!(Page::parse("http://a.test/".parse().unwrap(), two, false).is_err(), "two ways on are none");
    }

    #[test]
    fn a_page_that_does_not_go_on_says_why() {
        let page = read("<h1>This did not work</h1><p data-muster-code=\"LINK_EXPIRED\">Too late.</p>");
        let error = page.form().unwrap_err();
        assert_eq!(error.code(), "LINK_EXPIRED");
        assert!(error.to_string().contains("Too late."), "{error}");
    }

    #[test]
    fn a_page_that_waits_is_marked() {
        let page = read("<main data-muster-wait><p data-muster-state=\"VERIFYING\">State</p></main>");
        assert!(page.waits);
        assert_eq!(page.state.as_deref(), Some("VERIFYING"));
        assert!(!read(CHOICE).waits);
    }
}
