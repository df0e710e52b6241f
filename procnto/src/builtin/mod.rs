//! What procnto's own files hold.
