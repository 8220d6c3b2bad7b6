//! The id of the request that a task serves, for whoever writes down what it did.

tokio::task_local! {
    static CURRENT: String;
}

/// `None` in a job or a command.
pub fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok()
}

/// Does `work` under an id.
pub fn scope<F: Future>(id: String, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, work)
}
