// Package check has the tests of deploy/kubernetes. It is a module of its own, so that nothing else depends on the types of
// Kubernetes. No release has it.
package check
