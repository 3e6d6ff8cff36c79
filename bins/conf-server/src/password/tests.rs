//! Tests of hashing: the right one, the wrong one, nobody's, and the line.

use std::sync::atomic::Ordering;

use argon2::PasswordHasher as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::*;

fn hasher() -> (Hasher, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::default());
    (Hasher::start(Arc::clone(&metrics)), metrics)
}

fn text(text: &str) -> Pii<String> {
    Pii::new(text.to_owned())
}

#[tokio::test]
async fn a_password_is_known_again_and_another_is_not() {
    let (hasher, metrics) = hasher();
    let hash = hasher.make(1, text("correct horse battery")).await.unwrap();
    assert!(hash.reveal().starts_with("$argon2id$v=19$m=47104,t=2,p=1$"), "{}", hash.reveal());
    let verify = async |password| hasher.verify(1, text(password), Some(hash.clone())).await;
    assert_eq!(verify("correct horse battery").await, Ok(Verdict::Right));
    assert_eq!(verify("correct horse batterz").await, Ok(Verdict::Wrong));
    assert_eq!(metrics.password_hashes.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn equal_passwords_have_different_hashes() {
    let (hasher, _) = hasher();
    let one = hasher.make(1, text("correct horse battery")).await.unwrap();
    let other = hasher.make(1, text("correct horse battery")).await.unwrap();
    assert_ne!(one.reveal(), other.reveal());
}

#[tokio::test]
async fn nobody_and_a_broken_hash_cost_one_hash_and_are_wrong() {
    let (hasher, metrics) = hasher();
    let broken = PasswordHash::new("$argon2id$broken".to_owned());
    for (before, hash) in [None, Some(broken)].into_iter().enumerate() {
        assert_eq!(hasher.verify(1, text("whatever it is"), hash).await, Ok(Verdict::Wrong));
        assert_eq!(metrics.password_hashes.load(Ordering::Relaxed), before as u64 + 1);
    }
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_right_and_old() {
    let (hasher, _) = hasher();
    let weak = Argon2::from(Params::new(8 * 1_024, 1, 1, None).unwrap());
    let hash = weak.hash_password_with_salt(b"correct horse battery", &[7; 16]).unwrap();
    let hash = PasswordHash::new(hash.to_string());
    let verdict = hasher.verify(1, text("correct horse battery"), Some(hash)).await;
    assert_eq!(verdict, Ok(Verdict::RightButOld));
}

#[tokio::test]
async fn a_flood_is_told_that_it_is_too_much_and_somebody_else_is_served() {
    let (hasher, _) = hasher();
    let flood = (0..300).map(|_| hasher.verify(1, text("whatever it is"), None));
    let mut flood: FuturesUnordered<_> = flood.collect();
    assert_eq!(flood.next().await, Some(Err(Busy)), "the line is full before the first is done");
    assert_eq!(hasher.verify(2, text("whatever it is"), None).await, Ok(Verdict::Wrong));
    assert!(flood.any(async |answer| answer.is_ok()).await);
}
