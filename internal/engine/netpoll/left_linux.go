package netpoll

import "golang.org/x/sys/unix"

// hungUp is the event of a peer that has closed its side, whatever is still unread.
const hungUp = unix.POLLRDHUP
