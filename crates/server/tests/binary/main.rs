//! The real binary in folders of its own: settings, commands beside a running server, kills, files put back.

#![cfg(test)]

mod audit;
mod backup;
mod beside;
mod breached;
mod collector;
mod deploying;
mod doctor;
mod gone_back;
mod gone_clients;
mod guard;
mod http;
mod installation;
mod invitations;
mod keys;
mod killed;
mod mail;
mod metrics;
mod moving;
mod nginx;
mod one_server;
mod services;
mod settings;
mod sockets;
mod systemd;
mod templates;
mod tls;
mod traces;
