//! Budgets and objects.

use jiff::SignedDuration;
use remit_core::budget::{Budget, BudgetKey, Reservation, Span, Unit};

use super::trial::{Admission, Trial, budget, completed, conflict, moment, not_started, object, reservation};

async fn admission(t: &Trial, reservations: &[Reservation]) -> Admission {
    let run = super::trial::run_id("run-1");
    Admission { reservations: reservations.to_vec(), ..t.admission(&run, "call").await }
}

async fn used(t: &Trial, budget: &(Budget, Span)) -> (u64, u64) {
    t.store.usage(std::slice::from_ref(budget)).await.expect("read")[0]
}

pub(super) async fn are_reserved_all_or_none(t: Trial) {
    t.run("run-1").await;
    let (one, two) = (budget("a", Unit::Calls, 5), budget("b", Unit::MicroUsd, 100));
    t.admit(&admission(&t, &[reservation(&one, 1), reservation(&two, 60)]).await).await;
    let over = admission(&t, &[reservation(&one, 1), reservation(&two, 41)]).await;
    assert_eq!(conflict(t.commit(&over).await), "budget");
    assert_eq!((used(&t, &one).await, used(&t, &two).await), ((0, 1), (0, 60)));
    t.admit(&admission(&t, &[reservation(&one, 1), reservation(&two, 40)]).await).await;
    assert_eq!((used(&t, &one).await, used(&t, &two).await), ((0, 2), (0, 100)));
}

pub(super) async fn conflicts_are_seen_by_the_next_case(t: Trial) {
    let run = t.run("run-1").await;
    let one = budget("a", Unit::Calls, 1);
    let stale = admission(&t, &[reservation(&one, 1)]).await;
    t.admit(&stale).await;
    assert_eq!(conflict(t.commit(&stale).await), "budget");
    let state = t.budget(&run, &one.0, &one.1, None).await;
    assert_eq!((state.settled, state.reserved), (0, 1));
    assert!(state.reserve(1).is_err(), "whoever decides again is refused, not sent round in circles");
}

pub(super) async fn spans_are_apart(t: Trial) {
    t.run("run-1").await;
    let today = budget("a", Unit::Calls, 1);
    let tomorrow = (today.0.clone(), Span { id: "day-2".into(), ends: None });
    t.admit(&admission(&t, &[reservation(&today, 1)]).await).await;
    t.admit(&admission(&t, &[reservation(&tomorrow, 1)]).await).await;
    assert_eq!((used(&t, &today).await, used(&t, &tomorrow).await), ((0, 1), (0, 1)));
}

pub(super) async fn spans_are_listed_newest_first(t: Trial) {
    t.run("run-1").await;
    let (budget, span) = budget("a", Unit::Calls, 5);
    let other = (Budget { key: BudgetKey("b".into()), ..budget.clone() }, span.clone());
    t.admit(&admission(&t, &[reservation(&other, 1)]).await).await;
    let at = |secs: u64| Span { id: secs.to_string(), ends: moment(0).checked_add(SignedDuration::from_secs(60)).ok() };
    for (secs, calls) in [(1_795_000_000, 2), (1_795_000_120, 1), (1_795_000_060, 1)] {
        for _ in 0..calls {
            let intent = t.admit(&admission(&t, &[reservation(&(budget.clone(), at(secs)), 1)]).await).await;
            if secs == 1_795_000_000 {
                t.settle(&intent, completed()).await;
            }
        }
    }
    let of = async |limit| t.store.spans(&budget.key, limit).await.expect("read");
    let all: Vec<_> = of(10).await.into_iter().map(|used| (used.span, used.settled, used.reserved)).collect();
    assert_eq!(all, [(at(1_795_000_120), 0, 1), (at(1_795_000_060), 0, 1), (at(1_795_000_000), 2, 0)]);
    assert_eq!(of(1).await.into_iter().map(|used| used.span).collect::<Vec<_>>(), [at(1_795_000_120)]);
    assert!(t.store.spans(&BudgetKey("A".into()), 10).await.expect("read").is_empty());
}

pub(super) async fn a_lowered_limit_takes_nothing_back(t: Trial) {
    t.run("run-1").await;
    let wide = budget("a", Unit::Calls, 5);
    let narrow = budget("a", Unit::Calls, 2);
    let mut admitted = Vec::new();
    for _ in 0..3 {
        admitted.push(t.admit(&admission(&t, &[reservation(&wide, 1)]).await).await);
    }
    assert_eq!(conflict(t.commit(&admission(&t, &[reservation(&narrow, 1)]).await).await), "budget");
    assert_eq!(conflict(t.commit(&admission(&t, &[reservation(&narrow, 0)]).await).await), "budget");
    t.settle(&admitted[0], completed()).await;
    t.settle(&admitted[1], not_started()).await;
    t.settle(&admitted[2], not_started()).await;
    assert_eq!(used(&t, &wide).await, (1, 0));
    t.admit(&admission(&t, &[reservation(&narrow, 1)]).await).await;
    assert_eq!(conflict(t.commit(&admission(&t, &[reservation(&narrow, 1)]).await).await), "budget");
}

pub(super) async fn a_raised_limit_makes_room(t: Trial) {
    t.run("run-1").await;
    let narrow = budget("a", Unit::Calls, 1);
    let wide = budget("a", Unit::Calls, 2);
    t.admit(&admission(&t, &[reservation(&narrow, 1)]).await).await;
    t.admit(&admission(&t, &[reservation(&wide, 1)]).await).await;
    assert_eq!(used(&t, &wide).await, (0, 2));
}

pub(super) async fn huge_amounts_do_not_wrap(t: Trial) {
    t.run("run-1").await;
    let huge = budget("a", Unit::MicroUsd, u64::MAX);
    t.admit(&admission(&t, &[reservation(&huge, 10)]).await).await;
    assert_eq!(conflict(t.commit(&admission(&t, &[reservation(&huge, u64::MAX)]).await).await), "budget");
    assert_eq!(used(&t, &huge).await, (0, 10));
}

pub(super) async fn objects_count_once(t: Trial) {
    let run = t.run("run-1").await;
    let objects = budget("a", Unit::Objects, 2);
    let first = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    t.admit(&admission(&t, &[object(&objects, "ticket/2")]).await).await;
    assert_eq!(used(&t, &objects).await, (0, 2));
    assert_eq!(conflict(t.commit(&admission(&t, &[object(&objects, "Ticket/1")]).await).await), "budget");
    // A case leaves out what the object asked for holds itself: another call on it finds room, and
    // comes to hold it too. Once booked, it is known.
    let state = t.budget(&run, &objects.0, &objects.1, Some("ticket/1")).await;
    assert_eq!((state.reserved, state.object_known), (1, false));
    let state = t.budget(&run, &objects.0, &objects.1, Some("ticket/3")).await;
    assert_eq!((state.reserved, state.object_known), (2, false));
    t.settle(&first, completed()).await;
    let state = t.budget(&run, &objects.0, &objects.1, Some("ticket/1")).await;
    assert_eq!((state.settled, state.reserved, state.object_known), (1, 1, true));
}

pub(super) async fn an_object_is_released_by_its_last_holder(t: Trial) {
    t.run("run-1").await;
    let objects = budget("a", Unit::Objects, 1);
    let first = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    let second = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    t.settle(&first, not_started()).await;
    assert_eq!(used(&t, &objects).await, (0, 1), "the second call still touches it");
    t.settle(&second, not_started()).await;
    assert_eq!(used(&t, &objects).await, (0, 0));
    t.admit(&admission(&t, &[object(&objects, "ticket/2")]).await).await;
}

pub(super) async fn an_object_stays_when_one_call_was_charged(t: Trial) {
    t.run("run-1").await;
    let objects = budget("a", Unit::Objects, 1);
    let first = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    let second = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    t.settle(&second, completed()).await;
    t.settle(&first, not_started()).await;
    assert_eq!(used(&t, &objects).await, (1, 0));
    let third = t.admit(&admission(&t, &[object(&objects, "ticket/1")]).await).await;
    t.settle(&third, completed()).await;
    assert_eq!(used(&t, &objects).await, (1, 0));
}

pub(super) async fn an_object_counts_once_for_reads_that_nobody_waits_for(t: Trial) {
    t.run("run-1").await;
    let objects = budget("a", Unit::Objects, 1);
    let mut read = admission(&t, &[object(&objects, "ticket/1")]).await;
    read.batched = true;
    let (first, second) = (t.admit(&read).await, t.admit(&read).await);
    for (intent, outcome) in [(&first, completed()), (&second, not_started())] {
        t.store.settle_soon(t.settlement(intent, outcome)).expect("handed over");
    }
    let third = t.admit(&read).await;
    assert_eq!(used(&t, &objects).await, (1, 0));
    t.store.settle_soon(t.settlement(&third, completed())).expect("handed over");
    t.run("run-2").await;
    assert_eq!(used(&t, &objects).await, (1, 0), "it is the same object");
    assert_eq!(conflict(t.commit(&admission(&t, &[object(&objects, "ticket/2")]).await).await), "budget");
}
