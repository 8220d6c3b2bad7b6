//! What an operator meets: settings, the data folder, logs, stops and restarts.

mod settings;
