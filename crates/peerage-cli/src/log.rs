//! What the library logs, for those who ask with `-v`.

use std::io;

use tracing_subscriber::EnvFilter;

/// Shows the library's log on standard error: errors always, more with each
/// `-v`, and what `PEERAGE_LOG` asks for instead if it is set.
pub(crate) fn begin(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "peerage=info,warn",
        2 => "peerage=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("PEERAGE_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    log.init();
}
