//! What a browser does with a server of ours: names its page's origin, keeps the cookie.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Response, Running, exchange};

/// One browser; its cookie jar has room for one.
#[derive(Clone)]
pub struct Browser {
    pub address: SocketAddr,
    pub cookie: Option<String>,
    /// Further headers of every request.
    pub headers: Vec<(&'static str, String)>,
}

impl Browser {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None, headers: Vec::new() }
    }

    pub async fn get(&mut self, path: &str) -> Response {
        self.ask("GET", path, None).await
    }

    pub async fn send(&mut self, method: &str, path: &str, body: Value) -> Response {
        self.ask(method, path, Some(body)).await
    }

    async fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Response {
        let origin = format!("http://{}", self.address);
        let mut headers: Vec<(&str, &str)> = Vec::new();
        if body.is_some() {
            headers.extend([("origin", &*origin), ("content-type", "application/json")]);
        }
        headers.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        headers.extend(self.headers.iter().map(|(name, value)| (*name, &**value)));
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let response = exchange(self.address, method, path, &headers, &body).await;
        if let Some(set) = response.header("set-cookie") {
            let pair = set.split(';').next().unwrap().to_owned();
            self.cookie = (!set.contains("Max-Age=0")).then_some(pair);
        }
        response
    }

    /// Who the server says is signed in.
    pub async fn account(&mut self) -> Value {
        self.get("/api/v1/session").await.json()["account"].clone()
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Response {
        self.send("POST", "/api/v1/session", json!({ "email": email, "password": password })).await
    }

    /// Uses a one-time link; `link` is the whole address.
    pub async fn use_link(&mut self, link: &str, mut body: Value) -> Response {
        body["token"] = json!(link.split_once('#').unwrap().1);
        self.send("POST", "/api/v1/links/use", body).await
    }
}

pub const ADMIN: (&str, &str) = ("root@example.org", "the first of them all");
pub const MEMBER: (&str, &str) = ("ada@example.org", "a password of Ada's");

impl Running {
    pub fn browser(&self) -> Browser {
        Browser::new(self.server.http())
    }

    /// The first administrator, signed in.
    pub async fn administrator(&self) -> Browser {
        let mut browser = self.browser();
        let link = self.server.first_administrator_link().unwrap();
        let body = json!({ "name": "Root", "email": ADMIN.0, "password": ADMIN.1 });
        let made = browser.use_link(link, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        browser
    }

    /// A member with this address, invited and signed in, and its id.
    pub async fn member(
        &self,
        admin: &mut Browser,
        email: &str,
        password: &str,
    ) -> (Browser, String) {
        let body = json!({ "name": "Ada", "email": email, "role": "member" });
        let invited = admin.send("POST", "/api/v1/accounts", body).await.json();
        let mut browser = self.browser();
        let body = json!({ "name": "Ada", "password": password });
        let made = browser.use_link(invited["link"].as_str().unwrap(), body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        (browser, invited["account"]["id"].as_str().unwrap().to_owned())
    }
}
