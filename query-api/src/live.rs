//! Live updates: whoever follows a document, such as an auction or their own inbox, is sent it when it changes. Documents may be
//! skipped where several changes follow each other quickly, but are never older than the one before.

mod followed;
mod followers;
mod positions;
mod publishing;
mod reader;
mod readers;
mod sessions;
mod update;

pub(crate) use followed::Followed;
pub(crate) use followers::Followers;
pub(crate) use publishing::Publisher;
pub(crate) use reader::Updates;
pub(crate) use readers::Readers;
pub(crate) use sessions::Sessions;
pub(crate) use update::LiveUpdate;
