// Package testenv is what the tests of several packages need from their surroundings: tools that
// must be installed, real processes to talk to, and a check that nothing is left behind.
//
// # Guarantees
//
// Nothing skips: a missing tool fails the test and names the package to install.
//
// A [Process] does not outlive its test. It is stopped when the test ends, and with it, on Linux, what
// it started itself. When the test binary dies first, the Linux kernel kills the process.
//
// [Main] and [NoLeaks] fail when a goroutine or, on Linux, a file descriptor is still there twenty
// seconds after the tests ended.
//
// Only tests import this package.
package testenv
