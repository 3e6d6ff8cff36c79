//! The lobby, the options of a room, and meetings that belong to somebody.

use super::*;
use crate::room::{Lobby, Start};

/// Connected participants 1.. of an owner's meeting with these options, the first as owner.
fn owned(options: RoomOptions) -> Scene {
    let mut scene = scene_of(Policy::OwnerModerates, options, Limits::default());
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    scene.attach(1).unwrap();
    scene.outputs();
    scene
}

fn asking() -> RoomOptions {
    RoomOptions { lobby: Lobby::Ask, ..RoomOptions::default() }
}

fn owner_starts() -> RoomOptions {
    RoomOptions { start: Start::Owner, ..RoomOptions::default() }
}

fn waiting(position: usize) -> ServerMessage {
    ServerMessage::Waiting { position, reason: WaitReason::Lobby }
}

fn not_started(position: usize) -> ServerMessage {
    ServerMessage::Waiting { position, reason: WaitReason::NotStarted }
}

fn admit(number: u64) -> Command {
    Command::Admit(Admit { participant: id(number) })
}

fn set_lobby(lobby: Lobby) -> Command {
    Command::SetLobby(SetLobby { lobby })
}

impl Scene {
    /// Guests who come and connect; most of them wait.
    fn guests(&mut self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.join(number).unwrap();
            self.attach(number).unwrap();
        }
    }

    fn queue(&self) -> Vec<ParticipantId> {
        self.meeting.waiting().map(|waiting| waiting.id).collect()
    }

    fn is_here(&self, number: u64) -> bool {
        self.meeting.participant(id(number)).is_some()
    }
}

fn events(told: &[ServerMessage]) -> Vec<Event> {
    let event = |message: &ServerMessage| match message {
        ServerMessage::Event { event, .. } => Some((**event).clone()),
        _ => None,
    };
    told.iter().filter_map(event).collect()
}

#[test]
fn whoever_waits_learns_their_place_and_nothing_else_and_only_moderators_learn_of_them() {
    let mut scene = owned(RoomOptions::default());
    scene.guests(2..=2);
    scene.command(1, set_lobby(Lobby::Ask)).unwrap();
    scene.outputs();
    scene.join(3).unwrap();
    scene.attach(3).unwrap();
    scene.say(1, "not for the lobby").unwrap();
    let outputs = scene.outputs();
    let to = |number| {
        let wanted = ConnectionId(number);
        let sent = |output: &Output| match output {
            Output::Send { connection, message } if *connection == wanted => Some(message.clone()),
            _ => None,
        };
        outputs.iter().filter_map(sent).collect::<Vec<_>>()
    };
    assert_eq!(to(3), [waiting(1)]);
    let added = scene.meeting.waiting().next().cloned().unwrap();
    assert_eq!((added.id, added.name.reveal().as_str()), (id(3), "Person 3"));
    let added = Event::WaitingAdded(WaitingAdded { waiting: added });
    assert_eq!(events(&to(1))[0], added);
    assert!(matches!(&events(&to(2))[..], [Event::Chat(_)]), "{:?}", to(2));
    assert_eq!(scene.meeting.count(), 2, "who waits is not counted");
}

#[test]
fn being_let_in_brings_the_welcome_and_moves_the_others_up() {
    let mut scene = owned(asking());
    scene.guests(2..=4);
    scene.outputs();
    scene.command(1, admit(3)).unwrap();
    let outputs = scene.outputs();
    let sent: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { connection, message } if connection.0 != 1 => {
                Some((connection.0, message))
            }
            _ => None,
        })
        .collect();
    let [(3, ServerMessage::Welcome(welcome)), (4, place)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((welcome.you, welcome.snapshot.participants.len()), (id(3), 2));
    assert!(welcome.snapshot.waiting.is_empty(), "a viewer does not see who waits");
    assert_eq!(**place, waiting(2));
    assert_eq!(scene.meeting.participant(id(3)).unwrap().presence, Presence::Connected);
    assert_eq!((scene.role(3), scene.queue()), (Role::Viewer, vec![id(2), id(4)]));
    scene.say(3, "here I am").unwrap();
}

#[test]
fn the_moderators_list_follows_all_comings_and_goings() {
    let mut scene = owned(asking());
    scene.guests(2..=5);
    scene.outputs();
    scene.command(1, admit(2)).unwrap();
    scene.command(1, Command::Deny(Deny { participant: id(3) })).unwrap();
    scene.command(4, Command::Leave).unwrap();
    scene.detach(5);
    scene.wait(SECOND * 30);
    let removed = events(&scene.told(1)).into_iter().filter_map(|event| match event {
        Event::WaitingRemoved(removed) => Some(removed.id),
        _ => None,
    });
    assert_eq!(removed.collect::<Vec<_>>(), [2, 3, 4, 5].map(id));
    assert!(scene.queue().is_empty());
}

#[test]
fn a_moderator_who_comes_back_without_memory_finds_the_list_in_the_snapshot() {
    let mut scene = owned(asking());
    scene.guests(2..=3);
    scene.outputs();
    scene.attach_as(1, 11, None).unwrap();
    let told = scene.told(11);
    let [ServerMessage::Welcome(welcome)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(welcome.snapshot.waiting.len(), 2);
    assert_eq!(welcome.snapshot.meeting.options, asking());
}

#[test]
fn whoever_becomes_moderator_is_told_who_waits() {
    let mut scene = owned(RoomOptions::default());
    scene.guests(2..=2);
    scene.command(1, set_lobby(Lobby::Ask)).unwrap();
    scene.guests(3..=4);
    scene.outputs();
    let role = Role::Moderator;
    scene.command(1, Command::SetRole(SetRole { participant: id(2), role })).unwrap();
    let told = events(&scene.told(2));
    let [Event::ParticipantChanged(_), Event::WaitingAdded(a), Event::WaitingAdded(b)] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((a.waiting.id, b.waiting.id), (id(3), id(4)));
    scene.command(2, admit(4)).unwrap();
    assert!(scene.is_here(4));
}

#[test]
fn whoever_is_turned_away_hears_it_and_cannot_come_back_with_the_same_secret() {
    let mut scene = owned(asking());
    scene.guests(2..=3);
    scene.outputs();
    scene.detach(3);
    for number in [2, 3] {
        let participant = id(number);
        scene.command(1, Command::Deny(Deny { participant })).unwrap();
    }
    let outputs = scene.outputs();
    let connection = ConnectionId(2);
    assert!(
        outputs.contains(&Output::Send { connection, message: goodbye(Goodbye::Denied) })
            && outputs.contains(&Output::Close { connection })
    );
    for number in [2, 3] {
        let refusal = scene.attach_as(number, 20 + number, None).unwrap_err();
        assert_eq!((refusal.goodbye(), refusal), (Goodbye::Denied, Refusal::Denied));
        let back = scene.meeting.authenticate(id(number), &secret(number));
        assert_eq!(back, Err(Refusal::Denied));
        assert_eq!(scene.join(number), Err(Refusal::ParticipantTaken));
    }
    let again = scene.command(1, Command::Deny(Deny { participant: id(2) }));
    assert_eq!(again, Err(Refusal::ParticipantUnknown));
}

#[test]
fn whoever_waits_can_do_nothing_but_leave() {
    let mut scene = owned(asking());
    scene.guests(2..=2);
    scene.outputs();
    let before = scene.state();
    assert_eq!(scene.say(2, "let me in"), Err(Refusal::StillWaiting));
    assert_eq!(scene.command(2, admit(2)), Err(Refusal::StillWaiting));
    assert_eq!(scene.command(2, Command::End), Err(Refusal::StillWaiting));
    let connected = Input::Media(Fact::Connected { participant: id(2) });
    assert_eq!(scene.meeting.handle(scene.now, connected), Err(Refusal::ParticipantUnknown));
    assert_eq!(scene.state(), before);
    scene.command(2, Command::Leave).unwrap();
    assert_eq!(scene.told(2), [ServerMessage::Done { request: 9 }, goodbye(Goodbye::Left)]);
    assert_eq!(scene.meeting.visitor(id(2)), None);
}

#[test]
fn a_place_in_the_queue_outlives_a_lost_connection_by_the_grace() {
    let mut scene = owned(asking());
    scene.guests(2..=3);
    scene.detach(2);
    scene.wait(SECOND * 29);
    assert_eq!(scene.attach_as(2, 22, None), Ok(()));
    assert_eq!(scene.told(22), [waiting(1)]);
    scene.attach_as(2, 23, Some(7)).unwrap();
    let outputs = scene.outputs();
    let replaced =
        Output::Send { connection: ConnectionId(22), message: goodbye(Goodbye::Replaced) };
    assert_eq!(outputs[0], replaced);
    scene.detach(23);
    scene.wait(SECOND * 30);
    assert_eq!((scene.queue(), scene.told(3)), (vec![id(3)], vec![waiting(1)]));
    let gone = scene.attach_as(2, 24, None);
    assert_eq!(gone, Err(Refusal::ParticipantUnknown));
}

#[test]
fn only_the_secret_opens_the_websocket_of_whoever_waits() {
    let mut scene = owned(asking());
    scene.guests(2..=2);
    let wrong = Input::Attach {
        participant: id(2),
        secret: secret(3),
        connection: ConnectionId(9),
        resume_from: None,
    };
    assert_eq!(scene.meeting.handle(scene.now, wrong), Err(Refusal::SecretWrong));
    assert_eq!(scene.attach_as(2, 1, None), Err(Refusal::ConnectionTaken));
    assert_eq!(scene.attach_as(1, 2, None), Err(Refusal::ConnectionTaken));
}

#[test]
fn before_the_owner_comes_all_wait_and_then_all_come_in_together() {
    let mut scene = scene_of(Policy::OwnerModerates, owner_starts(), Limits::default());
    scene.guests(2..=3);
    assert_eq!(scene.told(3), [not_started(2)]);
    scene.wait(SECOND * 600);
    assert_eq!((scene.meeting.count(), scene.meeting.ended()), (0, None), "who waits keeps it");
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    assert!(matches!(&scene.told(3)[..], [ServerMessage::Welcome(_)]));
    assert_eq!([1, 2, 3].map(|n| scene.role(n)), [Role::Moderator, Role::Viewer, Role::Viewer]);
    assert_eq!(scene.meeting.started_at(), scene.now.wall, "waiting is not yet the meeting");
    scene.guests(4..=4);
    assert!(scene.is_here(4));
}

#[test]
fn with_a_lobby_the_owner_still_has_to_let_in_those_who_came_before() {
    let options = RoomOptions { lobby: Lobby::Ask, ..owner_starts() };
    let mut scene = scene_of(Policy::OwnerModerates, options, Limits::default());
    scene.guests(2..=2);
    assert_eq!(scene.told(2), [not_started(1)]);
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    assert_eq!((scene.told(2), scene.is_here(2)), (vec![waiting(1)], false));
}

#[test]
fn when_no_moderator_is_left_those_who_come_wait_again_and_nobody_takes_the_owners_place() {
    let mut scene = owned(owner_starts());
    scene.guests(2..=2);
    scene.command(1, Command::Leave).unwrap();
    scene.guests(3..=3);
    assert_eq!((scene.role(2), scene.queue()), (Role::Viewer, vec![id(3)]));
    scene.join_as(4, Standing::Owner, Via::Web).unwrap();
    assert_eq!((scene.role(4), scene.is_here(3)), (Role::Moderator, true));
}

#[test]
fn a_moderator_the_owner_has_made_stays_one_and_leads_without_the_owner() {
    let mut scene = owned(owner_starts());
    scene.guests(2..=2);
    let set = |role| Command::SetRole(SetRole { participant: id(2), role });
    scene.command(1, set(Role::Moderator)).unwrap();
    scene.command(1, Command::Leave).unwrap();
    scene.guests(3..=3);
    assert_eq!((scene.role(2), scene.role(3)), (Role::Moderator, Role::Viewer));
    assert_eq!(scene.command(2, set(Role::Viewer)), Err(Refusal::LastModerator));
}

#[test]
fn in_an_owners_meeting_whoever_comes_first_is_no_moderator() {
    let mut scene = scene_of(Policy::OwnerModerates, RoomOptions::default(), Limits::default());
    scene.guests(2..=2);
    assert_eq!(scene.role(2), Role::Viewer);
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    assert_eq!(scene.role(1), Role::Moderator);
}

#[test]
fn switching_the_lobby_off_lets_all_in_and_tells_everybody() {
    let mut scene = owned(asking());
    scene.guests(2..=4);
    scene.outputs();
    scene.command(1, set_lobby(Lobby::Off)).unwrap();
    let told = scene.told(1);
    let options = RoomOptions::default();
    assert!(events(&told).contains(&Event::OptionsChanged(OptionsChanged { options })));
    assert_eq!((scene.meeting.count(), scene.queue()), (4, vec![]));
    scene.command(1, set_lobby(Lobby::Off)).unwrap();
    assert_eq!(scene.told(1), [ServerMessage::Done { request: 9 }], "nothing has changed");
}

#[test]
fn options_set_from_outside_hold_from_then_on() {
    let mut scene = owned(RoomOptions::default());
    scene.meeting.handle(scene.now, Input::SetOptions(asking())).unwrap();
    assert_eq!(scene.meeting.options(), asking());
    assert_eq!(events(&scene.told(1)).len(), 1);
    scene.guests(2..=2);
    scene.meeting.handle(scene.now, Input::SetOptions(RoomOptions::default())).unwrap();
    assert!(scene.is_here(2));
}

#[test]
fn letting_all_in_takes_as_many_as_there_is_space_for_and_the_rest_follow() {
    let limits = Limits { participants: 3, ..Limits::default() };
    let mut scene = scene_of(Policy::OwnerModerates, asking(), limits);
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    scene.attach(1).unwrap();
    scene.guests(2..=5);
    scene.command(1, Command::AdmitAll).unwrap();
    assert_eq!((scene.meeting.count(), scene.queue()), (3, vec![id(4), id(5)]));
    let full = Err(Refusal::MeetingFull { limit: 3 });
    assert_eq!(scene.command(1, Command::AdmitAll), full);
    assert_eq!(scene.command(1, admit(5)), full);
    scene.command(1, set_lobby(Lobby::Off)).unwrap();
    assert_eq!(scene.join(6), full, "nobody passes by those who wait");
    scene.outputs();
    scene.command(3, Command::Leave).unwrap();
    assert_eq!((scene.is_here(4), scene.told(5)), (true, vec![waiting(1)]));
}

#[test]
fn a_flooder_fills_the_lobby_and_nothing_else() {
    let limits = Limits { waiting: 5, ..Limits::default() };
    let mut scene = scene_of(Policy::OwnerModerates, asking(), limits);
    let refused = (100..1_100).filter(|number| scene.join(*number).is_err()).count();
    assert_eq!(refused, 995);
    let before = scene.state();
    assert_eq!(scene.join(2), Err(Refusal::LobbyFull { limit: 5 }));
    assert_eq!(scene.state(), before);
    scene.join_as(1, Standing::Owner, Via::Web).unwrap();
    scene.join_as(3, Standing::Guest, Via::Token).unwrap();
    assert_eq!(scene.meeting.count(), 2);
    scene.attach(1).unwrap();
    scene.wait(SECOND * 30);
    assert_eq!(scene.join(2), Ok(()), "those who never connect lose their place");
}

#[test]
fn whoever_has_an_access_token_never_waits() {
    let options = RoomOptions { lobby: Lobby::Ask, ..owner_starts() };
    let mut scene = scene_of(Policy::OwnerModerates, options, Limits::default());
    scene.join_as(2, Standing::Guest, Via::Token).unwrap();
    assert_eq!(scene.role(2), Role::Viewer);
}

#[test]
fn in_an_open_meeting_somebody_who_waits_leads_when_nobody_is_left() {
    let mut scene = scene_of(Policy::FirstJoinerModerates, asking(), Limits::default());
    scene = scene.people(1..=1);
    scene.guests(2..=4);
    scene.detach(2);
    scene.outputs();
    scene.command(1, Command::Leave).unwrap();
    assert_eq!((scene.role(3), scene.queue()), (Role::Moderator, vec![id(2), id(4)]));
    let told = scene.told(3);
    let [ServerMessage::Welcome(welcome)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(welcome.snapshot.waiting.len(), 2);
}

#[test]
fn a_meeting_ends_when_neither_people_nor_waiters_are_left() {
    let mut scene = scene_of(Policy::OwnerModerates, asking(), Limits::default());
    scene.guests(2..=2);
    scene.command(2, Command::Leave).unwrap();
    scene.wait(SECOND * 29);
    assert_eq!(scene.meeting.ended(), None);
    scene.wait(SECOND);
    assert_eq!(scene.meeting.ended(), Some(EndReason::Empty));
}

#[test]
fn the_end_sends_those_who_wait_away_too() {
    let mut scene = owned(asking());
    scene.guests(2..=2);
    scene.outputs();
    scene.command(1, Command::End).unwrap();
    assert_eq!(scene.told(2), [goodbye(Goodbye::Ended)]);
    assert_eq!(scene.meeting.visitor(id(2)), None);
}

#[test]
fn viewers_are_muted_at_their_first_microphone_and_then_speak_as_they_like() {
    let options = RoomOptions { mute_on_start: true, ..RoomOptions::default() };
    let mut scene = owned(options);
    scene.guests(2..=3);
    scene.outputs();
    let mut orders = |number, state| {
        scene.track(number, Source::Microphone, state);
        let order = |output| match output {
            Output::Media(order) => Some(order),
            _ => None,
        };
        scene.outputs().into_iter().filter_map(order).collect::<Vec<_>>()
    };
    let mute = |number| Order::Mute { participant: id(number), source: Source::Microphone };
    assert_eq!(orders(1, TrackState::On), [], "moderators begin as they like");
    assert_eq!(orders(2, TrackState::On), [mute(2)]);
    assert_eq!(orders(2, TrackState::Muted), []);
    assert_eq!(orders(2, TrackState::On), []);
    assert_eq!(orders(2, TrackState::Off), []);
    assert_eq!(orders(2, TrackState::On), [], "a track that comes back is not the first");
    assert_eq!(orders(3, TrackState::Muted), []);
    assert_eq!(orders(3, TrackState::On), []);
}

#[test]
fn a_tool_that_could_not_unmute_itself_is_not_muted_at_its_start() {
    let mut scene = owned(RoomOptions { mute_on_start: true, ..RoomOptions::default() });
    scene.join_as(2, Standing::Guest, Via::Tool).unwrap();
    scene.outputs();
    scene.track(2, Source::Microphone, TrackState::On);
    assert!(!scene.outputs().iter().any(|output| matches!(output, Output::Media(_))));
}
