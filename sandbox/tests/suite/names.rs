//! The host names under which a sandbox responds, and the origins from which it accepts requests.

use reqwest::{Method, header};
use serde_json::json;

use crate::setup::Setup;

#[tokio::test]
async fn a_sandbox_on_loopback_answers_no_other_name_and_no_other_page() {
    let setup = Setup::new().await;
    let authority = setup.base.strip_prefix("http://").unwrap().to_owned();
    let doors = [
        (Method::POST, "control/organisations"),
        (Method::POST, "control/tokens/expire"),
        (Method::GET, "control/journal"),
        (Method::GET, "v1.0/organization"),
        (Method::POST, "google/token"),
        (Method::GET, "Autodiscover/Autodiscover.xml"),
    ];
    for (method, door) in doors {
        let ask = async |host: &str, origin: Option<&str>| {
            let url = format!("{}/{door}", setup.base);
            let mut request = setup.client.request(method.clone(), url).header(header::HOST, host);
            if let Some(origin) = origin {
                request = request.header(header::ORIGIN, origin);
            }
            request.body(json!({}).to_string()).send().await.unwrap().status().as_u16()
        };
        for host in ["rebound.example", "rebound.example:4001", "localhost.evil.example", "10.0.0.1"] {
            assert_eq!(ask(host, None).await, 421, "{door} under {host}");
        }
        for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
            assert_eq!(ask(&authority, Some(origin)).await, 403, "{door} from {origin}");
        }
        for origin in [None, Some(setup.base.as_str()), Some("http://localhost:4000")] {
            let status = ask(&authority, origin).await;
            assert!(status != 421, "{door} from {origin:?}: {status}");
        }
    }
    let asked = |origin: &str| {
        let request = setup.client.post(format!("{}/control/tokens/expire", setup.base));
        request.header(header::ORIGIN, origin).body("{}").send()
    };
    assert_eq!(asked(&setup.base).await.unwrap().status().as_u16(), 200);
    // Whatever else serves pages on this machine is another origin.
    for origin in ["http://127.0.0.1:4000", "http://localhost:4000", "https://evil.example"] {
        assert_eq!(asked(origin).await.unwrap().status().as_u16(), 403, "{origin}");
    }
}
