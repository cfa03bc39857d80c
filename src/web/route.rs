//! The one list of pages and forms, with what each asks of a caller. The router and the tests of authorization are made from it.

use super::{
    Web, approvals, assets, audit, break_glass, explain, policies, sign_in, sign_ins, stats,
    updates,
};
use axum::routing::{MethodRouter, get, post};

/// What a page asks of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: a style sheet or a script.
    Asset,
    /// Nothing, and it shows nothing either.
    Open,
    /// A person who has signed in and is active.
    SignedIn,
    /// The same, for the script of an open page: it learns that something has changed, and nothing else.
    Stream,
    /// The same, through a form of their own page: only such a call may change anything.
    Form,
}

/// One page or form.
pub struct Page {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, with `{number}` where a part of it varies.
    pub path: &'static str,
    /// What it asks of a caller.
    pub access: Access,
    pub(super) handler: MethodRouter<Web>,
}

fn read(path: &'static str, access: Access, handler: MethodRouter<Web>) -> Page {
    Page {
        method: "GET",
        path,
        access,
        handler,
    }
}

fn form(path: &'static str, handler: MethodRouter<Web>) -> Page {
    Page {
        method: "POST",
        path,
        access: Access::Form,
        handler,
    }
}

/// Every page and form there is.
pub fn pages() -> Vec<Page> {
    use Access::{Asset, Open, SignedIn, Stream};
    vec![
        read("/assets/{file}", Asset, get(assets::file)),
        read("/sign-in", Open, get(sign_in::choose)),
        read("/sign-in/{provider}", Open, get(sign_in::begin)),
        read("/sign-in/{provider}/callback", Open, get(sign_in::complete)),
        read("/signed-out", Open, get(sign_in::signed_out)),
        form("/sign-out", post(sign_ins::sign_out)),
        read("/sign-ins", SignedIn, get(sign_ins::list)),
        form("/sign-ins/revoke", post(sign_ins::revoke)),
        read("/approvals", SignedIn, get(approvals::list::show)),
        read("/approvals/updates", Stream, get(updates::queue)),
        read("/approvals/{number}", SignedIn, get(approvals::show)),
        read("/approvals/{number}/updates", Stream, get(updates::request)),
        form(
            "/approvals/{number}/decision",
            post(approvals::decision::decide),
        ),
        form(
            "/approvals/{number}/cancel",
            post(approvals::decision::cancel),
        ),
        read("/break-glass", SignedIn, get(break_glass::list)),
        form("/break-glass/start", post(break_glass::start)),
        form("/break-glass/{id}/revoke", post(break_glass::revoke)),
        form("/break-glass/{id}/review", post(break_glass::review)),
        read("/audit", SignedIn, get(audit::list)),
        read("/audit/export", SignedIn, get(audit::export)),
        read("/approval-policies", SignedIn, get(policies::list)),
        read("/approval-policies/{id}", SignedIn, get(policies::show)),
        form("/approval-policies/{id}", post(policies::form::save)),
        form(
            "/approval-policies/{id}/bindings",
            post(policies::form::bind),
        ),
        form(
            "/approval-policies/{id}/replay",
            post(policies::replay::show),
        ),
        form(
            "/approval-policies/{id}/explain",
            post(explain::under_draft),
        ),
        read(
            "/approval-policies/{id}/versions",
            SignedIn,
            get(policies::versions::show),
        ),
        read("/explain", SignedIn, get(explain::show)),
        read("/stats", SignedIn, get(stats::show)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_change_anything_w3() {
        for page in pages() {
            let changes = page.method != "GET";
            assert_eq!(changes, page.access == Access::Form, "{}", page.path);
        }
    }
}
