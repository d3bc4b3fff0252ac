package main

import (
	"runtime"
	"runtime/debug"
)

// collectLater lets the heap reach 10 MiB before it is collected, once: Go would
// do that at 4 MiB, and a start fills 8, most of which stays. From the first
// collection on the usual pace holds. Whoever has set GOGC has chosen the pace.
func collectLater(chosen string) {
	if chosen != "" {
		return
	}
	const first = 250 // per cent of those 4 MiB
	usual := debug.SetGCPercent(first)
	mark := new(*int) // nobody keeps it: the first collection finds it
	runtime.AddCleanup(mark, func(usual int) {
		if now := debug.SetGCPercent(usual); now != first { // a mirror was opened before, and has a pace of its own
			debug.SetGCPercent(now)
		}
	}, usual)
}
