//! What every store must do: the contracts of `remit_app::ports::Store`, one case per sentence.
//!
//! A case gets a store of its own, and nothing but the port: what an adapter promises beyond it
//! (what survives a crash, who may open the file) is tested beside the adapter.

#![expect(clippy::expect_used, clippy::panic, reason = "a case that cannot go on has failed")]

mod admission;
mod approvals;
mod budgets;
mod care;
mod changes;
mod deletion;
mod grants;
mod halts;
mod heads;
mod identifiers;
mod listing;
pub mod model;
mod outbox;
mod people;
mod previews;
mod questions;
mod races;
mod records;
mod runs;
mod settlement;
mod stamps;
mod standings;
pub mod trial;

use std::pin::Pin;
use std::sync::Arc;

use remit_app::ports::Store;

use trial::Trial;

/// One case of the suite.
pub struct Case {
    /// `module::function`.
    pub name: &'static str,
    /// Runs it on a fresh store; a panic means that the store has failed it.
    pub run: fn(Trial) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

macro_rules! cases {
    ($($module:ident :: { $($name:ident),+ $(,)? }),+ $(,)?) => {
        vec![$($(Case {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |trial| Box::pin($module::$name(trial)),
        }),+),+]
    };
}

/// The suite.
#[must_use]
pub fn cases() -> Vec<Case> {
    cases![
        records::{
            come_back_as_they_were, are_listed_in_order, are_listed_by_run, an_id_is_taken_once,
            a_place_in_the_sequence_is_taken_once,
        },
        admission::{
            is_recorded_and_counted, of_an_unknown_run_is_a_conflict, a_case_of_an_unknown_run_is_unavailable,
            a_refusal_is_only_recorded, batched_is_seen_by_the_next_case, a_conflict_leaves_no_trace,
            a_repeated_key_does_nothing, a_key_belongs_to_one_agent_and_user, a_key_outlives_its_verdict,
            only_admitted_calls_have_outcomes,
        },
        budgets::{
            are_reserved_all_or_none, conflicts_are_seen_by_the_next_case, spans_are_apart, spans_are_listed_newest_first,
            a_lowered_limit_takes_nothing_back, a_raised_limit_makes_room, huge_amounts_do_not_wrap,
            objects_count_once, an_object_is_released_by_its_last_holder, an_object_stays_when_one_call_was_charged,
            an_object_counts_once_for_reads_that_nobody_waits_for,
        },
        settlement::{
            books_what_was_charged, releases_what_never_started, twice_changes_nothing, of_nothing_is_an_error,
            soon_is_ordered_before_later_deeds, every_outcome_comes_back, unsettled_calls_are_listed,
            only_what_never_started_is_released, money_is_spent_once, books_in_the_span_of_the_reservation,
            the_outcomes_of_a_run_are_listed, a_service_says_what_came_of_its_own_calls_only,
        },
        runs::{
            come_back_as_they_were, open_once, close_once, a_closed_run_admits_nothing, labels_are_collected,
            changed_labels_are_a_conflict, known_labels_are_none, idle_ones_are_found, are_listed_newest_first,
        },
        questions::{
            come_back_as_they_were, wait_until_they_lapse, are_kept_for_the_same_call, are_asked_anew_for_other_rules,
            nobody_votes_twice, one_person_under_two_names_counts_once, denials_close_at_their_threshold,
            votes_on_other_rules_do_not_count, a_denial_closes, an_unknown_one_takes_no_votes,
            keep_what_is_said_about_them, escalate_one_way, are_closed_by_a_narrower_call,
            are_not_closed_for_one_that_is_open_already,
        },
        previews::{
            are_put_beside_their_question_once, are_awaited_while_their_question_is_open,
            are_waited_for_before_people_are_told, are_called_once_and_tell_their_run_nothing,
        },
        approvals::{
            satisfy_with_the_quorum, are_of_one_salt, lapse_to_the_second, are_bound_to_the_call, are_bound_to_the_definition,
            are_used_once, of_several_rules_go_together, must_be_in_the_basis, a_denial_after_loading_is_a_conflict,
            a_denial_refuses_until_it_lapses, for_a_run_are_counted_down, for_a_run_end_with_the_narrowest_vote,
        },
        halts::{are_in_the_next_case, change_the_basis, are_replaced_on_the_same_target, are_lifted_once},
        grants::{
            come_back_as_they_were, the_same_is_asked_once, are_granted_once_and_only_when_approved,
            are_refused_or_lapse, are_narrowed_in_place, change_the_basis, end_once,
            are_reviewed_once_by_somebody_else,
        },
        deletion::{
            takes_what_is_held_of_a_person, leaves_what_is_held_of_others, twice_changes_nothing,
            of_what_is_not_over_is_a_conflict, of_open_questions_lets_them_lapse, of_a_voter_keeps_the_votes,
            of_what_is_held_is_a_conflict, holds_are_placed_and_lifted_once, retires_what_is_named,
            retires_under_the_holds_it_was_chosen_under, retires_ended_spans_at_their_end,
        },
        changes::{
            come_back_as_they_were, rest_on_the_authority_in_force, come_into_force_with_the_last_vote,
            take_each_operator_once_and_in_order, end_with_a_no, forget_who_it_was, proposals_come_back,
        },
        heads::{
            leaves_are_those_of_the_records, leaves_are_durable_in_order, come_back_as_they_were,
            advance_from_what_stands, never_shrink_and_never_fork,
            the_next_log_begins_where_one_ends, a_log_ends_whole_and_once,
        },
        people::{
            are_invited_once, an_invitation_resets_an_account, an_invitation_lapses, a_code_counts_once,
            wrong_passwords_cost_time, many_attempts_at_once_are_many, a_passkey_is_one_persons,
            a_copied_passkey_signs_nobody_in, a_challenge_is_answered_once, a_removed_passkey_signs_nobody_in,
            a_login_is_one_persons, a_login_that_was_given_resets_an_account, a_session_is_handed_on_by_one_that_lasts,
            a_password_ends_other_sessions, sessions_end, what_is_refused_is_not_recorded,
            erasure_forgets_how_they_sign_in,
        },
        listing::{
            what_waits_lapses_in_order, what_waits_goes_on_where_it_ended, what_was_asked_is_newest_first,
            records_are_newest_first, runs_are_newest_first,
        },
        care::{
            delegations_are_in_force_until_they_lapse, delegations_are_taken_back_once, votes_in_anothers_place_come_back,
            reviews_wait_from_the_admission, an_unknown_effect_waits_for_a_review, a_call_that_was_not_admitted_waits_for_no_review, reviews_are_closed_once,
            a_step_is_reached_once, a_step_is_due_until_the_next_is_planned, an_agent_has_so_many_questions_and_no_more, a_canary_is_a_question_like_any_other,
            a_canary_ends_once, a_canary_takes_no_room_of_its_agent, votes_say_when_they_were_seen_and_given,
            erasure_ends_what_a_person_lent_and_forgets_what_they_wrote,
        },
        outbox::{
            a_question_owes_once, the_vote_that_closes_owes, another_call_in_its_place_owes, what_is_no_question_owes,
            is_worked_on_by_whoever_claims_it, is_added_once, is_listed_as_it_comes_due,
            an_attempt_changes_it, what_follows_is_added_with_it, what_is_over_changes_no_more,
            news_without_a_channel_goes, is_listed_newest_first, forgets_what_is_over,
        },
        standings::{add_up, are_apart_by_agent_and_authority, count_nothing_twice},
        stamps::{come_back_as_they_were, the_first_over_a_leaf_is_found, the_first_over_a_size_stays},
        identifiers::{compare_byte_for_byte, of_nobody_are_nobodys},
        races::{for_the_last_unit, for_one_approval, for_one_key, for_one_question, for_one_run, for_the_head},
    ]
}

/// Runs the whole suite, each case on a store of its own.
///
/// # Panics
/// When a case fails; the message names all that did.
pub async fn run_all(open: impl Fn() -> Arc<dyn Store>) {
    let mut failed = Vec::new();
    for case in cases() {
        let trial = Trial::new(open());
        let store = Arc::clone(&trial.store);
        if tokio::spawn((case.run)(trial)).await.is_err() {
            failed.push(case.name);
        }
        store.close().await;
        if store.health().is_ok() {
            failed.push("a closed store is not healthy");
        }
    }
    assert!(failed.is_empty(), "cases that failed: {}", failed.join(", "));
}
