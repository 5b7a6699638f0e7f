//! What a session can be found under, besides its id.

use peerage_core::discovery::Key;

use super::Session;

impl Session {
    /// Lets this peer be found under a key, besides its id, from now on.
    pub fn be_found_under(&self, key: Key) {
        self.inner.keys.send_if_modified(|keys| {
            let is_new = !keys.contains(&key);
            if is_new {
                keys.push(key);
            }
            is_new
        });
    }
}
