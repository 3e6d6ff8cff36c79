//! The policy in German and English: bases, purposes and terms, from the same data.

use conf_privacy::category::Label;
use conf_privacy::policy::{Basis, Category, Period, Policy, Rule, Start, Unit, Words};

/// A language of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    German,
    English,
}

impl Language {
    /// The text in this language.
    pub(super) const fn pick(self, de: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::German => de,
            Self::English => en,
        }
    }

    pub(super) const fn of(self, label: Label) -> &'static str {
        self.pick(label.de, label.en)
    }

    /// A text of the policy; German where it has no English.
    pub(super) fn words(self, words: &Words) -> &str {
        match self {
            Self::German => &words.de,
            Self::English => words.en.as_deref().unwrap_or(&words.de),
        }
    }
}

/// What allows a kind of data, `Art. 6 Abs. 1 lit. b DSGVO`.
pub(crate) fn basis(basis: &Basis, language: Language) -> String {
    let letter = match basis {
        Basis::Consent => "a",
        Basis::Contract => "b",
        Basis::Law { .. } => "c",
        Basis::Vital => "d",
        Basis::Interest => "f",
    };
    let article = match language {
        Language::German => format!("Art. 6 Abs. 1 lit. {letter} DSGVO"),
        Language::English => format!("Art. 6(1)({letter}) GDPR"),
    };
    match basis {
        Basis::Law { citation } => format!("{article}, {citation}"),
        _ => article,
    }
}

/// What a kind of data is for, in the words of the policy.
pub(crate) fn purposes(category: &Category, policy: &Policy, language: Language) -> String {
    let purposes = category.purposes.iter().filter_map(|id| policy.purpose(id));
    let words: Vec<_> = purposes.map(|purpose| language.words(&purpose.words)).collect();
    words.join("; ")
}

/// When a kind of data goes.
pub(crate) fn term(rule: &Rule, language: Language) -> String {
    let mut text = match (&rule.start, rule.period.is_zero()) {
        (Start::Collection, true) => language.pick("wird nicht aufbewahrt", "not kept").to_owned(),
        (Start::Collection, false) => {
            let most = period(rule.period, language);
            match language {
                Language::German => format!("höchstens {most}"),
                Language::English => format!("for {most} at the most"),
            }
        }
        (start, zero) => {
            let mut text = until(start, language);
            if !zero {
                let more = period(rule.period, language);
                text.push_str(&match language {
                    Language::German => format!(", danach noch {more}"),
                    Language::English => format!(", then {more} more"),
                });
            }
            text
        }
    };
    if !rule.slack.is_zero() {
        let slack = period(rule.slack, language);
        text.push_str(&match language {
            Language::German => format!("; die Löschung dauert höchstens {slack}"),
            Language::English => format!("; erasing takes {slack} at the most"),
        });
    }
    text
}

fn until(start: &Start, language: Language) -> String {
    let (de, en) = match start {
        Start::Collection => ("bis nach der Erhebung", "until after it is collected"),
        Start::ConnectionEnd => ("bis die Verbindung endet", "until the connection ends"),
        Start::Departure => ("solange Sie dabei sind", "as long as you take part"),
        Start::MeetingEnd => ("bis die Konferenz endet", "until the meeting ends"),
        Start::TabClosed => (
            "bis Sie den Tab schließen oder die Konferenz verlassen",
            "until you close the tab or leave the meeting",
        ),
        Start::Withdrawal => (
            "nur wenn Sie es wählen; bis Sie es ändern oder die Websitedaten löschen",
            "only if you choose it; until you change that or delete the site’s data",
        ),
        Start::RelationEnd => ("bis das Konto gelöscht wird", "until the account is deleted"),
        Start::ProcessEnd => ("bis der Vorgang erledigt ist", "until the matter is done"),
        Start::ErasedByInitiatorOrRelationEnd => (
            "bis Sie es löschen oder Ihr Konto gelöscht wird",
            "until you erase it or your account is deleted",
        ),
        Start::YearEndAfter(after) => {
            let after = until(after, language);
            return match language {
                Language::German => format!("{after} und das Jahr zu Ende ist"),
                Language::English => format!("{after} and the year is over"),
            };
        }
    };
    language.pick(de, en).to_owned()
}

/// A length of time in words, `24 Stunden`.
fn period(period: Period, language: Language) -> String {
    let part = |(count, unit): (u64, Unit)| {
        let (one, more) = match (unit, language) {
            (Unit::Year, Language::German) => ("Jahr", "Jahre"),
            (Unit::Month, Language::German) => ("Monat", "Monate"),
            (Unit::Week, Language::German) => ("Woche", "Wochen"),
            (Unit::Day, Language::German) => ("Tag", "Tage"),
            (Unit::Hour, Language::German) => ("Stunde", "Stunden"),
            (Unit::Minute, Language::German) => ("Minute", "Minuten"),
            (Unit::Second, Language::German) => ("Sekunde", "Sekunden"),
            (Unit::Year, Language::English) => ("year", "years"),
            (Unit::Month, Language::English) => ("month", "months"),
            (Unit::Week, Language::English) => ("week", "weeks"),
            (Unit::Day, Language::English) => ("day", "days"),
            (Unit::Hour, Language::English) => ("hour", "hours"),
            (Unit::Minute, Language::English) => ("minute", "minutes"),
            (Unit::Second, Language::English) => ("second", "seconds"),
        };
        format!("{count} {}", if count == 1 { one } else { more })
    };
    period.parts().into_iter().map(part).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(category: &str, language: Language) -> String {
        let policy = Policy::built_in();
        term(policy.category(category).unwrap().rule.as_ref().unwrap(), language)
    }

    #[test]
    fn a_term_is_said_in_both_languages() {
        use Language::{English, German};
        let content = of("session.content", German);
        assert_eq!(content, "bis die Konferenz endet; die Löschung dauert höchstens 60 Sekunden");
        assert_eq!(
            of("account.session", English),
            "for 24 hours at the most; erasing takes 15 minutes at the most"
        );
        let billing = of("contract.billing", German);
        let expected = "bis der Vorgang erledigt ist und das Jahr zu Ende ist, danach noch 8 Jahre";
        assert!(billing.starts_with(expected), "{billing}");
        assert!(of("log.access", German).starts_with("höchstens 3 Tage"));
        assert_eq!(of("browser.guest", English), "until you close the tab or leave the meeting");
    }
}
