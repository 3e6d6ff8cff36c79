//! The command line: words become a [`Plan`], or an error that names the limit.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use conf_media::sim::SpecError;

use crate::plan::{
    Credentials, DoorKind, DoorPlan, Feedback, MediaPlan, Outputs, Own, Phases, Plan, Scenario,
    ShapeKind, Suite, WindowPlan,
};
use crate::relay::RelayPlan;

mod relay;

/// What the program is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Print [`HELP`].
    Help,
    /// Load a server.
    Run(Box<Plan>),
    /// Serve as the floor program, at this address.
    Floor(SocketAddr),
    /// Measure this program itself.
    Own(Own),
    /// Impair what goes through.
    Relay(Box<RelayPlan>),
}

/// Why a command line is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The first word.
    #[error("{word:?} is no scenario; see conf-load --help")]
    Scenario {
        /// As given.
        word: String,
    },
    /// An option that this scenario has not.
    #[error("--{name} is not known here; see conf-load --help")]
    Unknown {
        /// As given.
        name: String,
    },
    /// A word that is no option.
    #[error("{word:?} is no option; see conf-load --help")]
    Stray {
        /// As given.
        word: String,
    },
    /// An option twice.
    #[error("--{name} is given twice")]
    Twice {
        /// Its name.
        name: String,
    },
    /// An option that stands last and wants a value.
    #[error("--{name} has no value")]
    NoValue {
        /// Its name.
        name: String,
    },
    /// An option that must be there.
    #[error("--{name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A value that is not one of a few words.
    #[error("--{name} {value}: must be one of {words}")]
    Word {
        /// The option.
        name: &'static str,
        /// As given.
        value: String,
        /// What it may be.
        words: String,
    },
    /// A value that is no address.
    #[error("--{name} {value}: must be an IP address with a port, such as 127.0.0.1:8099")]
    Address {
        /// The option.
        name: &'static str,
        /// As given.
        value: String,
    },
    /// A number outside its limits.
    #[error("--{name} {value}: must be a whole number from {least} to {most}")]
    Number {
        /// The option.
        name: &'static str,
        /// As given.
        value: String,
        /// Least allowed.
        least: u64,
        /// Most allowed.
        most: u64,
    },
    /// Steps that do not ascend.
    #[error("--steps must ascend, with at most {limit} of them")]
    Steps {
        /// Most steps.
        limit: usize,
    },
    /// Who publishes and receives has one name, and this door would let it in once.
    #[error("--door livekit is for scenarios in which nobody both publishes and receives")]
    BothWays,
    /// Conditions of a link, or a step.
    #[error("{problem}")]
    Link {
        /// What is wrong; not a source, or it would be said twice.
        problem: SpecError,
    },
    /// A value that is no time.
    #[error("--{name} {value}: must be a time of at most a day, as 500ms or 20s")]
    Time {
        /// The option.
        name: &'static str,
        /// As given.
        value: String,
    },
    /// Rebindings that do not ascend.
    #[error("--rebind must name ascending times, with at most {limit} of them")]
    Rebinds {
        /// Most of them.
        limit: usize,
    },
    /// More speak than are there.
    #[error("--speakers {speakers} of --participants {participants}")]
    Speakers {
        /// How many speak.
        speakers: usize,
        /// How many are there.
        participants: usize,
    },
}

/// Reads the words behind the program's name.
///
/// # Errors
/// [`CliError`] names the option and what it may be.
pub fn parse(words: &[String]) -> Result<Task, CliError> {
    let Some((first, rest)) = words.split_first() else { return Ok(Task::Help) };
    if matches!(first.as_str(), "--help" | "-h" | "help")
        || rest.iter().any(|word| word == "--help")
    {
        return Ok(Task::Help);
    }
    let mut options = Options::read(rest)?;
    let task = match first.as_str() {
        "self" => Task::Own(own(&mut options)?),
        "floor" => Task::Floor(options.address("listen")?),
        "relay" => Task::Relay(Box::new(relay::plan(&mut options)?)),
        _ => Task::Run(Box::new(plan(first, &mut options)?)),
    };
    options.finish()?;
    Ok(task)
}

fn own(options: &mut Options) -> Result<Own, CliError> {
    Ok(Own {
        subscribers: options.count("subscribers", (1, MOST_CLIENTS), Some(500))?,
        seconds: options.number("seconds", (1, 3_600), Some(5))?,
        suite: suite(options)?,
        check: options.flag("check"),
    })
}

fn plan(word: &str, options: &mut Options) -> Result<Plan, CliError> {
    let scenario = scenario(word, options)?;
    let door = door(options)?;
    let both = matches!(scenario, Scenario::Meeting { .. } | Scenario::Audio { .. });
    if both && door.kind == DoorKind::LiveKit {
        return Err(CliError::BothWays);
    }
    Ok(Plan {
        scenario,
        door,
        media: media(options)?,
        window: WindowPlan {
            seconds: options.number("seconds", (1, 3_600), Some(10))?,
            quiet: options.flag("quiet"),
        },
        pid: match options.take("pid") {
            Some(value) => {
                Some(whole("pid", &value, (1, 4_194_304))?).and_then(|pid| u32::try_from(pid).ok())
            }
            None => None,
        },
        outputs: Outputs {
            json: options.take("json").map(Into::into),
            csv: options.take("csv").map(Into::into),
            html: options.take("html").map(Into::into),
        },
    })
}

fn scenario(word: &str, options: &mut Options) -> Result<Scenario, CliError> {
    Ok(match word {
        "fanout" => Scenario::Fanout { subscribers: subscribers(options)? },
        "meeting" => {
            let participants = options.count("participants", (2, MOST_PARTICIPANTS), Some(10))?;
            Scenario::Meeting { participants }
        }
        "audio" => audio(options)?,
        "ramp" => Scenario::Ramp { steps: steps(options)? },
        "joins" => {
            let rate = options.number("rate", (1, 10_000), Some(100))?;
            Scenario::Joins {
                subscribers: options.count("subscribers", (1, MOST_CLIENTS), Some(50))?,
                joins: options.count("joins", (1, MOST_CLIENTS), Some(500))?,
                rate: f64::from(u32::try_from(rate).unwrap_or_default()),
            }
        }
        "keyframes" => {
            let millis = options.number("every-ms", (10, 60_000), Some(500))?;
            let subscribers = subscribers(options)?;
            Scenario::Keyframes { subscribers, every: Duration::from_millis(millis) }
        }
        "soak" => {
            let minutes = options.number("minutes", (1, 10_080), Some(30))?;
            let length = Duration::from_secs(60 * minutes);
            let turn =
                Duration::from_millis(options.number("turn-ms", (0, 60_000), Some(1_000))?);
            Scenario::Soak { subscribers: subscribers(options)?, length, turn }
        }
        _ => return Err(CliError::Scenario { word: word.into() }),
    })
}

fn subscribers(options: &mut Options) -> Result<usize, CliError> {
    options.count("subscribers", (1, MOST_CLIENTS), Some(100))
}

fn audio(options: &mut Options) -> Result<Scenario, CliError> {
    let participants = options.count("participants", (2, MOST_PARTICIPANTS), Some(20))?;
    let speakers = options.count("speakers", (1, MOST_PARTICIPANTS), Some(10))?;
    if speakers > participants {
        return Err(CliError::Speakers { speakers, participants });
    }
    Ok(Scenario::Audio { participants, speakers })
}

fn steps(options: &mut Options) -> Result<Vec<usize>, CliError> {
    let text = options.take("steps").unwrap_or_else(|| DEFAULT_STEPS.into());
    let mut steps = Vec::new();
    for step in text.split(',') {
        let step = whole("steps", step, (1, MOST_CLIENTS))?;
        steps.push(usize::try_from(step).unwrap_or(usize::MAX));
    }
    let ascending = steps.iter().zip(steps.iter().skip(1)).all(|(one, next)| one < next);
    if !ascending || steps.len() > MOST_STEPS {
        return Err(CliError::Steps { limit: MOST_STEPS });
    }
    Ok(steps)
}

fn door(options: &mut Options) -> Result<DoorPlan, CliError> {
    let kinds = [DoorKind::Whip, DoorKind::LiveKit, DoorKind::Janus, DoorKind::Floor]
        .map(|kind| (kind.name(), kind));
    let kind = options.word("door", &kinds, None)?;
    let url = options.take("url").ok_or(CliError::Missing { name: "url" })?;
    let credentials = match (options.take("key"), options.take("secret")) {
        (Some(key), Some(secret)) => Some(Credentials { key, secret }),
        (None, None) => None,
        (Some(_), None) => return Err(CliError::Missing { name: "secret" }),
        (None, Some(_)) => return Err(CliError::Missing { name: "key" }),
    };
    let room = options.take("room").unwrap_or_else(|| "load".into());
    Ok(DoorPlan { kind, url, credentials, room })
}

fn media(options: &mut Options) -> Result<MediaPlan, CliError> {
    let shapes = [("even", ShapeKind::Even), ("browser", ShapeKind::Browser)];
    let phases = [("random", Phases::Random), ("same", Phases::Same)];
    Ok(MediaPlan {
        suite: suite(options)?,
        shape: options.word("shape", &shapes, Some(ShapeKind::Even))?,
        phases: options.word("phases", &phases, Some(Phases::Random))?,
        seed: options.number("seed", (0, u64::MAX), Some(1))?,
        feedback: Feedback { nack: !options.flag("no-nack"), twcc: options.flag("twcc") },
        threads: options.count("threads", (1, 64), Some(1))?,
        check: options.flag("check"),
        levels: !options.flag("no-levels"),
    })
}

fn suite(options: &mut Options) -> Result<Suite, CliError> {
    let suites = [("cm", Suite::Cm), ("gcm128", Suite::Gcm128), ("gcm256", Suite::Gcm256)];
    options.word("suite", &suites, Some(Suite::Gcm256))
}

/// Options by name, taken out one by one: what is left at the end is unknown.
struct Options(BTreeMap<String, Option<String>>);

impl Options {
    fn read(words: &[String]) -> Result<Self, CliError> {
        let mut options = BTreeMap::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                return Err(CliError::Stray { word: word.clone() });
            };
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if FLAGS.contains(&name) => (name, None),
                None => {
                    let value = words.next().cloned();
                    (name, Some(value.ok_or_else(|| CliError::NoValue { name: name.into() })?))
                }
            };
            let value = match options.remove(name) {
                Some(Some(before)) if REPEATED.contains(&name) => {
                    Some(format!("{before}{BETWEEN}{}", value.unwrap_or_default()))
                }
                Some(_) => return Err(CliError::Twice { name: name.into() }),
                None => value,
            };
            options.insert(name.to_owned(), value);
        }
        Ok(Self(options))
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).flatten()
    }

    fn address(&mut self, name: &'static str) -> Result<SocketAddr, CliError> {
        let value = self.take(name).ok_or(CliError::Missing { name })?;
        value.parse().map_err(|_| CliError::Address { name, value })
    }

    fn flag(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    fn number(
        &mut self,
        name: &'static str,
        limits: (u64, u64),
        default: Option<u64>,
    ) -> Result<u64, CliError> {
        match self.take(name) {
            Some(value) => whole(name, &value, limits),
            None => default.ok_or(CliError::Missing { name }),
        }
    }

    fn count(
        &mut self,
        name: &'static str,
        limits: (u64, u64),
        default: Option<u64>,
    ) -> Result<usize, CliError> {
        Ok(usize::try_from(self.number(name, limits, default)?).unwrap_or(usize::MAX))
    }

    fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
        default: Option<T>,
    ) -> Result<T, CliError> {
        let Some(value) = self.take(name) else {
            return default.ok_or(CliError::Missing { name });
        };
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
        found.ok_or_else(|| {
            let words = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            CliError::Word { name, value, words }
        })
    }

    fn finish(self) -> Result<(), CliError> {
        match self.0.into_keys().next() {
            Some(name) => Err(CliError::Unknown { name }),
            None => Ok(()),
        }
    }
}

fn whole(name: &'static str, value: &str, (least, most): (u64, u64)) -> Result<u64, CliError> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| CliError::Number { name, value: value.into(), least, most })
}

/// Options without a value.
const FLAGS: [&str; 5] = ["twcc", "no-nack", "no-levels", "quiet", "check"];
/// Options that may be given again and again, and what stands between their values.
const REPEATED: [&str; 2] = ["step", "rebind"];
const BETWEEN: char = ';';
/// One socket each, and sources are named by 16 bits.
const MOST_CLIENTS: u64 = 20_000;
/// Each receives all others.
const MOST_PARTICIPANTS: u64 = 100;
const MOST_STEPS: usize = 100;
const DEFAULT_STEPS: &str = "100,200,300,400,500,600,700,800,900,1000";

/// What `--help` prints.
pub const HELP: &str = include_str!("cli/help.txt");

#[cfg(test)]
mod tests;
