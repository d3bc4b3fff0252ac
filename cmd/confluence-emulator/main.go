// Command confluence-emulator serves site files as a fake Confluence on
// loopback, for tests, demonstrations and load.
//
// When it is ready it prints one JSON line with the addresses and serves until
// SIGINT or SIGTERM. `convert-wiki` turns the wiki corpus into a site file.
// Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := program{stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	code := p.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
