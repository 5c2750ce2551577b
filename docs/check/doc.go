// Package check compiles the Go programs and fragments of the documentation. It is a module of its own, because they import
// libraries that hubkit itself does not need.
package check
