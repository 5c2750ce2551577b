// Package sock sends to and receives from stream sockets, and asks which are ready, without ever blocking.
//
// On Linux the system calls are made without telling Go's scheduler. They do not block, and they are the larger part of a
// hub's work. The bookkeeping would add a few percent. They are send and recv instead of write and read, which go through
// the file system's layer first. The caller must keep the descriptor open during a call.
package sock
