// Package redistest runs real Redis servers for tests: one alone, one that Sentinels watch over, or a
// cluster. All listen on free ports of the loopback interface, keep their files in the test's temporary
// directory and end with the test, or with the test binary.
//
// A missing redis-server fails the test and says what to install; nothing is skipped.
package redistest
