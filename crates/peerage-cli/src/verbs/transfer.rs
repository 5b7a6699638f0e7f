//! The verbs that move content, as requests.

use crate::{
    args::{AddArgs, ExportArgs, GetArgs, ImportArgs, ShareArgs},
    attach,
    failure::Failure,
    output::Qr,
    request::{Place, Request},
    settings::Settings,
};

/// Shares until Ctrl-C.
///
/// # Errors
///
/// What sharing fails with.
pub(super) fn share(arguments: ShareArgs, settings: &Settings) -> Result<(), Failure> {
    let qr = match (arguments.qr, arguments.no_qr) {
        (true, _) => Qr::Always,
        (false, true) => Qr::Never,
        (false, false) => Qr::Auto,
    };
    let request = Request::Share {
        paths: Place::all(&arguments.paths)?,
        name: arguments.name,
        metadata: !arguments.no_metadata,
        layout: arguments.layout,
        http: arguments.http,
        http_hosts: arguments.http_host,
    };
    attach::run(&request, settings, qr)
}

/// The request of `get`.
///
/// # Errors
///
/// When the working folder is gone.
pub(super) fn get(arguments: &GetArgs) -> Result<Request, Failure> {
    Ok(Request::Get {
        target: arguments.target.clone(),
        output: Place::new(&arguments.output)?,
        peers: arguments.peer.clone(),
        max_files: arguments.max_files,
        max_size: arguments.max_size,
    })
}

/// The request of `add`.
///
/// # Errors
///
/// When the working folder is gone.
pub(super) fn add(arguments: &AddArgs) -> Result<Request, Failure> {
    Ok(Request::Add {
        paths: Place::all(&arguments.paths)?,
        metadata: arguments.metadata,
        layout: arguments.layout,
    })
}

/// The request of `export`.
///
/// # Errors
///
/// When the working folder is gone.
pub(super) fn export(arguments: &ExportArgs) -> Result<Request, Failure> {
    Ok(Request::Export { cid: arguments.cid.clone(), output: Place::new(&arguments.output)? })
}

/// The request of `import`.
///
/// # Errors
///
/// When the working folder is gone.
pub(super) fn import(arguments: &ImportArgs) -> Result<Request, Failure> {
    Ok(Request::Import { file: Place::new(&arguments.file)? })
}
