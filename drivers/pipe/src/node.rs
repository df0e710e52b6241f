//! Nodes: a number, and what it is the number of. Node 0 is the directory of FIFOs.

use resmgr::Node;

/// Ends of a pipe.
pub(crate) const READING: Node = 0;
pub(crate) const WRITING: Node = 1;
pub(crate) const BOTH: Node = 2;
/// A socket.
pub(crate) const SOCKET: Node = 3;
/// What is told apart by [`crate::special`]: a counter, a timer, a set, the reader's signals.
pub(crate) const COUNTER: Node = 4;
pub(crate) const TIMER: Node = 5;
pub(crate) const SET: Node = 6;
pub(crate) const SIGNALS: Node = 7;

const KINDS: Node = 7;

/// The node of the thing with a number.
pub(crate) const fn node(id: u64, kind: Node) -> Node {
    id << 3 | kind
}

/// Its number.
pub(crate) const fn id_of(node: Node) -> u64 {
    node >> 3
}

/// What it is.
pub(crate) const fn kind_of(node: Node) -> Node {
    node & KINDS
}

/// The socket that a node is.
pub(crate) fn socket_of(node: Node) -> Option<u64> {
    (kind_of(node) == SOCKET).then_some(id_of(node))
}

/// Whether it is one of those of [`crate::special`].
pub(crate) const fn is_special(node: Node) -> bool {
    kind_of(node) >= COUNTER
}
