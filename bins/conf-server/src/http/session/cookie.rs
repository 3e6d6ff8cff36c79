//! The one cookie, `sid`: set at sign-in, never before, gone at sign-out.

use axum::http::{HeaderMap, HeaderValue, header};
use conf_core::account::SESSION_LIFE;
use conf_privacy::Pii;
use conf_store::Digest;

use super::super::token;

/// The digest of the token in the cookie. Two cookies of this name are none: one of them was
/// planted by a neighbour domain.
pub(in crate::http) fn read(headers: &HeaderMap) -> Option<Digest> {
    let mut found = all(headers);
    let (Some(text), None) = (found.next(), found.next()) else { return None };
    token::read(text)
}

/// Whether a request carries the cookie, readable or not.
pub(in crate::http) fn is_there(headers: &HeaderMap) -> bool {
    all(headers).next().is_some()
}

/// What sets it.
pub(super) fn set(token: &Pii<String>, secure: bool) -> HeaderValue {
    let life = SESSION_LIFE.as_secs();
    sensitive(format!("{NAME}={}; Max-Age={life}{}", token.reveal(), rest(secure)))
}

/// What takes it away.
pub(super) fn clear(secure: bool) -> HeaderValue {
    sensitive(format!("{NAME}=; Max-Age=0{}", rest(secure)))
}

fn all(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::COOKIE).iter();
    let pairs = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value)
}

fn sensitive(text: String) -> HeaderValue {
    let mut value = HeaderValue::try_from(text).expect("only ASCII is in it");
    value.set_sensitive(true);
    value
}

const fn rest(secure: bool) -> &'static str {
    if secure {
        "; Path=/; HttpOnly; SameSite=Lax; Secure"
    } else {
        "; Path=/; HttpOnly; SameSite=Lax"
    }
}

/// Its name, declared in the inventory and named in the policy.
pub(crate) const NAME: &str = "sid";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, cookie.parse().unwrap());
        }
        headers
    }

    #[test]
    fn it_is_found_among_others_and_only_where_it_is_alone() {
        let (text, digest) = token::fresh();
        let own = format!("sid={}", text.reveal());
        assert_eq!(read(&headers(&[&format!("a=b; {own}; sid2=x")])), Some(digest));
        assert_eq!(read(&headers(&["a=b", &own])), Some(digest));
        for cookies in [&[&*own, &own][..], &["sid=short"], &["Sid=x"], &[]] {
            assert_eq!(read(&headers(cookies)), None, "{cookies:?}");
        }
        assert!(is_there(&headers(&[&own, &own])) && !is_there(&headers(&["sid2=x"])));
    }

    #[test]
    fn it_lives_a_day_and_scripts_and_other_sites_do_not_get_it() {
        let token = Pii::new("abc".to_owned());
        let plain = "sid=abc; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(set(&token, false), plain);
        assert_eq!(set(&token, true), &*format!("{plain}; Secure"));
        assert_eq!(clear(false), "sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
        assert!(!format!("{:?}", set(&token, false)).contains("abc"));
    }
}
