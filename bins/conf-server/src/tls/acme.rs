//! Certificates by ACME (RFC 8555): ordered when there is none, renewed after two thirds of life.
//!
//! The account's key and the certificate live in `data_dir/acme`, readable by this program only.
//! What goes wrong is tried again later and later; the old certificate is served meanwhile.

mod door;
mod folder;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, OrderStatus,
    RetryPolicy,
};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::{Certificate, Challenges, Live, TlsError};
use crate::clock;
use crate::config::Acme;
use door::Door;
use folder::Folder;

/// In `data_dir`.
pub(super) const FOLDER: &str = "acme";

/// Why there is no new certificate yet.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("{}", one_line(.0))]
    Acme(#[from] instant_acme::Error),
    #[error(transparent)]
    Stored(#[from] TlsError),
    #[error("the ACME server offers no HTTP-01 for one of the domains")]
    NoChallenge,
    #[error(
        "the ACME server does not find at http.redirect_listen what it asks for (domain, port 80 from outside?)"
    )]
    Refused,
    #[error("the certificate is not for all of tls.acme.domains")]
    OtherNames,
    #[error("it took more than {} s", PATIENCE.as_secs())]
    Late,
}

impl OrderError {
    /// How long to wait before the next try. A server that no longer takes a number of ours asks to
    /// try again with a new one (RFC 8555, section 6.5).
    fn pause(&self, usual: Duration) -> Duration {
        let Self::Acme(instant_acme::Error::Api(problem)) = self else { return usual };
        match problem.r#type.as_deref() {
            Some("urn:ietf:params:acme:error:badNonce") => NONCE_PAUSE,
            _ => usual,
        }
    }
}

/// Keeps one certificate current.
pub(super) struct Keeper {
    settings: Acme,
    folder: Folder,
    door: Door,
    live: Arc<Live>,
    challenges: Arc<Challenges>,
    current: Option<Certificate>,
}

impl Keeper {
    /// Serves what is stored until there is better, and knows whom to ask.
    ///
    /// # Errors
    /// [`TlsError`], where the stored files are damaged or open to others, or nobody is trusted.
    pub(super) fn new(
        settings: &Acme,
        folder: PathBuf,
        live: Arc<Live>,
        challenges: Arc<Challenges>,
    ) -> Result<Self, TlsError> {
        let door = Door::new(&settings.directory, settings.root.as_deref())?;
        let folder = Folder::new(folder)?;
        let stored = folder.certificate()?;
        if let Some(certificate) = &stored {
            live.put(certificate.clone());
        }
        // One that another ACME server gave, such as one for trials, is replaced.
        let same = folder.account(&settings.directory)?.is_some();
        let current = stored.filter(|it| same && is_for(it, &settings.domains));
        Ok(Self { settings: settings.clone(), folder, door, live, challenges, current })
    }

    /// Until `stopping`.
    pub(super) async fn keep(mut self, mut stopping: watch::Receiver<bool>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let step = async {
                self.until_due().await;
                let order = timeout(PATIENCE, self.order()).await.unwrap_or(Err(OrderError::Late));
                self.challenges.clear();
                match order {
                    Ok(certificate) => {
                        tracing::info!(until = %certificate.ends, "a new certificate is served");
                        self.live.put(certificate.clone());
                        self.current = Some(certificate);
                        pause = FIRST_PAUSE;
                    }
                    Err(error) => {
                        let wait = error.pause(pause);
                        let again_in = wait.as_secs();
                        tracing::warn!(%error, again_in, "no new certificate by ACME");
                        sleep(wait).await;
                        pause = (wait * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                    }
                }
            };
            tokio::select! {
                () = step => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    /// Waits on the wall clock, which a suspended machine does not stop.
    async fn until_due(&self) {
        let Some(current) = &self.current else { return };
        loop {
            let left = current.renewal().duration_since(clock::wall());
            let Ok(left) = Duration::try_from(left) else { return };
            sleep(left.clamp(SHORTEST_NAP, LONGEST_NAP)).await;
        }
    }

    async fn order(&self) -> Result<Certificate, OrderError> {
        let account = self.account().await?;
        let domains = &self.settings.domains;
        let names: Vec<_> = domains.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await?;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let http = authorization.challenge(ChallengeType::Http01);
            let mut challenge = http.ok_or(OrderError::NoChallenge)?;
            self.challenges.put(&challenge.token, challenge.key_authorization().as_str());
            challenge.set_ready().await?;
        }
        let polls = RetryPolicy::new().initial_delay(FIRST_POLL).timeout(PATIENCE);
        if order.poll_ready(&polls).await? != OrderStatus::Ready {
            return Err(OrderError::Refused);
        }
        let key = order.finalize().await?;
        let chain = order.poll_certificate(&polls).await?;
        let certificate = self.folder.keep_certificate(&key, &chain)?;
        is_for(&certificate, domains).then_some(certificate).ok_or(OrderError::OtherNames)
    }

    /// The account at this ACME server: the stored one, or a new one.
    async fn account(&self) -> Result<Account, OrderError> {
        let door = Account::builder_with_http(Box::new(self.door.clone()));
        let directory = &self.settings.directory;
        if let Some(stored) = self.folder.account(directory)? {
            return Ok(door.from_credentials(stored).await?);
        }
        let contact = self.settings.contact.as_ref().map(|it| format!("mailto:{}", it.reveal()));
        let contacts: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount {
            contact: &contacts,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let (account, credentials) = door.create(&new, directory.clone(), None).await?;
        self.folder.keep_account(directory, credentials)?;
        Ok(account)
    }
}

/// What is in the folder, without making or changing it.
pub(super) fn stored(folder: &std::path::Path) -> Result<Option<Certificate>, TlsError> {
    folder::certificate_in(folder)
}

fn is_for(certificate: &Certificate, domains: &[String]) -> bool {
    domains.iter().all(|domain| certificate.names.contains(domain))
        && certificate.names.iter().all(|name| domains.contains(name))
}

/// What the ACME server says may hold anything: one line of bounded length is shown.
fn one_line(error: &instant_acme::Error) -> String {
    let text = match error {
        // The words of the layer below say more than "other".
        instant_acme::Error::Other(below) => below.to_string(),
        error => error.to_string(),
    };
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(LONGEST_WORDS).collect()
}

/// For one order.
const PATIENCE: Duration = Duration::from_secs(300);
const FIRST_POLL: Duration = Duration::from_millis(500);
/// Let's Encrypt allows five failed validations an hour for a name.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Nothing was validated, so no limit counts it.
const NONCE_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
const SHORTEST_NAP: Duration = Duration::from_millis(100);
const LONGEST_NAP: Duration = Duration::from_secs(3600);
const LONGEST_WORDS: usize = 300;
