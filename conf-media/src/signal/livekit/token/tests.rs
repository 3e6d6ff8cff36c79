//! What tokens are taken, and what they may say.

use super::*;

fn claims() -> Claims {
    Claims {
        identity: Identity::new("p-000000000000002a"),
        name: "Ada".into(),
        grants: Grants::participant("abc"),
        metadata: String::new(),
        attributes: BTreeMap::new(),
    }
}

fn keys(key: &str) -> Option<String> {
    (key == "key").then(|| "secret".to_owned())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn a_minted_token_verifies_with_the_same_claims() {
    let token = Issuer::new("key", "secret").mint(&claims(), at(1_000_000));
    assert_eq!(verify(&token, &keys, at(1_000_000)), Ok(claims()));
}

#[test]
fn a_token_lives_ten_minutes_and_a_minute_of_leeway() {
    let token = Issuer::new("key", "secret").mint(&claims(), at(1_000_000));
    assert!(verify(&token, &keys, at(1_000_660)).is_ok());
    assert_eq!(verify(&token, &keys, at(1_000_661)), Err(TokenError::Expired { seconds: 61 }));
    assert!(verify(&token, &keys, at(999_940)).is_ok());
    assert_eq!(verify(&token, &keys, at(999_939)), Err(TokenError::TooEarly { seconds: 61 }));
}

#[test]
fn a_wrong_secret_and_an_unknown_key_are_told_apart() {
    let now = at(1_000_000);
    let forged = Issuer::new("key", "guess").mint(&claims(), now);
    assert_eq!(verify(&forged, &keys, now), Err(TokenError::Signature));
    let foreign = Issuer::new("other", "secret").mint(&claims(), now);
    assert_eq!(verify(&foreign, &keys, now), Err(TokenError::UnknownKey));
}

#[test]
fn no_signature_and_no_expiry_are_refused() {
    let now = at(1_000_000);
    // {"alg":"none"}.{"iss":"key","sub":"a","exp":9999999999}.
    let none = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJrZXkiLCJzdWIiOiJhIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    assert!(verify(none, &keys, now).is_err());
    let unending = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &serde_json::json!({"iss": "key", "sub": "a"}),
        &EncodingKey::from_secret(b"secret"),
    )
    .unwrap();
    assert_eq!(verify(&unending, &keys, now), Err(TokenError::NoExpiry));
    assert!(matches!(
        verify(&"a".repeat(20_000), &keys, now),
        Err(TokenError::TooLong { len: 20_000 })
    ));
    assert_eq!(verify("", &keys, now), Err(TokenError::Malformed));
}

#[test]
fn another_hmac_than_sha_256_is_refused() {
    let token = jsonwebtoken::encode(
        &Header::new(Algorithm::HS512),
        &serde_json::json!({"iss": "key", "sub": "a", "exp": 2_000_000}),
        &EncodingKey::from_secret(b"secret"),
    )
    .unwrap();
    assert_eq!(verify(&token, &keys, at(1_000_000)), Err(TokenError::Algorithm));
}

#[test]
fn grants_have_the_defaults_of_the_sdks() {
    let open: Grants = serde_json::from_str(r#"{"roomJoin":true,"room":"a"}"#).unwrap();
    assert!(open.can_publish() && open.can_subscribe() && open.can_publish_data());
    assert!(!open.can_update_own_metadata());
    let locked: Grants = serde_json::from_str(
        r#"{"canPublish":true,"canPublishSources":["camera","screen_share"],"ingressAdmin":true}"#,
    )
    .unwrap();
    assert!(locked.can_publish_source(Source::Camera));
    assert!(!locked.can_publish_source(Source::Microphone));
    let mute: Grants = serde_json::from_str(r#"{"canPublish":false}"#).unwrap();
    assert!(!mute.can_publish_data() && !mute.can_publish_source(Source::Camera));
}

#[test]
fn nothing_personal_is_printed() {
    let text = format!("{:?} {:?}", claims(), claims().grants);
    assert!(!text.contains("Ada") && !text.contains("abc") && !text.contains("2a"), "{text}");
}
