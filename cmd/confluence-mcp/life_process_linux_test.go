package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// used is what a process took: CPU time of all cores so far, memory in MB now
// and at its most; anonymous memory is what is no file the kernel can drop.
type used struct {
	cpu                  time.Duration
	rss, peak, anonymous float64
}

// clockTick is the kernel's unit of CPU time.
const clockTick = 10 * time.Millisecond

// processNow reads what a process took; "self" is this one.
func processNow(b *testing.B, pid string) used {
	b.Helper()
	var u used
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	require.NoError(b, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // user and system time
		n, err := strconv.ParseInt(f, 10, 64)
		require.NoError(b, err)
		u.cpu += time.Duration(n) * clockTick
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		to, ok := map[string]*float64{"VmRSS:": &u.rss, "VmHWM:": &u.peak, "RssAnon:": &u.anonymous}[f[0]]
		if !ok {
			continue
		}
		kb, err := strconv.ParseFloat(f[1], 64)
		require.NoError(b, err)
		*to = kb / 1024
	}
	return u
}

// watchMemory lets the peak of this process begin anew and watches it until it
// is asked for.
func watchMemory(b *testing.B) (peaks func() (all, anonymous float64)) {
	b.Helper()
	debug.FreeOSMemory()
	require.NoError(b, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	var most float64
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, processNow(b, "self").anonymous)
			case <-done:
				return
			}
		}
	}()
	return func() (all, anonymous float64) {
		close(done)
		<-stopped
		return processNow(b, "self").peak, most
	}
}

// loadNow is what else the machine does.
func loadNow() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
