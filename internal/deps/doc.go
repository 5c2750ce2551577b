// Package deps holds the rules of who may import whom in this module, and the test that keeps them.
//
// Leaves stay leaves: what is useful alone does not come to need the hub, the broker interface needs
// nothing but the standard library, and no package drags in a third-party module where it is not
// expected. The rules are the tables in policy_test.go. They state an intent: change them on
// purpose, not to make a test pass.
package deps
