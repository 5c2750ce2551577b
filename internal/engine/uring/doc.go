// Package uring sends to many sockets with one system call, by io_uring(7).
//
// A message to a room is one short write for each of its members. The way into the kernel and back is a fifth or more of
// its cost. A Ring collects up to its size of sends, and the kernel makes them all in one call. Nothing is
// asynchronous: a full socket refuses at once, and every result is known when the call returns.
//
// If the kernel has no io_uring, is older than 5.12, or forbids it, New returns an error. (kernel.io_uring_disabled and the
// seccomp profiles of many containers forbid it.) The caller then makes a call for each send.
package uring
