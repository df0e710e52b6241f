//! The keyboard: scan codes of set 1, as the 8042 translates them, to the bytes of `TERM=linux`.

use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{
    DecodedKey, EventDecoder, HandleControl, KeyCode, KeyState, ScancodeSet, ScancodeSet1,
};

use crate::Modes;

/// The bytes of one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    bytes: [u8; 8],
    length: usize,
}

impl Typed {
    /// Gives the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = *byte;
                self.length += 1;
            }
        }
    }
}

/// Which of the keys that change others are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Up,
    Down,
}

impl From<KeyState> for Held {
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Down | KeyState::SingleShot => Self::Down,
            KeyState::Up => Self::Up,
        }
    }
}

/// The keyboard's state.
pub struct Keyboard {
    codes: ScancodeSet1,
    decoder: EventDecoder<Us104Key>,
    control: Held,
    alt: Held,
}

impl core::fmt::Debug for Keyboard {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut debug = formatter.debug_struct("Keyboard");
        debug.field("control", &self.control).field("alt", &self.alt).finish_non_exhaustive()
    }
}

impl Default for Keyboard {
    fn default() -> Self {
        Self {
            codes: ScancodeSet1::new(),
            decoder: EventDecoder::new(Us104Key, HandleControl::MapLettersToUnicode),
            control: Held::Up,
            alt: Held::Up,
        }
    }
}

impl Keyboard {
    /// Takes a scan code; gives the bytes that a key press means.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the crate's enum names 130 keys")]
    pub fn scan(&mut self, code: u8, modes: Modes) -> Option<Typed> {
        let Ok(Some(event)) = self.codes.advance_state(code) else { return None };
        match event.code {
            KeyCode::LControl | KeyCode::RControl => self.control = event.state.into(),
            KeyCode::LAlt => self.alt = event.state.into(),
            _ => {}
        }
        let key = self.decoder.process_keyevent(event)?;
        let mut typed = Typed::default();
        if self.alt == Held::Down {
            typed.push(&[0x1b]);
        }
        let before = typed.length;
        match key {
            DecodedKey::Unicode(glyph) => self.character(glyph, &mut typed),
            DecodedKey::RawKey(code) => typed.push(sequence(code, modes)),
        }
        (typed.length > before).then_some(typed)
    }

    fn character(&self, glyph: char, typed: &mut Typed) {
        match (glyph, self.control) {
            // Backspace is DEL and Return is CR, as on the Linux console.
            ('\u{8}', Held::Up) => typed.push(&[0x7f]),
            ('\u{7f}', _) => typed.push(sequence(KeyCode::Delete, Modes::empty())),
            ('\n', _) => typed.push(b"\r"),
            (glyph, Held::Down) => match control(glyph) {
                Some(byte) => typed.push(&[byte]),
                None => typed.push(glyph.encode_utf8(&mut [0; 4]).as_bytes()),
            },
            (glyph, Held::Up) => typed.push(glyph.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Gives the control character of the keys that are not letters, as the Linux console has them.
fn control(glyph: char) -> Option<u8> {
    match glyph {
        '@' | ' ' | '2' | '`' => Some(0x00),
        '[' | '3' => Some(0x1b),
        '\\' | '4' => Some(0x1c),
        ']' | '5' => Some(0x1d),
        '^' | '6' => Some(0x1e),
        '_' | '/' | '7' | '-' => Some(0x1f),
        '?' | '8' => Some(0x7f),
        _ => None,
    }
}

/// Gives what a key that is no character sends.
#[allow(clippy::wildcard_enum_match_arm, reason = "the crate's enum names 130 keys")]
fn sequence(code: KeyCode, modes: Modes) -> &'static [u8] {
    let application = modes.contains(Modes::CURSOR_KEYS);
    match code {
        KeyCode::ArrowUp | KeyCode::Numpad8 if application => b"\x1bOA",
        KeyCode::ArrowDown | KeyCode::Numpad2 if application => b"\x1bOB",
        KeyCode::ArrowRight | KeyCode::Numpad6 if application => b"\x1bOC",
        KeyCode::ArrowLeft | KeyCode::Numpad4 if application => b"\x1bOD",
        KeyCode::ArrowUp | KeyCode::Numpad8 => b"\x1b[A",
        KeyCode::ArrowDown | KeyCode::Numpad2 => b"\x1b[B",
        KeyCode::ArrowRight | KeyCode::Numpad6 => b"\x1b[C",
        KeyCode::ArrowLeft | KeyCode::Numpad4 => b"\x1b[D",
        KeyCode::Home | KeyCode::Numpad7 => b"\x1b[1~",
        KeyCode::Insert | KeyCode::Numpad0 => b"\x1b[2~",
        KeyCode::Delete | KeyCode::NumpadPeriod => b"\x1b[3~",
        KeyCode::End | KeyCode::Numpad1 => b"\x1b[4~",
        KeyCode::PageUp | KeyCode::Numpad9 => b"\x1b[5~",
        KeyCode::PageDown | KeyCode::Numpad3 => b"\x1b[6~",
        KeyCode::F1 => b"\x1b[[A",
        KeyCode::F2 => b"\x1b[[B",
        KeyCode::F3 => b"\x1b[[C",
        KeyCode::F4 => b"\x1b[[D",
        KeyCode::F5 => b"\x1b[[E",
        KeyCode::F6 => b"\x1b[17~",
        KeyCode::F7 => b"\x1b[18~",
        KeyCode::F8 => b"\x1b[19~",
        KeyCode::F9 => b"\x1b[20~",
        KeyCode::F10 => b"\x1b[21~",
        KeyCode::F11 => b"\x1b[23~",
        KeyCode::F12 => b"\x1b[24~",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_codes(codes: &[u8], modes: Modes) -> alloc::vec::Vec<u8> {
        let mut keyboard = Keyboard::default();
        let typed = codes.iter().filter_map(|code| keyboard.scan(*code, modes));
        typed.flat_map(|typed| typed.as_bytes().to_vec()).collect()
    }

    #[test]
    fn letters_follow_shift() {
        let codes = [0x1e, 0x9e, 0x2a, 0x1e, 0x9e, 0xaa, 0x30];
        assert_eq!(type_codes(&codes, Modes::empty()), b"aAb");
    }

    #[test]
    fn control_makes_control_characters() {
        let codes = [0x1d, 0x2e, 0xae, 0x2b, 0xab, 0x9d, 0x2e];
        assert_eq!(type_codes(&codes, Modes::empty()), b"\x03\x1cc");
    }

    #[test]
    fn alt_puts_escape_in_front() {
        assert_eq!(type_codes(&[0x38, 0x21, 0xa1, 0xb8], Modes::empty()), b"\x1bf");
    }

    #[test]
    fn arrows_follow_the_cursor_key_mode() {
        assert_eq!(type_codes(&[0xe0, 0x48], Modes::empty()), b"\x1b[A");
        assert_eq!(type_codes(&[0xe0, 0x48], Modes::CURSOR_KEYS), b"\x1bOA");
    }

    #[test]
    fn return_backspace_and_function_keys_are_the_linux_consoles() {
        let codes = [0x1c, 0x9c, 0x0e, 0x8e, 0x3b, 0xbb, 0x58, 0xd8, 0xe0, 0x53];
        assert_eq!(type_codes(&codes, Modes::empty()), b"\r\x7f\x1b[[A\x1b[24~\x1b[3~");
    }
}
