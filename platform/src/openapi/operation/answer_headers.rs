//! The headers that the answers of an operation carry.

use utoipa::openapi::{Ref, RefOr};

use super::{Described, HasHeader};
use crate::openapi::Header;

impl Described<'_> {
    /// The answers that succeed carry this header.
    pub fn answers(&mut self, header: Header) {
        self.answers_with(header, |status| status.starts_with(['2', '3']));
    }

    /// Every answer carries this header.
    pub fn answers_always(&mut self, header: Header) {
        self.answers_with(header, |_| true);
    }

    /// The answers with this status carry this header.
    pub fn answers_if(&mut self, status: &'static str, header: Header) {
        self.answers_with(header, move |found| found == status);
    }

    fn answers_with(&mut self, header: Header, has_it: impl Fn(&str) -> bool + 'static) {
        self.headers.push((header, Box::new(has_it)));
    }

    /// Puts the headers at the answers, all of which are there now.
    pub(super) fn list_headers(&mut self) {
        for (header, has_it) in std::mem::take(&mut self.headers) {
            self.list_header(header, &has_it);
        }
    }

    fn list_header(&mut self, header: Header, has_it: &HasHeader) {
        // A header may say something else in requests, so components of both kinds have different types.
        let reference = Ref::new(format!("#/components/headers/{}", header.name));
        let mut is_used = false;
        for (status, response) in &mut self.operation.responses.responses {
            if let RefOr::T(response) = response
                && has_it(status)
            {
                is_used = true;
                let headers = &mut response.headers;
                headers.insert(header.name.to_owned(), RefOr::Ref(reference.clone()));
            }
        }
        if is_used {
            let key = header.name.to_owned();
            let described = RefOr::T(header.of_answers());
            self.components.headers.entry(key).or_insert(described);
        }
    }
}
