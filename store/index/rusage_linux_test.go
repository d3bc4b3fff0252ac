package index_test

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// cpuTime is what the process used of all cores.
func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// threadTime is what the thread used.
func threadTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	require.NoError(tb, unix.Getrusage(unix.RUSAGE_THREAD, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS and nowRSS are in MB.
func peakRSS(tb testing.TB) int { return memory(tb, "VmHWM:") }
func nowRSS(tb testing.TB) int  { return memory(tb, "VmRSS:") }

func memory(tb testing.TB, line string) int {
	tb.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for one := range strings.Lines(string(b)) {
		if f := strings.Fields(one); len(f) > 1 && f[0] == line {
			n, err := strconv.Atoi(f[1])
			require.NoError(tb, err)
			return n >> 10
		}
	}
	return 0
}

// loadNow is what else the machine does.
func loadNow() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
