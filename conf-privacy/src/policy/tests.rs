//! Tests of reading policies: the built-in one, an operator's, and every way to get it wrong.

use super::*;

const OPERATOR: &str = include_str!("../../policy.example.toml");
const SHORT: &str = "[controller]\nnames = ['Erika Mustermann']\n[dpo]\nrequired = false\n";

fn refusals(text: &str) -> Vec<String> {
    Policy::parse(text).unwrap_err().iter().map(ToString::to_string).collect()
}

fn refusal(text: &str) -> String {
    let all = refusals(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.into_iter().next().unwrap()
}

#[test]
fn the_built_in_policy_has_a_rule_for_everything_and_names_nobody() {
    let policy = Policy::built_in();
    assert_eq!((policy.controller, policy.officer, policy.authority), (None, None, None));
    assert_eq!((policy.recipients, policy.sites), (Vec::new(), None));
    assert_eq!(policy.deadline, Deadline { months: 1, extension_months: 2 });
    for declaration in crate::category::ALL {
        let rule_of = declaration.rule_of.0;
        let category = policy.categories.iter().find(|it| it.id == rule_of).expect(rule_of);
        assert!(category.rule.is_some() && category.basis.is_some(), "{rule_of}");
    }
    assert!(policy.purposes.iter().all(|it| it.words.en.is_some()));
}

#[test]
fn nothing_of_a_session_outlives_the_meeting_by_more_than_a_minute_or_is_on_a_disk() {
    let policy = Policy::built_in();
    for category in policy.categories.iter().filter(|it| it.id.starts_with("session.")) {
        let rule = category.rule.as_ref().unwrap();
        assert!(rule.period.is_zero(), "{}", category.id);
        let slack = rule.slack.parts();
        assert!(matches!(slack[..], [(0..=60, Unit::Second)]), "{}", category.id);
        assert_eq!(category.storage, Storage::Memory);
    }
}

#[test]
fn an_operators_file_that_says_everything_is_read_whole() {
    let policy = Policy::parse(OPERATOR).unwrap();
    let controller = policy.controller.as_ref().unwrap();
    assert_eq!(controller.names.len(), 3);
    assert_eq!(controller.operator.as_ref().unwrap().reveal(), "Beispiel GmbH");
    assert_eq!(policy.officer.as_ref().unwrap().email.reveal(), "datenschutz@example.org");
    assert_eq!(policy.recipients[0].categories, ["dialin.number"]);
    assert_eq!(policy.sites.as_ref().unwrap().countries, ["DE"]);
    assert!(policy.warnings().is_empty());
    let log = policy.category("log.access").unwrap();
    assert_eq!(log.rule.as_ref().unwrap().period.parts(), [(3, Unit::Day)]);
    assert_eq!(log.purposes, ["delivery", "maintenance", "security"]);
    let billing = policy.category("contract.billing").unwrap();
    assert_eq!(billing.basis, Some(Basis::Law { citation: "§ 147 AO, § 257 HGB".into() }));
    let start = &billing.rule.as_ref().unwrap().start;
    assert_eq!(*start, Start::YearEndAfter(Box::new(Start::ProcessEnd)));
}

#[test]
fn it_changes_no_rule_of_the_built_in_policy() {
    let built_in = Policy::built_in();
    let operator = Policy::parse(OPERATOR).unwrap();
    assert_eq!(operator.categories, built_in.categories);
    assert_eq!(operator.purposes, built_in.purposes);
    assert_eq!(operator.interest, built_in.interest);
}

#[test]
fn a_short_file_lies_over_the_built_in_policy() {
    let policy = Policy::parse(SHORT).unwrap();
    assert_eq!(policy.categories, Policy::built_in().categories);
    assert_eq!(policy.officer, None);
    assert_eq!(policy.warnings().len(), 1);
    let changed =
        format!("{SHORT}[category.'stats.aggregate']\nk_min = 20\n[purposes]\naccount = 'Konten'");
    let policy = Policy::parse(&changed).unwrap();
    let words = &policy.purpose("account").unwrap().words;
    assert_eq!((words.de.as_str(), words.en.as_deref()), ("Konten", None));
}

#[test]
fn a_policy_that_names_no_controller_is_refused() {
    for text in [
        "[dpo]\nrequired = false",
        "[controller]\nnames = []\n[dpo]\nrequired = false",
        "[controller]\nnames = ['', ' ']\n[dpo]\nrequired = false",
    ] {
        assert!(refusal(text).contains("controller.names is missing or empty"), "{text}");
    }
    assert!(
        refusal("[controller]\n\nnames = ['']\n[dpo]\nrequired = false").starts_with("line 3: ")
    );
}

#[test]
fn an_officer_has_a_name_and_an_address_unless_none_is_required() {
    let named = "[controller]\nnames = ['Erika Mustermann']\n";
    let both = refusals(named);
    assert!(both[0].contains("dpo.name") && both[1].contains("dpo.email"), "{both:?}");
    let half = refusal(&format!("{named}[dpo]\nname = 'Lieschen Müller'\nemail = 'nowhere'\n"));
    assert!(half.starts_with("line 5: dpo.email is missing"), "{half}");
    Policy::parse(&format!("{named}[dpo]\nrequired = false")).unwrap();
}

#[test]
fn every_fault_is_shown_with_its_line_and_what_is_allowed() {
    let text = format!(
        "{SHORT}[category.'session.content'.rule]\nperod = 'PT0S'\nperiod = '3 days'\n\
         start = 'end'\naction = 'shred'\n[contoller]\n[bases]\ne = {{}}\n[cookies.session]\n\
         http_only = false\n[disclosure]\nautomatic = [{{ ground = 'x' }}]\nvalid_from = 'x'\n"
    );
    assert_eq!(
        refusals(&text),
        [
            "line 6: category.\"session.content\".rule.perod is no key of a policy: allowed here is start, period, slack, action, unless, meanwhile",
            "line 7: the value of category.\"session.content\".rule.period is refused: allowed is a length of time such as \"PT60S\", \"P3D\" or \"P8Y\"",
            &format!(
                "line 8: the value of category.\"session.content\".rule.start is refused: allowed is {}",
                Start::words()
            ),
            &format!(
                "line 9: the value of category.\"session.content\".rule.action is refused: allowed is {}",
                Action::words()
            ),
            &refusal("[contoller]").replace("line 1", "line 10"),
            "line 12: bases.e is no key of a policy: allowed here is a, b, c, d, f",
            "line 14: the value of cookies.session.http_only is refused: allowed is true",
            "line 16: the value of disclosure.automatic.ground is refused: allowed is a, b, c, f",
            "line 17: disclosure.valid_from is no key of a policy: allowed here is grounds, emergency, ledger, manual, automatic",
        ]
    );
}

#[test]
fn a_category_has_exactly_one_rule_a_basis_and_known_purposes() {
    let with = |text: &str| refusals(&format!("{SHORT}[category.'x.y']\n{text}"));
    let rule = "rule = { start = 'collection', period = 'P1D', action = 'drop' }";
    let none = with("purpose = 'account'\nbasis = 'b'");
    assert!(none[0].starts_with("line 5: category.\"x.y\".rule is missing"), "{none:?}");
    let two = with(&format!("purpose = 'account'\nbasis = 'b'\n{rule}\n{rule}"));
    assert!(two[0].starts_with("line 9: this is no TOML: "), "{two:?}");
    let half = with("purpose = 'account'\nbasis = 'b'\nrule = { start = 'collection' }");
    assert!(half[0].starts_with("line 8: category.\"x.y\".rule.period is missing"), "{half:?}");
    let basis = with(&format!("purpose = 'account'\n{rule}"));
    assert!(basis[0].contains("basis is missing"), "{basis:?}");
    let purpose = with(&format!("purpose = 'fun'\nbasis = 'b'\n{rule}"));
    assert!(
        purpose[0].starts_with("line 6: category.\"x.y\".purpose names \"fun\""),
        "{purpose:?}"
    );
    let citation = with(&format!("purpose = 'account'\nbasis = 'c'\n{rule}"));
    assert!(citation[0].contains("citation is missing"), "{citation:?}");
    let aggregate = with("purpose = 'account'\npersonal = false");
    assert!(aggregate[0].contains("k_min is missing"), "{aggregate:?}");
}

#[test]
fn no_fault_repeats_a_name_from_the_file() {
    let text = "[controller]\nnames = 'Erika Mustermann'\nname = 'Erika Mustermann'";
    let faults = Policy::parse(text).unwrap_err();
    assert!(!format!("{faults:?}").contains("Erika"), "{faults:?}");
    let syntax = Policy::parse("[controller]\nnames = ['Erika Mustermann'").unwrap_err();
    assert!(!format!("{syntax:?}").contains("Erika"), "{syntax:?}");
    assert!(!format!("{:?}", Policy::parse(OPERATOR).unwrap()).contains("Mustermann"));
}
