//! What every kind of store does, tried through the traits: the same tests on each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

/// The same tests for one kind of store.
macro_rules! contract {
    ($store:expr) => {
        use super::*;

        contract!(@ $store, accounts:
            an_account_is_found_by_id_and_address,
            an_address_or_id_is_given_once,
            a_changed_account_keeps_its_place,
            the_last_administrator_stays,
            an_administrator_without_password_is_none,
            with_an_account_all_of_it_goes,
            pages_of_accounts_put_together_are_all);
        contract!(@ $store, sessions:
            a_session_lasts_until_its_end,
            an_ended_session_stays_ended,
            another_password_ends_all_sessions,
            the_fifty_first_session_takes_the_place_of_the_first,
            a_session_needs_an_account);
        contract!(@ $store, links:
            a_link_makes_the_first_administrator_once,
            a_link_lets_its_account_choose_a_password,
            a_link_is_for_its_account_only,
            a_new_link_takes_the_place_of_the_old,
            a_refused_use_leaves_the_link,
            two_who_use_one_link_at_once_are_one,
            two_first_administrators_at_once_are_one,
            a_sweep_erases_what_has_ended);
        contract!(@ $store, rooms:
            a_room_is_found_by_its_code_until_it_is_removed,
            a_room_with_a_known_id_or_code_changes_nothing,
            a_changed_room_has_its_new_code_only,
            an_account_has_its_rooms_and_a_hundred_at_most,
            a_room_needs_its_owner,
            pages_of_rooms_put_together_are_all);
    };
    (@ $store:expr, $area:ident: $($name:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let store = $store.await;
            $area::$name(&*store).await;
        }
    )*};
}

#[path = "contract/accounts.rs"]
mod accounts;
#[path = "contract/links.rs"]
mod links;
#[path = "contract/rooms.rs"]
mod rooms;
#[path = "contract/sessions.rs"]
mod sessions;

mod memory {
    contract!(support::memory());
}

mod sqlite {
    contract!(support::sqlite());
}
