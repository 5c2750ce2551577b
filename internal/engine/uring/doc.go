// Package uring sends to many sockets with one system call, by io_uring(7).
//
// A message to a room is one short write for each of its members, and of what that costs the way into the kernel
// and back is a fifth or more. A Ring takes up to its size of sends and has the kernel make them all in one call.
// Nothing is asynchronous: sockets that are full refuse at once, and every result is known when the call returns.
//
// Where the kernel has no io_uring, is older than 5.12, or forbids it (kernel.io_uring_disabled, and the seccomp profiles of
// many containers), New says so, and the caller makes a call for each send, as ever.
package uring
