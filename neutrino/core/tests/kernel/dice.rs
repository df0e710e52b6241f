//! Numbers for walks, and the calls about messages that they choose.

use neutrino_abi::calls::Call;

use crate::walks::{EXTRA, Walk};
use crate::world::{BUFFER, DATA, INFO};

const BAD: u64 = 0x1000;

/// A xorshift generator: the same numbers for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 8) % sides
    }
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len() as u64) as usize]
    }
}

/// A status, a chid and a length as `MsgReplyReceiveRegisters` takes them.
pub(crate) const fn control(status: i32, chid: u32, length: u64) -> u64 {
    (status.cast_unsigned() as u64) | (chid as u64) << 32 | length << 48
}

impl Walk {
    fn address(&mut self) -> u64 {
        self.dice.pick(&[DATA, DATA, DATA, DATA, DATA, DATA, DATA, BUFFER, BUFFER, BAD])
    }

    pub(crate) fn message_call(&mut self) -> Call {
        let (message, coid) = (self.address(), self.coid());
        let chid = self.dice.pick(&[1, 2, 2, 7]);
        let rcvid = self.rcvid();
        match self.dice.roll(20) {
            0..=2 => {
                let extra = self.dice.pick(&[0, 0, EXTRA]);
                Call::MsgSend { coid, message, parts: -9, reply: DATA, reply_parts: -9, extra }
            }
            3..=5 => self.send_words(coid),
            6 | 7 => {
                let info = self.dice.pick(&[0, 0, 0, INFO]);
                Call::MsgReceive { chid, message, parts: -64, info }
            }
            8 => Call::MsgReceivePulse { chid, message, parts: -24 },
            9 => Call::MsgReply { rcvid, status: 1, message, parts: -4 },
            10 => Call::MsgError { rcvid, errno: 4 },
            11..=13 => self.answer(rcvid, chid),
            14 | 15 => self.answer_in_words(rcvid, chid),
            16 => Call::MsgSendPulse { coid, priority: -1, code: 3, value: 1 },
            17 => Call::MsgGrant { rcvid, badge: 9, bits: 1 },
            18 => {
                let (parts, offset) = (self.dice.pick(&[0, -5, -50]), self.dice.pick(&[0, 3, 47]));
                if self.dice.roll(2) == 0 {
                    Call::MsgRead { rcvid, message, parts, offset }
                } else {
                    Call::MsgWrite { rcvid, message, parts, offset }
                }
            }
            _ => Call::MsgTake { rcvid, index: 0, minimum: 0, flags: 0 },
        }
    }

    fn send_words(&mut self, coid: u32) -> Call {
        let length = self.dice.pick(&[0, 9, 20, 48, 48, 49]);
        let room: u64 = self.dice.pick(&[0, 5, 20, 48, 48, 60]);
        let [w0, w1, w2, w3, w4, w5] = [(); 6].map(|()| self.dice.roll(u64::MAX));
        let (lengths, reply) = (length | room << 32, self.address());
        Call::MsgSendRegisters { coid, lengths, w0, w1, w2, w3, w4, w5, reply }
    }

    fn answer(&mut self, rcvid: u64, chid: u32) -> Call {
        let (answer, message) = (self.address(), self.address());
        let status = self.dice.pick(&[0, 0, 0, 7, -4]);
        let answer_parts = self.dice.pick(&[0, -4, -9, -50]);
        let info = self.dice.pick(&[0, 0, 0, INFO]);
        let parts = self.dice.pick(&[0, -6, -64]);
        Call::MsgReplyReceive { rcvid, status, answer, answer_parts, chid, info, message, parts }
    }

    fn answer_in_words(&mut self, rcvid: u64, chid: u32) -> Call {
        let (status, length) = (self.dice.pick(&[0, 0, 7, -4]), self.dice.pick(&[0, 5, 9, 48, 49]));
        let control = control(status, chid, length);
        let [w0, w1, w2, w3, w4, w5] = [(); 6].map(|()| self.dice.roll(u64::MAX));
        let (message, parts) = (self.address(), self.dice.pick(&[0, -6, -64]));
        Call::MsgReplyReceiveRegisters { rcvid, control, w0, w1, w2, w3, w4, w5, message, parts }
    }
}
