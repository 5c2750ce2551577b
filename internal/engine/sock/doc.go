// Package sock sends to and receives from stream sockets, and asks which are ready, without ever blocking.
//
// On Linux the system calls are made without telling Go's scheduler. They do not block, they are the larger part of all
// that a hub does, and the bookkeeping would be a few percent of them. They are send and recv and not write and read, which
// go through the file system's layer first. Descriptors must be kept from being closed meanwhile by who calls.
package sock
