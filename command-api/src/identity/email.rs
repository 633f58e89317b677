//! E-mail addresses in the form in which they are compared.

use unicode_normalization::UnicodeNormalization;

/// The address in the form that is hashed and looked up: two spellings of one mailbox give one text.
pub(crate) fn normalised_email(email: &str) -> String {
    email.nfkc().collect::<String>().to_lowercase()
}
