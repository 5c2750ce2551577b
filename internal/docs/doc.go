// Package docs holds no code: its test compiles the programs in the project's README.
package docs
