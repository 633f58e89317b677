//! E-mail addresses in the form in which they are compared.

use unicode_normalization::UnicodeNormalization;

/// The longest address that SMTP carries, in bytes (RFC 5321, 4.5.3.1.3).
pub(crate) const EMAIL_BYTES_MAX: usize = 254;

/// The address in the form that is hashed and looked up: two spellings of one mailbox give one text.
pub(crate) fn normalised_email(email: &str) -> String {
    email.nfkc().collect::<String>().to_lowercase()
}
