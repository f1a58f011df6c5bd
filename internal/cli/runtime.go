package cli

import (
	"runtime"
	"runtime/debug"
)

// What a command may use, in bytes, before Go's runtime looks hard for what is not
// needed any more: a base, and more for each stage of a run and each server that it
// logs in to. The stacks of a connection alone are 60 KiB, and each look goes through
// all of them.
const (
	baseMemory   = 32 << 20
	stageMemory  = 4 << 10
	serverMemory = 256 << 10
)

// spareMemory is how much may gather that is not needed any more, in percent of
// what is. A command is over in seconds and keeps little: with Go's own 100, looking
// for it is a tenth of what 1,000 short stages take.
const spareMemory = 400

// favourCommand has Go's runtime suit a command that is soon over.
func favourCommand() {
	debug.SetGCPercent(spareMemory)
	debug.SetMemoryLimit(baseMemory)
}

// allow lets a command use more memory, in bytes.
func allow(more int64) { debug.SetMemoryLimit(debug.SetMemoryLimit(-1) + more) }

// favourStages has Go's runtime get out of the way of what so many stages run,
// and returns what ends that, but for the bound of the memory.
//
// A thread that waits in the kernel for a command counts as running, and where
// none is left to spare, Go's monitor takes its place away and gives it back again
// for every command.
func favourStages(stages int) (end func()) {
	allow(stageMemory * int64(stages))
	threads := runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	return func() { runtime.GOMAXPROCS(threads) }
}
