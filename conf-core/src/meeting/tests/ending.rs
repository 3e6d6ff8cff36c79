//! The end of a meeting.

use super::*;

#[test]
fn a_moderator_ends_it_for_all() {
    let mut scene = scene().people(1..=2);
    scene.command(1, Command::End).unwrap();
    let outputs = scene.outputs();
    let reason = EndReason::Moderator;
    assert_eq!(outputs[outputs.len() - 2..], [Output::Media(Order::End), Output::Ended { reason }]);
    let goodbyes = outputs.iter().filter(|o| {
        matches!(o, Output::Send { message: ServerMessage::Goodbye { reason: Goodbye::Ended }, .. })
    });
    assert_eq!(goodbyes.count(), 2);
    assert_eq!(scene.meeting.ended(), Some(reason));
}

#[test]
fn after_the_end_nothing_happens_and_nothing_is_left() {
    let mut scene = scene().people(1..=2);
    scene.say(1, "to be forgotten").unwrap();
    scene.meeting.handle(scene.now, Input::End { by: EndBy::Operator }).unwrap();
    assert_eq!(scene.outputs().last(), Some(&Output::Ended { reason: EndReason::Operator }));
    assert_eq!(scene.join(3), Err(Refusal::MeetingEnded));
    assert_eq!(scene.attach_as(1, 11, None).map_err(|r| r.goodbye()), Err(Goodbye::Ended));
    let again = Input::End { by: EndBy::Api };
    assert_eq!(scene.meeting.handle(scene.now, again), Err(Refusal::MeetingEnded));
    scene.detach(1);
    scene.wait(SECOND * 1_000_000);
    assert_eq!((scene.outputs(), scene.meeting.timeout()), (vec![], None));
    let kept = scene.meeting.snapshot(id(1));
    assert!(kept.chat.is_empty() && kept.participants.is_empty());
}

#[test]
fn an_empty_meeting_ends_after_the_grace() {
    let mut scene = scene().people(1..=1);
    scene.command(1, Command::Leave).unwrap();
    scene.wait(SECOND * 29);
    assert_eq!(scene.meeting.ended(), None);
    scene.join(2).unwrap();
    scene.wait(SECOND * 29);
    assert_eq!((scene.meeting.ended(), scene.role(2)), (None, Role::Moderator));
    scene.wait(SECOND);
    assert_eq!(scene.meeting.ended(), Some(EndReason::Empty), "the lost had their grace");
}

#[test]
fn a_meeting_that_nobody_joins_ends() {
    let mut scene = scene();
    assert_eq!(scene.meeting.timeout(), Some(scene.now.mono + SECOND * 30));
    scene.wait(SECOND * 30);
    assert_eq!(
        scene.outputs(),
        [Output::Media(Order::End), Output::Ended { reason: EndReason::Empty }]
    );
}

#[test]
fn a_meeting_that_lasts_too_long_ends() {
    let mut scene =
        scene_with(Limits { max_duration: SECOND * 60, ..Limits::default() }).people(1..=1);
    assert_eq!(scene.meeting.timeout(), Some(scene.now.mono + SECOND * 60));
    scene.wait(SECOND * 60);
    let told = scene.told(1);
    let reason = EndReason::TooLong;
    assert_eq!(
        told,
        [event(2, Event::MeetingEnded(MeetingEnded { reason })), goodbye(Goodbye::Ended)]
    );
}
