//! Folders of real files: what is in force, what is reported, what happens when they change.

mod announcements;
mod documentation;
mod files;
mod loading;
mod refused;
mod rewriting;
mod sealed;
mod watching;
