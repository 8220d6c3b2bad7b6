//! Who comes when.

use super::*;
use crate::policy::{Bound, Principal, Who};
use futures_util::FutureExt as _;
use std::net::{IpAddr, Ipv6Addr};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_millis(20);

/// Strangers of different providers.
fn stranger(n: u8) -> Asker {
    Asker::stranger([n, 0, 2, 1].into())
}

fn person(n: u128) -> Asker {
    person_at(n, [192, 0, 2, 1].into())
}

fn person_at(n: u128, address: IpAddr) -> Asker {
    let who = Who::User { id: Uuid::from_u128(n), name: "mona".into(), is_site_admin: false };
    Asker::of(&Principal { who, bound: Bound::None }, address)
}

/// The `n`th /64 of `2001:db8:7::/48`.
fn in_one_site(n: u128) -> Asker {
    Asker::stranger(IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_0007_u128 << 80) | (n << 64) | 1)))
}

fn is_empty(turns: &Arc<Turns>) -> bool {
    turns.line.lock().unwrap().is_empty()
}

/// How many turns of others end before the turn of this one comes.
fn others_first(turns: &Arc<Turns>, asker: &Asker, first: Turn, waiting: &mut Vec<Receiver<Turn>>) -> usize {
    let mut mine = turns.ask(asker, Wait::Short);
    let (mut held, mut ended) = (vec![first], 0);
    loop {
        if mine.try_recv().is_ok() {
            return ended;
        }
        held.pop();
        ended += 1;
        waiting.retain_mut(|one| one.try_recv().map(|turn| held.push(turn)).is_err());
    }
}

#[tokio::test]
async fn an_address_that_asks_for_hundreds_keeps_another_from_nothing() {
    let turns = Turns::new(4, 2);
    let held = [turns.any_time(&stranger(1)).await, turns.any_time(&stranger(1)).await];
    let waiting: Vec<_> = (0..200).map(|_| turns.ask(&stranger(1), Wait::Short)).collect();
    let other = turns.soon(&stranger(2), PATIENCE).now_or_never().expect("at once").unwrap();
    let second = turns.ask(&stranger(2), Wait::Short);
    drop(held);
    // The two turns that came free: one for each.
    assert!(second.now_or_never().expect("at once").is_ok());
    drop((waiting, other));
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn addresses_come_in_turn_and_people_before_streams() {
    let turns = Turns::new(1, 1);
    let held = turns.any_time(&stranger(9)).await;
    let mut stream = turns.ask(&stranger(1), Wait::AnyTime);
    let mut people: Vec<_> = (0..2).map(|_| turns.ask(&stranger(1), Wait::Short)).collect();
    let mut other = turns.ask(&stranger(2), Wait::Short);
    drop(held);
    let first = people[0].try_recv().unwrap();
    assert!(other.try_recv().is_err());
    drop(first);
    drop(other.try_recv().unwrap());
    assert!(stream.try_recv().is_err());
    drop(people[1].try_recv().unwrap());
    drop(stream.try_recv().unwrap());
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn thousands_of_networks_of_one_site_or_provider_wait_for_themselves() {
    let other_sites = |n: u128| Asker::stranger(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | (n << 80)).into());
    let one_net = |n: u128| Asker::stranger([198, 51, 100, u8::try_from(n % 256).unwrap()].into());
    let askers: [&dyn Fn(u128) -> Asker; 3] = [&in_one_site, &other_sites, &one_net];
    for (number, many) in askers.into_iter().enumerate() {
        for honest in [stranger(1), Asker::stranger("2a00:1::1".parse().unwrap()), person(1)] {
            let turns = Turns::new(1, 1);
            let first = turns.any_time(&many(0)).await;
            let mut waiting: Vec<_> = (1..3_000).map(|n| turns.ask(&many(n), Wait::Short)).collect();
            let ended = others_first(&turns, &honest, first, &mut waiting);
            assert!(ended <= 2, "{ended} of attack {number} came before {honest:?}");
            drop(waiting);
            assert!(is_empty(&turns));
        }
    }
}

#[tokio::test]
async fn within_a_network_that_asks_for_much_its_other_addresses_come_in_turn() {
    let turns = Turns::new(1, 1);
    let first = turns.any_time(&in_one_site(1)).await;
    let mut waiting: Vec<_> = (0..500).map(|_| turns.ask(&in_one_site(1), Wait::Short)).collect();
    assert!(others_first(&turns, &in_one_site(2), first, &mut waiting) <= 2);
}

#[tokio::test]
async fn strangers_of_everywhere_leave_a_turn_to_who_is_known() {
    let turns = Turns::new(4, 2);
    let held: Vec<_> = (0..200).map(|n| turns.ask(&stranger(n), Wait::Short)).collect();
    let known = turns.soon(&person(1), PATIENCE).now_or_never().expect("at once").unwrap();
    let mut next = turns.ask(&person(2), Wait::Short);
    assert!(next.try_recv().is_err());
    drop(known);
    drop(next.try_recv().unwrap());
    assert!(matches!(turns.soon(&stranger(201), PATIENCE).await, Err(Error::Busy { .. })));
    drop(held);
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn a_person_leaves_a_turn_to_others_from_however_many_addresses() {
    let turns = Turns::new(4, 2);
    let at = |n: u8| person_at(1, [n, 0, 2, 1].into());
    let held = [turns.any_time(&at(1)).await, turns.any_time(&at(2)).await, turns.any_time(&at(3)).await];
    let waiting: Vec<_> = (4..200).map(|n| turns.ask(&at(n), Wait::Short)).collect();
    assert!(matches!(turns.soon(&at(200), PATIENCE).await, Err(Error::TooManyRequests { .. })));
    let other = turns.soon(&person(2), PATIENCE).now_or_never().expect("at once").unwrap();
    let mut unknown = turns.ask(&stranger(1), Wait::Short);
    drop(held);
    drop(unknown.try_recv().unwrap());
    drop((waiting, other));
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn a_script_with_somebodys_session_leaves_their_browser_a_turn() {
    let turns = Turns::new(4, 2);
    let (script, browser) = (person_at(1, [198, 51, 100, 1].into()), person_at(1, [192, 0, 2, 1].into()));
    let waiting: Vec<_> = (0..500).map(|_| turns.ask(&script, Wait::Short)).collect();
    let page = turns.soon(&browser, PATIENCE).now_or_never().expect("at once").unwrap();
    assert!(matches!(turns.soon(&script, PATIENCE).await, Err(Error::TooManyRequests { .. })));
    drop((waiting, page));
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn who_waits_too_long_is_told_whether_the_share_or_the_whole_is_taken() {
    let turns = Turns::new(3, 1);
    let first = turns.any_time(&stranger(1)).await;
    assert!(matches!(turns.soon(&stranger(1), PATIENCE).await, Err(Error::TooManyRequests { .. })));
    let second = turns.any_time(&in_one_site(1)).await;
    assert!(matches!(turns.soon(&in_one_site(2), PATIENCE).await, Err(Error::TooManyRequests { .. })));
    assert!(matches!(turns.soon(&stranger(3), PATIENCE).await, Err(Error::Busy { .. })));
    drop((first, second));
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn who_goes_away_before_the_turn_comes_leaves_it_to_the_next() {
    let turns = Turns::new(1, 1);
    let held = turns.any_time(&stranger(1)).await;
    drop(turns.ask(&stranger(1), Wait::Short));
    let mut given = turns.ask(&stranger(2), Wait::Short);
    let mut next = turns.ask(&stranger(3), Wait::Short);
    drop(held);
    assert!(next.try_recv().is_err());
    given.close();
    drop(given);
    drop(next.try_recv().unwrap());
    assert!(is_empty(&turns));
}

#[tokio::test]
async fn one_turn_is_enough_for_all() {
    let turns = Turns::new(1, 1);
    let held = turns.any_time(&stranger(1)).await;
    let mut known = turns.ask(&person(1), Wait::Short);
    let mut other = turns.ask(&stranger(2), Wait::Short);
    drop(held);
    drop(known.try_recv().unwrap());
    drop(other.try_recv().unwrap());
    assert!(is_empty(&turns));
}
