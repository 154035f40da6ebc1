//! A browser without scripts, for pages.
#![expect(clippy::unwrap_used, reason = "a test kit fails tests by panicking")]

use std::collections::BTreeMap;

use crate::{Actor, Call, PASSWORD, Reply, TestApp};

/// A browser without scripts that keeps cookies, somebody's who reads English.
pub struct Browser {
    /// Whoever sits before it, for what is asked of the API.
    pub person: Actor,
    /// Its cookies, by their names.
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A new one, without cookies.
    #[must_use]
    pub fn of(app: &TestApp) -> Self {
        Self { person: app.visitor(), cookies: BTreeMap::new() }
    }

    /// A request with its cookies, not sent yet.
    pub fn call(&self, method: &str, path: &str) -> Call {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let call =
            self.person.call(method, path).header("accept", "text/html,*/*;q=0.8").header("accept-language", "en");
        if cookies.is_empty() { call } else { call.header("cookie", cookies.join("; ")) }
    }

    /// Sends a request and keeps the cookies of the answer.
    ///
    /// # Panics
    /// If a cookie is not one that scripts and other sites are kept away from.
    pub async fn take(&mut self, call: Call) -> Reply {
        let reply = call.await;
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        reply
    }

    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.take(self.call("GET", path)).await
    }

    /// Sends a form from a page of the server's own.
    pub async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.take(form(self.call("POST", path), fields).header("sec-fetch-site", "same-origin")).await
    }

    /// Sends a form and opens the page that follows; its path and text.
    pub async fn send_and_follow(&mut self, path: &str, fields: &[(&str, &str)]) -> (String, String) {
        let reply = self.send(path, fields).await;
        let place = moved(&reply);
        self.follow(place).await
    }

    /// Opens a page, and whichever it leads to; its path and text.
    ///
    /// # Panics
    /// If it leads on and on, or to something else than a page.
    pub async fn follow(&mut self, mut place: String) -> (String, String) {
        for _ in 0..4 {
            let reply = self.get(&place).await;
            if reply.status != 303 {
                assert_eq!(reply.status, 200, "{reply}");
                return (place, text(&reply));
            }
            place = moved(&reply);
        }
        unreachable!("it goes on and on at {place}");
    }

    /// Registers, and is signed in.
    ///
    /// # Panics
    /// If that does not succeed.
    pub async fn register(&mut self, name: &str) {
        let email = format!("{name}@example.com");
        let fields = [("name", name), ("email", &*email), ("password", PASSWORD)];
        let (place, _) = self.send_and_follow("/register", &fields).await;
        assert_eq!(place, "/account");
    }

    /// Signs in.
    ///
    /// # Panics
    /// If that does not succeed.
    pub async fn sign_in(&mut self, email: &str, password: &str) {
        let (place, _) = self.send_and_follow("/login", &[("email", email), ("password", password)]).await;
        assert_eq!(place, "/account");
    }

    /// The token in its cookie.
    ///
    /// # Panics
    /// If it is not signed in.
    #[must_use]
    pub fn token(&self) -> String {
        self.cookies["cerrojo"].clone()
    }
}

/// A request with the fields of a form.
pub fn form(call: Call, fields: &[(&str, &str)]) -> Call {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    call.header("content-type", "application/x-www-form-urlencoded").body(pairs.join("&"))
}

/// A value as it stands in forms and queries.
#[must_use]
pub fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Where an answer leads to.
///
/// # Panics
/// If it leads nowhere.
#[must_use]
#[track_caller]
pub fn moved(reply: &Reply) -> String {
    assert_eq!(reply.status, 303, "{reply}");
    reply.header("location").unwrap().to_owned()
}

/// A page's text.
///
/// # Panics
/// If it is not UTF-8.
#[must_use]
pub fn text(reply: &Reply) -> String {
    // Slashes in values are written so, which means the same.
    String::from_utf8(reply.body.clone()).unwrap().replace("&#x2f;", "/")
}

/// What a browser would send of a form that nobody touches: the fields of the form with this id, in their order.
///
/// # Panics
/// If there is no such form on the page.
#[must_use]
#[track_caller]
pub fn fields(page: &str, id: &str) -> Vec<(String, String)> {
    let (_, after) = page.split_once(&format!("id=\"{id}\"")).unwrap();
    let form = after.split("</form>").next().unwrap();
    let mut fields: Vec<(String, String)> = Vec::new();
    for tag in form.split('<').skip(1) {
        let attribute = |name: &str| {
            let (_, after) = tag.split('>').next()?.split_once(&format!(" {name}=\""))?;
            Some(unescaped(after.split('"').next()?))
        };
        let is = |word: &str| tag.split('>').next().is_some_and(|tag| tag.ends_with(word));
        let name = attribute("name");
        match tag.split([' ', '>']).next().unwrap() {
            "input" if attribute("type").as_deref() == Some("checkbox") && !tag.contains(" checked") => {}
            "input" => fields.extend(name.map(|name| (name, attribute("value").unwrap_or_default()))),
            "select" => fields.extend(name.map(|name| (name, String::new()))),
            "option" if is(" selected") => fields.last_mut().unwrap().1 = attribute("value").unwrap(),
            _ => {}
        }
    }
    fields
}

fn unescaped(text: &str) -> String {
    let of = [("&#x2f;", "/"), ("&#x27;", "'"), ("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    of.into_iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// # Panics
/// If the words are not on the page.
#[track_caller]
pub fn says(page: &str, words: &str) {
    assert!(page.contains(words), "{words:?} is not in {page}");
}
