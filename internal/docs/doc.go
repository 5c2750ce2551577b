// Package docs finds the project's documents. Its tests find what they name, and compare them with the code. Package docs/check
// compiles their programs.
package docs
