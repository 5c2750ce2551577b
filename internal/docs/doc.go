// Package docs holds no code: its tests compile the programs in the README and find what the documents name.
package docs
