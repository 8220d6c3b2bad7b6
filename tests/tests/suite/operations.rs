//! What an operator meets: settings, the data folder, logs, stops and restarts.

mod database;
mod doctor;
mod folder;
mod log;
mod settings;
mod stop;
mod upgrade;
