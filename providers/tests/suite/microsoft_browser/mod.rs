//! A person with a browser, as far as consent pages need one: opens an address, fills in the one form that goes
//! on (or the one that says no), and reports where the last page sent the browser.

use http::{Client, Method, Request, Response};
use url::{Url, form_urlencoded};

/// How many pages a person puts up with.
const PATIENCE: usize = 6;

/// What the person does.
#[derive(Debug, Clone, Copy)]
pub enum Will<'a> {
    /// Signs in with this address and agrees.
    Agree(&'a str),
    /// Refuses at the first chance.
    Refuse,
}

/// Goes through the pages that begin at `url` until one leads to `back`.
pub async fn visit(client: &Client, url: Url, back: &str, will: Will<'_>) -> Url {
    let mut answer = client.send(Request::new(Method::GET, url.clone())).await.unwrap();
    for _ in 0..PATIENCE {
        if let Some(target) = answer.header("location") {
            assert!(target.starts_with(back), "sent to {target} and not to {back}");
            return target.parse().unwrap();
        }
        let page = answer.text();
        answer = submit(client, &url, &page, will).await;
    }
    panic!("too many pages: {}", answer.text());
}

/// Where a redirect's query says what.
pub fn said(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

async fn submit(client: &Client, base: &Url, page: &str, will: Will<'_>) -> Response {
    let marker = match will {
        Will::Agree(_) => "data-muster-next",
        Will::Refuse => "data-refuse",
    };
    let form = page
        .split("<form ")
        .find(|form| form.split('>').next().is_some_and(|head| head.contains(marker)))
        .unwrap_or_else(|| panic!("no form is marked {marker}: {page}"));
    let form = form.split("</form>").next().unwrap();
    let mut fields = form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input ").skip(1).filter_map(|input| input.split('>').next()) {
        let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) else {
            continue;
        };
        match (attribute(input, "type").as_deref(), will) {
            (Some("radio"), _) if !input.contains("checked") => {}
            (Some("text"), Will::Agree(address)) if name == "address" => {
                fields.append_pair(&name, address);
            }
            _ => {
                fields.append_pair(&name, &value);
            }
        }
    }
    let action = attribute(form, "action").unwrap();
    let request = Request::new(Method::POST, base.join(&action).unwrap())
        .body("application/x-www-form-urlencoded", fields.finish());
    client.send(request).await.unwrap()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split_once('"')?.0;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}
