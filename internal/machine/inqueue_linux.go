package machine

import "golang.org/x/sys/unix"

// inQueue asks how many bytes wait in a pipe: FIONREAD of pipe(7).
const inQueue = unix.TIOCINQ
