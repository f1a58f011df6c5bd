package machine

// inQueue asks how many bytes wait in a pipe: FIONREAD of sys/filio.h, which
// golang.org/x/sys leaves out.
const inQueue = 0x4004667f
