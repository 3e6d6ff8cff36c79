//! The line of those who wait for a thread: bounded, and fair between those who come.
//!
//! Each asker's jobs take turns: the second one waits until everybody else's first was served, and
//! so on. When the line is full, the job with the latest turn goes, which is one of whoever asked
//! most. So somebody who asks once is served soon while others flood the line.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A line of jobs.
#[derive(Debug)]
pub(super) struct Line<J> {
    waiting: Mutex<Waiting<J>>,
    changed: Condvar,
    most: usize,
}

#[derive(Debug)]
struct Waiting<J> {
    /// By turn, then in the order in which they came.
    jobs: BTreeMap<(u64, u64), (u64, J)>,
    /// That of the job served last.
    turn: u64,
    came: u64,
    closed: bool,
}

impl<J> Line<J> {
    /// An empty line for `most` jobs.
    pub(super) fn new(most: usize) -> Self {
        let waiting = Waiting { jobs: BTreeMap::new(), turn: 0, came: 0, closed: false };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new(), most }
    }

    /// Puts a job of `asker` into the line; where that is full, some job falls out of it.
    pub(super) fn push(&self, asker: u64, job: J) {
        let mut waiting = self.waiting();
        if waiting.closed {
            return;
        }
        let own = waiting.jobs.iter().rev().find(|(_, (of, _))| *of == asker);
        let turn = own.map_or(waiting.turn, |((turn, _), _)| turn + 1);
        let place = (turn, waiting.came);
        waiting.came += 1;
        waiting.jobs.insert(place, (asker, job));
        let too_many = waiting.jobs.len() > self.most;
        let fell_out = too_many.then(|| waiting.jobs.pop_last());
        drop(waiting);
        drop(fell_out);
        self.changed.notify_one();
    }

    /// Waits for the next job; `None` once the line is closed.
    pub(super) fn next(&self) -> Option<J> {
        let waiting = self.waiting();
        let idle = |waiting: &mut Waiting<J>| waiting.jobs.is_empty() && !waiting.closed;
        let woken = self.changed.wait_while(waiting, idle);
        let mut waiting = woken.unwrap_or_else(PoisonError::into_inner);
        let ((turn, _), (_, job)) = waiting.jobs.pop_first()?;
        waiting.turn = turn;
        Some(job)
    }

    /// Sends everybody in the line away, and all who still come.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.jobs.clear();
        drop(waiting);
        self.changed.notify_all();
    }

    /// Each change is one step, so a panic elsewhere leaves it whole.
    fn waiting(&self) -> MutexGuard<'_, Waiting<J>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(line: &Line<&'static str>, jobs: usize) -> Vec<&'static str> {
        (0..jobs).map(|_| line.next().unwrap()).collect()
    }

    #[test]
    fn whoever_asks_once_does_not_wait_behind_a_flood() {
        let line = Line::new(9);
        for job in ["flood 1", "flood 2", "flood 3"] {
            line.push(1, job);
        }
        line.push(2, "somebody");
        line.push(3, "somebody else");
        let order = ["flood 1", "somebody", "somebody else", "flood 2", "flood 3"];
        assert_eq!(served(&line, 5), order);
    }

    #[test]
    fn a_full_line_sheds_the_jobs_of_whoever_asked_most() {
        let line = Line::new(3);
        for job in ["flood 1", "flood 2", "flood 3", "flood 4"] {
            line.push(1, job);
        }
        line.push(2, "somebody");
        assert_eq!(served(&line, 3), ["flood 1", "somebody", "flood 2"]);
    }

    #[test]
    fn having_been_served_is_not_held_against_anybody() {
        let line = Line::new(9);
        for _ in 0..5 {
            line.push(1, "again");
            served(&line, 1);
        }
        line.push(1, "again");
        line.push(2, "somebody");
        assert_eq!(served(&line, 2), ["again", "somebody"]);
    }

    #[test]
    fn a_closed_line_lets_its_threads_go() {
        let line = Line::new(3);
        line.push(1, "job");
        line.close();
        line.push(1, "late");
        assert_eq!(line.next(), None);
    }
}
