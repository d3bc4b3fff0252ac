// Package planted finds the secrets of tests where no secret may be. Every
// secret a test gives the product, and every token the emulator issues, carries
// a mark (see [Find]), and nothing the product prints, logs or answers may.
//
// It looks in two places, so that all of the suite is covered. What test
// binaries print, failures and skipped tests too, is searched by testdata/leaks,
// through which the Makefile runs the suite. What tests keep in memory instead,
// such as the product's output in a buffer or an answer over HTTP, is searched
// as it is written: packages that handle secrets run their tests by [Watch],
// which ends them with a failure when anything was found.
//
// It refuses to know the product. Start reading with [Find].
package planted
